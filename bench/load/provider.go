//go:build linux

package load

import (
	"bytes"

	"github.com/voipbin/dialrouter/bench/mmsg"
	"github.com/voipbin/dialrouter/bench/table"
)

func (e *Engine) number(id uint32) *table.Number { return &e.numbers[int(id)%len(e.numbers)] }

// check counts what is wrong with an INVITE.
func (e *Engine) check(m *message, want string) {
	if e.cfg.NoChecks {
		return
	}
	if bad := checkInvite(m, want, e.provider.filter); bad != 0 {
		e.count.found(bad)
	}
}

// answer is the provider that answers.
func (e *Engine) answer(m *message, from mmsg.Addr, stamp int64) {
	l := &e.calls[m.id].legs[legAnswers]
	if !m.request {
		e.count.stray++
		return
	}
	switch string(m.method) {
	case "INVITE":
		e.ring(l, m, from, stamp)
	case "ACK":
		e.acked(l)
		e.inDialog(m)
	case "BYE":
		if l.byed {
			e.count.againBYE++
		}
		l.byed = true
		e.release(l) // Whoever hangs up has the answer, though the ACK may still be on its way.
		e.inDialog(m)
		b := appendHead(e.answers.Slot(), "SIP/2.0 200 OK\r\n", m, false, "")
		e.answers.Queue(append(b, emptyTail...), from, nil)
	default:
		e.count.stray++
	}
}

func (e *Engine) inDialog(m *message) {
	if e.cfg.NoChecks {
		return
	}
	if bad := checkInDialog(m, e.provider.contact); bad != 0 {
		e.count.found(bad)
	}
}

// ring replies 100 and 180 to an INVITE, and 200 at once or when it has rung.
func (e *Engine) ring(l *leg, m *message, from mmsg.Addr, stamp int64) {
	n := e.number(m.id)
	want := n.First
	if e.plan.Scenario == B || e.plan.Scenario == C {
		want = n.Second
	}
	e.check(m, want)
	first := e.arrived(l, stamp)
	e.trying(e.answers, m, from)
	b := appendHead(e.answers.Slot(), "SIP/2.0 180 Ringing\r\n", m, true, "uas")
	e.answers.Queue(append(b, e.provider.ringing...), from, &l.rang)
	switch {
	case first:
		b = appendHead(e.buffers.get(), "SIP/2.0 200 OK\r\n", m, true, "uas")
		e.final(legAnswers, m.id, append(b, e.provider.answer...), from, int64(e.plan.Ring))
	case l.sent && l.reply != nil:
		e.answers.Queue(append(e.answers.Slot(), l.reply...), l.to, nil)
	}
}

// reject is the busy provider: 100, 503.
func (e *Engine) reject(m *message, from mmsg.Addr, stamp int64) {
	l := &e.calls[m.id].legs[legBusy]
	switch {
	case m.request && string(m.method) == "INVITE":
		e.check(m, e.number(m.id).First)
		first := e.arrived(l, stamp)
		e.trying(e.busy, m, from)
		if first {
			b := appendHead(e.buffers.get(), "SIP/2.0 503 Service Unavailable\r\n", m, false, "bsy")
			e.final(legBusy, m.id, append(b, busyTail...), from, 0)
		} else if l.reply != nil {
			e.busy.Queue(append(e.busy.Slot(), l.reply...), l.to, nil)
		}
	case m.request && string(m.method) == "ACK":
		e.acked(l)
	default:
		e.count.stray++
	}
}

// ignore is the silent provider. Retransmissions to it are the proxy's duty and count as no duplicates.
func (e *Engine) ignore(m *message) {
	if m.request && string(m.method) == "INVITE" {
		e.check(m, e.number(m.id).First)
	}
}

// arrived notes an INVITE and tells whether it is the first of its leg.
func (e *Engine) arrived(l *leg, stamp int64) bool {
	if l.arrived != 0 {
		e.count.againINVITE++
		return false
	}
	l.arrived = stamp
	return true
}

func (e *Engine) trying(s *mmsg.Socket, m *message, from mmsg.Addr) {
	b := appendHead(s.Slot(), "SIP/2.0 100 Trying\r\n", m, false, "")
	s.Queue(append(b, "Content-Length: 0\r\n\r\n"...), from, nil)
}

// final sends the final reply after a time, and again until its ACK is there (RFC 3261 sections 13.3.1.4, 17.2.1).
func (e *Engine) final(which int, id uint32, reply []byte, to mmsg.Addr, after int64) {
	l := &e.calls[id].legs[which]
	l.reply, l.to, l.tries = reply, to, 0
	l.due = e.now + after
	l.deadline = l.due + giveUp*e.t1
	if after == 0 {
		e.sendFinal(l, which)
	}
	e.wheel.add(token(id, 1+which), l.due)
}

func (e *Engine) sendFinal(l *leg, which int) {
	s := e.answers
	if which == legBusy {
		s = e.busy
	}
	s.Queue(append(s.Slot(), l.reply...), l.to, nil)
	if !l.sent {
		l.sent = true
		e.count.finals++
	} else {
		e.count.providerRetransmits++
	}
	l.due += min(e.t1<<min(l.tries, 6), e.t2)
	l.tries++
}

func (e *Engine) acked(l *leg) {
	if l.sent && !l.acked {
		l.acked = true
		e.count.acked++
		e.release(l)
	}
}

// release ends the retransmission of a final reply.
func (e *Engine) release(l *leg) {
	if l.sent {
		e.buffers.put(l.reply)
		l.reply = nil
	}
}

// legDue sends the final reply, first or again.
func (e *Engine) legDue(id uint32, which int) {
	l := &e.calls[id].legs[which]
	if l.reply == nil {
		return
	}
	if e.now >= l.deadline {
		e.release(l)
		return
	}
	if e.now >= l.due {
		e.sendFinal(l, which)
	}
	e.wheel.add(token(id, 1+which), l.due)
}

// appendHead appends the start line and the headers that a reply copies (RFC 3261 section 8.2.6.2); a tag goes to
// a To that has none.
func appendHead(b []byte, line string, m *message, recordRoute bool, tag string) []byte {
	b = append(b, line...)
	for _, v := range m.via[:m.vias] {
		b = append(b, v...)
	}
	if recordRoute {
		for _, r := range m.recordRoute[:m.routes] {
			b = append(b, r...)
		}
	}
	b = append(b, m.from...)
	if tag != "" && !hasTag(m.to) {
		b = append(append(append(b, bytes.TrimRight(m.to, "\r\n")...), ";tag="...), tag...)
		b = append(appendHex(b, m.id), "\r\n"...)
	} else {
		b = append(b, m.to...)
	}
	return append(append(b, m.callID...), m.cseq...)
}

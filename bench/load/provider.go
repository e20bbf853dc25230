//go:build linux

package load

import (
	"bytes"

	"github.com/voipbin/dialrouter/bench/mmsg"
	"github.com/voipbin/dialrouter/bench/table"
)

func (e *Engine) number(id uint32) *table.Number { return &e.numbers[int(id)%len(e.numbers)] }

// choice tells which leg an INVITE to the answering provider belongs to. In scenarios A and R both choices are
// there; the second is for calls that a proxy has taken from the first.
func (e *Engine) choice(m *message) int {
	switch {
	case e.plan.Scenario == B || e.plan.Scenario == C || e.plan.Scenario == S:
		return legSecond
	case isUser(m.uri, e.number(m.id).Second):
		return legSecond
	default:
		return legFirst
	}
}

// check counts what is wrong with an INVITE to a provider of the first or second choice.
func (e *Engine) check(m *message, which int) {
	if e.cfg.NoChecks {
		return
	}
	want := e.number(m.id).First
	if which == legSecond {
		want = e.number(m.id).Second
	}
	if bad := checkInvite(m, want, e.provider.filter.of(m.id)); bad != 0 {
		e.count.found(bad)
	}
}

// answer is the provider that answers.
func (e *Engine) answer(m *message, from mmsg.Addr, stamp int64) {
	if !m.request {
		e.count.stray++
		return
	}
	l := &e.calls[m.id].legs[taggedLeg(m.to)]
	switch string(m.method) {
	case "INVITE":
		if hasTag(m.to) {
			e.renewal(m, from)
			return
		}
		e.ring(e.answers, e.choice(m), m, from, stamp)
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

// renewal accepts a re-INVITE, which is checked as the first INVITE was.
func (e *Engine) renewal(m *message, from mmsg.Addr) {
	e.inDialog(m)
	if !e.cfg.NoChecks && !bytes.Equal(m.body, e.provider.filter.of(m.id)) {
		e.count.found(1 << faultCodecs)
	}
	b := appendHead(e.answers.Slot(), "SIP/2.0 200 OK\r\n", m, false, "")
	e.answers.Queue(e.provider.accepting(b, m.id), from, nil)
}

// inDialog checks an ACK or BYE. A proxy may send its own, to end a branch that was answered when another had won.
func (e *Engine) inDialog(m *message) {
	if e.cfg.NoChecks {
		return
	}
	own := m.vias == 1 && !bytes.Contains(m.via[0], e.provider.caller)
	if own {
		e.count.own++
	}
	if bad := checkInDialog(m, e.provider.contact, own); bad != 0 {
		e.count.found(bad)
	}
}

// ring replies 100 and 180 to an INVITE, and 200 at once or when it has rung.
func (e *Engine) ring(s *line, which int, m *message, from mmsg.Addr, stamp int64) {
	l := &e.calls[m.id].legs[which]
	e.check(m, which)
	first := e.arrived(l, stamp)
	e.trying(s, m, from)
	b := appendHead(s.Slot(), "SIP/2.0 180 Ringing\r\n", m, true, answerTags[which])
	s.Queue(append(b, e.provider.ringing...), from, &l.rang)
	switch {
	case first:
		b = appendHead(e.buffers.get(), "SIP/2.0 200 OK\r\n", m, true, answerTags[which])
		e.final(s, which, m.id, e.provider.accepting(b, m.id), from, int64(e.plan.Ring))
	case l.sent && l.reply != nil:
		s.Queue(append(s.Slot(), l.reply...), l.to, nil)
	}
}

// reject is the busy provider: 100, 503.
func (e *Engine) reject(m *message, from mmsg.Addr, stamp int64) {
	l := &e.calls[m.id].legs[legFirst]
	switch {
	case m.request && string(m.method) == "INVITE":
		e.check(m, legFirst)
		first := e.arrived(l, stamp)
		e.trying(e.busy, m, from)
		if first {
			b := appendHead(e.buffers.get(), "SIP/2.0 503 Service Unavailable\r\n", m, false, "bsy")
			e.final(e.busy, legFirst, m.id, append(b, busyTail...), from, 0)
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
		e.check(m, legFirst)
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

func (e *Engine) trying(s *line, m *message, from mmsg.Addr) {
	b := appendHead(s.Slot(), "SIP/2.0 100 Trying\r\n", m, false, "")
	s.Queue(append(b, "Content-Length: 0\r\n\r\n"...), from, nil)
}

// final sends the final reply after a time, and again until its ACK is there (RFC 3261 sections 13.3.1.4, 17.2.1).
func (e *Engine) final(s *line, which int, id uint32, reply []byte, to mmsg.Addr, after int64) {
	l := &e.calls[id].legs[which]
	l.reply, l.from, l.to, l.tries = reply, s, to, 0
	l.due = e.now + after
	l.deadline = l.due + giveUp*e.t1
	if after == 0 {
		e.sendFinal(l)
	}
	e.wheel.add(token(id, 1+which), l.due)
}

func (e *Engine) sendFinal(l *leg) {
	l.from.Queue(append(l.from.Slot(), l.reply...), l.to, nil)
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
		e.sendFinal(l)
	}
	e.wheel.add(token(id, 1+which), l.due)
}

// answerTags are what the To tags of the answering provider begin with, by leg: its Contact is the same for both.
var answerTags = [...]string{legFirst: "uas", legSecond: "alt"} //nolint:gochecknoglobals // A table; nobody writes to it.

// taggedLeg returns the leg that the To of a request in a dialog names.
func taggedLeg(to []byte) int {
	if bytes.Contains(to, []byte(";tag=alt")) {
		return legSecond
	}
	return legFirst
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

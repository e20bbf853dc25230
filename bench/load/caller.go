//go:build linux

package load

import (
	"bytes"
	"time"
)

// giveUp is how many T1 a transaction waits for its reply (RFC 3261 section 17.1: timers B and F).
const giveUp = 64

// answerSlack is how long a call may take from a provisional reply to its answer, beside the time it rings.
const answerSlack = int64(32 * time.Second)

// start sends the INVITE of the next call.
func (e *Engine) start(id uint32) {
	c := &e.calls[id]
	e.count.started++
	c.state = invited
	e.await(c)
	e.caller.Queue(e.text.invite(e.caller.Slot(), id, e.number(id)), e.proxy, &c.sent)
	e.wheel.add(token(id, tokenCaller), c.due)
}

// await sets when a request is sent again, and given up. What went by a stream is not sent again (RFC 3261 section 17.1.1.2).
func (e *Engine) await(c *call) {
	c.deadline = e.now + giveUp*e.t1
	c.due = e.now + e.t1
	if e.stream != nil {
		c.due = c.deadline
	}
}

// heard takes a reply.
func (e *Engine) heard(m *message, stamp int64) {
	c := &e.calls[m.id]
	switch {
	case m.request:
		e.count.stray++
	case string(m.cseqMethod) == "BYE":
		if c.state == leaving && m.code >= 200 {
			e.end(c, m.code == 200)
		}
	case string(m.cseqMethod) != "INVITE":
		e.count.stray++
	case m.cseqNumber == cseqRenew:
		e.renewed(c, m)
	case m.code < 200:
		e.provisional(c, m.code, stamp)
	case m.code < 300:
		e.answered(c, m)
	default:
		e.caller.Queue(e.text.ackRejected(e.caller.Slot(), m.id, e.number(m.id), m.to), e.proxy, nil)
		if c.state == invited || c.state == proceeding {
			if m.code == 503 {
				c.refused = stamp
				if m.retryAfter >= 0 {
					e.count.told++
				}
			}
			e.end(c, false)
		}
	}
}

func (e *Engine) provisional(c *call, code int, stamp int64) {
	if c.state == invited {
		c.state = proceeding
		c.deadline = e.now + answerSlack + int64(e.plan.Ring)
	}
	switch {
	case code == 100:
		e.count.trying++
	case code == 180 && c.heard == 0:
		c.heard = stamp
		c.early = c.state == proceeding
	case code == 180:
		e.count.ringingAgain++
	}
}

// answered takes a 2xx: the first makes the dialog, each later one gets its ACK again.
func (e *Engine) answered(c *call, m *message) {
	if c.state != invited && c.state != proceeding {
		if c.saved != nil {
			e.count.answeredAgain++
			e.sendACK(c)
		}
		return
	}
	target := uriOf(m.contact)
	routes, hop, bad := e.router.routeSet(e.scratch[:0], m, target)
	e.scratch = routes
	if !e.cfg.Outbound && bad != 0 {
		e.count.found(bad)
	}
	if e.stream != nil && !bytes.Contains(routes, []byte(";transport=tcp")) {
		e.count.found(1 << faultNextHop)
	}
	c.hop = hop
	b := e.text.request(e.buffers.get(), "ACK ", branchAck, m.id, target, routes, m.to, e.text.ackTail)
	c.ends[keptACK] = uint16(len(b))
	if !e.plan.Renew {
		b = e.text.request(b, "BYE ", branchBye, m.id, target, routes, m.to, e.text.byeTail)
		c.ends[keptBYE] = uint16(len(b))
	} else {
		b = e.text.request(b, "BYE ", branchBye, m.id, target, routes, m.to, e.text.lateByeTail)
		c.ends[keptBYE] = uint16(len(b))
		b = e.text.request(b, "INVITE ", branchRenew, m.id, target, routes, m.to, e.text.renewTail)
		b = append(b, e.text.offer.of(m.id)...)
		c.ends[keptRenew] = uint16(len(b))
		b = e.text.request(b, "ACK ", branchRenewAck, m.id, target, routes, m.to, e.text.renewAckTail)
		c.ends[keptRenewACK] = uint16(len(b))
	}
	c.saved = b
	e.sendACK(c)
	if e.plan.Hold > 0 || e.plan.Renew {
		c.state, c.due = holding, e.now+int64(e.plan.Hold)
		e.wheel.add(token(m.id, tokenCaller), c.due)
		return
	}
	e.leave(c, m.id)
}

// renew sends the re-INVITE.
func (e *Engine) renew(c *call, id uint32) {
	c.state, c.tries = renewing, 0
	e.await(c)
	e.sendKept(c, keptRenew)
	e.wheel.add(token(id, tokenCaller), c.due)
}

// renewed takes a reply to the re-INVITE, and hangs up.
func (e *Engine) renewed(c *call, m *message) {
	switch {
	case m.code < 200 || c.saved == nil:
	case m.code >= 300 && c.state == renewing: // Its ACK does not matter any more: the call has failed.
		e.end(c, false)
	case m.code < 300:
		e.sendKept(c, keptRenewACK)
		if c.state == renewing {
			e.count.renewed++
			e.leave(c, m.id)
		}
	}
}

// leave sends the BYE.
func (e *Engine) leave(c *call, id uint32) {
	c.state, c.tries = leaving, 0
	e.await(c)
	e.sendKept(c, keptBYE)
	e.wheel.add(token(id, tokenCaller), c.due)
}

func (e *Engine) sendACK(c *call) { e.sendKept(c, keptACK) }

// sendKept sends a request of the dialog.
func (e *Engine) sendKept(c *call, which int) {
	begin := uint16(0)
	if which > 0 {
		begin = c.ends[which-1]
	}
	to := c.hop
	if e.detour {
		to = e.proxy
	}
	e.caller.Queue(append(e.caller.Slot(), c.saved[begin:c.ends[which]]...), to, nil)
}

func (e *Engine) end(c *call, ok bool) {
	c.state = failed
	if ok {
		c.state = done
		e.count.ok++
	}
	e.count.ended++
	e.buffers.put(c.saved)
	c.saved = nil
}

// callerDue retransmits, gives up, or hangs up.
func (e *Engine) callerDue(id uint32) {
	c := &e.calls[id]
	switch {
	case c.state == idle || c.state == done || c.state == failed:
	case c.state == holding && e.now >= c.due && e.plan.Renew:
		e.renew(c, id)
	case c.state == holding && e.now >= c.due:
		e.leave(c, id)
	case c.state != holding && e.now >= c.deadline:
		e.end(c, false)
	case c.state == proceeding:
		e.wheel.add(token(id, tokenCaller), c.deadline)
	case e.now < c.due: // It was put back beyond the wheel's horizon, or is a token of an earlier run.
		e.wheel.add(token(id, tokenCaller), c.due)
	default:
		e.retransmit(c, id)
	}
}

func (e *Engine) retransmit(c *call, id uint32) {
	c.tries++
	e.count.callerRetransmits++
	switch c.state {
	case invited:
		e.caller.Queue(e.text.invite(e.caller.Slot(), id, e.number(id)), e.proxy, nil)
		c.due += e.t1 << min(c.tries, 6) // Timer A doubles without a cap.
	case renewing:
		e.sendKept(c, keptRenew)
		c.due += e.t1 << min(c.tries, 6)
	default:
		e.sendKept(c, keptBYE)
		c.due += min(e.t1<<min(c.tries, 6), e.t2) // Timer E is capped by T2.
	}
	e.wheel.add(token(id, tokenCaller), min(c.due, c.deadline))
}

// hasTag tells whether a To line carries a tag.
func hasTag(to []byte) bool {
	_, params, _ := bytes.Cut(to, []byte{'>'})
	return bytes.Contains(params, []byte(";tag="))
}

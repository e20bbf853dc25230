package router

import (
	"time"

	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// tryingDelay is when a caller that has heard nothing gets our 100. RFC 3261 section 17.2.1 wants it within 200 ms;
// a provider that is faster than this saves the message.
const tryingDelay = int64(130 * time.Millisecond)

// advanceLocked starts the next attempt, or concludes the call when there is none. m and rq are the request when it is
// at hand, nil otherwise.
func (w *worker) advanceLocked(c *call, m *message.Message, rq *request) {
	if len(c.redirects) == 0 {
		c.vacateLocked()
	}
	for !c.cancelled && w.now < c.setupEnd && c.tried() < c.snap.maxAttempts {
		t, ok := c.nextTry(w.now, w.r.metrics)
		if !ok {
			break
		}
		if m == nil {
			m, rq = w.reread(c)
		}
		if t.redirect == nil && len(t.prov.hops) > 1 {
			w.drawHops(&t)
		}
		if w.attemptLocked(c, t, m, rq) {
			if n := len(c.attempts); n > 1 {
				w.r.metrics.failover(c.attempts[n-2])
			}
			return
		}
		t.undo(c)
		c.skipped(t.prov, skipCodecs, 0)
		c.unable = true
	}
	w.concludeLocked(c)
}

// try is what is to be tried next: a provider at one of its addresses, or where it redirected us to.
type try struct {
	prov     *provider
	choice   dialplan.Choice
	hop      int // Which of the provider's addresses, as drawn for this call.
	order    [maxHops]uint8
	placed   bool  // Has a place within the provider's limit of calls.
	again    bool  // By another transport than the attempt before.
	retries  uint8 // How often a rule had this provider tried again.
	redirect *redirect
	auth     *logon // Nil: we have no credentials for it.
}

// maxHops bounds the addresses of one provider that one call tries.
const maxHops = 8

// flow is where a try goes.
func (t *try) flow() transport.Flow {
	switch {
	case t.redirect != nil:
		return t.redirect.flow
	case len(t.prov.hops) == 1:
		return t.prov.hops[0]
	default:
		return t.prov.hops[t.order[t.hop]]
	}
}

// further moves on to the provider's next address. It is false when there is none.
func (t *try) further() bool {
	if t.prov == nil || t.redirect != nil || t.hop+1 >= min(len(t.prov.hops), maxHops) {
		return false
	}
	t.hop, t.again = t.hop+1, false
	return true
}

// leave gives the place of a call back that was not established.
func (t *try) leave() {
	if t.placed {
		t.placed = false
		t.prov.state.Leave()
	}
}

// undo gives back what a try took from its provider's limits, when nothing was sent.
func (t *try) undo(c *call) {
	if !c.invite || t.redirect != nil {
		t.leave()
		return
	}
	t.placed = false
	t.prov.state.Undo(t.prov.Limits.Calls, t.prov.Limits.CPS)
}

// drawHops puts the provider's addresses into an order for one call: by priority, and by weight among equals (RFC 2782).
func (w *worker) drawHops(t *try) {
	p := t.prov
	w.drawn = resolve.Order(w.drawn[:0], p.targets, w.rng.Uint64())
	var down [maxHops]uint8 // Where probes find nobody: tried behind the others.
	n, late := 0, 0
	for i := range w.drawn {
		for j := range p.targets {
			if p.targets[j] != w.drawn[i] {
				continue
			}
			switch to := uint8(min(j, 255)); {
			case !p.places[j].Down():
				if n < maxHops {
					t.order[n] = to
					n++
				}
			case late < maxHops:
				down[late] = to
				late++
			}
			break
		}
	}
	copy(t.order[n:], down[:late])
}

// nextTry takes the next try out of the plan: first where the last provider redirected us to.
func (c *call) nextTry(now int64, m *metrics) (try, bool) {
	if len(c.redirects) > 0 {
		r := c.redirects[0]
		c.redirects = c.redirects[1:]
		return try{prov: r.prov, choice: r.choice, redirect: r, placed: c.inherit(r.prov)}, true
	}
	for c.next < len(c.plan) {
		ch := c.plan[c.next]
		c.next++
		p := &c.snap.providers[ch.Provider]
		if why := p.skip(); why != skipNone {
			c.skipped(p, why, 0)
			continue
		}
		if !c.invite {
			return try{prov: p, choice: ch}, true
		}
		refusal := p.state.Enter(now, p.Limits.Calls, p.Limits.CPS)
		if refusal == health.Room {
			return try{prov: p, choice: ch, placed: p.Limits.Calls > 0}, true
		}
		m.limited(p)
		why, n := p.atLimit(refusal, now)
		c.skipped(p, why, n)
	}
	return try{}, false
}

// made counts the attempts: one that was repeated with credentials is the same as the one that repeats it.
func (c *call) made() int {
	n := 0
	for _, a := range c.attempts {
		if !a.repeated {
			n++
		}
	}
	return n
}

// tried counts the providers that were tried: an attempt at another address of the same one, by another transport, with
// credentials, or once more because a rule said so, is no new try.
func (c *call) tried() int {
	n := 0
	for _, a := range c.attempts {
		if a.hop == 0 && !a.again && !a.repeated && a.retries == 0 {
			n++
		}
	}
	return n
}

// attemptLocked begins an attempt. It is false when the codec list leaves nothing to offer.
func (w *worker) attemptLocked(c *call, t try, m *message.Message, rq *request) bool {
	a := c.addAttempt(&w.r.attempts)
	a.try, a.flow = t, t.flow()
	a.auth = t.account().logOn(t.auth, a.flow.Remote, w.now)
	a.nonce = w.rng.Uint64()
	if !w.sendLocked(c, a, m, rq) {
		c.dropAttempt(&w.r.attempts)
		return false
	}
	a.budgetEnd = w.now + t.prov.budgets.noReply
	if t.hop > 0 {
		// The provider's addresses share its budget; a late one still gets half.
		a.budgetEnd = max(w.now+t.prov.budgets.noReply/2, c.attempts[len(c.attempts)-2].start+t.prov.budgets.noReply)
	}
	return true
}

// sendLocked dresses and sends the call's request as an attempt's. It is false when the codec list leaves nothing to
// offer.
func (w *worker) sendLocked(c *call, a *attempt, m *message.Message, rq *request) bool {
	if !w.dress(c, a, m, rq) {
		return false
	}
	if to, ok := w.roomier(a); ok {
		a.flow, a.large = to, true
		w.dress(c, a, m, rq)
	}
	w.launchLocked(c, a)
	return true
}

// largestDatagram is the size beyond which a request should go by a transport with congestion control, when the path's
// MTU is unknown (RFC 3261 section 18.1.1).
const largestDatagram = 1300

// roomier is the way by TCP for a request in w.buf that is too large for a datagram, when nobody said that the provider
// takes UDP only, and TCP did not fail lately.
func (w *worker) roomier(a *attempt) (transport.Flow, bool) {
	if len(w.buf) <= largestDatagram || a.flow.Proto != transport.UDP || a.prov.pinned || a.prov.state.DatagramsOnly(w.now) {
		return a.flow, false
	}
	return w.r.flowTo(transport.TCP, a.flow.Remote, a.flow.Listener)
}

// launchLocked sends the request in w.buf as an attempt's.
func (w *worker) launchLocked(c *call, a *attempt) {
	a.start = w.now
	a.sent = w.r.bufs.Copy(w.buf)
	a.client.Start(&w.r.timing, w.now, c.invite, a.flow.Proto.Reliable())
	w.send(a.flow, a.sent, requestKind(c.method))
}

// abandonLocked goes on without an attempt: it is cancelled if it ever answered, or as soon as it does (RFC 3261
// section 9.1), and stays only so that a late 2xx does not leave a leg up that nobody owns.
func (w *worker) abandonLocked(c *call, a *attempt, why cause) {
	if a.abandoned {
		return
	}
	a.abandoned, a.budgetEnd = true, 0
	w.endAttempt(c, a, why)
	w.stopLocked(c, a)
}

// stopLocked cancels a pending attempt, now or as soon as it may.
func (w *worker) stopLocked(c *call, a *attempt) {
	if !c.invite || !a.client.Pending() {
		a.client.Quiet(w.now)
		return
	}
	if a.client.State() != transaction.Proceeding {
		a.cancelDue = true
		if a.abandoned {
			a.client.Quiet(w.now + w.life())
		}
		return
	}
	w.sendCancelLocked(a)
}

// life is 64 times T1, in nanoseconds.
func (w *worker) life() int64 { return 64 * int64(w.r.timing.T1) }

// sendCancelLocked sends CANCEL for an attempt that gave a provisional response. If no final response follows within
// 64*T1, the transaction ends (RFC 3261 section 9.1).
func (w *worker) sendCancelLocked(a *attempt) {
	a.cancelDue = false
	if a.cancel.State() != transaction.Idle {
		return
	}
	a.cancel.Start(&w.r.timing, w.now, false, a.flow.Proto.Reliable())
	a.client.Quiet(w.now + w.life())
	w.hop(a, "CANCEL", nil)
	w.send(a.flow, w.buf, requestKind(message.CANCEL))
}

// hop writes a CANCEL, or the ACK to a non-2xx response, into w.buf: both have the Request-URI, Call-ID, From, CSeq
// number, Route and top Via of the request that was sent (RFC 3261 sections 9.1 and 17.1.1.3). To is the request's
// for CANCEL, the response's for ACK.
func (w *worker) hop(a *attempt, method string, to []byte) {
	m := &w.held
	_ = m.Parse(a.sent)
	b := append(append(w.buf[:0], method...), ' ')
	b = append(append(b, m.Bytes(m.URI)...), " SIP/2.0\r\n"...)
	b = append(b, m.Bytes(m.First(message.Via).Line)...)
	b = append(b, "Max-Forwards: 70\r\n"...)
	b = append(b, m.Bytes(m.First(message.From).Line)...)
	if to == nil {
		to = m.Bytes(m.First(message.To).Line)
	}
	b = append(b, to...)
	b = append(b, m.Bytes(m.First(message.CallID).Line)...)
	n, _, _ := m.CSeqOf()
	b = append(b, "CSeq: "...)
	b = appendUint(b, n)
	b = append(append(append(b, ' '), method...), "\r\n"...)
	first, end := m.Range(message.Route)
	for i := first; i < end; i++ {
		if h := &m.Headers[i]; h.Kind == message.Route {
			b = append(b, m.Bytes(h.Line)...)
		}
	}
	w.buf = append(b, "Content-Length: 0\r\n\r\n"...)
}

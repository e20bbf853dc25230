package router

import (
	"strconv"
	"time"

	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// response takes a response in. One that belongs to no transaction of ours goes nowhere (RFC 6026 section 7.3).
func (w *worker) response(from transport.Flow) {
	m := &w.msg
	via, fault := m.TopVia()
	if fault != nil {
		w.drop(from, dropMalformed)
		return
	}
	slot, nonce, _, ok := parseBranch(m.Bytes(via.Branch))
	if !ok || !w.r.names.has(m.Bytes(via.Host), via.Port, via.V6) {
		w.drop(from, dropStray)
		return
	}
	c := w.r.calls.Get(slot)
	if c == nil {
		if slot != probeMark || !w.r.probes.socket.response(nonce, from, m) {
			w.drop(from, dropStray)
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.find(nonce)
	_, method, fault := m.CSeqOf()
	if a == nil || fault != nil {
		w.drop(from, dropStray)
		return
	}
	switch {
	case string(method) == "CANCEL":
		a.cancel.Response(&w.r.timing, w.now, m.Status)
	case message.MethodOf(method) != c.method:
		w.drop(from, dropStray)
		return
	default:
		w.answerLocked(c, a, &via)
	}
	w.settleLocked(c)
}

// find returns the attempt with a nonce, nil when the slot serves another call by now.
func (c *call) find(nonce uint64) *attempt {
	if c.role == free {
		return nil
	}
	for _, a := range c.attempts {
		if a.nonce == nonce {
			return a
		}
	}
	return nil
}

// answerLocked takes a response to the call's own request.
func (w *worker) answerLocked(c *call, a *attempt, via *message.ViaElem) {
	code := w.msg.Status
	if a.replied == 0 {
		a.replied = w.now
	}
	action := a.client.Response(&w.r.timing, w.now, code)
	switch action { //nolint:exhaustive // The others are no answers to a response.
	case transaction.Drop:
	case transaction.Ack:
		w.send(a.flow, a.sent, requestKind(message.ACK))
	case transaction.DeliverAck:
		w.hop(a, "ACK", w.msg.Bytes(w.msg.First(message.To).Line))
		a.sent = w.keep(a.sent, w.buf)
		w.send(a.flow, w.buf, requestKind(message.ACK))
		w.finalLocked(c, a, via)
	case transaction.Deliver:
		switch {
		case code < 200:
			w.provisionalLocked(c, a, via)
		case code < 300 && c.invite:
			w.acceptedLocked(c, a, via)
		default:
			w.finalLocked(c, a, via)
		}
	}
}

// provisionalLocked takes a 1xx.
func (w *worker) provisionalLocked(c *call, a *attempt, via *message.ViaElem) {
	code := w.msg.Status
	a.status = code
	if a.cancelDue {
		w.sendCancelLocked(a)
	}
	if a.abandoned {
		return
	}
	w.signOfLife(c, a, code)
	if !c.invite {
		a.budgetEnd = 0 // It is at work; Timer F bounds it.
	} else if a.budgetEnd != 0 {
		w.extendLocked(c, a, code)
	}
	// 100 is hop by hop (RFC 3261 section 16.7 item 5), and only INVITE has others (RFC 4320 section 4.1).
	if code == 100 || !c.invite {
		return
	}
	if code >= 180 && a.ringing == 0 {
		a.ringing = w.now
		if a.prov != nil {
			w.r.metrics.ringing(a)
		}
	}
	c.tryingAt = 0
	if c.cancelled || c.server.Respond(&w.r.timing, w.now, code) != transaction.Send {
		return
	}
	w.upstream(c, a, via)
	c.resp = w.keep(c.resp, w.buf)
	w.sendUp(c, w.buf, kind1xx)
}

// extendLocked moves an attempt's budget on: from no_reply to no_ringing with the first sign of life, to answer with
// the first 18x; and starts answer again with each further one, as Timer C (RFC 3261 section 16.8).
func (w *worker) extendLocked(c *call, a *attempt, code int) {
	b := &c.snap.budgets
	if a.prov != nil {
		b = &a.prov.budgets
	}
	switch {
	case code >= 180, a.ringing != 0 && code > 100, a.prov == nil:
		a.budgetEnd = w.now + b.answer
	case a.ringing == 0:
		a.budgetEnd = max(a.start+b.noRinging, w.now)
	}
}

// upstream writes the response into w.buf as it goes up: without our Via, with the caller's own CSeq number, all else
// byte for byte (RFC 3261 section 16.7 items 3 and 9).
func (w *worker) upstream(c *call, a *attempt, via *message.ViaElem) {
	m := &w.msg
	e := &w.edits
	e.Reset()
	if h := m.First(message.Via); via.More {
		e.Delete(message.Span{Start: h.Value.Start, End: via.Next})
	} else {
		e.Delete(h.Line)
	}
	w.number(m, a.cseq, c.cseq)
	w.buf = e.Apply(w.buf[:0], m.Buf)
	// An answer that names a codec we took out of the offer is passed all the same.
	if a.edited && a.policy.ViolatesBody(m.Value(message.ContentType), m.Value(message.ContentEncoding), m.Body()) {
		w.r.metrics.violations.Inc()
	}
}

// acceptedLocked takes a 2xx to an INVITE.
func (w *worker) acceptedLocked(c *call, a *attempt, via *message.ViaElem) {
	code := w.msg.Status
	first := c.server.State() == transaction.Proceeding
	won := c.server.State() == transaction.Accepted && a.cause == causeAnswered
	if !first && !won {
		// Another attempt has won, or the caller was told that the call failed: this leg is nobody's.
		w.endLegLocked(a)
		return
	}
	if c.server.Respond(&w.r.timing, w.now, code) != transaction.Send {
		return
	}
	w.upstream(c, a, via)
	w.sendUp(c, w.buf, kind2xx)
	if !first {
		return
	}
	a.budgetEnd, a.answered, a.status = 0, w.now, code
	a.abandoned, a.cancelDue = false, false
	w.establishLocked(a)
	if a.auth != nil {
		w.learn(a)
	}
	w.endAttempt(c, a, causeAnswered)
	w.r.bufs.Put(a.sent)
	a.sent = nil
	for _, o := range c.attempts {
		if o != a && o.client.Pending() {
			w.abandonLocked(c, o, causeCancelled)
		}
	}
	w.doneLocked(c, code)
}

// finalLocked takes a final response other than a 2xx to an INVITE; of a non-INVITE request, any.
func (w *worker) finalLocked(c *call, a *attempt, via *message.ViaElem) {
	code := w.msg.Status
	a.budgetEnd, a.cancelDue = 0, false
	if a.abandoned || c.server.Final() || a.auth != nil && w.provedLocked(c, a) {
		return
	}
	a.status = code
	why := causeOf(code)
	var r *rule
	if a.prov != nil && code >= 300 && len(a.prov.rules) > 0 {
		if r = ruling(a.prov.rules, &w.msg); r != nil && r.cause != causeNone {
			why = r.cause
		}
	}
	if c.cancelled && code == 487 {
		why = causeCancelled
	}
	w.endAttempt(c, a, why)
	if c.role == own {
		return
	}
	if c.cancelled && code != 487 {
		w.finishLocked(c, 487, "")
		return
	}
	w.upstream(c, a, via)
	if c.cancelled {
		w.passLocked(c, code, w.buf)
		return
	}
	if a.prov == nil {
		w.passLocked(c, code, w.buf)
		return
	}
	if code == 503 {
		if d, ok := retryAfterOf(&w.msg); ok {
			a.prov.state.Rest(w.now, d)
			a.rest = int64(min(d, health.MaxRest))
		}
	}
	if r != nil {
		w.ruledLocked(c, a, r)
		return
	}
	if code < 400 && code >= 300 && a.prov.FollowRedirects && w.redirectLocked(c, a) {
		w.advanceLocked(c, nil, nil)
		return
	}
	if judge(code, &a.prov.next, a.ringing != 0, a.prov.after, false) == relay {
		a.relayed = true
		w.passLocked(c, code, w.buf)
		return
	}
	w.candidateLocked(c, code, w.buf)
	if code != 503 || !w.furtherLocked(c, a) {
		w.advanceLocked(c, nil, nil)
	}
}

// retryAfterOf reads Retry-After: seconds, before any comment or parameter (RFC 3261 section 20.33).
func retryAfterOf(m *message.Message) (time.Duration, bool) {
	v := m.Value(message.RetryAfter)
	n := 0
	for n < len(v) && v[n]-'0' < 10 {
		n++
	}
	s, ok := message.ParseUint(v[:n], 1<<32-1)
	return time.Duration(s) * time.Second, ok
}

// candidateLocked remembers a final response in case no attempt does better. b is nil for our own word.
func (w *worker) candidateLocked(c *call, code int, b []byte) {
	if challenge(code) && challenge(c.bestOf) && b != nil {
		b = w.mergeLocked(c, b)
	}
	if c.bestOf != 0 && rank(c.bestOf, c.best == nil) < rank(code, b == nil) {
		return
	}
	c.bestOf = code
	if b == nil {
		w.r.bufs.Put(c.best)
		c.best = nil
		return
	}
	c.best = w.keep(c.best, b)
}

func challenge(code int) bool { return code == 401 || code == 407 }

// mergeLocked adds the challenges of the best response so far to b, so that the caller can answer them all (RFC 3261
// section 16.7 item 7).
func (w *worker) mergeLocked(c *call, b []byte) []byte {
	_ = w.held.Parse(c.best) // Both were read when they came.
	w.text = w.text[:0]
	for i := range w.held.Headers {
		if h := &w.held.Headers[i]; h.Kind == message.ProxyAuthenticate || h.Kind == message.WWWAuthenticate {
			w.text = append(w.text, w.held.Bytes(h.Line)...)
		}
	}
	_ = w.held.Parse(b)
	w.edits.Reset()
	w.edits.Insert(w.held.HeadersEnd)
	w.edits.Put(w.text)
	w.body = w.edits.Apply(w.body[:0], b)
	return w.body
}

func appendUint(dst []byte, n uint32) []byte { return strconv.AppendUint(dst, uint64(n), 10) }

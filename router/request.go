package router

import (
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// request takes a request in: copies go to their transaction, what must not pass is answered at once, the rest is
// carried by plan or, within a dialog, by its route set.
func (w *worker) request(from transport.Flow, fault *message.Fault) {
	m, rq := &w.msg, &w.rq
	*rq = request{}
	if readFault := w.read(m, rq); fault == nil {
		fault = readFault
	}
	if fault != nil {
		w.malformed(from, fault)
		return
	}
	rq.key = w.keyFor(m, rq, rq.method)
	switch m.Method { //nolint:exhaustive // The two that are no transactions of their own at a proxy.
	case message.ACK:
		w.ack(from)
		return
	case message.CANCEL:
		w.cancel(from)
		return
	}
	if slot, ok := w.r.table.Find(rq.key); ok && w.copyOf(slot, rq.key) {
		return
	}
	switch code, x := w.admit(from); code {
	case 0:
	case 503:
		w.turnAway(from, x)
		return
	default:
		w.refuse(m, rq, from, code, "", x)
		return
	}
	snap := w.r.current.Load()
	switch {
	case rq.toTag != nil:
		w.withinDialog(from, snap)
	case w.toUs(snap, from):
	default:
		w.place(from, snap)
	}
}

// malformed answers what can be answered, and counts it.
func (w *worker) malformed(from transport.Flow, f *message.Fault) {
	w.drop(from, dropMalformed)
	// Without a Via there is nobody to answer, and an answer without any of the others helps nobody either.
	if w.msg.Has(message.Via) && w.msg.Has(message.CSeq) {
		w.rq.key = transaction.Key{}
		w.refuse(&w.msg, &w.rq, from, f.Status, f.Phrase, noExtra)
	}
}

// copyOf handles a request that has a transaction already. It is false when the transaction ended in the meantime.
func (w *worker) copyOf(slot uint32, key transaction.Key) bool {
	c := w.r.calls.Get(slot)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role == free || c.key != key {
		return false
	}
	w.copyLocked(c)
	return true
}

func (w *worker) copyLocked(c *call) {
	if c.server.Copy() != transaction.Resend {
		return
	}
	if c.resp == nil {
		if c.invite {
			w.tryingLocked(c)
		}
		return
	}
	w.sendUp(c, c.resp, kindRepeat)
}

// admit is what stands before any state is kept: who may send, and what RFC 3261 section 16.3 has checked. It
// answers a status code, 0 to go on.
func (w *worker) admit(from transport.Flow) (int, extra) {
	m, rq := &w.msg, &w.rq
	r := w.r
	inDialog := rq.toTag != nil
	snap := r.current.Load()
	if !inDialog && m.Method != message.OPTIONS && !snap.allowed(from.Remote.Addr()) {
		w.drop(from, dropForbidden)
		return 403, noExtra
	}
	if code, x := w.room(from, inDialog); code != 0 {
		return code, x
	}
	if v := m.Value(message.MaxForwards); v != nil {
		n, ok := message.ParseUint(v, 1<<32-1)
		if !ok {
			// Larger than any counter we could write; the RFC's limit is 255 (section 20.22).
			return 400, noExtra
		}
		if n == 0 && m.Method != message.OPTIONS {
			return 483, noExtra
		}
		if n == 0 {
			if w.ours() {
				return 0, noExtra
			}
			return 483, noExtra
		}
	}
	if m.Has(message.MaxBreadth) && w.spent() {
		return 440, noExtra
	}
	if w.looped() {
		return 482, noExtra
	}
	if m.Has(message.ProxyRequire) {
		return 420, w.unsupported()
	}
	return 0, noExtra
}

// room says whether there is place and time for a request. Those of calls that are up go before new ones: they get a
// margin of their own, and nobody refuses them for want of time.
func (w *worker) room(from transport.Flow, inDialog bool) (int, extra) {
	r := w.r
	limit := int64(r.maxCalls)
	n := r.inProgress.Load()
	switch {
	case inDialog:
		if n >= 2*limit {
			w.drop(from, dropOverload)
			return 503, w.retryAfter()
		}
	case r.shares.scarce() && w.shed(from):
		w.countRefusal(from)
		return 503, w.retryAfter()
	case r.sourceRate != 0 && w.beyondRate(from):
		w.drop(from, dropSourceRate)
		return 503, w.retryAfter()
	case n >= limit && w.full(from, n):
		w.drop(from, dropOverload)
		return 503, w.retryAfter()
	case r.draining.Load():
		return 503, w.retryAfter()
	}
	return 0, noExtra
}

// spent says whether a request for others may take no branch any more (RFC 5393 section 5.3.3). We take one at a time.
func (w *worker) spent() bool {
	n, ok := message.ParseUint(w.msg.Value(message.MaxBreadth), 1<<32-1)
	return ok && n == 0 && (w.msg.Method != message.OPTIONS || !w.ours())
}

// looped says whether a Via of ours is on the request with the hash of this very request (RFC 3261 section 16.3 item
// 4). A spiral, with another Request-URI, has another hash.
func (w *worker) looped() bool {
	m, rq := &w.msg, &w.rq
	first, end := m.Range(message.Via)
	if end-first <= 1 && !rq.via.More {
		return w.ourVia(&rq.via)
	}
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.Via {
			continue
		}
		s := h.Value
		for {
			v, fault := message.ParseVia(m.Buf, s)
			if fault != nil {
				break // Not ours, and so none of our business.
			}
			if w.ourVia(&v) {
				return true
			}
			if !v.More {
				break
			}
			s.Start = v.Next
		}
	}
	return false
}

// ourVia says whether we wrote this Via for a request that went the same way as the one at hand.
func (w *worker) ourVia(v *message.ViaElem) bool {
	m := &w.msg
	_, _, loop, ok := parseBranch(m.Bytes(v.Branch))
	return ok && w.r.names.has(m.Bytes(v.Host), v.Port, v.V6) && loop == w.loopHash(m, &w.rq, w.rq.cseq)
}

// unsupported lists the extensions that Proxy-Require asks for, none of which we have (RFC 3261 section 16.3 item 5).
func (w *worker) unsupported() extra {
	m := &w.msg
	b := []byte("Unsupported: ")
	n := len(b)
	first, end := m.Range(message.ProxyRequire)
	for i := first; i < end; i++ {
		if h := &m.Headers[i]; h.Kind == message.ProxyRequire {
			if len(b) > n {
				b = append(b, ", "...)
			}
			b = append(b, unfold(m.Bytes(h.Value))...)
		}
	}
	return extra(append(b, "\r\n"...))
}

// unfold makes one line of a folded value.
func unfold(v []byte) []byte {
	out := make([]byte, 0, len(v))
	for _, c := range v {
		if c == '\r' || c == '\n' {
			c = ' '
		}
		out = append(out, c)
	}
	return out
}

// ours says whether the request asks us ourselves: it has no user part, or names one of our own addresses.
func (w *worker) ours() bool {
	u, fault := message.ParseURI(w.msg.Bytes(w.msg.URI))
	return fault == nil && u.Scheme != message.SchemeTel && (!u.HasUser || w.r.names.hasURI(&u))
}

// toUs answers what is meant for us and not for a provider: OPTIONS and REGISTER. It is false for everything else.
func (w *worker) toUs(snap *snapshot, from transport.Flow) bool {
	m, rq := &w.msg, &w.rq
	switch m.Method { //nolint:exhaustive // All others are carried.
	case message.OPTIONS:
		if w.ours() {
			if w.r.draining.Load() {
				w.refuse(m, rq, from, 503, "", w.retryAfter())
			} else {
				w.refuse(m, rq, from, 200, "", allow)
			}
			return true
		}
		if !snap.allowed(from.Remote.Addr()) {
			w.drop(from, dropForbidden)
			w.refuse(m, rq, from, 403, "", noExtra)
			return true
		}
	case message.REGISTER:
		if _, fault := message.ParseURI(m.Bytes(m.URI)); fault != nil {
			w.refuse(m, rq, from, fault.Status, fault.Phrase, noExtra)
			return true
		}
		w.refuse(m, rq, from, 405, "", allow)
		return true
	}
	return false
}

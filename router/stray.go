package router

import (
	"slices"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// endLegLocked ends a leg that nobody owns: a provider answered an attempt that the call has gone on without. The 2xx
// is acknowledged each time it comes (RFC 3261 section 13.2.2.4), and once a BYE follows.
func (w *worker) endLegLocked(a *attempt) {
	m := &w.msg
	to, ok := w.target(m, a.flow)
	if !ok {
		return
	}
	a.abandoned, a.cancelDue, a.budgetEnd = true, false, 0
	w.r.metrics.orphans.Inc()
	n, _, _ := m.CSeqOf()
	w.legRequest(m, to, "ACK", n, appendBranch(w.text[:0], statelessMark, w.rng.Uint64(), 0))
	w.send(to, w.buf, requestKind(message.ACK))
	if a.ended {
		return
	}
	a.ended = true
	bye := w.open(own)
	if bye == nil {
		return
	}
	defer bye.mu.Unlock()
	bye.method = message.BYE
	b := bye.addAttempt(&w.r.attempts)
	b.nonce, b.flow, b.cseq = w.rng.Uint64(), to, n+1
	if a.auth != nil {
		b.auth = a.auth.account.logOn(nil, to.Remote, w.now)
	}
	w.legRequest(m, to, "BYE", b.cseq, appendBranch(w.text[:0], bye.slot, b.nonce, 0))
	w.authorize(b.auth)
	w.launchLocked(bye, b)
	w.settleLocked(bye)
}

// legRequest writes a request within the dialog that a 2xx made into w.buf, as the caller would have sent it from
// our place: to the Contact, by the Record-Route entries between us and the callee, in reverse.
func (w *worker) legRequest(m *message.Message, to transport.Flow, method string, cseq uint32, branch []byte) {
	b := append(append(w.buf[:0], method...), ' ')
	b = append(b, w.contact(m)...)
	b = append(b, " SIP/2.0\r\n"...)
	l := &w.r.local[to.Listener]
	b = append(append(append(b, l.via...), branch...), l.viaTail...)
	b = append(b, "Max-Forwards: 70\r\n"...)
	route := w.routeSet(m)
	for _, r := range slices.Backward(route) {
		b = append(append(append(b, "Route: "...), m.Bytes(r)...), "\r\n"...)
	}
	b = append(b, m.Bytes(m.First(message.From).Line)...)
	b = append(b, m.Bytes(m.First(message.To).Line)...)
	b = append(b, m.Bytes(m.First(message.CallID).Line)...)
	b = appendUint(append(b, "CSeq: "...), cseq)
	b = append(append(append(b, ' '), method...), "\r\n"...)
	w.buf = append(b, "Content-Length: 0\r\n\r\n"...)
}

// contact is the URI of a message's first Contact, nil when it has none that can be read.
func (w *worker) contact(m *message.Message) []byte {
	h := m.First(message.Contact)
	if h == nil {
		return nil
	}
	n, ok := message.ParseNameAddr(m.Buf, h.Value)
	if !ok {
		return nil
	}
	return m.Bytes(n.URI)
}

// routeSet lists the Record-Route entries above ours: those of elements between us and the callee, the callee's
// neighbour first.
func (w *worker) routeSet(m *message.Message) []message.Span {
	var set []message.Span
	first, end := m.Range(message.RecordRoute)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.RecordRoute {
			continue
		}
		for s := h.Value; ; {
			n, ok := message.ParseNameAddr(m.Buf, s)
			if !ok {
				return set
			}
			if u, fault := message.ParseURI(m.Bytes(n.URI)); fault == nil && w.r.names.hasURI(&u) {
				return set
			}
			set = append(set, n.Elem)
			if !n.More {
				break
			}
			s.Start = n.Next
		}
	}
	return set
}

// target is where requests of the dialog that a 2xx made go: the route nearest to us, else the Contact; when that is
// a name, to where the 2xx came from.
func (w *worker) target(m *message.Message, back transport.Flow) (transport.Flow, bool) {
	uri := w.contact(m)
	if uri == nil || m.First(message.From) == nil || m.First(message.To) == nil || m.First(message.CallID) == nil {
		return back, false
	}
	if route := w.routeSet(m); len(route) > 0 {
		n, ok := message.ParseNameAddr(m.Buf, route[len(route)-1])
		if !ok {
			return back, false
		}
		uri = m.Bytes(n.URI)
	}
	u, fault := message.ParseURI(uri)
	if fault != nil {
		return back, true
	}
	if to, ok := w.r.direct(&u, back.Listener); ok {
		return to, true
	}
	return back, true
}

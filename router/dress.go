package router

import (
	"bytes"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// dress writes the request for an attempt into w.buf. It always starts from the bytes that came, so nothing of an
// earlier attempt reaches this one. It is false when the provider's codec list leaves nothing of the offer.
func (w *worker) dress(c *call, a *attempt, m *message.Message, rq *request) bool {
	p := a.prov
	policy, code := effective(p, c.policy, c.snap.policy), p.codecs
	outcome := w.filter(policy, m)
	if outcome == sdp.NoCodec {
		return false
	}
	a.edited, a.policy = outcome == sdp.Edited, policy
	a.cseq = rq.cseq
	shift, numbered := a.shift()
	if numbered {
		a.cseq = begin(rq.cseq) + shift
	}
	a.loop = w.loopHash(m, rq, a.cseq)

	e := &w.edits
	e.Reset()
	e.Replace(m.URI)
	if a.redirect != nil {
		e.Put(a.redirect.uri)
	} else {
		e.Wrote(p.card.appendURI(e.Buffer(), c.number))
	}

	w.via(c.from, a.flow, a.branch(c), m, rq)
	if dialogForming(m.Method) {
		if code == nil && policy != nil {
			code = encodeCodecs(policy)
		}
		ck := cookie{providerTag: p.tag, codecs: code}
		if numbered {
			ck.numbered, ck.numbering = true, numbering{first: rq.cseq, shift: uint8(shift)}
		}
		w.recordRoute(c.from, a.flow, m, rq, &ck)
	}
	w.number(m, rq.cseq, a.cseq)
	w.maxForwards(m)
	w.undress(p, m)
	if withheld(m) {
		w.deleteAll(m, message.PAssertedIdentity)
	}
	e.Insert(m.HeadersEnd)
	e.Put(p.headers)
	w.replaceBody(m, a.edited, a.flow.Proto.Reliable())
	w.buf = e.Apply(w.buf[:0], m.Buf)
	w.authorize(a.auth)
	return true
}

// number writes another CSeq number.
func (w *worker) number(m *message.Message, old, seq uint32) {
	if old != seq {
		w.replaceNumber(m, m.First(message.CSeq).Value, seq)
	}
}

// replaceNumber writes another number in the place of the one that a span begins with.
func (w *worker) replaceNumber(m *message.Message, s message.Span, n uint32) {
	w.edits.Replace(message.Span{Start: s.Start, End: digitsEnd(m.Buf, s)})
	w.edits.PutUint(uint64(n))
}

// digitsEnd is where the digits end that a span begins with.
func digitsEnd(buf []byte, s message.Span) uint32 {
	for s.Start < s.End && buf[s.Start]-'0' < 10 {
		s.Start++
	}
	return s.Start
}

// dialogForming tells the methods whose dialogs we stay on the way of.
func dialogForming(m message.Method) bool {
	return m == message.INVITE || m == message.SUBSCRIBE || m == message.REFER || m == message.NOTIFY
}

// filter puts the body through a codec policy; when the outcome is Edited the new one is w.body.
func (w *worker) filter(policy *sdp.Policy, m *message.Message) sdp.Outcome {
	if policy.Unrestricted() || int(m.BodyStart) == len(m.Buf) {
		return sdp.Untouched
	}
	var outcome sdp.Outcome
	w.body, outcome = policy.FilterBody(w.body[:0], m.Value(message.ContentType), m.Value(message.ContentEncoding), m.Body())
	w.r.metrics.filtered(outcome)
	return outcome
}

// via adds our Via above the others (RFC 3261 section 16.6 item 8), and notes in the one below it where the request
// came from.
func (w *worker) via(from, to transport.Flow, b branch, m *message.Message, rq *request) {
	l := &w.r.local[to.Listener]
	e := &w.edits
	e.Insert(m.First(message.Via).Line.Start)
	e.Put(l.via)
	e.Wrote(appendBranch(e.Buffer(), b.slot, b.nonce, b.loop))
	e.Put(l.viaTail)
	w.stampVia(m, &rq.via, from)
}

// recordRoute puts us on the way of the dialog's later requests (RFC 3261 section 16.6 item 4): with one entry, or
// with two where transport or address change between the sides (RFC 5658).
func (w *worker) recordRoute(from, to transport.Flow, m *message.Message, rq *request, ck *cookie) {
	e := &w.edits
	at := m.First(message.Via).Line.Start
	if h := m.First(message.RecordRoute); h != nil {
		at = h.Line.Start
	}
	ck.callerTag = w.r.key.tagHash(rq.fromTag)
	e.Insert(at)
	e.Put(w.r.local[to.Listener].route)
	mark := len(e.Buffer())
	e.Wrote(w.r.key.seal(e.Buffer(), ck, rq.callID))
	end := len(e.Buffer())
	e.PutString(">\r\n")
	if from.Listener != to.Listener {
		e.Put(w.r.local[from.Listener].route)
		e.Put(e.Buffer()[mark:end])
		e.PutString(">\r\n")
	}
}

// maxForwards counts down, or starts the count (RFC 3261 section 16.6 item 3).
func (w *worker) maxForwards(m *message.Message) {
	e := &w.edits
	h := m.First(message.MaxForwards)
	if h == nil {
		e.Insert(m.HeadersEnd)
		e.PutString("Max-Forwards: 70\r\n")
		return
	}
	n, _ := message.ParseUint(m.Bytes(h.Value), 1<<32-1)
	e.Replace(h.Value)
	e.PutUint(uint64(min(max(n, 1)-1, 255)))
}

// undress removes what was for us alone: routes that name us, the media server's private headers, and headers that
// the provider sets itself.
func (w *worker) undress(p *provider, m *message.Message) {
	e := &w.edits
	for i := range m.Headers {
		h := &m.Headers[i]
		if h.Kind == message.Route || h.Kind == message.Private || p.sets(m.Bytes(h.Name)) {
			e.Delete(h.Line)
		}
	}
}

// withheld says whether the caller asked that its identity does not leave the trust domain (RFC 3325 section 7), as
// whose border we take the way to the providers.
func withheld(m *message.Message) bool {
	if !m.Has(message.PAssertedIdentity) || !m.Has(message.Privacy) {
		return false
	}
	first, end := m.Range(message.Privacy)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.Privacy {
			continue
		}
		for v := range bytes.SplitSeq(m.Bytes(h.Value), []byte{';'}) {
			if equalFold(bytes.TrimSpace(v), "id") {
				return true
			}
		}
	}
	return false
}

// sets says whether the provider's own headers have one of this name.
func (p *provider) sets(name []byte) bool {
	for _, n := range p.headerNames {
		if equalFold(name, n) {
			return true
		}
	}
	return false
}

// replaceBody writes the new body, and a Content-Length that fits (RFC 3261 section 18.3): always when the body was
// edited, and on streams when there was none.
func (w *worker) replaceBody(m *message.Message, edited, stream bool) {
	e := &w.edits
	h := m.First(message.ContentLength)
	n := len(m.Body())
	if edited {
		n = len(w.body)
	}
	switch {
	case h == nil && (edited || stream):
		e.Insert(m.HeadersEnd)
		e.PutString("Content-Length: ")
		e.PutUint(uint64(n))
		e.PutString("\r\n")
	case h != nil && edited:
		e.Replace(h.Value)
		e.PutUint(uint64(n))
	}
	if edited {
		e.Replace(m.BodySpan())
		e.Put(w.body)
	}
}

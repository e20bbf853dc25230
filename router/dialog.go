package router

import (
	"bytes"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// pathElem is one Route element of a request, and the header line it stands in.
type pathElem struct {
	message.NameAddr
	header int // Index into Message.Headers.
}

// path is what the route set of a request says (RFC 3261 sections 16.4 and 16.6 items 6 and 7).
type path struct {
	elems  []pathElem
	mine   int  // How many elements at the top name us: 0, 1, or 2 where transport or address change.
	strict bool // A strict router put our own URI into the Request-URI; the real one is the last element.
	sealed bool // The cookie is ours and of this call.
	cookie cookie
	local  int // The socket that the lowest element of ours names, -1 for none.

	renumber bool   // The cookie numbers the caller's requests, and this is one.
	cseq     uint32 // The CSeq number with which it goes out first.
	rack     uint32 // Likewise the number of the INVITE that its RAck names.
}

// cookieState is the memory that a path uses; a worker has one.
type cookieState struct {
	elems [8]pathElem
	buf   [cookieMax]byte
}

// readPath reads the route set of a request.
func (w *worker) readPath(m *message.Message, rq *request) (p path, fault *message.Fault) {
	p.elems, p.local = w.opened.elems[:0], -1
	first, end := m.Range(message.Route)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.Route {
			continue
		}
		for s := h.Value; ; {
			n, ok := message.ParseNameAddr(m.Buf, s)
			if !ok {
				return p, message.ErrRoute
			}
			p.elems = append(p.elems, pathElem{n, i})
			if !n.More {
				break
			}
			s.Start = n.Next
		}
	}
	if u, fault := message.ParseURI(m.Bytes(m.URI)); fault == nil && w.r.names.hasURI(&u) {
		if text, ok := message.Param(u.Params, cookieParam); ok && len(p.elems) > 0 {
			p.strict = true
			p.cookie, p.sealed = w.r.key.open(text, rq.callID, &w.opened.buf)
		}
	}
	for p.mine < min(2, len(p.elems)) {
		u, fault := message.ParseURI(m.Bytes(p.elems[p.mine].URI))
		if fault != nil || !w.r.names.hasURI(&u) {
			break
		}
		p.mine++
		if l := w.localFor(&u); l >= 0 {
			p.local = l
		}
		if text, ok := message.Param(u.Params, cookieParam); ok && !p.sealed {
			p.cookie, p.sealed = w.r.key.open(text, rq.callID, &w.opened.buf)
		}
	}
	p.cseq = rq.cseq
	if p.sealed && p.cookie.numbered {
		w.renumber(m, rq, &p)
	}
	return p, nil
}

// localFor finds the socket that a URI of ours names.
func (w *worker) localFor(u *message.URI) int {
	proto := protoOfURI(u)
	port := u.Port
	if port == 0 {
		port = portOf(proto)
	}
	for i := range w.r.local {
		l := &w.r.local[i]
		if l.proto == proto && l.addr.Port() == port && l.hosted(u) {
			return i
		}
	}
	return -1
}

// hosted says whether a URI names the host of this socket.
func (l *local) hosted(u *message.URI) bool {
	a, ok := u.Addr()
	return !ok || a == l.addr.Addr()
}

// withinDialog carries a request that has a To tag: by its route set, if we are on it.
func (w *worker) withinDialog(from transport.Flow, snap *snapshot) {
	m, rq := &w.msg, &w.rq
	p, fault := w.readPath(&w.msg, &w.rq)
	switch {
	case fault != nil:
		w.refuse(m, rq, from, fault.Status, fault.Phrase, noExtra)
		return
	case p.mine == 0 && !p.strict:
		w.refuse(m, rq, from, 481, "", noExtra)
		return
	case !p.sealed:
		w.drop(from, dropForbidden)
		w.refuse(m, rq, from, 403, "Route Not Ours", noExtra)
		return
	}
	w.forward(from, snap, &p, false)
}

// follow carries a request outside a dialog by the Route headers that an allowed source put there.
func (w *worker) follow(from transport.Flow, snap *snapshot) {
	p, fault := w.readPath(&w.msg, &w.rq)
	if fault != nil {
		w.refuse(&w.msg, &w.rq, from, fault.Status, fault.Phrase, noExtra)
		return
	}
	w.forward(from, snap, &p, dialogForming(w.msg.Method))
}

// forward sends a request where its path leads, as a transaction.
func (w *worker) forward(from transport.Flow, snap *snapshot, p *path, record bool) {
	m, rq := &w.msg, &w.rq
	next, fault := w.nextHop(m, p)
	if fault != nil {
		w.refuse(m, rq, from, fault.Status, fault.Phrase, noExtra)
		return
	}
	policy := w.dialogPolicy(p)
	if p.sealed {
		w.dialogAlive(snap, p)
		if m.Method == message.BYE {
			w.hungUp()
		}
	}
	c := w.enter(inside, from)
	if c == nil {
		return
	}
	defer c.mu.Unlock()
	c.snap, c.policy = snap, policy
	if c.invite {
		c.tryingAt = w.now + tryingDelay
	}
	a := c.addAttempt(&w.r.attempts)
	a.nonce = w.rng.Uint64()
	if to, ok := w.r.direct(&next, w.leaveBy(p, from)); ok {
		w.sendInsideLocked(c, a, to, m, rq, p, record)
	} else if !w.lookUp(c, &next, w.leaveBy(p, from), record) {
		w.finishLocked(c, 503, "")
	}
	w.settleLocked(c)
}

// sendInsideLocked sends the call's request, within a dialog, as an attempt.
func (w *worker) sendInsideLocked(c *call, a *attempt, to transport.Flow, m *message.Message, rq *request, p *path, record bool) {
	outcome := w.filter(c.policy, m)
	if outcome == sdp.NoCodec && m.Method != message.PRACK {
		w.finishLocked(c, 488, "")
		return
	}
	a.edited, a.policy = outcome == sdp.Edited, c.policy
	a.flow, a.cseq = to, p.cseq
	if p.renumber {
		if a.auth == nil {
			a.auth = c.snap.accountOf(p).logOn(nil, to.Remote, w.now)
		} else {
			a.cseq = min(p.cseq+a.auth.repeats, cseqEnd-1)
		}
	}
	a.loop = w.loopHash(m, rq, a.cseq)
	w.dressInside(c.from, to, a.branch(c), m, rq, p, record)
	w.authorize(a.auth)
	w.launchLocked(c, a)
	if c.invite {
		a.budgetEnd = w.now + w.life()
	}
}

// leaveBy is the socket by which a request within a dialog leaves: the one its lowest Route of ours names, else the
// one it came in by.
func (w *worker) leaveBy(p *path, from transport.Flow) uint16 {
	if p.local >= 0 {
		return uint16(p.local)
	}
	return from.Listener
}

// nextHop is the URI that decides where the request goes: the next Route, else the Request-URI.
func (w *worker) nextHop(m *message.Message, p *path) (message.URI, *message.Fault) {
	span := m.URI
	rest := p.elems[p.mine:]
	if p.strict && len(rest) > 0 {
		// The last element is the Request-URI; with one alone it is also where to go.
		span = rest[len(rest)-1].URI
		rest = rest[:len(rest)-1]
	}
	if len(rest) > 0 {
		span = rest[0].URI
	}
	u, fault := message.ParseURI(m.Bytes(span))
	if fault == nil && u.Scheme == message.SchemeTel {
		fault = message.ErrScheme
	}
	return u, fault
}

// dressInside writes a request within a dialog into w.buf. Its body is w.body if the policy edited it.
func (w *worker) dressInside(from, to transport.Flow, b branch, m *message.Message, rq *request, p *path, record bool) {
	w.edits.Reset()
	w.via(from, to, b, m, rq)
	if record {
		w.recordRoute(from, to, m, rq, new(cookie))
	}
	w.maxForwards(m)
	w.number(m, rq.cseq, b.cseq)
	if p.sealed && p.cookie.numbered {
		w.numberOthers(m, p)
	}
	w.routes(m, p)
	if m.Has(message.PAssertedIdentity) {
		// What a stranger asserts of an identity is worth nothing (RFC 3325 section 5), and what is private stays on our
		// side.
		snap := w.r.current.Load()
		if !snap.allowed(from.Remote.Addr()) || withheld(m) && !snap.allowed(to.Remote.Addr()) {
			w.deleteAll(m, message.PAssertedIdentity)
		}
	}
	w.replaceBody(m, b.edited, to.Proto.Reliable())
	w.buf = w.edits.Apply(w.buf[:0], m.Buf)
}

// routes takes our elements out of the route set, and does for strict routers on either side what RFC 3261 section
// 16.4 and item 6 of section 16.6 ask.
func (w *worker) routes(m *message.Message, p *path) {
	rest, uri := p.elems[p.mine:], m.URI
	if p.strict && len(rest) > 0 {
		uri = rest[len(rest)-1].URI
		rest = rest[:len(rest)-1]
	}
	loose := true
	if len(rest) > 0 {
		if u, fault := message.ParseURI(m.Bytes(rest[0].URI)); fault == nil {
			_, loose = message.Param(u.Params, "lr")
		}
	}
	if m.Has(message.Private) {
		w.deleteAll(m, message.Private)
	}
	switch {
	case p.strict || !loose:
		w.rewriteRoutes(m, rest, uri, loose)
	case p.mine > 0:
		w.popRoutes(m, p.elems[p.mine-1])
	}
}

// popRoutes removes the route set's elements down to and including the last of ours.
func (w *worker) popRoutes(m *message.Message, last pathElem) {
	for i := range last.header + 1 {
		switch h := &m.Headers[i]; {
		case h.Kind != message.Route:
		case i < last.header, !last.More:
			w.edits.Delete(h.Line)
		default:
			w.edits.Delete(message.Span{Start: h.Value.Start, End: last.Next})
		}
	}
}

// rewriteRoutes writes the route set anew, one element a line: without the last one when that was the Request-URI,
// and, when the next hop is a strict router, with its URI in the Request-URI and the real one at the end.
func (w *worker) rewriteRoutes(m *message.Message, rest []pathElem, uri message.Span, loose bool) {
	e := &w.edits
	at := m.First(message.Route).Line.Start
	w.deleteAll(m, message.Route)
	e.Replace(m.URI)
	if loose {
		e.Put(m.Bytes(uri))
	} else {
		e.Put(m.Bytes(rest[0].URI))
		rest = rest[1:]
	}
	for _, r := range rest {
		e.Insert(at)
		e.PutString("Route: ")
		e.Put(m.Bytes(r.Elem))
		e.PutString("\r\n")
	}
	if !loose {
		e.Insert(at)
		e.PutString("Route: <")
		e.Put(m.Bytes(uri))
		e.PutString(">\r\n")
	}
}

// deleteAll removes all headers of a kind.
func (w *worker) deleteAll(m *message.Message, k message.Kind) {
	first, end := m.Range(k)
	for i := first; i < end; i++ {
		if h := &m.Headers[i]; h.Kind == k {
			w.edits.Delete(h.Line)
		}
	}
}

// dialogPolicy is the codec policy for the offer of a request within a dialog: the one that the first offer went
// through, for the media server's direction only.
func (w *worker) dialogPolicy(p *path) *sdp.Policy {
	m := &w.msg
	if !p.sealed || len(p.cookie.codecs) == 0 || w.r.key.tagHash(w.rq.fromTag) != p.cookie.callerTag {
		return nil
	}
	switch m.Method {
	case message.INVITE, message.UPDATE, message.PRACK:
		w.text = decodeCodecs(w.text[:0], p.cookie.codecs)
		policy, _ := w.policyFor(w.text)
		return policy
	default:
		return nil
	}
}

// ack takes an ACK: to a non-2xx response it ends here (RFC 3261 section 17.2.1), to a 2xx it goes on by its route
// set without a transaction.
func (w *worker) ack(from transport.Flow) {
	m, rq := &w.msg, &w.rq
	if slot, ok := w.r.table.Find(rq.key); ok && w.acknowledged(slot, rq.key) {
		return
	}
	p, fault := w.readPath(&w.msg, &w.rq)
	if fault != nil || !p.sealed {
		if !w.acknowledgesRefusal() {
			w.drop(from, dropStray)
		}
		return
	}
	next, fault := w.nextHop(m, &p)
	if fault != nil {
		w.drop(from, dropMalformed)
		return
	}
	if v := m.Value(message.MaxForwards); string(v) == "0" {
		w.drop(from, dropHops)
		return
	}
	to, ok := w.r.direct(&next, w.leaveBy(&p, from))
	if !ok {
		w.lookUpAck(from, &next, w.leaveBy(&p, from))
		return
	}
	w.passAck(from, to, &p)
}

// acknowledgesRefusal says whether the ACK at hand is for a response that was sent without state: its To tag is ours.
func (w *worker) acknowledgesRefusal() bool {
	return w.madeOf(bytes.TrimPrefix(w.rq.toTag, w.r.awayTag[len(";tag="):]), w.rq.key)
}

// passAck sends the ACK at hand on. Its branch is a function of the one that came, so that copies have the same (RFC
// 3261 section 16.11).
func (w *worker) passAck(from, to transport.Flow, p *path) {
	b := branch{slot: statelessMark, nonce: w.rq.key[0], cseq: p.cseq}
	w.dressInside(from, to, b, &w.msg, &w.rq, p, false)
	w.send(to, w.buf, requestKind(message.ACK))
}

// acknowledged is true when the ACK belongs to a non-2xx response.
func (w *worker) acknowledged(slot uint32, key transaction.Key) bool {
	c := w.r.calls.Get(slot)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role == free || c.key != key {
		return false
	}
	action := c.server.Acknowledge(&w.r.timing, w.now)
	w.settleLocked(c)
	return action != transaction.Deliver
}

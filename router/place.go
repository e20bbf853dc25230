package router

import (
	"bytes"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// place carries a request outside a dialog: it finds the number, plans the providers and starts the first attempt.
func (w *worker) place(from transport.Flow, snap *snapshot) {
	m, rq := &w.msg, &w.rq
	uri, fault := message.ParseURI(m.Bytes(m.URI))
	switch {
	case fault != nil:
		w.refuse(m, rq, from, fault.Status, fault.Phrase, noExtra)
		return
	case uri.Scheme == message.SchemeSIPS:
		// A sips URI asks for TLS on every hop, which nothing here promises yet (RFC 5630).
		w.refuse(m, rq, from, 416, "", noExtra)
		return
	case len(uri.Headers) > 0:
		// Headers may not stand in a Request-URI (RFC 3261 section 19.1.1).
		w.refuse(m, rq, from, message.ErrURI.Status, message.ErrURI.Phrase, noExtra)
		return
	}
	switch w.preloaded() {
	case routesBad:
		w.refuse(m, rq, from, message.ErrRoute.Status, message.ErrRoute.Phrase, noExtra)
		return
	case routesForeign:
		if !snap.preloaded {
			w.drop(from, dropForbidden)
			w.refuse(m, rq, from, 403, "Route Not Allowed", noExtra)
			return
		}
		w.follow(from, snap)
		return
	case routesNone:
	}
	if !uri.HasUser {
		code := 404
		if m.Method == message.INVITE {
			code = 484
		}
		w.refuse(m, rq, from, code, "", noExtra)
		return
	}
	c := w.enter(placed, from)
	if c == nil {
		return
	}
	defer c.mu.Unlock()
	c.snap = snap
	c.setupEnd = w.now + snap.setup
	if c.invite {
		c.tryingAt = w.now + tryingDelay
	}
	var n dialplan.Number
	n, w.text = dialplan.ParseUser(w.text[:0], uri.User, snap.international)
	c.number = append(c.number[:0], n.Dial...)
	c.digits = len(n.Digits)
	if phrase := w.wishesLocked(c); phrase != "" {
		w.finishLocked(c, 400, phrase)
	} else {
		w.planLocked(c, n.Digits)
		w.advanceLocked(c, m, rq)
	}
	w.settleLocked(c)
}

// enter opens a call for the request at hand and puts it into the table. It is nil when the request was dealt with:
// refused because there is no room, or known as a copy after all.
func (w *worker) enter(rl role, from transport.Flow) *call {
	m, rq := &w.msg, &w.rq
	c := w.open(rl)
	if c == nil {
		w.drop(from, dropOverload)
		w.refuse(m, rq, from, 503, "", w.retryAfter())
		return nil
	}
	c.method, c.invite = m.Method, m.Method == message.INVITE
	c.from, c.cseq, c.key = from, rq.cseq, rq.key
	if c.sentBy = rq.via.Port; c.sentBy == 0 {
		c.sentBy = portOf(from.Proto)
	}
	// The same request may be on another worker at this moment; the table decides which of the two is the copy.
	if slot, ok := w.r.table.Insert(rq.key, c.slot); !ok {
		c.key = transaction.Key{}
		w.releaseLocked(c)
		c.mu.Unlock()
		w.copyOf(slot, rq.key)
		return nil
	}
	if h := m.First(message.CallID); h != nil {
		c.callID = h.Value
	}
	c.server.Start(c.invite, from.Proto.Reliable())
	c.req = w.r.bufs.Copy(m.Buf)
	w.countLocked(c)
	return c
}

// routes is what the Route headers of a request outside a dialog say.
type routes uint8

const (
	routesNone    routes = iota // None, or only us.
	routesForeign               // They lead beyond us.
	routesBad
)

// preloaded looks at the Route headers of a request outside a dialog.
func (w *worker) preloaded() routes {
	m := &w.msg
	first, end := m.Range(message.Route)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.Route {
			continue
		}
		for s := h.Value; ; {
			n, ok := message.ParseNameAddr(m.Buf, s)
			if !ok {
				return routesBad
			}
			u, fault := message.ParseURI(m.Bytes(n.URI))
			if fault != nil || !w.r.names.hasURI(&u) {
				return routesForeign
			}
			if !n.More {
				break
			}
			s.Start = n.Next
		}
	}
	return routesNone
}

// wishesLocked reads the headers that media servers send to us alone. It answers what is wrong with them, "" for
// nothing.
func (w *worker) wishesLocked(c *call) string {
	m := &w.msg
	c.customer = providers.Everyone
	if !m.Has(message.Private) {
		return ""
	}
	first, end := m.Range(message.Private)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.Private {
			continue
		}
		value := m.Bytes(h.Value)
		switch name := m.Bytes(h.Name); {
		case len(value) == 0:
		case equalFold(name, "vbout-codecs"):
			p, ok := w.policyFor(value)
			if !ok {
				return "Bad VBOUT-CODECS"
			}
			c.policy = p
		case equalFold(name, "vb-customer-id"):
			id, err := uuid.ParseBytes(value)
			if err != nil {
				return "Bad VB-CUSTOMER-ID"
			}
			c.customer = id
		case equalFold(name, "vb-provider-ids"):
			if !w.listLocked(c, value) {
				return "Bad VB-PROVIDER-IDS"
			}
		}
	}
	return ""
}

// listLocked plans exactly the providers that are named, in their order. Ones that the catalog does not have are left
// out.
func (w *worker) listLocked(c *call, value []byte) bool {
	c.listed = true
	for e := range bytes.SplitSeq(value, []byte{','}) {
		id, err := uuid.ParseBytes(bytes.TrimSpace(e))
		if err != nil {
			return false
		}
		i, ok := c.snap.byID[id]
		if !ok {
			c.missing(id)
		}
		if ok && !planned(c.plan, i) {
			c.plan = append(c.plan, dialplan.Choice{Provider: i, Route: -1})
		}
	}
	return true
}

func planned(plan []dialplan.Choice, provider int32) bool {
	for _, ch := range plan {
		if ch.Provider == provider {
			return true
		}
	}
	return false
}

// policyLimit bounds how many per-call codec lists a worker remembers.
const policyLimit = 256

// policyFor compiles a per-call codec list, once for all calls that carry it.
func (w *worker) policyFor(list []byte) (*sdp.Policy, bool) {
	if p, ok := w.policies[string(list)]; ok {
		return p, true
	}
	p, err := sdp.Compile(string(list))
	if err != nil {
		return nil, false
	}
	if len(w.policies) >= policyLimit {
		clear(w.policies)
	}
	w.policies[string(list)] = p
	return p, true
}

// planLocked makes the plan: the providers by route, those that are down or rest behind those that are well.
func (w *worker) planLocked(c *call, digits []byte) {
	if !c.listed {
		c.plan = c.snap.table.Append(c.plan, digits, c.customer, w.rng.Uint64())
	}
	canary, test := noCanary, noTest
	if c.invite {
		canary, test = (*health.State).Try, (*health.Series).Test
	}
	prefer(c.plan, c.snap, w.now, test)
	c.behind = order(c.plan, c.snap, w.now, canary)
}

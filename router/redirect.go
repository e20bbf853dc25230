package router

import (
	"bytes"
	"slices"

	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// redirectLimit bounds how many targets one call takes from 3xx responses.
const redirectLimit = 5

// redirect is a Contact of a provider's 3xx, to be tried in its place (RFC 3261 section 16.7 item 4).
type redirect struct {
	uri    []byte // Without headers.
	flow   transport.Flow
	prov   *provider
	choice dialplan.Choice
	q      int // In thousandths.
}

// redirectLocked takes the Contacts of the 3xx at hand that can be tried: sip URIs with an address, best first, each
// once in a call. It is false when there is none, and the 3xx goes up. The response itself is then gone, and with it
// the Contacts that were taken.
func (w *worker) redirectLocked(c *call, a *attempt) bool {
	m := &w.msg
	var found []*redirect
	first, end := m.Range(message.Contact)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		if h.Kind != message.Contact {
			continue
		}
		for s := h.Value; ; {
			n, ok := message.ParseNameAddr(m.Buf, s)
			if !ok {
				break
			}
			if r := w.redirectTo(c, a, m.Bytes(n.URI), m.Bytes(n.Params)); r != nil {
				found = append(found, r)
			}
			if !n.More {
				break
			}
			s.Start = n.Next
		}
	}
	slices.SortStableFunc(found, func(x, y *redirect) int { return y.q - x.q })
	c.redirects = append(c.redirects, found[:min(len(found), max(0, redirectLimit-c.redirected()))]...)
	return len(c.redirects) > 0
}

// redirected counts the redirects of a call, tried or still to be.
func (c *call) redirected() int {
	n := len(c.redirects)
	for _, a := range c.attempts {
		if a.redirect != nil {
			n++
		}
	}
	return n
}

// redirectTo reads one Contact; nil for one that is not to be tried.
func (w *worker) redirectTo(c *call, a *attempt, uri, params []byte) *redirect {
	u, fault := message.ParseURI(uri)
	if fault != nil || u.Scheme != message.SchemeSIP {
		return nil
	}
	flow, ok := w.r.direct(&u, a.flow.Listener)
	if !ok {
		return nil
	}
	uri = uri[:len(uri)-len(u.Headers)]
	for _, a := range c.attempts {
		if r := a.redirect; r != nil && bytes.Equal(r.uri, uri) {
			return nil
		}
	}
	for _, r := range c.redirects {
		if bytes.Equal(r.uri, uri) {
			return nil
		}
	}
	return &redirect{uri: bytes.Clone(uri), flow: flow, prov: a.prov, choice: a.choice, q: qvalue(params)}
}

// qvalue is a Contact's preference in thousandths; 1000 when it names none (RFC 3261 section 20.10 leaves that open).
func qvalue(params []byte) int {
	v, ok := message.Param(params, "q")
	if !ok || len(v) == 0 || v[0] == '1' {
		return 1000
	}
	q, scale := 0, 100
	for _, d := range bytes.TrimPrefix(v, []byte("0.")) {
		if d-'0' > 9 || scale == 0 {
			break
		}
		q += int(d-'0') * scale
		scale /= 10
	}
	return q
}

package e2e

import (
	"strings"
	"testing"
)

// TestOptionsToUs checks that OPTIONS to ourselves is answered 200 and goes nowhere.
func TestOptionsToUs(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	for _, transport := range []string{"udp", "tcp"} {
		for name, uri := range map[string]string{
			"our address":         "sip:" + n.udp.String(),
			"our TCP address":     "sip:" + n.tcp.String() + ";transport=tcp",
			"a host without user": "sip:carrier.example",
		} {
			t.Run(transport+" "+name, func(t *testing.T) {
				t.Parallel()
				a := newPeer(t).speaks(n, transport)
				a.send(t, a.requestTo("OPTIONS", uri))
				rep := a.expect(t, final())
				if rep.code() != 200 {
					t.Errorf("got %s, want 200", rep.start)
				}
				if tag(rep.get("To")) == "" {
					t.Errorf("the 200 has no To tag: %q", rep.get("To"))
				}
				b.expectNone(t, request("OPTIONS"), quiet)
			})
		}
	}
}

// TestRegister checks that we are no registrar.
func TestRegister(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, uri := range []string{"sip:" + n.udp.String(), "sip:carrier.example", "sip:+15551234567@carrier.example"} {
		req := a.requestTo("REGISTER", uri)
		a.send(t, req)
		rep := a.expect(t, final().of(req.get("Call-ID")))
		if rep.code() != 405 {
			t.Errorf("%s: got %s, want 405", uri, rep.start)
		}
		allow := strings.Join(rep.list("Allow"), " ")
		if !strings.Contains(allow, "INVITE") || strings.Contains(allow, "REGISTER") {
			t.Errorf("Allow is %q: it must hold INVITE and not REGISTER", allow)
		}
	}
	b.expectNone(t, anything(), quiet)
}

// TestOtherMethodsFollowThePlan checks that a request outside a dialog, of any method, is carried like a call: dial
// string, failover and reply, but as a non-INVITE transaction.
func TestOtherMethodsFollowThePlan(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH", "NOTIFY", "REFER", "INFO", "FOO", "invite"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{providers: catalog(
				trunk("b", b, "priority: 1"),
				trunk("c", c, "priority: 2", `tech_prefix: "9#"`),
			)})
			a := n.caller(t)
			req := a.request(method, "+15551234567").with("text/plain", "hello")
			a.send(t, req)
			first := b.expect(t, request(method))
			if want := "sip:+15551234567@" + b.addr.String(); first.uri() != want {
				t.Errorf("Request-URI %q, want %q", first.uri(), want)
			}
			checkUntouched(t, req, first)
			b.answer(t, first, 503)
			second := c.expect(t, request(method))
			if want := "sip:9%23+15551234567@" + c.addr.String(); second.uri() != want {
				t.Errorf("Request-URI %q, want %q", second.uri(), want)
			}
			c.answer(t, second, 202)
			if rep := a.expect(t, final()); rep.code() != 202 {
				t.Errorf("got %s, want c's 202", rep.start)
			}
			b.expectNone(t, request("ACK"), quiet)
			a.expectNone(t, status(100), 0)
		})
	}
}

// TestSourcesNotAllowed checks that only allowed sources place calls, and that their headers for us are not read.
func TestSourcesNotAllowed(t *testing.T) {
	t.Parallel()
	b, friend, stranger := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{
		providers: trunks(b),
		sip:       []string{"allow: [" + friend.addr.Addr().String() + "/32]"},
	})
	for _, transport := range []string{"udp", "tcp"} {
		stranger.speaks(n, transport)
		for _, method := range []string{"INVITE", "MESSAGE", "FOO"} {
			req := stranger.request(method, "+15551234567").add("VB-PROVIDER-IDS: " + customerOne)
			stranger.send(t, req)
			rep := stranger.expect(t, final().of(req.get("Call-ID")))
			if rep.code() != 403 {
				t.Errorf("%s over %s from a stranger: got %s, want 403", method, transport, rep.start)
			}
			if method == "INVITE" {
				stranger.send(t, ackFor(req, rep))
			}
		}
	}
	b.expectNone(t, anything(), quiet)

	// The same call from an allowed source passes, and the provider's replies and requests need no entry.
	call := establish(t, friend.speaks(n, "udp"), b, friend.invite("+15551234567"))
	call.b.hangUp(t, friend)
}

// TestCallsOverEachTransport checks a whole call from UDP and TCP callers, hung up by either side.
func TestCallsOverEachTransport(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"udp", "tcp"} {
		for _, out := range []string{"udp", "tcp"} {
			for _, by := range []string{"caller", "provider"} {
				t.Run(in+" to "+out+" ended by "+by, func(t *testing.T) {
					t.Parallel()
					b := newPeer(t)
					n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: "+out))})
					a := newPeer(t).speaks(n, in)
					call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
					if got := call.got.transport(); got != out {
						t.Errorf("b got the INVITE over %s, want %s", got, out)
					}
					if by == "caller" {
						call.a.hangUp(t, b)
					} else {
						call.b.hangUp(t, a)
					}
					n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "answered")
				})
			}
		}
	}
}

// TestRequestURIHost checks that the host of the Request-URI may be the carrier's or ours, and that a Route which
// names us is taken away.
func TestRequestURIHost(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	tests := map[string]struct{ uri, route string }{
		"carrier":                {"sip:+15551234567@carrier.example", ""},
		"ours":                   {"sip:+15551234567@" + n.udp.String(), ""},
		"carrier, Route to us":   {"sip:+15551234567@carrier.example", "<sip:" + n.udp.String() + ";lr>"},
		"ours, Route to us":      {"sip:+15551234567@" + n.udp.String(), "<sip:" + n.udp.String() + ";lr>"},
		"Route to us with names": {"sip:+15551234567@carrier.example", "\"us, here\" <sip:asterisk@" + n.udp.String() + ";lr>;x=y"},
	}
	for name, test := range tests {
		req := a.requestTo("INVITE", test.uri)
		if test.route != "" {
			req.top("Route: " + test.route)
		}
		a.send(t, req)
		got := b.expect(t, request("INVITE").of(req.get("Call-ID")))
		if got.has("Route") {
			t.Errorf("%s: b got Route %q", name, got.get("Route"))
		}
		if want := "sip:+15551234567@" + b.addr.String(); got.uri() != want {
			t.Errorf("%s: Request-URI %q, want %q", name, got.uri(), want)
		}
	}
}

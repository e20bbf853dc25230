package e2e

import (
	"fmt"
	"testing"
)

// TestX05_SipsWithTLS checks that a sips Request-URI is refused by a router that has TLS too: whether the callee's side
// is secure to its end is beyond what we know.
func TestX05_SipsWithTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b, c := ca.peer(t), newPeer(t)
	n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"), trunk("c", c, "priority: 2"))}))
	a := ca.peer(t).speaks(n, "tls")
	for _, method := range []string{"INVITE", "MESSAGE", "OPTIONS"} {
		req := a.requestTo(method, "sips:+15551234567@carrier.example")
		a.send(t, req)
		if rep := a.expect(t, final().of(req.get("Call-ID"))); rep.code() != 416 {
			t.Errorf("%s: got %s, want 416", method, rep.start)
		}
	}
	b.expectNone(t, anything(), quiet)
	c.expectNone(t, anything(), 0)
}

// TestX05_SipsInDialog checks that a request to a sips remote target goes by TLS or not at all.
func TestX05_SipsInDialog(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("TLS here %v", secure), func(t *testing.T) {
			t.Parallel()
			b := ca.peer(t)
			s := setup{providers: trunks(b)}
			if secure {
				s = ca.secured(t, s)
			}
			n := startRouter(t, s)
			a := n.caller(t)
			call := establishWith(t, a, b, a.invite("+15551234567"), func(ok *draft) { ok.set("Contact", "<sip:peer@"+b.addr.String()+">") })
			call.a.target = "sips:peer@" + b.addr.String()
			bye := call.a.request("BYE")
			call.a.send(t, bye)
			if !secure {
				if rep := a.expect(t, final().to("BYE")); rep.code() < 400 {
					t.Errorf("got %s", rep.start)
				}
				b.expectNone(t, request("BYE"), quiet)
				return
			}
			got := b.expect(t, request("BYE"))
			if got.transport() != "tls" {
				t.Errorf("it came over %s", got.transport())
			}
			b.answer(t, got, 200)
			a.expect(t, status(200).to("BYE"))
		})
	}
}

// TestX05_SipsRedirect checks that a redirection to a sips URI is not followed without TLS.
func TestX05_SipsRedirect(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b, c := newPeer(t), ca.peer(t)
	n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "follow_redirects: true"))}))
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.respond(t, got, b.reply(got, 302).add("Contact: <sips:x@"+c.addr.String()+">"))
	eventually(t, "an end, or the redirected call by TLS", func() bool {
		if a.next(t, final(), 0) != nil {
			return true
		}
		if redirected := c.next(t, request("INVITE"), 0); redirected != nil {
			if redirected.transport() != "tls" {
				t.Errorf("the call came over %s", redirected.transport())
			}
			c.answer(t, redirected, 486)
		}
		return false
	})
}

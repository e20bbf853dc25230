package e2e

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestTLSContactByName checks that a remote target in a dialog that is a name of its own, at another port, is held to
// that name.
func TestTLSContactByName(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for _, good := range []bool{true, false} {
		t.Run(fmt.Sprintf("good %v", good), func(t *testing.T) {
			t.Parallel()
			name := "media.test"
			if !good {
				name = "other.test"
			}
			ip := newIP()
			b, target := newPeer(t), ca.peerWith(t, netip.AddrPortFrom(ip, 0), ca.issue(t, forName(name)).server())
			dns := startDNS(t)
			dns.add(t, "media.test. 60 IN A "+ip.String())
			n := startRouter(t, ca.secured(t, setup{providers: trunks(b), dns: dns}))
			a := n.caller(t)
			call := establish(t, a, b, a.invite("+15551234567"))
			call.a.target = fmt.Sprintf("sip:peer@media.test:%d;transport=tls", target.addr.Port())
			call.a.send(t, call.a.request("BYE"))
			if !good {
				if rep := a.expect(t, final().to("BYE")); rep.code() < 400 {
					t.Errorf("got %s", rep.start)
				}
				target.expectNone(t, anything(), 0)
				return
			}
			target.answer(t, target.expect(t, request("BYE")), 200)
			a.expect(t, status(200).to("BYE"))
		})
	}
}

// TestTLSNamesOnOneAddress checks that two providers which are the same host under two names are each held to their own.
func TestTLSNamesOnOneAddress(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b := ca.peer(t, forName("one.test"))
	dns := startDNS(t)
	dns.add(t, "one.test. 60 IN A "+b.addr.Addr().String(), "two.test. 60 IN A "+b.addr.Addr().String())
	n := startRouter(t, ca.secured(t, setup{dns: dns, providers: catalog(
		hostTrunk("one", fmt.Sprintf("one.test:%d", b.addr.Port()), `targets: ["+1"]`, "transport: tls"),
		hostTrunk("two", fmt.Sprintf("two.test:%d", b.addr.Port()), `targets: ["+44"]`, "transport: tls"),
	)}))
	a := n.caller(t)
	lost := a.invite("+441234567")
	a.send(t, lost)
	a.send(t, ackFor(lost, a.expect(t, status(500).of(lost.get("Call-ID")))))
	refused(t, a, b)
	again := a.invite("+441234567")
	a.send(t, again)
	a.expect(t, status(500).of(again.get("Call-ID")))
	b.expectNone(t, request("INVITE").of(again.get("Call-ID")), 0)
}

package e2e

import (
	"fmt"
	"testing"
)

// TestTLSDefaultPort checks that a URI of ours without a port means 5061 when it asks for TLS, in a Route of the caller
// and as whom OPTIONS asks (RFC 3261 section 19.1.2).
func TestTLSDefaultPort(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b := newPeer(t)
	ip := newIP()
	n := startRouter(t, ca.secured(t, setup{
		listen: []string{fmt.Sprintf("udp://%s:0", ip), fmt.Sprintf("tls://%s:5061", ip)}, providers: trunks(b),
	}))
	a := ca.peer(t).speaks(n, "tls")
	for _, us := range []string{
		fmt.Sprintf("sip:%s:5061;transport=tls", ip), fmt.Sprintf("sip:%s;transport=tls", ip), fmt.Sprintf("sip:%s;transport=TLS", ip),
		fmt.Sprintf("sips:%s", ip), fmt.Sprintf("sips:%s:5061", ip),
	} {
		inv := a.requestTo("INVITE", "sip:+15551234567@carrier.example").top("Route: <" + us + ";lr>")
		of := inv.get("Call-ID")
		a.send(t, inv)
		got := b.next(t, request("INVITE").of(of), quiet)
		if got == nil {
			t.Errorf("Route: <%s;lr>: got %s", us, a.summary())
			continue
		}
		b.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(of))))
	}
}

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// TestAdvertise checks that the names which others know our sockets by stand in Via and Record-Route, each with the port
// of its own transport, and are known as ours when they come back.
func TestAdvertise(t *testing.T) {
	t.Parallel()
	self := freePort(t)
	sockets := map[string]netip.AddrPort{"udp": self, "tcp": self, "tls": netip.AddrPortFrom(self.Addr(), 5061)}
	for advertise, names := range map[string]map[string]string{
		"router.example:5099": {"udp": "router.example:5099", "tcp": "router.example:5099", "tls": "router.example:5061"},
		"router.example": {
			"udp": fmt.Sprintf("router.example:%d", self.Port()), "tcp": fmt.Sprintf("router.example:%d", self.Port()), "tls": "router.example:5061",
		},
		"192.0.2.1:5099": {"udp": "192.0.2.1:5099", "tcp": "192.0.2.1:5099", "tls": "192.0.2.1:5061"},
		fmt.Sprintf("{%q: udp.example:5080, %q: tls.example:5443}", "udp://"+self.String(), "tls://"+sockets["tls"].String()): {
			"udp": "udp.example:5080", "tcp": self.String(), "tls": "tls.example:5443",
		},
	} {
		t.Run(advertise, func(t *testing.T) { // One after the other: they listen on the same ports.
			ca := newAuthority(t)
			providers := map[string]*peer{"udp": newPeer(t), "tcp": newPeer(t), "tls": ca.peer(t)}
			var entries []string
			for transport, p := range providers {
				entries = append(entries, trunk(transport, p, "transport: "+transport, fmt.Sprintf("targets: [%q]", prefixOf(transport))))
			}
			n := startRouter(t, ca.secured(t, setup{
				listen:    []string{"udp://" + self.String(), "tcp://" + self.String(), "tls://" + sockets["tls"].String()},
				providers: catalog(entries...), sip: []string{"advertise: " + advertise},
			}))
			for _, ways := range [][2]string{{"udp", "tcp"}, {"tcp", "tls"}, {"tls", "udp"}} {
				a := newPeer(t)
				if ways[0] == "tls" {
					a = ca.peer(t)
				}
				advertised(t, n, a.speaks(n, ways[0]), providers[ways[1]], ways, names)
			}
		})
	}
}

// prefixOf begins the numbers of a transport's provider.
func prefixOf(transport string) string {
	return map[string]string{"udp": "+1", "tcp": "+2", "tls": "+3"}[transport]
}

// advertised places a call from a to b over a pair of transports, and looks for our names in it.
func advertised(t *testing.T, n *node, a, b *peer, ways [2]string, names map[string]string) {
	t.Helper()
	ours := map[string]netip.AddrPort{"udp": n.udp, "tcp": n.tcp, "tls": n.tls}
	inv := a.invite(prefixOf(ways[1]) + "5551234567")
	us := "sip:" + names[ways[0]]
	if ways[0] != "udp" {
		us += ";transport=" + ways[0]
	}
	inv.top("Route: <" + us + ";lr>")
	a.send(t, inv)
	got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
	if via, want := got.list("Via")[0], "SIP/2.0/"+strings.ToUpper(ways[1])+" "+names[ways[1]]+";"; !strings.HasPrefix(via, want) {
		t.Errorf("%v: our Via is %q, want %s", ways, via, want)
	}
	routes := got.list("Record-Route")
	if len(routes) != 2 {
		t.Fatalf("%v: Record-Route is %q, want two", ways, routes)
	}
	for i, way := range []string{ways[1], ways[0]} {
		if want := "sip:" + names[way] + ";"; !strings.HasPrefix(inBrackets(routes[i]), want) {
			t.Errorf("%v: Record-Route %d is %q, want %s", ways, i, routes[i], want)
		}
	}
	if got.has("Route") {
		t.Errorf("%v: the Route that names us is left: %q", ways, got.list("Route"))
	}
	ok := b.answer(t, got, 200)
	rep := a.expect(t, status(200).of(inv.get("Call-ID")))
	down, up := a.callerDialog(inv, rep), b.calleeDialog(got, ok)
	a.sendTo(t, ways[0], ours[ways[0]], down.ack(rep)) // Nobody can resolve the names here.
	b.expect(t, request("ACK").of(inv.get("Call-ID")))
	b.sendTo(t, ways[1], ours[ways[1]], up.request("BYE"))
	bye := a.expect(t, request("BYE"))
	if bye.has("Route") {
		t.Errorf("%v: Route is left: %q", ways, bye.list("Route"))
	}
	a.answer(t, bye, 200)
	b.expect(t, status(200).to("BYE").of(inv.get("Call-ID")))
}

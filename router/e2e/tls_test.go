package e2e

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
)

// TestTLSCalls checks whole calls with TLS on either side or both: two Record-Routes where the transport changes, both
// consumed on each way, and a BYE from each side.
func TestTLSCalls(t *testing.T) {
	t.Parallel()
	for _, ways := range [][2]string{{"tls", "udp"}, {"udp", "tls"}, {"tls", "tcp"}, {"tcp", "tls"}, {"tls", "tls"}} {
		for _, by := range []string{"caller", "provider"} {
			t.Run(ways[0]+" to "+ways[1]+" ended by "+by, func(t *testing.T) {
				t.Parallel()
				ca := newAuthority(t)
				open := func(transport string) *peer {
					if transport == "tls" {
						return ca.peer(t)
					}
					return newPeer(t)
				}
				a, b := open(ways[0]), open(ways[1])
				n := startRouter(t, ca.secured(t, setup{
					providers: catalog(trunk("b", b, "priority: 1", "transport: "+ways[1], "codecs: PCMU")),
				}))
				a.speaks(n, ways[0])
				call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
				if got := call.got.transport(); got != ways[1] {
					t.Errorf("b got the INVITE over %s, want %s", got, ways[1])
				}
				if !sameFormats(call.got.body, "0", "101") {
					t.Errorf("formats %q, want 0 101", formats(call.got.body))
				}
				if via := call.got.list("Via")[0]; !strings.HasPrefix(via, "SIP/2.0/"+strings.ToUpper(ways[1])+" ") {
					t.Errorf("our Via is %q", via)
				}
				checkRecordRoutes(t, n, call.got, ways)
				for _, way := range []struct {
					from *dialog
					to   *peer
					over string
				}{{call.a, b, ways[1]}, {call.b, a, ways[0]}} {
					way.from.send(t, way.from.request("INFO"))
					got := way.to.expect(t, request("INFO"))
					if got.has("Route") || got.transport() != way.over {
						t.Errorf("INFO came over %s, want %s without Route:\n%s", got.transport(), way.over, got.raw)
					}
					way.to.answer(t, got, 200)
					way.from.self.expect(t, status(200).to("INFO"))
				}
				if by == "caller" {
					call.a.hangUp(t, b)
				} else {
					call.b.hangUp(t, a)
				}
			})
		}
	}
}

// checkRecordRoutes checks that the Record-Routes of the INVITE that came lead to us, by the provider's transport first
// and by the caller's then: one when these are the same.
func checkRecordRoutes(t *testing.T, n *node, got *msg, ways [2]string) {
	t.Helper()
	ours := map[string]netip.AddrPort{"udp": n.udp, "tcp": n.tcp, "tls": n.tls}
	want := []string{ways[1], ways[0]}
	if ways[0] == ways[1] {
		want = want[:1]
	}
	routes := got.list("Record-Route")
	if len(routes) != len(want) {
		t.Fatalf("Record-Route is %q, want %d", routes, len(want))
	}
	for i, transport := range want {
		if by, addr := destination(inBrackets(routes[i])); by != transport || addr != ours[transport] {
			t.Errorf("Record-Route %d is %q, want %s %s", i, routes[i], transport, ours[transport])
		}
	}
}

// TestTLSCancel checks that a CANCEL from a TLS caller reaches a TLS provider on the connection of its INVITE.
func TestTLSCancel(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b := ca.peer(t)
	n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"))}))
	a := ca.peer(t).speaks(n, "tls")
	inv := a.invite("+15551234567")
	got := ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	a.expect(t, status(200).to("CANCEL"))
	cancel := b.expect(t, request("CANCEL"))
	if cancel.conn != got.conn {
		t.Error("the CANCEL came by another connection than its INVITE")
	}
	b.answer(t, cancel, 200)
	b.answer(t, got, 487)
	a.send(t, ackFor(inv, a.expect(t, status(487).to("INVITE"))))
	b.expect(t, request("ACK"))
}

// TestTLSVersions checks that nothing older than TLS 1.2 is spoken, on either side.
func TestTLSVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			ip := newIP()
			server := ca.issue(t, forAddr(ip)).server()
			server.MinVersion, server.MaxVersion = version, version
			b, c := ca.peerWith(t, netip.AddrPortFrom(ip, 0), server), newPeer(t)
			n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"), trunk("c", c, "priority: 2"))}))
			good := version >= tls.VersionTLS12

			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			if good {
				got := b.expect(t, request("INVITE"))
				if v := got.state(t).Version; v != version {
					t.Errorf("we speak %s", tls.VersionName(v))
				}
				b.answer(t, got, 486)
			} else {
				c.answer(t, c.expect(t, request("INVITE")), 486)
				b.expectNone(t, anything(), 0)
			}
			a.expect(t, status(486))

			d := tls.Dialer{Config: &tls.Config{RootCAs: ca.pool, ServerName: routerName, MinVersion: version, MaxVersion: version}}
			conn, err := d.DialContext(t.Context(), "tcp", n.tls.String())
			if err == nil {
				conn.Close()
			}
			if (err == nil) != good {
				t.Errorf("a caller that speaks %s: %v", tls.VersionName(version), err)
			}
		})
	}
}

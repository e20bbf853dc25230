package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// loopback6 is the only address that IPv6 has for loopback: all peers share it and differ by port.
var loopback6 = netip.IPv6Loopback()

// newPeer6 opens a peer on UDP and TCP, on one port of [::1].
func newPeer6(t *testing.T) *peer {
	t.Helper()
	for range 20 {
		p := newPeerAt(t, netip.AddrPortFrom(loopback6, 0))
		var lc net.ListenConfig
		tcp, err := lc.Listen(t.Context(), "tcp", p.addr.String())
		if err != nil {
			p.close() // Somebody else has that port.
			continue
		}
		p.tcp = tcp
		p.readers.Go(func() {
			for {
				conn, err := tcp.Accept()
				if err != nil {
					return
				}
				p.adopt(conn)
			}
		})
		return p
	}
	t.Fatal("no port of [::1] is free for both UDP and TCP")
	return nil
}

// listen6 is UDP and TCP on [::1] alone, dual both on it and on an IPv4 address.
func listen6() []string { return []string{"udp://[::1]:0", "tcp://[::1]:0"} }

func dual() []string {
	ip := newIP().String()
	return append(listen6(), "udp://"+ip+":0", "tcp://"+ip+":0")
}

// anyLoopback allows callers of both families.
const anyLoopback = `allow: ["::1/128", "127.0.0.0/8"]`

// speaks6 points a peer at the router's socket of its own family.
func (p *peer) speaks6(t *testing.T, n *node, transport string) *peer {
	t.Helper()
	p.transport, p.router = transport, n.socket(t, transport, p.addr.Addr().Is6())
	return p
}

// socket is the router's address for a transport and family.
func (n *node) socket(t *testing.T, transport string, v6 bool) netip.AddrPort {
	t.Helper()
	for _, l := range n.Listeners() {
		if strings.EqualFold(l.Proto.String(), transport) && l.Addr.Addr().Is6() == v6 {
			return l.Addr
		}
	}
	t.Fatalf("the router has no socket for %s, IPv6 %v", transport, v6)
	return netip.AddrPort{}
}

// trunk6 is a provider's entry whose hostname may be an IPv6 address.
func trunk6(name string, at *peer, more ...string) string {
	return hostTrunk(name, at.addr.String(), more...)
}

// offer6 is a media server's offer for IPv6.
func offer6() string {
	return strings.ReplaceAll(wideOffer(), "IN IP4 192.0.2.10", "IN IP6 2001:db8::10")
}

// TestIPv6Calls checks whole calls on IPv6 alone over each pair of transports, hung up by either side, and how our
// address is written in what we add.
func TestIPv6Calls(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"udp", "tcp"} {
		for _, out := range []string{"udp", "tcp"} {
			t.Run(in+" to "+out, func(t *testing.T) {
				t.Parallel()
				b := newPeer6(t)
				n := startRouter(t, setup{
					listen: listen6(), sip: []string{anyLoopback},
					providers: catalog(trunk6("b", b, "priority: 1", "codecs: PCMU", "transport: "+out)),
				})
				a := newPeer6(t).speaks6(t, n, in)
				for _, by := range []string{"caller", "provider"} {
					call := establish(t, a, b, a.invite("+15551234567").offering(offer6()))
					if want := "sip:+15551234567@" + b.addr.String(); call.got.uri() != want {
						t.Errorf("Request-URI %q, want %q", call.got.uri(), want)
					}
					ours := n.socket(t, out, true).String()
					if via := call.got.list("Via")[0]; !strings.HasPrefix(via, "SIP/2.0/"+strings.ToUpper(out)+" "+ours+";branch=") {
						t.Errorf("our Via is %q, want %s in it", via, ours)
					}
					checkRecordRoutes(t, n, call.got, [2]string{in, out})
					if !sameFormats(call.got.body, "0", "101") || !strings.Contains(call.got.body, "c=IN IP6 2001:db8::10\r\n") {
						t.Errorf("the offer is\n%s", call.got.body)
					}
					inform(t, call.a, b)
					inform(t, call.b, a)
					reinvite(t, call.a, b, offer6(), "0", "101")
					if by == "caller" {
						call.a.hangUp(t, b)
					} else {
						call.b.hangUp(t, a)
					}
				}
			})
		}
	}
}

// closedPort6 is a port of [::1] that refuses UDP and TCP. It stays taken until the test ends, so that no other test's
// peer opens it in the meantime: by a TCP socket that does not listen, and a UDP socket that hears somebody else only.
func closedPort6(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 20 {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.Bind(fd, &unix.SockaddrInet6{Addr: loopback6.As16()}); err != nil {
			t.Fatal(err)
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		port := netip.AddrPortFrom(loopback6, uint16(name.(*unix.SockaddrInet6).Port))
		udp, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(port), net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback6, 9)))
		if err != nil {
			continue // Somebody else has it for UDP.
		}
		t.Cleanup(func() { udp.Close() })
		return port
	}
	t.Fatal("no port of [::1] is free for both UDP and TCP")
	return netip.AddrPort{}
}

// TestIPv6Failover checks that a refusal, a closed port (by ICMPv6, or by a refused connection) and silence take a
// call to the next provider.
func TestIPv6Failover(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			busy, c := newPeer6(t), newPeer6(t)
			n := startRouter(t, setup{listen: listen6(), sip: []string{anyLoopback}, budgets: calm, providers: catalog(
				hostTrunk("closed", closedPort6(t).String(), "priority: 1", "transport: "+transport),
				trunk6("busy", busy, "priority: 2", "transport: "+transport),
				trunk6("c", c, "priority: 3", "transport: "+transport),
			)})
			a := newPeer6(t).speaks6(t, n, transport)
			for _, method := range []string{"INVITE", "MESSAGE"} {
				req := a.request(method, "+15551234567")
				of := req.get("Call-ID")
				a.send(t, req)
				got := busy.expect(t, request(method).of(of))
				busy.answer(t, got, 503)
				c.answer(t, c.expect(t, request(method).of(of)), 200)
				a.expect(t, status(200).of(of))
			}
			n.expectMetric(t, 2, "dialrouter_failovers_total", "provider", "closed", "cause", "transport")
			n.expectMetric(t, 2, "dialrouter_failovers_total", "provider", "busy")
		})
	}
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		silent, c := newPeer6(t), newPeer6(t)
		n := startRouter(t, setup{
			listen: listen6(), sip: []string{anyLoopback}, budgets: "{no_reply: 500ms}",
			providers: catalog(trunk6("silent", silent, "priority: 1"), trunk6("c", c, "priority: 2")),
		})
		a := newPeer6(t).speaks6(t, n, "udp")
		a.send(t, a.invite("+15551234567"))
		c.answer(t, c.expect(t, request("INVITE")), 486)
		a.expect(t, status(486))
		if silent.count(request("INVITE")) < 2 {
			t.Error("the silent provider's INVITE was not repeated")
		}
	})
}

// TestIPv6Cancel checks that CANCEL and the ACK to its 487 go the way of the INVITE.
func TestIPv6Cancel(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := newPeer6(t)
			n := startRouter(t, setup{
				listen: listen6(), sip: []string{anyLoopback}, providers: catalog(trunk6("b", b, "priority: 1", "transport: "+transport)),
			})
			a := newPeer6(t).speaks6(t, n, transport)
			inv := a.invite("+15551234567")
			got := ringing(t, a, b, inv)
			a.send(t, cancelFor(inv))
			a.expect(t, status(200).to("CANCEL"))
			cancel := b.expect(t, request("CANCEL"))
			checkCancel(t, cancel, got)
			b.answer(t, cancel, 200)
			b.answer(t, got, 487)
			a.send(t, ackFor(inv, a.expect(t, status(487).to("INVITE"))))
			b.expect(t, request("ACK"))
		})
	}
}

// TestIPv6Source checks that received is written as an address without brackets (RFC 5118 section 4.5), that rport is
// filled, and that replies go to the source.
func TestIPv6Source(t *testing.T) {
	t.Parallel()
	b := newPeer6(t)
	n := startRouter(t, setup{listen: listen6(), sip: []string{anyLoopback}, providers: catalog(trunk6("b", b, "priority: 1"))})
	a := newPeer6(t).speaks6(t, n, "udp")
	inv := a.invite("+15551234567").set("Via", "SIP/2.0/UDP [2001:db8::9]:5060;rport;branch="+newBranch())
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	via := got.list("Via")[1]
	if param(via, "received") != "::1" || param(via, "rport") != fmt.Sprint(a.addr.Port()) {
		t.Errorf("the caller's Via became %q, want received=::1 and rport=%d", via, a.addr.Port())
	}
	b.answer(t, got, 486)
	a.expect(t, status(486))
}

// TestIPv6OurNames checks that our address is known in each spelling that it has.
func TestIPv6OurNames(t *testing.T) {
	t.Parallel()
	b := newPeer6(t)
	n := startRouter(t, setup{listen: listen6(), sip: []string{anyLoopback}, providers: catalog(trunk6("b", b, "priority: 1"))})
	a := newPeer6(t).speaks6(t, n, "udp")
	for _, host := range []string{"[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[0::0.0.0.1]"} {
		us := fmt.Sprintf("%s:%d", host, n.udp.Port())
		options := a.requestTo("OPTIONS", "sip:"+us)
		a.send(t, options)
		a.expect(t, status(200).of(options.get("Call-ID")))

		inv := a.requestTo("INVITE", "sip:+15551234567@"+us).top("Route: <sip:" + us + ";lr>")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		if got.has("Route") {
			t.Errorf("%s: Route is left: %q", host, got.list("Route"))
		}
		b.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
	}
}

// TestDualStack checks calls from one family into the other over each transport: two Record-Routes, requests within
// the dialog both ways, and a BYE from each side.
func TestDualStack(t *testing.T) {
	t.Parallel()
	families := map[string]func(*testing.T) *peer{"IPv4": newPeer, "IPv6": newPeer6}
	for _, ways := range [][2]string{{"IPv6", "IPv4"}, {"IPv4", "IPv6"}} {
		for _, transports := range [][2]string{{"udp", "udp"}, {"tcp", "tcp"}, {"udp", "tcp"}, {"tcp", "udp"}} {
			t.Run(fmt.Sprintf("%s %s to %s %s", ways[0], transports[0], ways[1], transports[1]), func(t *testing.T) {
				t.Parallel()
				b := families[ways[1]](t)
				n := startRouter(t, setup{
					listen: dual(), sip: []string{anyLoopback},
					providers: catalog(trunk6("b", b, "priority: 1", "codecs: PCMU", "transport: "+transports[1])),
				})
				a := families[ways[0]](t).speaks6(t, n, transports[0])
				for _, by := range []string{"caller", "provider"} {
					call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
					routes := call.got.list("Record-Route")
					if len(routes) != 2 {
						t.Fatalf("Record-Route is %q, want two", routes)
					}
					for i, side := range []*peer{b, a} {
						transport := transports[1-i]
						want := n.socket(t, transport, side.addr.Addr().Is6())
						if got, addr := destination(inBrackets(routes[i])); got != transport || addr != want {
							t.Errorf("Record-Route %d is %q, want %s %s", i, routes[i], transport, want)
						}
					}
					inform(t, call.a, b)
					inform(t, call.b, a)
					reinvite(t, call.a, b, wideOffer(), "0", "101")
					reinvite(t, call.b, a, wideOffer(), formats(wideOffer())...)
					if by == "caller" {
						call.a.hangUp(t, b)
					} else {
						call.b.hangUp(t, a)
					}
				}
			})
		}
	}
}

// TestDualStackFailover checks that the next provider may be of the other family, either way round.
func TestDualStackFailover(t *testing.T) {
	t.Parallel()
	four, six := newPeer(t), newPeer6(t)
	n := startRouter(t, setup{listen: dual(), sip: []string{anyLoopback}, providers: catalog(
		trunk6("four", four, "priority: 1", "targets: [all]"), trunk6("six", six, "priority: 2", "targets: [all]"),
	)})
	for _, a := range []*peer{newPeer(t).speaks6(t, n, "udp"), newPeer6(t).speaks6(t, n, "udp")} {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		four.answer(t, four.expect(t, request("INVITE").of(of)), 503)
		got := six.expect(t, request("INVITE").of(of))
		if via := got.list("Via")[0]; !strings.Contains(via, "[::1]") {
			t.Errorf("our Via towards IPv6 is %q", via)
		}
		six.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(of))))
	}
}

// TestDualStackNames checks a provider whose name has addresses of both families: both are tried before the next
// provider, and a router of one family tries only what it can reach.
func TestDualStackNames(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string][]string{"both": dual(), "IPv6": listen6(), "IPv4": {"udp://" + newIP().String() + ":0"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			six := newPeer6(t)
			four := newPeerAt(t, netip.AddrPortFrom(newIP(), six.addr.Port()))
			dns := startDNS(t)
			dns.add(t, "carrier.test. 60 IN AAAA ::1", "carrier.test. 60 IN A "+four.addr.Addr().String())
			c := newPeer(t)
			if name == "IPv6" {
				c = newPeer6(t)
			}
			n := startRouter(t, setup{listen: listen, sip: []string{anyLoopback}, dns: dns, providers: catalog(
				hostTrunk("b", fmt.Sprintf("carrier.test:%d", six.addr.Port()), "priority: 1", "transport: udp"), trunk6("c", c, "priority: 2"),
			)})
			a := newPeer(t)
			if name != "IPv4" {
				a = newPeer6(t)
			}
			a.speaks6(t, n, "udp")
			a.send(t, a.invite("+15551234567"))
			for range 2 {
				eventually(t, "a try", func() bool {
					for _, p := range []*peer{six, four} {
						if got := p.next(t, request("INVITE"), 0); got != nil {
							p.answer(t, got, 503)
							return true
						}
					}
					return c.count(request("INVITE")) > 0
				})
			}
			c.answer(t, c.expect(t, request("INVITE")), 486)
			a.expect(t, status(486))
			for p, reached := range map[*peer]bool{six: name != "IPv4", four: name != "IPv6"} {
				if got := p.count(request("INVITE")); (got > 0) != reached {
					t.Errorf("%s got %d INVITEs", p.addr, got)
				}
			}
		})
	}
}

// TestIPv6TLS checks a call by TLS on IPv6, where the certificate is for the address.
func TestIPv6TLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	open := func() *peer {
		return ca.peerWith(t, netip.AddrPortFrom(loopback6, 0), ca.issue(t, forAddr(loopback6)).server())
	}
	b := open()
	n := startRouter(t, ca.secured(t, setup{
		listen: append(listen6(), "tls://[::1]:0"), sip: []string{anyLoopback}, providers: catalog(trunk6("b", b, "priority: 1", "transport: tls")),
	}))
	a := open().speaks(n, "tls")
	call := establish(t, a, b, a.invite("+15551234567"))
	inform(t, call.a, b)
	inform(t, call.b, a)
	call.b.hangUp(t, a)
}

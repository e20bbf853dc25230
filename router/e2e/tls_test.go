package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
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

// TestTLSIdentity checks whom we believe to be a provider (RFC 5922 section 7): a certificate that does not speak for
// its domain, or is not good for other reasons, fails the attempt at once, and the next provider is tried.
func TestTLSIdentity(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		claims   []claim
		stranger bool // Signed by somebody whom we do not trust.
		want     bool
	}{
		"DNS name":                     {claims: []claim{forName("carrier.test")}, want: true},
		"DNS name in capitals":         {claims: []claim{forName("CARRIER.Test")}, want: true},
		"one of several names":         {claims: []claim{forName("other.test"), forName("carrier.test")}, want: true},
		"SIP URI":                      {claims: []claim{forURI("sip:carrier.test")}, want: true},
		"SIP URI in capitals":          {claims: []claim{forURI("SIP:Carrier.TEST")}, want: true},
		"SIP URI with port":            {claims: []claim{forURI("sip:carrier.test:5061")}, want: true},
		"SIP URI and another name":     {claims: []claim{forURI("sip:carrier.test"), forName("host7.test")}, want: true},
		"one of several SIP URIs":      {claims: []claim{forURI("sip:other.test"), forURI("sip:carrier.test")}, want: true},
		"URI of another scheme":        {claims: []claim{forURI("https://elsewhere.test/"), forName("carrier.test")}, want: true},
		"server only":                  {claims: []claim{forName("carrier.test"), onlyFor(x509.ExtKeyUsageServerAuth)}, want: true},
		"another name":                 {claims: []claim{forName("other.test")}},
		"only its address":             {claims: nil},
		"only a part of the name":      {claims: []claim{forName("test"), forName("sub.carrier.test")}},
		"wildcard":                     {claims: []claim{forName("*.test")}},
		"common name":                  {claims: []claim{forCommonName("carrier.test")}},
		"SIP URI of another domain":    {claims: []claim{forURI("sip:other.test")}},
		"SIP URI over a DNS name":      {claims: []claim{forURI("sip:other.test"), forName("carrier.test")}},
		"SIP URI of a user":            {claims: []claim{forURI("sip:alice@carrier.test")}},
		"SIPS URI":                     {claims: []claim{forURI("sips:carrier.test")}},
		"authority unknown":            {claims: []claim{forName("carrier.test")}, stranger: true},
		"expired":                      {claims: []claim{forName("carrier.test"), between(-2*time.Hour, -time.Hour)}},
		"not good yet":                 {claims: []claim{forName("carrier.test"), between(time.Hour, 2*time.Hour)}},
		"for clients only":             {claims: []claim{forName("carrier.test"), onlyFor(x509.ExtKeyUsageClientAuth)}},
		"SIP URI, authority unknown":   {claims: []claim{forURI("sip:carrier.test")}, stranger: true},
		"expired, the SIP URI is good": {claims: []claim{forURI("sip:carrier.test"), between(-2*time.Hour, -time.Hour)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			signer := ca
			if test.stranger {
				signer = newAuthority(t)
			}
			b, c := signer.peer(t, test.claims...), newPeer(t)
			dns := startDNS(t)
			dns.add(t, "carrier.test. 60 IN A "+b.addr.Addr().String())
			n := startRouter(t, ca.secured(t, setup{dns: dns, providers: catalog(
				hostTrunk("b", fmt.Sprintf("carrier.test:%d", b.addr.Port()), "priority: 1", "transport: tls"),
				trunk("c", c, "priority: 2"),
			)}))
			a := n.caller(t)
			sent := time.Now()
			inv := a.invite("+15551234567")
			a.send(t, inv)
			if test.want {
				got := b.expect(t, request("INVITE"))
				if name := got.state(t).ServerName; name != "carrier.test" {
					t.Errorf("we asked for %q, want carrier.test", name)
				}
				b.answer(t, got, 486)
				a.expect(t, status(486))
				return
			}
			got := c.expect(t, request("INVITE"))
			if delay := got.at.Sub(sent); delay > 2*time.Second {
				t.Errorf("c was tried after %v", delay)
			}
			c.answer(t, got, 486)
			a.send(t, ackFor(inv, a.expect(t, status(486))))
			b.expectNone(t, anything(), 0)
			n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b", "cause", "transport")
			n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b", "cause", "transport")
		})
	}
}

// TestTLSNameOfSRV checks that it is the provider's own name which the certificate has to show, and not the host that
// an SRV record names (RFC 5922 section 7.1).
func TestTLSNameOfSRV(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b, c := ca.peer(t, forURI("sip:carrier.test")), ca.peer(t, forName("host.carrier.test"))
	dns := startDNS(t)
	dns.add(t,
		fmt.Sprintf("_sips._tcp.carrier.test. 60 IN SRV 10 1 %d host.carrier.test.", c.addr.Port()),
		fmt.Sprintf("_sips._tcp.carrier.test. 60 IN SRV 20 1 %d real.carrier.test.", b.addr.Port()),
		"host.carrier.test. 60 IN A "+c.addr.Addr().String(),
		"real.carrier.test. 60 IN A "+b.addr.Addr().String(),
	)
	n := startRouter(t, ca.secured(t, setup{dns: dns, providers: catalog(hostTrunk("b", "carrier.test", "priority: 1", "transport: tls"))}))
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	if want := "sip:+15551234567@carrier.test"; call.got.uri() != want {
		t.Errorf("Request-URI %q, want %q", call.got.uri(), want)
	}
	call.a.hangUp(t, b)
	c.expectNone(t, anything(), 0)
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

			conn, err := tls.Dial("tcp", n.tls.String(), &tls.Config{RootCAs: ca.pool, ServerName: routerName, MinVersion: version, MaxVersion: version}) //nolint:noctx // On loopback.
			if err == nil {
				conn.Close()
			}
			if (err == nil) != good {
				t.Errorf("a caller that speaks %s: %v", tls.VersionName(version), err)
			}
		})
	}
}

// shown is the certificate that the router shows to a new connection.
func shown(t *testing.T, n *node) *x509.Certificate {
	t.Helper()
	var d net.Dialer
	tcp, err := d.DialContext(t.Context(), "tcp", n.tls.String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(tcp, &tls.Config{InsecureSkipVerify: true}) // The test looks at it itself.
	defer conn.Close()
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("no handshake: %v", err)
	}
	return conn.ConnectionState().PeerCertificates[0]
}

// TestTLSRenewal checks that a certificate which is replaced while we run is shown to new connections, that a
// replacement which cannot be used leaves the old one in force and is said once in the log, and that connections which
// are open stay so.
func TestTLSRenewal(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b := newPeer(t)
	n := startRouter(t, ca.secured(t, setup{providers: trunks(b)}))
	a := ca.peer(t).speaks(n, "tls")
	call := establish(t, a, b, a.invite("+15551234567"))
	first := shown(t, n)
	if first.DNSNames[0] != routerName {
		t.Fatalf("the certificate is for %q", first.DNSNames)
	}

	for name, files := range map[string][2]string{
		"garbage":     {"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n", "x"},
		"empty":       {"", ""},
		"another key": {ca.issue(t, forName("half.test")).cert, ca.issue(t, forName("other.test")).key},
	} {
		n.writeFile(t, "cert.pem", files[0])
		n.writeFile(t, "key.pem", files[1])
		for deadline := time.Now().Add(2500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			if got := shown(t, n); !got.Equal(first) {
				t.Fatalf("%s: the certificate shown is for %q", name, got.DNSNames)
			}
		}
	}
	lines := logLines(n, "certificate")
	if len(lines) == 0 || len(lines) > 6 { // Each may be read half written.
		t.Errorf("three bad replacements made %d lines of log:\n%s", len(lines), strings.Join(lines, "\n"))
	}

	renewed := ca.issue(t, forName(routerName), forName("renewed.test"))
	n.writeFile(t, "cert.pem", renewed.cert)
	n.writeFile(t, "key.pem", renewed.key)
	eventually(t, "the new certificate", func() bool { return shown(t, n).Equal(renewed.Leaf) })
	call.a.hangUp(t, b)
}

// TestTLSClientCertificate checks that a provider which asks who we are gets our certificate, the renewed one on a new
// connection.
func TestTLSClientCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ip := newIP()
	server := ca.issue(t, forAddr(ip)).server()
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool
	b := ca.peerWith(t, netip.AddrPortFrom(ip, 0), server)
	n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"))}))
	a := n.caller(t)
	got := refused(t, a, b)
	if name := got.state(t).PeerCertificates[0].DNSNames[0]; name != routerName {
		t.Errorf("we said that we are %q", name)
	}
}

// refused places a call that b refuses, and returns the INVITE as it came.
func refused(t *testing.T, a, b *peer) *msg {
	t.Helper()
	inv := a.invite("+15551234567")
	of := inv.get("Call-ID")
	a.send(t, inv)
	got := b.expect(t, request("INVITE").of(of))
	b.answer(t, got, 486)
	a.send(t, ackFor(inv, a.expect(t, status(486).of(of))))
	b.expect(t, request("ACK").of(of))
	return got
}

// TestTLSResumption checks that the second connection to a provider takes up the session of the first, and that our
// listener lets callers do the same.
func TestTLSResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			b := newSessionPeer(t, ca, version)
			n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"))}))
			a := n.caller(t)
			first := refused(t, a, b)
			if first.state(t).DidResume {
				t.Error("the first connection resumes a session")
			}
			first.conn.Close()
			time.Sleep(2 * quiet)
			second := refused(t, a, b)
			if second.conn == first.conn || !second.state(t).DidResume {
				t.Error("the second connection did not take up the session")
			}

			cache := tls.NewLRUClientSessionCache(4)
			for i := range 2 {
				p := ca.peer(t).speaks(n, "tls")
				p.secure = &tls.Config{RootCAs: ca.pool, ServerName: routerName, ClientSessionCache: cache, MinVersion: version, MaxVersion: version}
				p.send(t, p.requestTo("OPTIONS", "sip:"+n.tls.String()+";transport=tls"))
				if resumed := p.expect(t, status(200)).state(t).DidResume; resumed != (i == 1) {
					t.Errorf("connection %d of a caller resumes: %v", i, resumed)
				}
			}
		})
	}
}

func newSessionPeer(t *testing.T, ca *authority, version uint16) *peer {
	t.Helper()
	ip := newIP()
	server := ca.issue(t, forAddr(ip)).server()
	server.MinVersion, server.MaxVersion = version, version
	return ca.peerWith(t, netip.AddrPortFrom(ip, 0), server)
}

// TestTLSResumptionIsNoWayRound checks that a session does not outlive the certificate that it was made with.
func TestTLSResumptionIsNoWayRound(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ip := newIP()
	const life = 3 * time.Second
	made := time.Now()
	b, c := ca.peerWith(t, netip.AddrPortFrom(ip, 0), ca.issue(t, forAddr(ip), between(-time.Hour, life)).server()), newPeer(t)
	n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"), trunk("c", c, "priority: 2"))}))
	a := n.caller(t)
	first := refused(t, a, b)
	first.conn.Close()
	time.Sleep(time.Until(made.Add(life + time.Second)))
	inv := a.invite("+15551234567")
	a.send(t, inv)
	c.answer(t, c.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
	a.expect(t, status(486).of(inv.get("Call-ID")))
	b.expectNone(t, request("INVITE").of(inv.get("Call-ID")), 0)
}

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

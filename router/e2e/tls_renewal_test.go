package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

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
// replacement which cannot be used leaves the old one in force and is said in the log, and that connections which are open
// stay so.
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
	if lines := logLines(n, "key=tls.certificate"); len(lines) == 0 || len(lines) > 6 { // Each may be read half written.
		t.Errorf("three bad replacements made %d lines of log:\n%s", len(lines), strings.Join(lines, "\n"))
	}

	renewed := ca.issue(t, forName(routerName), forName("renewed.test"))
	n.writeFile(t, "cert.pem", renewed.cert)
	n.writeFile(t, "key.pem", renewed.key)
	eventually(t, "the new certificate", func() bool { return shown(t, n).Equal(renewed.Leaf) })
	if lines := logLines(n, "in force"); !strings.Contains(lines[len(lines)-1], "level=INFO") {
		t.Errorf("the log ends with %q", lines[len(lines)-1])
	}
	call.a.hangUp(t, b)
}

// TestTLSTrustRenewal checks that another authority is trusted as soon as the file says so, and the old one no more.
func TestTLSTrustRenewal(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t), newAuthority(t)
	b, c := before.peer(t), after.peer(t)
	n := startRouter(t, before.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tls"), trunk("c", c, "priority: 2", "transport: tls"))}))
	a := n.caller(t)
	refused(t, a, b).conn.Close()
	n.writeFile(t, "ca.pem", after.pem)
	time.Sleep(1200 * time.Millisecond)
	refused(t, a, c)
	b.expectCount(t, request("INVITE"), 1)
}

// TestTLSClientCertificate checks that a provider which asks who we are gets our certificate.
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

// newSessionPeer opens a peer that speaks one version of TLS, and so keeps sessions the way of that version.
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
	const life = 8 * time.Second // The first call has to be over by then.
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

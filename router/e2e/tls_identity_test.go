package e2e

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTLSIdentity checks whom we believe to be a provider (RFC 5922 section 7): a certificate that does not speak for
// its domain, or is not good for other reasons, fails the attempt at once, long before its budget is over, and the next
// provider is tried.
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
			n := startRouter(t, ca.secured(t, setup{dns: dns, budgets: calm, providers: catalog(
				hostTrunk("b", fmt.Sprintf("carrier.test:%d", b.addr.Port()), "priority: 1", "transport: tls"),
				trunk("c", c, "priority: 2"),
			)}))
			a := n.caller(t)
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
			c.answer(t, got, 486)
			a.send(t, ackFor(inv, a.expect(t, status(486))))
			b.expectNone(t, anything(), 0)
			n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b", "cause", "transport")
			n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b", "cause", "transport")
			if lines := logLines(n, "certificate"); len(lines) != 1 || !strings.Contains(lines[0], "destination="+b.addr.String()) {
				t.Errorf("the log says of it:\n%s", strings.Join(lines, "\n"))
			}
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

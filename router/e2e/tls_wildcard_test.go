package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTLSWildcards checks that a certificate for *.carrier.test proves that a provider is sip.carrier.test where
// tls.wildcards says so, and only there (RFC 5922 section 7.2 knows no wildcards).
func TestTLSWildcards(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		claims []claim
		off    bool // The configuration does not allow them.
		want   bool
	}{
		"a wildcard":                    {claims: []claim{forName("*.carrier.test")}, want: true},
		"a wildcard, off":               {claims: []claim{forName("*.carrier.test")}, off: true},
		"the name itself":               {claims: []claim{forName("sip.carrier.test")}, want: true},
		"one of several names":          {claims: []claim{forName("carrier.test"), forName("*.carrier.test")}, want: true},
		"a wildcard of another domain":  {claims: []claim{forName("*.other.test")}},
		"a wildcard further up":         {claims: []claim{forName("*.test")}},
		"a part of a label":             {claims: []claim{forName("s*.carrier.test")}},
		"a wildcard in the middle":      {claims: []claim{forName("sip.*.test")}},
		"a SIP URI says otherwise":      {claims: []claim{forName("*.carrier.test"), forURI("sip:other.test")}},
		"a wildcard in the common name": {claims: []claim{forCommonName("*.carrier.test")}},
		"expired":                       {claims: []claim{forName("*.carrier.test"), between(-2*time.Hour, -time.Hour)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			b, c := ca.peer(t, test.claims...), newPeer(t)
			dns := startDNS(t)
			dns.add(t, "sip.carrier.test. 60 IN A "+b.addr.Addr().String())
			s := ca.secured(t, setup{dns: dns, budgets: calm, providers: catalog(
				hostTrunk("b", fmt.Sprintf("sip.carrier.test:%d", b.addr.Port()), "priority: 1", "transport: tls"),
				trunk("c", c, "priority: 2"),
			)})
			if !test.off {
				s.more[0] = strings.Replace(s.more[0], "}", ", wildcards: true}", 1)
			}
			n := startRouter(t, s)
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			if test.want {
				b.answer(t, b.expect(t, request("INVITE")), 486)
				a.expect(t, status(486))
				return
			}
			c.answer(t, c.expect(t, request("INVITE")), 486)
			a.expect(t, status(486))
			b.expectNone(t, anything(), 0)
			if lines := logLines(n, "certificate"); len(lines) != 1 || strings.Contains(lines[0], "tls.wildcards") != test.off {
				t.Errorf("the log says of it:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

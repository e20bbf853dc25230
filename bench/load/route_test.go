//go:build linux

package load

import (
	"net/netip"
	"testing"
)

func TestRouteSet(t *testing.T) {
	tests := map[string]struct {
		recordRoutes []string
		want         string
		hop          string
		bad          faults
	}{
		"none": {nil, "", "127.0.0.2:5070", 0},
		"one":  {[]string{"Record-Route: <sip:127.0.0.1;lr>\r\n"}, "Route: <sip:127.0.0.1;lr>\r\n", "127.0.0.1:5060", 0},
		"long parameters": {
			[]string{"Record-Route: <sip:127.0.0.1:5062;lr;dr=AbC-_.123%2F,with,commas>\r\n"},
			"Route: <sip:127.0.0.1:5062;lr;dr=AbC-_.123%2F,with,commas>\r\n", "127.0.0.1:5062", 0,
		},
		"two lines, the last leads": {
			[]string{"Record-Route: <sip:127.0.0.9;lr>\r\n", "record-route :<sip:user@127.0.0.8:99;transport=udp;lr=on>;x=y\r\n"},
			"Route: <sip:user@127.0.0.8:99;transport=udp;lr=on>;x=y\r\nRoute: <sip:127.0.0.9;lr>\r\n", "127.0.0.8:99", 0,
		},
		"two in a line": {
			[]string{"Record-Route: \"a,b\" <sip:127.0.0.9;lr>, <sip:127.0.0.8;lr>\r\n"},
			"Route: <sip:127.0.0.8;lr>\r\nRoute: \"a,b\" <sip:127.0.0.9;lr>\r\n", "127.0.0.8:5060", 0,
		},
		"no lr":       {[]string{"Record-Route: <sip:127.0.0.1;x=lr>\r\n"}, "Route: <sip:127.0.0.1;x=lr>\r\n", "127.0.0.1:5060", 1 << faultLooseRoute},
		"host a name": {[]string{"Record-Route: <sip:proxy.example;lr>\r\n"}, "Route: <sip:proxy.example;lr>\r\n", "", 1 << faultNextHop},
		"bad port":    {[]string{"Record-Route: <sip:127.0.0.1:x;lr>\r\n"}, "Route: <sip:127.0.0.1:x;lr>\r\n", "", 1 << faultNextHop},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var r router
			for range 2 { // The second time the next hop is remembered.
				m := &message{routes: len(test.recordRoutes)}
				for i, line := range test.recordRoutes {
					m.recordRoute[i] = []byte(line)
				}
				lines, hop, bad := r.routeSet(nil, m, []byte("sip:127.0.0.2:5070;transport=udp"))
				if string(lines) != test.want || bad != test.bad {
					t.Errorf("got %q, faults %b, want %q, %b", lines, bad, test.want, test.bad)
				}
				if test.hop != "" && hop.AddrPort() != netip.MustParseAddrPort(test.hop) {
					t.Errorf("leads to %v, want %s", hop.AddrPort(), test.hop)
				}
			}
		})
	}
}

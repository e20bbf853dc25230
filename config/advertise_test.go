package config_test

import (
	"testing"
)

func TestAdvertised(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, listen, advertise string
		want                    []string
	}{
		{"nothing", "udp://192.0.2.1:5060, tcp://192.0.2.1:5060", `""`, []string{"", ""}},
		{"host", "udp://192.0.2.1:5060, tls://192.0.2.1:5061", "a.example", []string{"a.example", "a.example"}},
		{"port of the first", "udp://192.0.2.1:5060, tcp://192.0.2.1:5060, tls://192.0.2.1:5061", "a.example:80", []string{"a.example:80", "a.example:80", "a.example"}},
		{"port of TLS", "tls://192.0.2.1:5061, udp://192.0.2.1:5060", "a.example:80", []string{"a.example:80", "a.example"}},
		{"same port, another address", "udp://192.0.2.1:5060, udp://192.0.2.2:5060", "a.example:80", []string{"a.example:80", "a.example:80"}},
		{"any free port", "udp://192.0.2.1:0, tcp://192.0.2.1:0", "a.example:80", []string{"a.example:80", "a.example"}},
		{"IPv4", "udp://192.0.2.1:5060, 'udp://[2001:db8::1]:5060'", "198.51.100.1:80", []string{"198.51.100.1:80", ""}},
		{"IPv6", "udp://192.0.2.1:5060, 'udp://[2001:db8::1]:5060'", "'[2001:db8::9]'", []string{"", "[2001:db8::9]"}},
		{"one of two", "udp://192.0.2.1:5060, udp://10.0.0.1:5060", "{udp://192.0.2.1:5060: a.example}", []string{"a.example", ""}},
		{"each", "udp://192.0.2.1:5060, tls://192.0.2.1:5061", "{udp://192.0.2.1:5060: 'a.example:80', tls://192.0.2.1:5061: 'b.example:81'}", []string{"a.example:80", "b.example:81"}},
		{"none of each", "udp://192.0.2.1:5060", "{}", []string{""}},
		{"each, in another spelling", "'udp://[2001:db8::1]:5060'", "{'udp://[2001:db8:0::1]:5060': a.example, }", []string{"a.example"}},
	} {
		cfg := parse(t, "d.yaml", "tls: {certificate: c, key: k}\nsip: {listen: ["+c.listen+"], advertise: "+c.advertise+"}\n")
		for i, want := range c.want {
			got := ""
			if h := cfg.SIP.Advertised(i); !h.IsZero() {
				got = h.String()
			}
			if got != want {
				t.Errorf("%s: socket %d is %q, want %q", c.name, i, got, want)
			}
		}
	}
}

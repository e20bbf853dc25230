package resolve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const zone = `
; All of RFC 3263's ladder.
full.test.            60 IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.full.test.
full.test.            60 IN NAPTR 10 20 "S" "sip+d2t" "" _sip._tcp.full.test.
full.test.            60 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.full.test.
full.test.            60 IN A 192.0.2.1
_sip._udp.full.test.  60 IN SRV 10 5 5080 one.full.test.
_sip._tcp.full.test.  60 IN SRV 20 1 5082 two.full.test.
_sip._tcp.full.test.  60 IN SRV 10 30 5081 one.full.test.
_sip._tcp.full.test.  60 IN SRV 10 70 5083 two.full.test.
_sips._tcp.full.test. 60 IN SRV 1 1 5071 one.full.test.
one.full.test.        60 IN A 192.0.2.11
two.full.test.        60 IN A 192.0.2.12
two.full.test.        60 IN AAAA 2001:db8::12

naptr-alone.test.     60 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.full.test.
naptr-alone.test.     60 IN NAPTR 10 10 "u" "SIP+D2U" "!^.*$!sip:x@y!" .
naptr-alone.test.     60 IN NAPTR 10 10 "" "SIP+D2U" "" _sip._udp.full.test.
naptr-alone.test.     60 IN NAPTR 10 10 "s" "SIP+D2U" "!^.*$!sip:x@y!" _sip._udp.full.test.
naptr-alone.test.     60 IN A 192.0.2.2

naptr-dead.test.      60 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.nowhere.test.
naptr-dead.test.      60 IN NAPTR 10 20 "s" "SIP+D2T" "" _sip._tcp.full.test.

naptr-root.test.      60 IN NAPTR 10 10 "s" "SIP+D2U" "" .
naptr-root.test.      60 IN A 192.0.2.22

srv-tcp.test.         60 IN A 192.0.2.3
_sip._tcp.srv-tcp.test. 60 IN SRV 0 0 5090 srv-tcp.test.

srv-both.test.        60 IN A 192.0.2.4
_sip._udp.srv-both.test. 60 IN SRV 0 0 5091 srv-both.test.
_sip._tcp.srv-both.test. 60 IN SRV 0 0 5092 srv-both.test.

no-udp.test.          60 IN A 192.0.2.5
_sip._udp.no-udp.test. 60 IN SRV 0 0 5060 .
no-sip.test.          60 IN A 192.0.2.6
_sip._udp.no-sip.test. 60 IN SRV 0 0 0 .
_sip._tcp.no-sip.test. 60 IN SRV 0 0 0 .
srv-lost.test.        60 IN A 192.0.2.7
_sip._udp.srv-lost.test. 60 IN SRV 0 0 5060 nowhere.test.
srv-half.test.        60 IN A 192.0.2.8
_sip._udp.srv-half.test. 60 IN SRV 0 0 5060 .
_sip._udp.srv-half.test. 60 IN SRV 5 0 5060 one.full.test.
_sip._udp.srv-half.test. 60 IN SRV 5 0 0 two.full.test.

twice.test.           60 IN A 192.0.2.9
_sip._udp.twice.test. 60 IN SRV 1 1 5060 one.full.test.
_sip._udp.twice.test. 60 IN SRV 1 2 5060 one.full.test.
_sip._udp.twice.test. 60 IN SRV 2 1 5060 same.test.
_sip._udp.twice.test. 60 IN SRV 2 1 5061 same.test.
same.test.            60 IN A 192.0.2.11

dual.test.            60 IN AAAA 2001:db8::2
dual.test.            60 IN AAAA 2001:db8::1
dual.test.            60 IN A 192.0.2.32
dual.test.            60 IN A 192.0.2.31
six.test.             60 IN AAAA 2001:db8::3
mapped.test.          60 IN AAAA ::ffff:192.0.2.33

alias.test.           60 IN CNAME alias2.test.
alias2.test.          60 IN CNAME dual.test.
_sip._udp.alias-srv.test. 60 IN CNAME _sip._udp.srv-both.test.

unusable.test.        60 IN A 0.0.0.0
unusable.test.        60 IN A 224.0.0.1
unusable.test.        60 IN A 255.255.255.255
unusable.test.        60 IN AAAA ::
unusable.test.        60 IN AAAA ff02::1
text.test.            60 IN TXT "nothing here"
under_score.test.     60 IN A 192.0.2.40
`

func zoneLines() []string {
	var lines []string
	for line := range strings.Lines(zone) {
		if line = strings.TrimSpace(line); line != "" && line[0] != ';' {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestLadder(t *testing.T) {
	s := newServer(t, zoneLines()...)
	const (
		fullTCP = "tcp 192.0.2.12:5083 two.full.test 10/70\ntcp [2001:db8::12]:5083 two.full.test 10/70\n" +
			"tcp 192.0.2.11:5081 one.full.test 10/30\ntcp 192.0.2.12:5082 two.full.test 20/1\ntcp [2001:db8::12]:5082 two.full.test 20/1"
		dual = "udp 192.0.2.31:5060 dual.test 0/0\nudp 192.0.2.32:5060 dual.test 0/0\n" +
			"udp [2001:db8::1]:5060 dual.test 0/0\nudp [2001:db8::2]:5060 dual.test 0/0"
	)
	tests := []struct {
		name   string
		query  Query
		config Config
		want   string
		err    error
	}{
		{name: "NAPTR: order, then SRV", query: Query{Host: "full.test"}, want: fullTCP},
		{name: "in any case, with a last dot", query: Query{Host: "FULL.Test."}, want: fullTCP},
		{
			name: "NAPTR: what we cannot send is no choice", query: Query{Host: "full.test"},
			config: Config{Transports: []string{udp}}, want: "udp 192.0.2.11:5080 one.full.test 10/5",
		},
		{name: "NAPTR without a use", query: Query{Host: "naptr-alone.test"}, want: "udp 192.0.2.2:5060 naptr-alone.test 0/0"},
		{name: "NAPTR: the next when the first leads nowhere", query: Query{Host: "naptr-dead.test"}, want: fullTCP},
		{name: "NAPTR to the root", query: Query{Host: "naptr-root.test"}, want: "udp 192.0.2.22:5060 naptr-root.test 0/0"},
		{name: "no NAPTR: SRV of UDP first", query: Query{Host: "srv-both.test"}, want: "udp 192.0.2.4:5091 srv-both.test 0/0"},
		{
			name: "no NAPTR: SRV of what we can send", query: Query{Host: "srv-both.test"},
			config: Config{Transports: []string{tls, tcp}}, want: "tcp 192.0.2.4:5092 srv-both.test 0/0",
		},
		{name: "no NAPTR: SRV of TCP alone", query: Query{Host: "srv-tcp.test"}, want: "tcp 192.0.2.3:5090 srv-tcp.test 0/0"},
		{name: "no NAPTR, no SRV: the host over UDP", query: Query{Host: "dual.test"}, want: dual},

		{name: "transport: SRV", query: Query{Host: "full.test", Transport: udp}, want: "udp 192.0.2.11:5080 one.full.test 10/5"},
		{name: "tls: SRV of sips", query: Query{Host: "full.test", Transport: tls}, want: "tls 192.0.2.11:5071 one.full.test 1/1"},
		{name: "transport, no SRV: the host", query: Query{Host: "srv-tcp.test", Transport: udp}, want: "udp 192.0.2.3:5060 srv-tcp.test 0/0"},
		{name: "tls, no SRV: its default port", query: Query{Host: "srv-tcp.test", Transport: tls}, want: "tls 192.0.2.3:5061 srv-tcp.test 0/0"},

		{name: "port: the host only", query: Query{Host: "full.test", Port: 5099}, want: "udp 192.0.2.1:5099 full.test 0/0"},
		{name: "port and transport", query: Query{Host: "full.test", Port: 5099, Transport: tls}, want: "tls 192.0.2.1:5099 full.test 0/0"},
		{
			name: "port, and no UDP", query: Query{Host: "full.test", Port: 5099},
			config: Config{Transports: []string{tcp}}, want: "tcp 192.0.2.1:5099 full.test 0/0",
		},

		{name: "SRV to the root: not over UDP", query: Query{Host: "no-udp.test"}, want: "tcp 192.0.2.5:5060 no-udp.test 0/0"},
		{name: "SRV to the root for both", query: Query{Host: "no-sip.test"}, err: ErrNoService},
		{name: "SRV to the root, transport asked for", query: Query{Host: "no-udp.test", Transport: udp}, err: ErrNoService},
		{name: "SRV to nowhere is not the host", query: Query{Host: "srv-lost.test", Transport: udp}, err: ErrNotFound},
		{name: "SRV without the useless", query: Query{Host: "srv-half.test"}, want: "udp 192.0.2.11:5060 one.full.test 5/0"},

		{
			name: "a place is listed once", query: Query{Host: "twice.test"},
			want: "udp 192.0.2.11:5060 one.full.test 1/2\nudp 192.0.2.11:5061 same.test 2/1",
		},

		{name: "IPv4 only", query: Query{Host: "dual.test"}, config: Config{Network: "ip4"}, want: strings.Join(strings.Split(dual, "\n")[:2], "\n")},
		{name: "IPv6 only", query: Query{Host: "dual.test"}, config: Config{Network: "ip6"}, want: strings.Join(strings.Split(dual, "\n")[2:], "\n")},
		{
			name: "IPv6 first", query: Query{Host: "dual.test"}, config: Config{PreferV6: true},
			want: strings.Join(append(strings.Split(dual, "\n")[2:], strings.Split(dual, "\n")[:2]...), "\n"),
		},
		{name: "a host of IPv6", query: Query{Host: "six.test"}, want: "udp [2001:db8::3]:5060 six.test 0/0"},
		{name: "that we cannot send to", query: Query{Host: "six.test"}, config: Config{Network: "ip4"}, err: ErrNotFound},
		{name: "IPv4 mapped into IPv6", query: Query{Host: "mapped.test"}, want: "udp 192.0.2.33:5060 mapped.test 0/0"},

		{name: "CNAME", query: Query{Host: "alias.test"}, want: strings.ReplaceAll(dual, "dual.test", "alias.test")},
		{name: "CNAME of SRV", query: Query{Host: "alias-srv.test"}, want: "udp 192.0.2.4:5091 srv-both.test 0/0"},
		{name: "no name", query: Query{Host: "nowhere.test"}, err: ErrNotFound},
		{name: "a name without an address", query: Query{Host: "text.test"}, err: ErrNotFound},
		{name: "addresses that nothing can be sent to", query: Query{Host: "unusable.test"}, err: ErrNotFound},
		{name: "underscore", query: Query{Host: "under_score.test"}, want: "udp 192.0.2.40:5060 under_score.test 0/0"},

		{name: "IPv4 address", query: Query{Host: "192.0.2.99"}, want: "udp 192.0.2.99:5060 192.0.2.99 0/0"},
		{name: "IPv6 address", query: Query{Host: "2001:db8::99", Port: 5070, Transport: tcp}, want: "tcp [2001:db8::99]:5070 2001:db8::99 0/0"},
		{name: "address and tls", query: Query{Host: "192.0.2.99", Transport: tls}, want: "tls 192.0.2.99:5061 192.0.2.99 0/0"},
		{name: "address, and no UDP", query: Query{Host: "192.0.2.99"}, config: Config{Transports: []string{tls}}, want: "tls 192.0.2.99:5061 192.0.2.99 0/0"},
		{name: "mapped address", query: Query{Host: "::ffff:192.0.2.99"}, want: "udp 192.0.2.99:5060 ::ffff:192.0.2.99 0/0"},
		{name: "localhost", query: Query{Host: "localhost", Port: 5070}, want: "udp 127.0.0.1:5070 localhost 0/0\nudp [::1]:5070 localhost 0/0"},

		{name: "unknown transport", query: Query{Host: "dual.test", Transport: "sctp"}, err: ErrBadQuery},
		{name: "empty host", query: Query{}, err: ErrBadQuery},
		{name: "brackets", query: Query{Host: "[::1]"}, err: ErrBadQuery},
		{name: "empty label", query: Query{Host: "a..test"}, err: ErrBadQuery},
		{name: "strange host", query: Query{Host: "a\\.b test"}, err: ErrBadQuery},
		{name: "long label", query: Query{Host: strings.Repeat("a", 64) + ".test"}, err: ErrBadQuery},
		{name: "long host", query: Query{Host: strings.Repeat("a.", 126) + "test"}, err: ErrBadQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			targets, err := resolve(t, newTestResolver(t, tt.config, s), tt.query)
			if got := spell(targets); got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Resolve(%v) = %v\n%s\nwant %v\n%s", tt.query, err, got, tt.err, tt.want)
			}
			for _, target := range targets {
				if want := strings.ToLower(strings.TrimSuffix(tt.query.Host, ".")); target.Name != want {
					t.Errorf("Name = %q, want %q", target.Name, want)
				}
			}
		})
	}
}

func TestAdditionalSection(t *testing.T) {
	s := newServer(t, zoneLines()...)
	extra := newServer(t, "one.full.test. 5 IN A 192.0.2.111").zone["A one.full.test."]
	s.hook("SRV _sip._udp.full.test.", func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Extra = append(reply.Extra, extra...)
		return reply
	})
	r := newTestResolver(t, Config{}, s)
	a := r.finder.find(t.Context(), Query{Host: "full.test", Transport: udp})
	if got, want := spell(a.targets), "udp 192.0.2.111:5080 one.full.test 10/5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if want := 5 * time.Second; a.ttl != want {
		t.Errorf("ttl %v, want %v", a.ttl, want)
	}
	if got, want := fmt.Sprint(s.questions()), "[SRV _sip._udp.full.test. AAAA one.full.test.]"; got != want {
		t.Errorf("asked %s, want %s: the additional section has the A record", got, want)
	}
}

func TestTimeToLive(t *testing.T) {
	s := newServer(t,
		`chain.test. 500 IN NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp.chain.test.`,
		"_sip._udp.chain.test. 400 IN CNAME srv.chain.test.", "srv.chain.test. 90 IN SRV 1 1 5060 host.chain.test.",
		"host.chain.test. 300 IN CNAME a.chain.test.", "a.chain.test. 200 IN A 192.0.2.1", "a.chain.test. 200 IN AAAA 2001:db8::1",
		"plain.test. 200 IN A 192.0.2.2", "short.test. 1 IN A 192.0.2.2", "long.test. 999999 IN A 192.0.2.2",
		"absurd.test. 2147483648 IN A 192.0.2.2",
	)
	tests := []struct {
		query  Query
		soaTTL int
		want   time.Duration
	}{
		{Query{Host: "chain.test"}, 300, 90 * time.Second},
		{Query{Host: "host.chain.test", Port: 1}, 300, 200 * time.Second},
		{Query{Host: "plain.test", Port: 1}, 150, 150 * time.Second}, // No AAAA, for as long.
		{Query{Host: "plain.test", Port: 1}, -1, 70 * time.Second},   // For as long as NegativeTTL.
		{Query{Host: "short.test", Port: 1}, 300, 20 * time.Second},
		{Query{Host: "long.test", Port: 1}, 9999, 1000 * time.Second},
		{Query{Host: "absurd.test", Port: 1}, 9999, 20 * time.Second},
		{Query{Host: "nowhere.test", Port: 1}, 50, 50 * time.Second},
		{Query{Host: "nowhere.test", Port: 1}, 300, 70 * time.Second},
		{Query{Host: "nowhere.test", Port: 1}, 0, 20 * time.Second},
		{Query{Host: "nowhere.test", Port: 1}, -1, 70 * time.Second},
	}
	r := newTestResolver(t, Config{MinTTL: 20 * time.Second, MaxTTL: 1000 * time.Second, NegativeTTL: 70 * time.Second}, s)
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.query.Host, tt.soaTTL), func(t *testing.T) {
			s.setSOA(tt.soaTTL)
			if a := r.finder.find(t.Context(), tt.query); a.ttl != tt.want || a.lame != nil {
				t.Errorf("ttl %v (%v), want %v", a.ttl, a.lame, tt.want)
			}
		})
	}
}

package router

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

func TestRetryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"120": 120 * time.Second, "18000;duration=3600": 5 * time.Hour, "5 (I'm in a meeting)": 5 * time.Second, "0": 0,
	} {
		var m message.Message
		_ = m.Parse([]byte("SIP/2.0 503 X\r\nRetry-After: " + in + "\r\n\r\n"))
		if d, ok := retryAfterOf(&m); !ok || d != want {
			t.Errorf("%q is %v %v, want %v", in, d, ok, want)
		}
	}
	for _, in := range []string{"", "soon", "-1", "99999999999"} {
		var m message.Message
		_ = m.Parse([]byte("SIP/2.0 503 X\r\nRetry-After: " + in + "\r\n\r\n"))
		if d, ok := retryAfterOf(&m); ok {
			t.Errorf("%q is %v", in, d)
		}
	}
}

func TestQvalue(t *testing.T) {
	for in, want := range map[string]int{
		"": 1000, ";q=1": 1000, ";q=1.0": 1000, ";q=0.9": 900, ";q=0.25": 250, ";x=1;q=0.123": 123, ";q=0": 0, ";q=.5": 0, ";q=0.1239": 123,
	} {
		if got := qvalue([]byte(in)); got != want {
			t.Errorf("%q is %d, want %d", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	r := new(Router)
	r.name([]transport.Listener{
		{Proto: transport.UDP, Addr: netip.MustParseAddrPort("192.0.2.1:5060")},
		{Proto: transport.TCP, Addr: netip.MustParseAddrPort("[2001:db8::1]:5080")},
		{Proto: transport.TLS, Addr: netip.MustParseAddrPort("192.0.2.1:5071")},
	}, &config.SIP{
		Listen: []config.Listen{
			{Transport: "udp", Addr: netip.MustParseAddrPort("192.0.2.1:5060")},
			{Transport: "tcp", Addr: netip.MustParseAddrPort("[2001:db8::1]:5080")},
			{Transport: "tls", Addr: netip.MustParseAddrPort("192.0.2.1:5071")},
		},
		Advertise: config.HostPort{Host: "Router.example", Port: 5099},
	})
	for in, want := range map[string]bool{
		"sip:192.0.2.1":                  true,
		"sip:192.0.2.1:5060;lr":          true,
		"sip:192.0.2.1:5080":             false,
		"sip:192.0.2.2":                  false,
		"sip:[2001:db8::1]:5080":         true,
		"sip:[2001:0DB8:0::0:1]:5080":    true,
		"sip:[2001:db8::2]:5080":         false,
		"sip:ROUTER.example:5099":        true,
		"sip:router.example":             false,
		"sip:router.example:5060":        false,
		"sip:router.example:5080":        true,
		"sips:router.example:5071":       true,
		"sip:192.0.2.1:5071":             true,
		"sip:u@192.0.2.1:5060;x=y?a=b":   true,
		"sip:[::ffff:192.0.2.1]:5060":    false,
		"sip:192.0.2.1.example.net:5060": false,
		"sip:192.0.2.1;transport=tcp":    true,
		"sip:192.0.2.1;transport=tls":    false,
		"sips:192.0.2.1":                 false,
	} {
		u, fault := message.ParseURI([]byte(in))
		if fault != nil {
			t.Fatal(in, fault)
		}
		if got := r.names.hasURI(&u); got != want {
			t.Errorf("%s is ours: %v", in, got)
		}
	}
	if via := string(r.local[0].via); via != "Via: SIP/2.0/UDP Router.example:5099;branch=" {
		t.Errorf("%s", via)
	}
	if route := string(r.local[2].route); route != "Record-Route: <sip:Router.example:5071;transport=tls;lr;dr=" {
		t.Errorf("%s", route)
	}
}

func TestFixedChanges(t *testing.T) {
	parse := func(text string) *config.Config {
		c, problems := config.Parse(t.TempDir()+"/x.yaml", []byte("catalog: {file: /tmp/p.yaml}\n"+text))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return c
	}
	base := "sip: {listen: ['udp://127.0.0.1:5060'], route_key_file: /tmp/k}\n"
	for text, want := range map[string][]string{
		base: nil,
		base + "budgets: {no_reply: 1s}\ncodecs: PCMU\nfailover: {next: [503]}\n":                                   nil,
		"sip: {listen: ['udp://127.0.0.1:5062'], route_key_file: /tmp/k}\n":                                         {"sip.listen"},
		"sip: {listen: ['udp://127.0.0.1:5060'], route_key_file: /tmp/k, workers: 2, max_calls: 7}\n":               {"sip.workers", "sip.max_calls"},
		"sip: {listen: ['udp://127.0.0.1:5060'], route_key_file: /tmp/other}\n":                                     {"sip.route_key_file"},
		"sip: {listen: ['udp://127.0.0.1:5060'], route_key_file: /tmp/k, advertise: a}\n":                           {"sip.advertise"},
		"sip: {listen: ['udp://127.0.0.1:5060'], route_key_file: /tmp/k, advertise: {'udp://127.0.0.1:5060': a}}\n": {"sip.advertise"},
		base + "calls: {file: c.jsonl, max_size: 1MiB, max_files: 3}\n":                                             nil,
		base + "calls: {keep: 7}\n":       {"calls.keep"},
		base + "tls: {wildcards: true}\n": {"tls"},
	} {
		if got := fixedChanges(parse(base), parse(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	tried := []*attempt{{}}
	tests := []struct {
		c    call
		code int
		want outcome
	}{
		{call{attempts: tried}, 200, outcomeAnswered},
		{call{attempts: tried, cancelled: true}, 200, outcomeAnswered},
		{call{attempts: tried, cancelled: true}, 487, outcomeCancelled},
		{call{}, 404, outcomeNoRoute},
		{call{}, 480, outcomeNoRoute},
		{call{}, 488, outcomeNoRoute},
		{call{attempts: tried}, 404, outcomeRejected},
		{call{attempts: tried}, 486, outcomeBusy},
		{call{attempts: tried}, 600, outcomeBusy},
		{call{attempts: tried}, 603, outcomeRejected},
		{call{attempts: tried}, 302, outcomeRejected},
		{call{attempts: tried}, 408, outcomeTimeout},
		{call{attempts: tried}, 500, outcomeFailed},
	}
	for i := range tests {
		if got := outcomeOf(&tests[i].c, tests[i].code); got != tests[i].want {
			t.Errorf("%d: %v, want %v", tests[i].code, got, tests[i].want)
		}
	}
}

func TestPrivacy(t *testing.T) {
	for in, want := range map[string]bool{"id": true, "header;id": true, "ID ; critical": true, "none": false, "user": false, "idx": false} {
		var m message.Message
		_ = m.Parse([]byte("INVITE sip:a@b SIP/2.0\r\nP-Asserted-Identity: <sip:a@b>\r\nPrivacy: " + in + "\r\n\r\n"))
		if got := withheld(&m); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

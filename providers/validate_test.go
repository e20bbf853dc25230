package providers_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

func TestValidateProvider(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		name   string
		change func(*providers.Provider)
		want   string // "" is no fault.
	}{
		{"plain", func(*providers.Provider) {}, ""},
		{"type missing", func(p *providers.Provider) { p.Type = "" }, "type: must be sip"},
		{"type", func(p *providers.Provider) { p.Type = "pstn" }, `type: "pstn" must be sip`},
		{"name missing", func(p *providers.Provider) { p.Name = "" }, "name: is missing"},
		{"name long", func(p *providers.Provider) { p.Name = long }, `name: "` + long[:80] + `..." is longer than 255 bytes`},
		{"name break", func(p *providers.Provider) { p.Name = "a\nb" }, `name: "a\nb" holds a control character`},
		{"name separator", func(p *providers.Provider) { p.Name = "a\u2028b" }, `name: "a\u2028b" holds a control character`},
		{"name not UTF-8", func(p *providers.Provider) { p.Name = "a\xFF" }, `name: "a\xff" is not UTF-8`},
		{"name id", func(p *providers.Provider) { p.Name = uuid.Nil.String() }, `name: "` + uuid.Nil.String() + `" looks like an id`},
		{"name any letters", func(p *providers.Provider) { p.Name = "Träger Nr. 1 '\"#:" }, ""},
		{"detail", func(p *providers.Provider) { p.Detail = "two\nlines\tand\u2028more" }, ""},
		{"detail long", func(p *providers.Provider) { p.Detail = strings.Repeat("x", 65536) }, "detail: is longer than 65535 bytes"},
		{"detail NUL", func(p *providers.Provider) { p.Detail = "a\x00" }, "detail: holds a NUL"},
		{"detail not UTF-8", func(p *providers.Provider) { p.Detail = "\xC0" }, "detail: is not UTF-8"},
		{"hostname missing", func(p *providers.Provider) { p.Hostname = "" }, "hostname: is missing"},
		{"hostname", func(p *providers.Provider) { p.Hostname = "a b" }, `hostname: "a b" is not host, host:port, IPv4, [IPv6] or [IPv6]:port`},
		{"prefix", func(p *providers.Provider) { p.TechPrefix = "9#*+;=:" + `"'\%` }, ""},
		{"prefix 255", func(p *providers.Provider) { p.TechPrefix = long[1:] }, ""},
		{"prefix long", func(p *providers.Provider) { p.TechPrefix = long }, `tech_prefix: "` + long[:80] + `..." is longer than 255 bytes`},
		{"prefix CR", func(p *providers.Provider) { p.TechPrefix = "a\r" }, `tech_prefix: "a\r" holds a space, a line break, <, > or a control character, which no SIP URI may`},
		{"prefix LF", func(p *providers.Provider) { p.TechPrefix = "a\n" }, `tech_prefix: "a\n" holds a space, a line break, <, > or a control character, which no SIP URI may`},
		{"prefix space", func(p *providers.Provider) { p.TechPrefix = "a b" }, `tech_prefix: "a b" holds a space, a line break, <, > or a control character, which no SIP URI may`},
		{"prefix <", func(p *providers.Provider) { p.TechPrefix = "<" }, `tech_prefix: "<" holds a space, a line break, <, > or a control character, which no SIP URI may`},
		{"prefix @", func(p *providers.Provider) { p.TechPrefix = "a@b" }, `tech_prefix: "a@b" holds an "@", which only a postfix may`},
		{"postfix >", func(p *providers.Provider) { p.TechPostfix = ">" }, `tech_postfix: ">" holds a space, a line break, <, > or a control character, which no SIP URI may`},
		{"postfix DEL", func(p *providers.Provider) { p.TechPostfix = "\x7f" }, `tech_postfix: "\x7f" holds a space, a line break, <, > or a control character, which no SIP URI may`},
		{"postfix host", func(p *providers.Provider) { p.TechPostfix = "x@provider.com" }, ""},
		{"postfix host and port", func(p *providers.Provider) { p.TechPostfix = "@[2001:db8::1]:5061" }, ""},
		{"postfix no host", func(p *providers.Provider) { p.TechPostfix = "x@" }, `tech_postfix: "x@" names a host after its "@" that is not host, host:port, IPv4, [IPv6] or [IPv6]:port`},
		{"postfix @@", func(p *providers.Provider) { p.TechPostfix = "a@b@c" }, `tech_postfix: "a@b@c" holds more than one "@"`},
		{"codecs", func(p *providers.Provider) { p.Codecs = "a,,b" }, `codecs: "a,,b" has an empty element: a double, leading or trailing comma`},
		{"transport", func(p *providers.Provider) { p.Transport = "UDP" }, `transport: "UDP" is not one of udp, tcp, tls, ""`},
		{"budget", func(p *providers.Provider) { p.Budgets.NoReply = time.Microsecond }, `budgets.no_reply: "1µs" is not from 1ms to 5m0s, nor 0 for the default`},
		{"budget below", func(p *providers.Provider) { p.Budgets.NoRinging = -1 }, `budgets.no_ringing: "-1ns" is not from 1ms to 5m0s, nor 0 for the default`},
		{"budget above", func(p *providers.Provider) { p.Budgets.Answer = 2 * time.Hour }, `budgets.answer: "2h0m0s" is not from 1ms to 1h0m0s, nor 0 for the default`},
		{"failover", func(p *providers.Provider) { p.Failover.Next = []string{"486", "6xx"} }, ""},
		{"failover 2xx", func(p *providers.Provider) { p.Failover.Next = []string{"2xx"} }, `failover.next: "2xx" is neither a status code from 300 to 699 nor a class from 3xx to 6xx`},
		{"probes", func(p *providers.Provider) {
			p.Probing = providers.Probing{Interval: 10 * time.Millisecond, Up: []string{"200", "4xx", "603"}}
		}, ""},
		{"probes too often", func(p *providers.Provider) { p.Probing.Interval = time.Millisecond }, `health.interval: "1ms" is not from 10ms to 24h0m0s, nor 0 for the default`},
		{"probes too rarely", func(p *providers.Provider) { p.Probing.Interval = 25 * time.Hour }, `health.interval: "25h0m0s" is not from 10ms to 24h0m0s, nor 0 for the default`},
		{"probe answered 1xx", func(p *providers.Provider) { p.Probing.Up = []string{"1xx"} }, `health.up: "1xx" is neither a status code from 200 to 699 nor a class from 2xx to 6xx`},
		{"calls", func(p *providers.Provider) { p.Limits.Calls = -1 }, `limits.calls: "-1" is not from 0 to 10000000`},
		{"cps", func(p *providers.Provider) { p.Limits.CPS = math.NaN() }, `limits.cps: "NaN" is not from 0 to 1000000`},
		{"cps endless", func(p *providers.Provider) { p.Limits.CPS = math.Inf(1) }, `limits.cps: "+Inf" is not from 0 to 1000000`},
		{"password alone", func(p *providers.Provider) { p.Credentials.Password = "s3cret" }, "credentials.username: is missing, though a password or realm is given"},
		{"password", func(p *providers.Provider) {
			p.Credentials = providers.Credentials{Username: "u", Password: "s3cret\n"}
		}, "credentials.password: the value (kept out of this message) holds a control character"},
		{"metadata", func(p *providers.Provider) { p.Metadata = map[string]string{"": "x"} }, "metadata: has a key that is empty, longer than 255 bytes or no plain text"},
	} {
		p := providers.Provider{Type: "sip", Name: "a", Hostname: "a.example"}
		c.change(&p)
		got := ""
		if err := p.Validate().Err(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestValidateHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Via", "Route", "Record-Route", "Contact", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length",
		"Content-Type", "Proxy-Authorization", "Authorization", "P-Asserted-Identity", "Privacy", "v", "m", "f", "t", "i", "l",
		"c", "VBOUT-X", "VB-", "VB-CUSTOMER-ID", "", "a b", "a:b", "ä", "a\r\n", strings.Repeat("a", 65),
	} {
		for _, name := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if providers.ValidateHeaderName(name) == nil {
				t.Errorf("%q is taken for a tech header", name)
			}
		}
	}
	for _, name := range []string{"X-Account", "P-Charging-Vector", "VBX", "Subject", "User-Agent", "a.!%*_+`'~", "X-Via"} {
		if err := providers.ValidateHeaderName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, value := range []string{"a\rb", "a\nb", "\x00", "\x7f", "\xFF", strings.Repeat("a", 1025)} {
		if providers.ValidateHeaderValue(value) == nil {
			t.Errorf("%q is taken for a header's value", value)
		}
	}
	for _, value := range []string{"", "42", "a\tb", `"é" <sip:a@b>;x=y`, strings.Repeat("a", 1024)} {
		if err := providers.ValidateHeaderValue(value); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	p := providers.Provider{Type: "sip", Name: "a", Hostname: "a.example"}
	for _, name := range []string{"X-A", "x-a", "To"} {
		p.TechHeaders = append(p.TechHeaders, providers.Header{Name: name, Value: "s3cret\n"})
	}
	errs := p.Validate()
	if len(errs) != 5 || strings.Contains(errs.Error(), "s3cret") {
		t.Errorf("%d: %v", len(errs), errs)
	}
	p.TechHeaders = make([]providers.Header, 65)
	if errs := p.Validate(); len(errs) != 1 || errs[0].Field != "tech_headers" {
		t.Errorf("%v", errs)
	}
}

func TestValidateRoute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*providers.Route)
		want   string
	}{
		{"plain", func(*providers.Route) {}, ""},
		{"customer", func(r *providers.Route) { r.CustomerID = uuid.Nil }, "customer_id: is missing"},
		{"provider", func(r *providers.Route) { r.ProviderID = uuid.Nil }, "provider_id: is missing"},
		{"no target", func(r *providers.Route) { r.Target = "" }, "target: is missing"},
		{"target", func(r *providers.Route) { r.Target = "+1x" }, `target: "+1x" is neither "all" nor a prefix of 1 to 32 digits such as "+1"`},
		{"spelling", func(r *providers.Route) { r.Target = "1" }, `target: "1" is not in its one spelling +1`},
		{"priority", func(r *providers.Route) { r.Priority = -1 }, `priority: "-1" is not from 0 to 2147483647`},
		{"weight", func(r *providers.Route) { r.Weight = 0 }, `weight: "0" is not from 1 to 65535`},
		{"heavy", func(r *providers.Route) { r.Weight = 65536 }, `weight: "65536" is not from 1 to 65535`},
		{"name", func(r *providers.Route) { r.Name = "a\x1b" }, `name: "a\x1b" holds a control character`},
		{"two", func(r *providers.Route) { r.Weight, r.Priority = 0, -1 }, `priority: "-1" is not from 0 to 2147483647; weight: "0" is not from 1 to 65535`},
	} {
		r := providers.Route{CustomerID: providers.Everyone, ProviderID: uuid.New(), Target: "+1", Weight: 1}
		c.change(&r)
		got := ""
		if err := r.Validate().Err(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestParseHostname(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for _, c := range []struct {
		in, host string
		port     uint16
		isIP     bool
	}{
		{"sip.example.com", "sip.example.com", 0, false},
		{"sip.example.com.", "sip.example.com.", 0, false},
		{"SIP.Example.COM:5061", "SIP.Example.COM", 5061, false},
		{"localhost", "localhost", 0, false},
		{"_sip._udp.example", "_sip._udp.example", 0, false},
		{"1und1.example", "1und1.example", 0, false},
		{"3com", "3com", 0, false},
		{"192.0.2.1", "192.0.2.1", 0, true},
		{"192.0.2.1:65535", "192.0.2.1", 65535, true},
		{"[2001:db8::1]", "2001:db8::1", 0, true},
		{"[2001:db8::1]:1", "2001:db8::1", 1, true},
		{"[::ffff:192.0.2.1]", "::ffff:192.0.2.1", 0, true},
		{label + "." + label + "." + label, label + "." + label + "." + label, 0, false},
	} {
		host, port, ip, err := providers.ParseHostname(c.in)
		if err != nil || host != c.host || port != c.port || ip.IsValid() != c.isIP {
			t.Errorf("%q: %q %d %v %v", c.in, host, port, ip, err)
		}
	}
	for _, in := range []string{
		"", " ", "a b", "a.example ", "a..example", ".example", "-a.example", "a-.example", "ä.example", "a.example:", "a.example:0",
		"a.example:65536", "a.example:+1", "a.example:5060x", "a.example:05060x", "a:b:c", "2001:db8::1", "[2001:db8::1", "2001:db8::1]",
		"[2001:db8::1]x", "[2001:db8::1]5060", "[2001:db8::1]:", "[fe80::1%eth0]", "[192.0.2.1]", "[a.example]", "[]", "192.0.2.256",
		"192.0.2", "1.2.3.4.5", "5060", "sip:a.example", "user@a.example", "a.example/x", "a.example;transport=tcp", "a\r\nb", "a\x00",
		label + "a.example", strings.Repeat("a.", 127) + "a", strings.Repeat("a", 256),
	} {
		if host, port, ip, err := providers.ParseHostname(in); err == nil {
			t.Errorf("%q is taken for %q %d %v", in, host, port, ip)
		}
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("1", 32)
	for in, want := range map[string]string{"all": "all", "1": "+1", "+1": "+1", "0049": "+0049", "+" + digits: "+" + digits} {
		if got, err := providers.ParseTarget(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "+", "++1", "1+", "All", "+1 2", "1x", "*", "١", "+" + digits + "1"} {
		if got, err := providers.ParseTarget(in); err == nil {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

func TestValidateCodecs(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "PCMU", "PCMU,PCMA", " PCMU , opus\t", "telephone-event", "opus/48000/2", strings.Repeat("a", 255)} {
		if err := providers.ValidateCodecs(in); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	for _, in := range []string{
		",", "a,", ",a", "a,,b", "a, ,b", " ", "a\rb", "a\nb", "a(b", "a)b", "a b", "ä", "\x00", strings.Repeat("a", 256),
	} {
		if providers.ValidateCodecs(in) == nil {
			t.Errorf("%q is taken for codecs", in)
		}
	}
}

// TestCodeSet compares with a map, for all codes.
func TestCodeSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		elements []string
		has      func(int) bool
	}{
		{nil, func(int) bool { return false }},
		{[]string{"100", "699"}, func(n int) bool { return n == 100 || n == 699 }},
		{[]string{"404", "5xx", "5XX", "503"}, func(n int) bool { return n == 404 || n >= 500 && n < 600 }},
		{[]string{"1xx", "2xx", "3xx", "4xx", "5xx", "6xx"}, func(n int) bool { return n >= 100 && n < 700 }},
	} {
		s, err := providers.ParseCodeSet(c.elements)
		if err != nil {
			t.Error(err)
		}
		for n := -1000; n < 2000; n++ {
			if s.Has(n) != c.has(n) {
				t.Errorf("%v has %d: %t", c.elements, n, s.Has(n))
			}
		}
	}
	for _, e := range []string{"", "x", "40", "4040", "099", "700", "7xx", "0xx", "4x4", "xxx", "4xy", " 404", "+40", "４０４"} {
		if _, err := providers.ParseCodeSet([]string{"404", e}); err == nil {
			t.Errorf("%q is taken for codes", e)
		}
	}
}

func TestIdentity(t *testing.T) {
	// Fixed for ever: a change would give every hand-written entry a new identity.
	if got := providers.ProviderID("carrier-a").String(); got != "b908695f-c8d0-5b64-a4aa-c465553386ea" {
		t.Errorf("provider id %s", got)
	}
	if got := providers.RouteID(providers.Everyone, "+1", providers.ProviderID("carrier-a")).String(); got != "62d7b96b-95bb-5ddf-b36d-9efa56f9551d" {
		t.Errorf("route id %s", got)
	}
	id := providers.ProviderID(strings.Repeat("long", 1000))
	if id.Version() != 5 || id.Variant() != uuid.RFC4122 {
		t.Errorf("%s: version %d, variant %s", id, id.Version(), id.Variant())
	}
	if allocs := testing.AllocsPerRun(100, func() { providers.RouteID(id, "+15551234567", id) }); allocs > 0 {
		t.Errorf("%v allocations for an id", allocs)
	}
}

// TestDefaultUp enumerates the replies that say that a provider is there.
func TestDefaultUp(t *testing.T) {
	t.Parallel()
	up := providers.DefaultUp()
	for code := range 800 {
		if want := code >= 200 && code < 700 && code != 408 && code != 503; up.Has(code) != want {
			t.Errorf("%d: %v, want %v", code, up.Has(code), want)
		}
	}
}

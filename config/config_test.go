package config_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parse reads what has no problem.
func parse(t *testing.T, name, content string) *config.Config {
	t.Helper()
	c, problems := config.Parse(name, []byte(content))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

// exported drops what a Config remembers of its file.
func exported(c *config.Config) config.Config {
	return config.Config{
		SIP: c.SIP, TLS: c.TLS, Catalog: c.Catalog, Codecs: c.Codecs, Numbers: c.Numbers, Budgets: c.Budgets,
		Failover: c.Failover, Drain: c.Drain, Health: c.Health, Calls: c.Calls, Admin: c.Admin, Telnyx: c.Telnyx, Log: c.Log,
	}
}

// TestExampleShowsTheDefaults holds the promise of the example's first comment.
func TestExampleShowsTheDefaults(t *testing.T) {
	t.Parallel()
	example := exported(parse(t, "/etc/x/dialrouter.yaml", string(read(t, filepath.Join("example", "dialrouter.yaml")))))
	empty := exported(parse(t, "/etc/x/dialrouter.yaml", ""))
	if want := []string{"00", "011"}; !reflect.DeepEqual(example.Numbers.InternationalPrefixes, want) {
		t.Errorf("international prefixes %q, want %q", example.Numbers.InternationalPrefixes, want)
	}
	example.Numbers.InternationalPrefixes = nil
	if !reflect.DeepEqual(example, empty) {
		t.Errorf("the example says\n%+v\nan empty file\n%+v", example, empty)
	}
	if got, want := empty.Catalog.File, "/etc/x/providers.yaml"; got != want {
		t.Errorf("catalog %q, want %q", got, want)
	}
	if got, want := empty.SIP.RouteKeyFile, "/etc/x/route.key"; got != want {
		t.Errorf("route key %q, want %q", got, want)
	}
}

// TestExampleNamesEveryKey lets no key of the code be missing in the example, where operators look for it.
func TestExampleNamesEveryKey(t *testing.T) {
	t.Parallel()
	example := string(read(t, filepath.Join("example", "dialrouter.yaml")))
	_, problems := config.Parse("x", []byte("zz: 1\nsip: {zz: 1}\ntls: {zz: 1}\ncatalog: {zz: 1}\nnumbers: {zz: 1}\n"+
		"budgets: {zz: 1}\nfailover: {zz: 1}\nhealth: {zz: 1}\ncalls: {zz: 1}\nadmin: {zz: 1}\ntelnyx: {zz: 1}\nlog: {zz: 1}\n"))
	if len(problems) != 12 {
		t.Fatalf("%d problems: %v", len(problems), problems)
	}
	for _, p := range problems {
		_, known, _ := strings.Cut(p.Message, "known here: ")
		for key := range strings.SplitSeq(known, ", ") {
			if !strings.Contains(example, key+":") {
				t.Errorf("%s: the example does not show %s", p.Message, key)
			}
		}
	}
}

func TestEveryKey(t *testing.T) {
	t.Parallel()
	got := exported(parse(t, "/etc/x/dialrouter.yaml", `
sip:
  listen: [udp://192.0.2.1:5060, "tls://[2001:db8::1]:5061", tcp://127.0.0.1:0]
  advertise: sip.example.com:5070
  allow: [192.0.2.7, 10.0.0.0/8, 2001:db8::/32, "::1"]
  workers: 3
  preloaded_routes: true
  max_calls: 7
  max_connections: 11
  source_connections: 12
  source_rate: 13
  route_key_file: keys/route
tls: {certificate: c.pem, key: /k.pem, ca: ca.pem, wildcards: true}
catalog: {postgres: "postgres://u:p@h/db"}
codecs: PCMU,PCMA
numbers: {international_prefixes: [00, "011"]}
budgets: {no_reply: 1s, no_ringing: 2s, answer: 3s, setup: 1m30s, max_attempts: 4}
failover:
  preset: telnyx
  rules: [{code: 5XX, cause: 34, reason: 22, header: X-Error, then: next and rest, for: 30s, as: limit}, {code: 403, then: final}]
  next: [404, 5XX]
  after_ringing: true
drain: 0
health: {interval: 0, timeout: 1s, down_after: 2, up_after: 3, failures: 0, quality: {min_samples: 50, margin: 7}}
calls: {keep: 0, file: cdr/calls.jsonl, max_size: 2GiB, max_files: 3}
admin:
  listen: "[::1]:8080"
  tls: {certificate: admin.pem, key: /admin.key}
  tokens: [{name: ops, sha256: "00000000000000000000000000000000000000000000000000000000000000ff"}, {name: look, sha256: "00000000000000000000000000000000000000000000000000000000000000fe", permission: ProjectViewer}]
  users: [{name: admin, password: "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", permission: ProjectViewer}]
telnyx: {url: "http://127.0.0.1:9/v2", sip_fqdn: sip.example.com}
log: {level: debug, format: json}
`))
	want := config.Config{
		SIP: config.SIP{
			Listen: []config.Listen{
				{Transport: "udp", Addr: netip.MustParseAddrPort("192.0.2.1:5060")},
				{Transport: "tls", Addr: netip.MustParseAddrPort("[2001:db8::1]:5061")},
				{Transport: "tcp", Addr: netip.MustParseAddrPort("127.0.0.1:0")},
			},
			Advertise: config.HostPort{Host: "sip.example.com", Port: 5070},
			Allow: []netip.Prefix{
				netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("10.0.0.0/8"),
				netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::1/128"),
			},
			Workers: 3, PreloadedRoutes: true, MaxCalls: 7, RouteKeyFile: "/etc/x/keys/route",
			MaxConnections: 11, SourceConnections: 12, SourceRate: 13,
		},
		TLS:     config.TLS{Certificate: "/etc/x/c.pem", Key: "/k.pem", CA: "/etc/x/ca.pem", Wildcards: true},
		Catalog: config.Catalog{Postgres: "postgres://u:p@h/db"},
		Codecs:  "PCMU,PCMA",
		Numbers: config.Numbers{InternationalPrefixes: []string{"00", "011"}},
		Budgets: config.Budgets{
			NoReply: time.Second, NoRinging: 2 * time.Second, Answer: 3 * time.Second, Setup: 90 * time.Second, MaxAttempts: 4,
		},
		Calls: config.Calls{File: "/etc/x/cdr/calls.jsonl", MaxSize: 2 << 30, MaxFiles: 3},
		Failover: config.Failover{
			Next: []string{"404", "5xx"}, AfterRinging: true, Preset: "telnyx",
			Rules: []config.FailoverRule{
				{Code: "5xx", Cause: 34, Reason: "22", Header: "X-Error", Then: "next and rest", For: 30 * time.Second, As: "limit"},
				{Code: "403", Then: "final"},
			},
		},
		Health: config.Health{Timeout: time.Second, DownAfter: 2, UpAfter: 3, Quality: config.Quality{MinSamples: 50, Margin: 7}},
		Admin: config.Admin{
			Listen: "[::1]:8080",
			TLS:    config.AdminTLS{Certificate: "/etc/x/admin.pem", Key: "/admin.key"},
			Tokens: []config.Token{
				{Name: "ops", SHA256: [32]byte{31: 0xFF}, Permission: "ProjectSuperAdmin"},
				{Name: "look", SHA256: [32]byte{31: 0xFE}, Permission: "ProjectViewer"},
			},
			Users: []config.User{{
				Name: "admin", Password: "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
				Permission: "ProjectViewer",
			}},
		},
		Telnyx: config.Telnyx{URL: "http://127.0.0.1:9/v2", SIPFQDN: config.HostPort{Host: "sip.example.com"}},
		Log:    config.Log{Level: slog.LevelDebug, Format: "json"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestProblemElsewhere(t *testing.T) {
	t.Parallel()
	c := parse(t, "d.yaml", "log:\n  level: info\ncodecs: a,,b\nsip:\n  listen:\n    - udp://127.0.0.1:1\n    - tcp://127.0.0.1:1\n")
	for _, c2 := range []struct{ key, want string }{
		{"codecs", "d.yaml:3: codecs: no"},
		{"sip.listen[1]", "d.yaml:7: sip.listen[1]: no"},
		{"sip.workers", "d.yaml:4: sip.workers: no"},
		{"admin.listen", "d.yaml:1: admin.listen: no"},
	} {
		if got := c.Problem(c2.key, "no").String(); got != c2.want {
			t.Errorf("got %q, want %q", got, c2.want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dialrouter.yaml")
	if _, problems := config.Load(path); len(problems) != 1 ||
		problems[0].String() != path+":1: reading the configuration: no such file or directory" {
		t.Errorf("a file that is not there: %v", problems)
	}
	if err := os.WriteFile(path, []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := c.Catalog.File, filepath.Join(filepath.Dir(path), "providers.yaml"); got != want {
		t.Errorf("catalog %q, want %q", got, want)
	}
}

func TestApplyEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{config.EnvAdminToken: "token", config.EnvTelnyxURL: "http://127.0.0.1:1234"}
	lookup := func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	}
	c := parse(t, "d.yaml", "telnyx:\n  url: https://telnyx.example\n")
	if problems := c.ApplyEnvironment(lookup); len(problems) > 0 {
		t.Fatal(problems)
	}
	if c.Telnyx.URL != "http://127.0.0.1:1234" {
		t.Errorf("telnyx %q", c.Telnyx.URL)
	}
	if len(c.Admin.Tokens) != 1 || c.Admin.Tokens[0].Name != config.EnvAdminToken || c.Admin.Tokens[0].SHA256[0] != 0x3c {
		t.Errorf("tokens %+v", c.Admin.Tokens)
	}
	environment[config.EnvTelnyxURL] = "ftp://secret@host"
	problems := c.ApplyEnvironment(lookup)
	if len(problems) != 1 || strings.Contains(problems[0].String(), "secret") || problems[0].Line != 2 {
		t.Errorf("a bad variable: %v", problems)
	}
	if len(c.Admin.Tokens) != 1 {
		t.Errorf("a token twice: %+v", c.Admin.Tokens)
	}
	environment = nil
	c = parse(t, "d.yaml", "")
	if problems := c.ApplyEnvironment(lookup); len(problems) > 0 || len(c.Admin.Tokens) > 0 || c.Telnyx.URL != "https://api.telnyx.com/v2" {
		t.Errorf("no environment: %v, %+v", problems, c)
	}
}

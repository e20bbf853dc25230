package resolve

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// machine makes a resolver for a machine with these files. A name server there may have a port, for tests.
func machine(t *testing.T, resolvConf, hosts string) *Resolver {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"resolv.conf": resolvConf, "hosts": hosts} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newResolver(Config{Timeout: 5 * time.Second}, filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts"))
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestHostsFile(t *testing.T) {
	s := newServer(t, "other.test. 60 IN A 192.0.2.9", "_sip._udp.carrier. 60 IN SRV 1 1 5099 other.test.",
		"_sip._udp.served.test. 60 IN SRV 1 1 5098 Carrier.")
	r := machine(t, "nameserver "+s.addr, strings.Join([]string{
		"# 192.0.2.66 carrier", "192.0.2.1 Carrier carrier.example. # the one", "2001:db8::1\tcarrier", "not-an-address x", "192.0.2.3", "::ffff:192.0.2.4 mapped",
	}, "\n"))
	for host, want := range map[string]string{
		"carrier":         "udp 192.0.2.1:5060 carrier 0/0\nudp [2001:db8::1]:5060 carrier 0/0",
		"CARRIER.example": "udp 192.0.2.1:5060 carrier.example 0/0",
		"mapped":          "udp 192.0.2.4:5060 mapped 0/0",
		"localhost":       "udp 127.0.0.1:5060 localhost 0/0\nudp [::1]:5060 localhost 0/0",
		"served.test":     "udp 192.0.2.1:5098 carrier 1/1\nudp [2001:db8::1]:5098 carrier 1/1",
	} {
		targets, err := resolve(t, r, Query{Host: host})
		if got := spell(targets); got != want || err != nil {
			t.Errorf("%s: %v\n%s\nwant\n%s", host, err, got, want)
		}
	}
	a := r.finder.find(t.Context(), Query{Host: "carrier"})
	if a.ttl != localTTL {
		t.Errorf("ttl %v, want %v", a.ttl, localTTL)
	}
}

func TestResolvConf(t *testing.T) {
	for name, tt := range map[string]struct {
		conf string
		want string // Servers, then completions of "host" and "a.b".
	}{
		"as usual":    {"nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch One.test two.test.\n", "192.0.2.1 2001:db8::1|host.one.test host.two.test|"},
		"kubernetes":  {"nameserver 10.0.0.1\nsearch ns.svc.test svc.test\noptions ndots:5\n", "10.0.0.1|host.ns.svc.test host.svc.test|a.b.ns.svc.test a.b.svc.test"},
		"no search":   {"nameserver 10.0.0.1\nsearch .\n", "10.0.0.1||"},
		"empty":       {"", "127.0.0.1 ::1||"},
		"not a thing": {"\x00\xff nonsense", "127.0.0.1 ::1||"},
	} {
		t.Run(name, func(t *testing.T) {
			r := machine(t, tt.conf, "")
			l := r.finder.local
			got := strings.Join([]string{
				strings.Join(l.servers(), " "), strings.Join(l.completions("host"), " "), strings.Join(l.completions("a.b"), " "),
			}, "|")
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSearchList(t *testing.T) {
	s := newServer(t, "short.two.test. 60 IN A 192.0.2.1", "full. 60 IN A 192.0.2.2", "full.one.test. 60 IN A 192.0.2.3")
	r := machine(t, "nameserver "+s.addr+"\nsearch one.test two.test", "")
	for host, want := range map[string]string{
		"short": "udp 192.0.2.1:5060 short.two.test 0/0",
		"full":  "udp 192.0.2.2:5060 full 0/0",
	} {
		targets, err := resolve(t, r, Query{Host: host})
		if got := spell(targets); got != want || err != nil || targets[0].Name != host {
			t.Errorf("%s: %s, %v, want %s", host, got, err, want)
		}
	}
	if _, err := resolve(t, r, Query{Host: "none"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	s.hook("A short.", rcode(dns.RcodeServerFailure))
	if a := r.finder.find(t.Context(), Query{Host: "short", Port: 1}); !errors.Is(a.err, ErrNoAnswer) {
		t.Errorf("with no answer for the name as it is: %v, %v", a.targets, a.err)
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hosts")
	synctest.Test(t, func(t *testing.T) {
		l := newLocalFiles(filepath.Join(dir, "none"), path)
		write := func(content string, modified time.Time) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, modified, modified); err != nil {
				t.Fatal(err)
			}
		}
		step := func(what, want string) {
			t.Helper()
			got := ""
			if found := l.hosts()["a"]; len(found) > 0 {
				got = found[0].String()
			}
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		step("no file", "")
		write("192.0.2.1 a", day)
		step("too early to look", "")
		time.Sleep(localTTL)
		step("new", "192.0.2.1")
		write("192.0.2.2 a", day.Add(time.Second))
		time.Sleep(localTTL)
		step("changed", "192.0.2.2")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(localTTL)
		step("gone", "")
	})
}

func FuzzHosts(f *testing.F) {
	f.Add("192.0.2.1 a b # c\n::1 d")
	f.Add("\x00 \n 1.2.3.4\t\r\nx")
	f.Fuzz(func(t *testing.T, content string) {
		for name, found := range parseHosts([]byte(content)) {
			if len(found) == 0 || name != strings.ToLower(name) || strings.ContainsAny(name, " \t\n#") {
				t.Errorf("%q has %v", name, found)
			}
			for _, a := range found {
				if net.ParseIP(a.WithZone("").String()) == nil {
					t.Errorf("%q has %v", name, a)
				}
			}
		}
	})
}

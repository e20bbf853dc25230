package e2e

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/router"
	"github.com/voipbin/dialrouter/router/resolve"
)

// setup is what a test wants of its router; the zero value is a router without providers.
type setup struct {
	providers string   // providers.yaml.
	listen    []string // URLs; nil: UDP and TCP on an address of its own.
	sip       []string // More lines for the section sip.
	budgets   string   // The section budgets, in braces; "": long ones.
	failover  string   // The section failover, in braces; "": the default.
	health    string   // The section health, in braces; "": no probes, and whoever fails keeps its place.
	more      []string // More top-level lines.
	t1        time.Duration
	dns       *dnsServer // Nil: the system's.
	dir       string     // Where the files are; "": a new directory.
}

// node is a running router and what the tests need to reach it.
type node struct {
	*router.Router
	dir           string
	udp, tcp, tls netip.AddrPort
	registry      *prometheus.Registry
	log           *logBuffer
}

// The budgets of tests that do not say otherwise: nothing runs out on a busy machine.
const longBudgets = "{no_reply: 6s, no_ringing: 8s, answer: 10s, setup: 20s, max_attempts: 5}"

// shortT1 is RFC 3261's T1 for tests that do not say otherwise: long enough that an answered message is not repeated
// even on a busy machine, short enough to see what is repeated. T2 and T4 follow in
// proportion: 8 and 10 times T1.
const shortT1 = 200 * time.Millisecond

// startRouter runs a router in this process until the test ends.
func startRouter(t *testing.T, s setup) *node {
	t.Helper()
	n := &node{dir: s.dir, registry: prometheus.NewRegistry(), log: &logBuffer{}}
	if n.dir == "" {
		n.dir = t.TempDir()
	}
	n.writeFile(t, "dialrouter.yaml", s.yaml())
	n.writeFile(t, "providers.yaml", s.providers)

	file := filepath.Join(n.dir, "dialrouter.yaml")
	cfg, problems := config.Parse(file, []byte(s.yaml()))
	if len(problems) > 0 {
		t.Fatalf("the test's configuration is wrong: %v\n%s", problems, s.yaml())
	}
	store, err := filestore.Open(cfg.Catalog.File)
	if err != nil {
		t.Fatalf("opening the catalog: %v\n%s", err, s.providers)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing the catalog: %v", err)
		}
	})
	t1 := s.t1
	if t1 == 0 {
		t1 = shortT1
	}
	options := router.Options{
		Config:   cfg,
		Store:    store,
		Log:      slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Registry: n.registry,
		Timing:   router.Timing{T1: t1, T2: 8 * t1, T4: 10 * t1},
	}
	if s.dns != nil {
		options.Resolve = resolve.Config{Servers: []string{s.dns.addr.String()}, Timeout: time.Second}
	}
	n.Router, err = router.New(options)
	if err != nil {
		t.Fatalf("making the router: %v", err)
	}
	n.Start()
	var once sync.Once
	t.Cleanup(func() {
		once.Do(func() { n.stop(t) })
		if t.Failed() {
			t.Logf("the router on %s logged:\n%s", n.udp, n.log)
		}
	})
	for _, l := range n.Listeners() {
		switch strings.ToLower(fmt.Sprint(l.Proto)) {
		case "udp":
			n.udp = l.Addr
		case "tcp":
			n.tcp = l.Addr
		case "tls":
			n.tls = l.Addr
		}
	}
	return n
}

// stop ends the router before the test's end.
func (n *node) stop(t *testing.T) {
	t.Helper()
	if n.Router == nil {
		return
	}
	if err := n.Close(); err != nil {
		t.Errorf("closing the router: %v", err)
	}
	n.Router = nil
}

// yaml is the daemon's file.
func (s *setup) yaml() string {
	var b strings.Builder
	listen := s.listen
	if listen == nil {
		ip := newIP()
		listen = []string{fmt.Sprintf("udp://%s:0", ip), fmt.Sprintf("tcp://%s:0", ip)}
		s.listen = listen
	}
	b.WriteString("sip:\n  listen:\n")
	for _, url := range listen {
		fmt.Fprintf(&b, "    - %q\n", url)
	}
	for _, line := range s.sip {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	budgets := s.budgets
	if budgets == "" {
		budgets = longBudgets
	}
	fmt.Fprintf(&b, "budgets: %s\n", budgets)
	if s.failover != "" {
		fmt.Fprintf(&b, "failover: %s\n", s.failover)
	}
	health := s.health
	if health == "" {
		health = "{interval: 0, failures: 0}"
	}
	fmt.Fprintf(&b, "catalog: {file: providers.yaml}\nhealth: %s\n", health)
	for _, line := range s.more {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

func (n *node) writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// trunk is a provider's entry in providers.yaml: a name, where it is, and more keys.
func trunk(name string, at *peer, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    hostname: %s\n", name, at.addr)
	for _, line := range more {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}

// catalog is a providers.yaml with these providers.
func catalog(trunks ...string) string {
	if len(trunks) == 0 {
		return "providers: []\n"
	}
	return "providers:\n" + strings.Join(trunks, "")
}

// trunks is a providers.yaml that tries the peers in order for every number. They are called b, c, d ...
func trunks(peers ...*peer) string {
	entries := make([]string, len(peers))
	for i, p := range peers {
		entries[i] = trunk(trunkName(i), p, fmt.Sprintf("priority: %d", i+1))
	}
	return catalog(entries...)
}

func trunkName(i int) string { return string(rune('b' + i)) }

// logBuffer keeps what the router logs until a test fails.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// metric adds up the samples of a metric whose labels have the given values: metric(t, "dialrouter_calls_total",
// "outcome", "answered"). One that was never counted is 0.
func (n *node) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatalf("gathering metrics: %v", err)
	}
	var sum float64
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	samples:
		for _, sample := range family.GetMetric() {
			have := make(map[string]string)
			for _, pair := range sample.GetLabel() {
				have[pair.GetName()] = pair.GetValue()
			}
			for i := 0; i < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue samples
				}
			}
			sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue() + float64(sample.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// expectMetric waits until a metric has a value.
func (n *node) expectMetric(t *testing.T, want float64, name string, labels ...string) {
	t.Helper()
	var got float64
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got = n.metric(t, name, labels...); got == want {
			return
		}
	}
	t.Fatalf("%s%q is %v, want %v", name, labels, got, want)
}

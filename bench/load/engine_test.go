//go:build linux

package load_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay passes datagrams between whoever sends first and one peer; lose says which of them vanish.
func relay(t *testing.T, peer netip.AddrPort, lose func(n int, back bool) bool) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var other netip.AddrPort
		b := make([]byte, 4096)
		for count := 0; ; count++ {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			to := peer
			if from == peer {
				to = other
			} else {
				other = from
			}
			if !lose(count, from == peer) {
				_, _ = c.WriteToUDPAddrPort(b[:n], to)
			}
		}
	})
	t.Cleanup(func() {
		c.Close()
		wg.Wait()
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// loopback returns a configuration on free ports, without a proxy: the caller talks to one provider.
func loopback() load.Config {
	free := netip.MustParseAddrPort("127.0.0.1:0")
	return load.Config{
		Proxy:  netip.MustParseAddrPort("127.0.0.1:9"),
		Caller: free, Answers: free, Busy: free, Silent: free,
		NoChecks: true, Outbound: true,
	}
}

// shortT1 is for tests that wait for retransmissions; the others must not see any, on a busy machine either.
const shortT1 = 20 * time.Millisecond

func open(t *testing.T, cfg load.Config) *load.Engine {
	t.Helper()
	e, err := load.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// direct opens an engine whose proxy is one of its own providers, taken on a free port before.
func direct(t *testing.T, cfg load.Config, provider func(*load.Config) *netip.AddrPort) *load.Engine {
	t.Helper()
	probe, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := probe.LocalAddr().(*net.UDPAddr).AddrPort()
	probe.Close()
	*provider(&cfg), cfg.Proxy = at, at
	return open(t, cfg)
}

func answers(c *load.Config) *netip.AddrPort { return &c.Answers }

func numbers(t *testing.T, s load.Scenario) []table.Number {
	t.Helper()
	g, err := s.Group()
	if err != nil {
		t.Fatal(err)
	}
	return table.New(table.MinPrefixes).Numbers(g, 100)
}

func run(t *testing.T, e *load.Engine, p load.Plan) load.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := e.Run(ctx, p, numbers(t, p.Scenario), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCallsWithoutProxy(t *testing.T) {
	e := direct(t, loopback(), answers)
	for range 2 { // A second run must not trip over what the first left behind.
		r := run(t, e, load.Plan{Scenario: load.A, Rate: 2000, Calls: 400})
		if r.OK != 400 || r.Failed != 0 || r.Rang != 400 || r.Trying != 400 || r.Retransmits() != 0 || r.MissingACKs != 0 || r.Stray != 0 || r.Overtaken != 0 {
			t.Errorf("%+v", r)
		}
		if r.PDD.Samples != 400 || r.PDD.P50 <= 0 || r.PDD.P50 > r.PDD.P99 || r.PDD.P99 > r.PDD.Max || r.HopINVITE.Samples != 400 || r.HopRing.Samples != 400 {
			t.Errorf("delays %+v, %+v, %+v", r.PDD, r.HopINVITE, r.HopRing)
		}
		if r.RateOffered > 2500 || r.Late == 0 && r.RateOffered < 1600 {
			t.Errorf("offered %v calls/s, want about 2,000", r.RateOffered)
		}
	}
}

func TestChecksAreCounted(t *testing.T) {
	cfg := loopback()
	cfg.NoChecks, cfg.Outbound = false, false
	r := run(t, direct(t, cfg, answers), load.Plan{Scenario: load.A, Rate: 1000, Calls: 50})
	// Without a proxy nothing is dressed. The calls themselves work: without Record-Route they follow the Contact.
	if r.OK != 50 || r.Bad != 150 {
		t.Errorf("%+v", r)
	}
	for _, f := range []string{"request_uri", "x_account", "x_trace_id", "codecs", "record_route"} {
		if r.Faults[f] != 50 {
			t.Errorf("fault %s: %d, want 50", f, r.Faults[f])
		}
	}
	if r.Faults["via"] != 150 || r.Faults["max_forwards"] != 150 || r.Faults["content_length"] != 0 {
		t.Errorf("faults %v", r.Faults)
	}
}

func TestBusyProviderFailsTheCall(t *testing.T) {
	e := direct(t, loopback(), func(c *load.Config) *netip.AddrPort { return &c.Busy })
	r := run(t, e, load.Plan{Scenario: load.B, Rate: 1000, Calls: 50})
	if r.OK != 0 || r.Failed != 50 || r.Rang != 0 || r.MissingACKs != 0 || r.Retransmits() != 0 {
		t.Errorf("%+v", r)
	}
}

func TestSilentProviderGetsRetransmissions(t *testing.T) {
	cfg := loopback()
	cfg.T1 = shortT1
	e := direct(t, cfg, func(c *load.Config) *netip.AddrPort { return &c.Silent })
	r := run(t, e, load.Plan{Scenario: load.C, Rate: 1000, Calls: 10})
	// Timer A: at 1, 3, 7, 15, 31 and 63 T1, timer B at 64. A stall of this machine may swallow the last.
	if r.Failed != 10 || r.CallerRetransmits < 50 || r.CallerRetransmits > 60 || r.Unanswered != 10+r.CallerRetransmits {
		t.Errorf("%+v", r)
	}
}

func TestRingAndHold(t *testing.T) {
	e := direct(t, loopback(), answers)
	offered := 0
	begin := time.Now()
	r, err := e.Run(t.Context(), load.Plan{Scenario: load.R, Rate: 1000, Calls: 20, Ring: 150 * time.Millisecond, Hold: 100 * time.Millisecond},
		numbers(t, load.R), func() { offered++ })
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); r.OK != 20 || offered != 1 || took < 250*time.Millisecond || r.Retransmits() != 0 {
		t.Errorf("after %v, offered %d times: %+v", took, offered, r)
	}
}

func TestLossIsRepaired(t *testing.T) {
	e := direct(t, loopback(), answers)
	cfg := e.Config()
	cfg.T1 = shortT1
	e.Close()
	cfg.Proxy = relay(t, cfg.Answers, func(n int, _ bool) bool { return n%9 == 5 })
	r := run(t, open(t, cfg), load.Plan{Scenario: load.A, Rate: 500, Calls: 200})
	if r.OK != 200 || r.CallerRetransmits == 0 || r.AgainBYE == 0 {
		t.Errorf("%+v", r)
	}
}

func TestDuplicatesAreCounted(t *testing.T) {
	e := direct(t, loopback(), answers)
	cfg := e.Config()
	cfg.T1 = shortT1
	e.Close()
	// What comes back at first is lost: INVITEs arrive again, and 200s are sent again.
	cfg.Proxy = relay(t, cfg.Answers, func(n int, back bool) bool { return back && n < 60 })
	r := run(t, open(t, cfg), load.Plan{Scenario: load.A, Rate: 1000, Calls: 50})
	if r.OK != 50 || r.AgainINVITE == 0 || r.ProviderRetransmits == 0 {
		t.Errorf("%+v", r)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	e := direct(t, loopback(), answers)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := e.Run(ctx, load.Plan{Scenario: load.A, Rate: 1, Calls: 1000}, numbers(t, load.A), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := e.Idle(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Idle: got %v", err)
	}
}

func TestPlansAreChecked(t *testing.T) {
	e := open(t, loopback())
	good := load.Plan{Scenario: load.A, Rate: 1, Calls: 1}
	for name, change := range map[string]func(*load.Plan){
		"scenario": func(p *load.Plan) { p.Scenario = "X" },
		"rate":     func(p *load.Plan) { p.Rate = 0 },
		"calls":    func(p *load.Plan) { p.Calls = 1 << 30 },
		"ring":     func(p *load.Plan) { p.Ring = -1 },
		"hold":     func(p *load.Plan) { p.Hold = 100 * time.Hour },
	} {
		p := good
		change(&p)
		if _, err := e.Run(t.Context(), p, numbers(t, load.A), nil); err == nil {
			t.Errorf("a bad %s was taken", name)
		}
	}
	if _, err := e.Run(t.Context(), good, nil, nil); err == nil {
		t.Error("a run without numbers was taken")
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for name, change := range map[string]func(*load.Config){
		"proxy":  func(c *load.Config) { c.Proxy = netip.MustParseAddrPort("[::1]:5060") },
		"caller": func(c *load.Config) { c.Caller = netip.MustParseAddrPort("192.0.2.1:5060") },
	} {
		cfg := loopback()
		change(&cfg)
		if e, err := load.New(t.Context(), cfg); err == nil {
			e.Close()
			t.Errorf("a bad %s was taken", name)
		}
	}
}

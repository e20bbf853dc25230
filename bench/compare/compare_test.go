//go:build linux

package compare

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/stats"
)

var update = flag.Bool("update", false, "write the golden files anew")

// good returns a turn that counts.
func good(proxy string, number int, cpu float64) Turn {
	return Turn{
		Proxy: proxy, Number: number, CPU: cpu, User: cpu * 0.75, System: cpu * 0.25,
		Load: load.Result{
			Plan: load.Plan{Scenario: load.A, Rate: 500, Calls: 5000}, OK: 5000, Rang: 5000,
			PDD: stats.Percentiles{Samples: 5000, P50: cpu / 1000, P99: cpu / 100},
		},
		Loaded: host.Memory{PSS: int64(cpu * megabyte)}, ProxyBusy: 10, LoadBusy: 5,
	}
}

func TestJudge(t *testing.T) {
	tests := map[string]struct {
		change func(*Turn)
		want   string // "" for a turn that counts.
	}{
		"nothing wrong":           {func(*Turn) {}, ""},
		"lost 180s":               {func(t *Turn) { t.Load.Rang = 10 }, ""},
		"failed call":             {func(t *Turn) { t.Load.OK, t.Load.Failed = 4999, 1 }, "1 calls failed"},
		"no calls":                {func(t *Turn) { t.Load.OK = 0 }, "no call was completed"},
		"caller sent again":       {func(t *Turn) { t.Load.CallerRetransmits = 2 }, "2 retransmissions"},
		"provider sent again":     {func(t *Turn) { t.Load.ProviderRetransmits = 1 }, "1 retransmissions"},
		"proxy sent INVITE again": {func(t *Turn) { t.Load.AgainINVITE = 1 }, "1 retransmissions"},
		"proxy sent BYE again":    {func(t *Turn) { t.Load.AgainBYE = 1 }, "1 retransmissions"},
		"bad message":             {func(t *Turn) { t.Load.Bad, t.Load.Faults = 3, map[string]int{"codecs": 3, "via": 1} }, "3 messages failed a check (codecs 3, via 1)"},
		"needless failover":       {func(t *Turn) { t.Load.Failovers = 2 }, "2 calls went to the second provider for no reason"},
		"a few late":              {func(t *Turn) { t.Load.Late = 5 }, ""},
		"many late":               {func(t *Turn) { t.Load.Late = 6 }, "the generator was late for 6 calls"},
		"drops":                   {func(t *Turn) { t.Drops = 1 }, "the kernel dropped 1 datagrams"},
		"send errors":             {func(t *Turn) { t.Load.SendErrors = 1 }, "the generator could not send 1 datagrams"},
		"little noise":            {func(t *Turn) { t.Others, t.Steal = maxOthers, maxSteal }, ""},
		"noise":                   {func(t *Turn) { t.Others = 40 }, "other programs used 40 % of a core"},
		"steal":                   {func(t *Turn) { t.Steal = 3 }, "the machine below took 3 % of a core"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			turn := good(KindKamailio, 1, 100)
			test.change(&turn)
			if got := strings.Join(judge(&turn, false), "; "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			noise := name == "noise" || name == "steal" || name == "many late"
			if got := judge(&turn, true); noise && got != nil {
				t.Errorf("noise that was to be kept: %q", got)
			}
		})
	}
}

func TestRatiosComeFromTheSameTurn(t *testing.T) {
	// The machine slows down by the turn; dialrouter always needs half.
	var turns []Turn
	for i, cpu := range []float64{100, 200, 300, 1000} {
		turns = append(turns, good(KindKamailio, i+1, cpu), good(KindDialrouter, i+1, cpu/2))
	}
	turns[1].Load.AgainRinging = 7 // No retransmission that counts.
	turns[2].Discarded = []string{"noise"}
	turns[7].Discarded = []string{"2 retransmissions"}
	turns[7].Load.CallerRetransmits = 2
	list := summarize([]string{KindKamailio, KindDialrouter}, turns)
	k, d := list[0], list[1]
	if k.Turns != 3 || k.Calls != 15000 || k.Rang != 15000 || !slices.Equal(k.Discarded, []string{"noise"}) || k.CPURatio.N != 0 {
		t.Errorf("kamailio: %+v", k)
	}
	if k.CPU != (stats.Summary{N: 3, Median: 300, Min: 100, Max: 1000}) {
		t.Errorf("kamailio's CPU %+v", k.CPU)
	}
	half := stats.Summary{N: 2, Median: 0.5, Min: 0.5, Max: 0.5} // Turns 1 and 3 count for both.
	if d.Turns != 3 || d.CPURatio != half || d.PDD50Ratio != half || d.PDD99Ratio != half || d.MemRatio != half || d.Retransmits != 2 {
		t.Errorf("dialrouter: %+v", d)
	}
}

func TestMemoryPerCall(t *testing.T) {
	turn := good(KindKamailio, 1, 100)
	turn.Load.Scenario, turn.Load.Calls = load.R, 1000
	turn.Idle.PSS, turn.AtRing.PSS = 10*megabyte, 30*megabyte
	if s := summarize([]string{KindKamailio}, []Turn{turn})[0]; s.MemoryPerCall.Median != 20_000 || s.Memory.Median != 30 {
		t.Errorf("%+v, %+v", s.MemoryPerCall, s.Memory)
	}
}

func TestAccount(t *testing.T) {
	begin := time.Unix(1000, 0)
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	turn := Turn{Load: load.Result{OK: 1000}}
	turn.account(
		readings{at: begin, proxy: host.Usage{User: ms(50), System: ms(50)}, drops: 3},
		readings{
			at: begin.Add(10 * time.Second), proxy: host.Usage{User: ms(1000), System: ms(550)}, load: host.Usage{User: ms(500)}, self: host.Usage{System: ms(50)},
			processors: host.CPUTimes{Busy: ms(2400), Steal: ms(100)},
		},
		readings{proxy: host.Usage{User: ms(1050), System: ms(600), Processes: 3}, drops: 5},
	)
	for name, pair := range map[string][2]float64{
		"CPU": {turn.CPU, 1550}, "user": {turn.User, 1000}, "system": {turn.System, 550},
		"proxy busy": {turn.ProxyBusy, 14.5}, "load busy": {turn.LoadBusy, 5},
		"others": {turn.Others, 4}, "steal": {turn.Steal, 1}, "drops": {float64(turn.Drops), 2}, "processes": {float64(turn.Processes), 3},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestQuickIsQuick(t *testing.T) {
	o := Defaults()
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	if usual, _ := o.Estimate(); usual < 20*time.Minute || usual > time.Hour {
		t.Errorf("a full run takes %v", usual)
	}
	o.Quick()
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	usual, most := o.Estimate()
	if usual > 4*time.Minute || usual < time.Minute || most < usual {
		t.Errorf("a quick run takes %v, at most %v", usual, most)
	}
	// The floor plays in scenario A only.
	o.Proxies = append(o.Proxies, KindFloorGo)
	if more, _ := o.Estimate(); more-usual != 2*o.one(load.A) {
		t.Errorf("with a floor it takes %v", more)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"proxies":  func(o *Options) { o.Proxies = nil },
		"scenario": func(o *Options) { o.Scenarios = []load.Scenario{"X"} },
		"no rates": func(o *Options) { o.Rates = nil },
		"rate":     func(o *Options) { o.Rates = []int{0} },
		"turns":    func(o *Options) { o.Turns = 0 },
		"retries":  func(o *Options) { o.Retries = -1 },
		"seconds":  func(o *Options) { o.Length = 0 },
		"warm-up":  func(o *Options) { o.Warmup = time.Hour },
		"prefixes": func(o *Options) { o.Prefixes = 10 },
		"cores":    func(o *Options) { o.ProxyCPU = "x" },
	} {
		o := Defaults()
		change(&o)
		if err := o.validate(); err == nil {
			t.Errorf("bad %s were taken", name)
		}
	}
	o := Defaults()
	o.Proxies, o.Binary = []string{KindDialrouter}, filepath.Join(t.TempDir(), "missing")
	if err := o.available(t.Context()); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("a missing binary: %v", err)
	}
	o.Proxies = []string{"nginx"}
	if err := o.available(t.Context()); err == nil {
		t.Error("an unknown proxy was taken")
	}
}

func TestPrint(t *testing.T) {
	bad := good(KindDialrouter, 2, 80)
	bad.Load.Bad, bad.Load.Faults, bad.Load.Rang = 9, map[string]int{"codecs": 9}, 4000
	bad.Discarded = judge(&bad, false)
	turns := []Turn{good(KindKamailio, 1, 200), good(KindDialrouter, 1, 90), good(KindKamailio, 2, 210), bad}
	proxies := []string{KindKamailio, KindDialrouter}
	ring := good(KindKamailio, 1, 300)
	ring.Load.Scenario, ring.AtRing.PSS = load.R, 50*megabyte
	r := Report{
		Time:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine:  host.Machine{Processor: "A processor", Processors: 2, Kernel: "6.1", Go: "go1.26"},
		Kamailio: "kamailio 5.6.3", Options: Defaults(),
		Cells: []Cell{
			{Scenario: load.A, Rate: 500, Turns: turns, Proxies: summarize(proxies, turns)},
			{Scenario: load.R, Rate: 500, Turns: []Turn{ring}, Proxies: summarize(proxies, []Turn{ring})},
		},
	}
	var out bytes.Buffer
	for i := range turns {
		turns[i].progress(&out)
	}
	r.Print(&out)
	if r.Complete() {
		t.Error("a cell without turns of dialrouter is complete")
	}
	golden := filepath.Join("testdata", "print.golden")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", out.Bytes(), want)
	}
}

func TestLastLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	for text, want := range map[string]string{"": "", "one\n": "\none", "1\n2\n3\n4\n5\n6\n7\n": "\n3\n4\n5\n6\n7"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := lastLines(file); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := lastLines(file + "x"); got != "" {
		t.Errorf("no file: %q", got)
	}
}

func TestSearch(t *testing.T) {
	for _, limit := range []int{0, 999, 1000, 1001, 1249, 1250, 1300, 7777, 49_999, 1_000_000} {
		asked := 0
		got, err := search(1000, func(rate int) (bool, error) {
			asked++
			return rate <= limit, nil
		})
		want := min(limit, searchMost)
		switch {
		case err != nil || asked > 30:
			t.Errorf("limit %d: %v after %d trials", limit, err, asked)
		case limit < 1000 && got != 0:
			t.Errorf("limit %d: got %d", limit, got)
		case limit >= 1000 && (got > limit || float64(got)*searchClose < float64(want)):
			t.Errorf("limit %d: got %d", limit, got)
		}
	}
	if _, err := search(1000, func(int) (bool, error) { return false, io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestHighestSummary(t *testing.T) {
	c := HighestCell{Proxies: []HighestProxy{{Proxy: "a", Turns: []int{100, 0, 200}}, {Proxy: "b", Turns: []int{200, 300, 300}}}}
	c.summarize()
	if c.Proxies[0].Rate.Median != 100 || c.Proxies[0].Ratios.N != 0 || c.Proxies[1].Rate.Median != 300 || c.Proxies[1].Ratios.N != 2 || c.Proxies[1].Ratios.Max != 2 {
		t.Errorf("%+v", c.Proxies)
	}
}

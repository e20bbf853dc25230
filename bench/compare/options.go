//go:build linux

// Package compare measures proxies side by side: the same calls, on the same machine, in turns.
//
//	turn 1:  kamailio, dialrouter    each: start, warm up, settle | read, load, settle, read | stop
//	turn 2:  kamailio, dialrouter
//	...
//
// A turn in which something else than the proxy decided the figures is thrown away, with its reason. What is told
// of the rest is the median, the spread, and the median of the ratios that each turn gives: neighbours in time share
// the machine's mood.
package compare

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// Options says what is compared, and how long it may take.
type Options struct {
	Proxies   []string // Names of Kinds; the first is what the others are compared with.
	Binary    string   // dialrouter.
	Against   string   // Another dialrouter, for the proxy "against".
	Scenarios []load.Scenario
	Rates     []int // Calls per second.

	SideBySide bool // All proxies run at the same time, and take the load in turns: Turns are made, however many count.

	Turns   int           // Good turns that are wanted of each scenario and rate.
	Retries int           // Turns that may be thrown away before it is given up.
	Length  time.Duration // Of the measured load.
	Warmup  time.Duration // Of load before it: longer than a finished transaction lives.
	Settle  time.Duration // Of quiet before each reading: longer than a finished transaction lives.
	Ring    time.Duration // Scenario R: between 180 and 200. 0 is five seconds more than Length, so that all calls ring at once.
	Quiet   time.Duration // At most this long is waited for the machine to be idle before a proxy starts.

	ProxyCPU  string
	LoadCPU   string
	Nice      int
	KeepNoisy bool // Keeps turns that other programs disturbed, but for lost messages: for a look, never for a record.
	Prefixes  int  // Of the routing table.
	Stream    bool // The caller speaks TCP with the proxy.
	Workers   int  // Of each proxy. 0: dialrouter has one for each core it may use, Kamailio two.

	Burners int           // Highest: programs that only count, and share the proxy's core.
	Start   int           // Highest: calls per second that the search begins with.
	Trial   time.Duration // Highest: of load at each rate.
	Log     string
}

// Defaults returns the options of a full run.
func Defaults() Options {
	return Options{
		Proxies:   []string{KindKamailio, KindDialrouter},
		Binary:    "bin/dialrouter",
		Scenarios: []load.Scenario{load.A, load.B, load.C},
		Rates:     []int{500, 2000},
		Turns:     5, Retries: 5,
		Length: 10 * time.Second, Warmup: 7 * time.Second, Settle: 6 * time.Second, Quiet: 20 * time.Second,
		ProxyCPU: "0", LoadCPU: "1", Nice: -15, Prefixes: table.MinPrefixes, Burners: 2, Start: 2000, Trial: 3 * time.Second,
	}
}

// Quick changes the options to those of a run that takes less than four minutes: two turns of scenarios A and B at
// 2,000 calls/s. It tells a factor, not a percent.
func (o *Options) Quick() {
	o.Scenarios, o.Rates = []load.Scenario{load.A, load.B}, []int{2000}
	o.Turns, o.Retries = 2, 0
	o.Length, o.Quiet = 5*time.Second, 0
}

// maxTurns bounds a run.
const maxTurns = 100

func (o *Options) validate() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(len(o.Proxies) == 0, "no proxies to measure")
	bad(len(o.Scenarios) == 0, "no scenarios")
	bad(len(o.Rates) == 0, "no rates")
	for _, s := range o.Scenarios {
		if _, err := s.Group(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, r := range o.Rates {
		bad(r < 1 || r > 50_000, "rate %d: want 1 to 50000 calls per second", r)
	}
	bad(o.Turns < 1 || o.Turns > maxTurns, "%d turns: want 1 to %d", o.Turns, maxTurns)
	bad(o.Retries < 0 || o.Retries > maxTurns, "%d retries: want 0 to %d", o.Retries, maxTurns)
	for name, d := range map[string]time.Duration{"seconds": o.Length, "warm-up": o.Warmup, "settle": o.Settle, "ring": o.Ring, "quiet": o.Quiet, "trial": o.Trial} {
		bad(d < 0 || d > 10*time.Minute, "%s %v: want 0 to 10 minutes", name, d)
	}
	bad(o.Length < time.Second, "%v of load: want a second at least", o.Length)
	bad(o.Workers < 0 || o.Workers > 64, "%d workers: want 1 to 64, or 0 for what is usual", o.Workers)
	bad(o.Burners < 0 || o.Burners > 16, "%d burners: want 0 to 16", o.Burners)
	bad(o.Start < 1 || o.Start > 50_000, "start %d: want 1 to 50000 calls per second", o.Start)
	bad(o.SideBySide && slices.Contains(o.Scenarios, load.R), "scenario R is not for proxies side by side: their memory is read while calls ring")
	bad(o.Stream && slices.ContainsFunc(o.Proxies, isFloor), "a relay that reads nothing knows no TCP")
	bad(o.Prefixes < table.MinPrefixes || o.Prefixes > 5_000_000, "%d prefixes: want %d to 5000000", o.Prefixes, table.MinPrefixes)
	for _, list := range []string{o.ProxyCPU, o.LoadCPU} {
		if _, err := host.ParseCPUs(list); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// addresses returns who is where.
func (o *Options) addresses() load.Config {
	cfg := load.DefaultConfig()
	cfg.Stream = o.Stream
	return cfg
}

// ring returns how long calls ring in a scenario.
func (o *Options) ring(s load.Scenario) time.Duration {
	switch {
	case s != load.R:
		return 0
	case o.Ring > 0:
		return o.Ring
	default:
		return o.Length + 5*time.Second
	}
}

// handling is the time that a measurement takes beside its load and pauses: start, first second, end.
const handling = 2500 * time.Millisecond

// one returns how long one measurement takes when the machine is quiet.
func (o *Options) one(s load.Scenario) time.Duration {
	d := handling + o.Length + 2*o.Settle + o.ring(s)
	if s != load.R {
		d += o.Warmup
	}
	if s == load.C {
		d += 3 * time.Second // Two loads whose last calls wait for the silent provider.
	}
	return d
}

// Estimate returns how long a run takes when no turn is thrown away, and how long at most.
func (o *Options) Estimate() (usual, most time.Duration) {
	for _, s := range o.Scenarios {
		for range o.Rates {
			for _, p := range o.Proxies {
				if !plays(p, s) {
					continue
				}
				if o.SideBySide {
					d := handling + o.Warmup + o.Settle + time.Duration(o.Turns)*(o.Length+handling)
					usual, most = usual+d, most+d+time.Duration(o.Turns+1)*70*time.Second
					continue
				}
				usual += time.Duration(o.Turns) * o.one(s)
				// A call that fails is waited for, 64 T1 at most, in the warm-up too.
				most += time.Duration(o.Turns+o.Retries) * (o.one(s) + o.Quiet + 70*time.Second)
			}
		}
	}
	return usual, most
}

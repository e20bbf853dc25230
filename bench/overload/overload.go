//go:build linux

// Package overload measures what is left of dialrouter's work when there is too much of it: calls beyond its capacity,
// and floods from one source beside the calls of another.
//
//	caller 127.0.0.5 --+                      +--> 127.0.0.2  100, 180, 200
//	                   +--> dialrouter -------+
//	flood  127.0.0.9 --+    core 0, shared with programs that only count, so that it saturates before the load does
//	      core 1
package overload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/bench/compare"
	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/stats"
	"github.com/voipbin/dialrouter/bench/table"
)

// Options say what to measure.
type Options struct {
	Binary   string
	ProxyCPU string
	LoadCPU  string
	Burners  int           // Programs that share the proxy's core while its capacity is sought and exceeded.
	Turns    int           // How often the capacity and twice as much are offered, one after the other.
	Length   time.Duration // Of each.
	Ring     time.Duration // Between 180 and 200: what there is to do with a call then comes as much later.
	Start    int           // Calls a second that the search for the capacity begins with.
	Capacity int           // Zero: it is sought.
	Fair     time.Duration // Of each flood; zero: none.
	Rate     int           // Calls a second of the other source during a flood.
	Flood    int           // Datagrams a second.
}

// Defaults returns what is measured when nothing is said. With a sixth of its core the router saturates at a quarter of what the
// generator can make: one that is late itself measures itself.
func Defaults() Options {
	return Options{
		Binary: "bin/dialrouter", ProxyCPU: "0", LoadCPU: "1", Burners: 5,
		Turns: 5, Length: 4 * time.Second, Start: 1500, Fair: 8 * time.Second, Rate: 200, Flood: 20_000,
	}
}

// Report is what came of it.
type Report struct {
	Capacity int          `json:"capacity"` // The highest rate at which every call was answered, in calls a second.
	Turns    []Turn       `json:"turns"`
	Recovery float64      `json:"recovery"` // Seconds from there to the first second at half the capacity in which every call was answered.
	Metrics  []string     `json:"metrics"`  // What dialrouter counted as dropped.
	Floods   []FloodTaken `json:"floods"`
}

// Turn is what comes of as many calls as there is time for, and of twice as many right afterwards. What the machine has to give
// changes within seconds, so only the two together say something.
type Turn struct {
	Full   load.Result `json:"full"`
	Double load.Result `json:"double"`
}

// left is what is answered at twice the capacity, in percent of what is answered at the capacity.
func (t *Turn) left() float64 {
	return 100 * float64(t.Double.OK) / t.Double.Seconds / (float64(t.Full.OK) / t.Full.Seconds)
}

// answered is what is answered at the capacity, in percent.
func (t *Turn) answered() float64 { return 100 * float64(t.Full.OK) / float64(max(1, t.Full.Calls)) }

// refusal is how long a 503 takes at twice the capacity, in milliseconds (p99).
func (t *Turn) refusal() float64 { return t.Double.Refusal.P99 }

// FloodTaken is how calls of one source fared during a flood of another.
type FloodTaken struct {
	Kind    string      `json:"kind"`
	Sent    uint64      `json:"sent"`    // Datagrams, or connections opened.
	Refused uint64      `json:"refused"` // 503s to them.
	Calls   load.Result `json:"calls"`
	Metrics []string    `json:"metrics"`
}

// bench is one measurement.
type bench struct {
	Options

	self   string
	dir    string
	out    io.Writer
	cfg    load.Config
	table  *table.Table
	engine *load.Engine
}

// Run measures. It must be called in a program that has host.BurnCommand.
func Run(ctx context.Context, o Options, out io.Writer) (*Report, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "overload")
	if err != nil {
		return nil, fmt.Errorf("making room: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{Options: o, self: self, dir: dir, out: out, cfg: load.DefaultConfig(), table: table.New(table.MinPrefixes)}
	if b.engine, err = load.New(ctx, b.cfg); err != nil {
		return nil, err
	}
	defer b.engine.Close()
	if err := b.stay(); err != nil {
		return nil, err
	}
	report := &Report{}
	if err := b.exceed(ctx, report); err != nil {
		return report, err
	}
	if o.Fair > 0 {
		err = b.floods(ctx, report)
	}
	return report, err
}

// stay keeps this goroutine, which makes the load, on its core.
func (b *bench) stay() error {
	cpus, err := host.ParseCPUs(b.LoadCPU)
	if err != nil || len(cpus) == 0 {
		return err
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("staying on core %s: %w", b.LoadCPU, err)
	}
	return nil
}

// admin is where the proxy's metrics are.
const admin = "127.0.0.1:8099"

// proxy starts dialrouter and waits until it takes calls.
func (b *bench) proxy(ctx context.Context) (*host.Program, error) {
	path, err := compare.WriteDialrouter(b.dir, compare.Settings{
		Listen: b.cfg.Proxy, TCP: true, MaxCalls: 100_000, Admin: netip.MustParseAddrPort(admin),
	}, b.cfg.Hosts(), b.table)
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(b.Binary)
	if err != nil {
		return nil, fmt.Errorf("finding dialrouter: %w", err)
	}
	log, err := os.Create(filepath.Join(b.dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("making a log: %w", err)
	}
	defer log.Close()
	p, err := host.Start(ctx, []string{binary, "serve", "--config", path}, host.Placement{CPUs: b.ProxyCPU}, nil, log, log)
	if err != nil {
		return nil, err
	}
	for range 100 {
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", admin); err == nil {
			_ = c.Close()
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	return nil, errors.Join(fmt.Errorf("dialrouter does not start: %s", said), p.Stop())
}

// offer makes calls of scenario A.
func (b *bench) offer(ctx context.Context, rate int, length time.Duration) (load.Result, error) {
	plan := load.Plan{Scenario: load.A, Rate: rate, Calls: max(1, int(float64(rate)*length.Seconds())), Ring: b.Ring}
	return b.engine.Run(ctx, plan, b.table.Numbers(table.A, load.NumbersPerRun), nil)
}

// exceed seeks the capacity, offers twice as much, and looks how soon all is well again.
func (b *bench) exceed(ctx context.Context, r *Report) (err error) {
	p, err := b.proxy(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	stop, err := host.Burners(ctx, b.self, b.Burners, host.Placement{CPUs: b.ProxyCPU})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := b.seek(ctx, r); err != nil {
		return err
	}
	for range b.Turns {
		var t Turn
		if t.Full, err = b.offer(ctx, r.Capacity, b.Length); err != nil {
			return err
		}
		b.print("as many as there is time for", &t.Full)
		if t.Full.OK == 0 {
			return errors.New("no call is answered")
		}
		if t.Double, err = b.offer(ctx, 2*r.Capacity, b.Length); err != nil {
			return err
		}
		b.print("twice as many", &t.Double)
		r.Turns = append(r.Turns, t)
	}
	left, refusal := r.over((*Turn).left), r.over((*Turn).refusal)
	fmt.Fprintf(b.out, "%-28s %.1f %% of the calls are answered (%.1f to %.1f), the 503 takes %.1f ms (p99; %.1f to %.1f)\n",
		"twice as many, all turns", left.Median, left.Min, left.Max, refusal.Median, refusal.Min, refusal.Max)
	ended := time.Now()
	for range 20 {
		again, err := b.offer(ctx, max(1, r.Capacity/2), time.Second)
		if err != nil {
			return err
		}
		r.Recovery = time.Since(ended).Seconds()
		if again.Failed == 0 {
			b.print("half as many, again", &again)
			break
		}
		b.print("half as many", &again)
	}
	r.Metrics, err = dropped(ctx)
	return err
}

// Capacity is the highest rate that is offered without a refusal and with hardly any message sent twice.
const (
	growth   = 1.1
	mostLost = 0.01
	trial    = 2 * time.Second
)

func (b *bench) seek(ctx context.Context, r *Report) error {
	if r.Capacity = b.Capacity; r.Capacity > 0 {
		return nil
	}
	if _, err := b.offer(ctx, max(1, b.Start/2), trial); err != nil { // Memory is taken, caches are warm.
		return err
	}
	step := 0
	for ; ; step++ {
		if good, err := b.bears(ctx, b.rate(step), trial); err != nil {
			return err
		} else if !good {
			break
		}
	}
	// What went well for a moment may be too much for as long as a turn is.
	for step--; step >= 0; step-- {
		if good, err := b.bears(ctx, b.rate(step), b.Length); err != nil {
			return err
		} else if good {
			r.Capacity = b.rate(step)
			return nil
		}
	}
	return fmt.Errorf("%d calls a second are too many already", b.Start)
}

// rate is how many calls a second the search offers at a step, from 0.
func (b *bench) rate(step int) int {
	return int(float64(b.Start) * math.Pow(growth, float64(step)))
}

// bears offers so many calls and says whether there was time for them.
func (b *bench) bears(ctx context.Context, rate int, length time.Duration) (bool, error) {
	got, err := b.offer(ctx, rate, length)
	if err != nil {
		return false, err
	}
	b.print("capacity", &got)
	return got.Failed == 0 && float64(got.Retransmits()) <= mostLost*float64(got.OK) && got.Late <= got.Calls/10, nil
}

func (b *bench) print(what string, r *load.Result) {
	fmt.Fprintf(b.out, "%-28s %6d calls/s offered, %6.0f answered; %6d refused, 503 after p50 %.1f p99 %.1f max %.1f ms; %d lost, %d retransmissions, PDD p99 %.1f ms, %d late\n",
		what, r.Rate, float64(r.OK)/r.Seconds, r.Refused, r.Refusal.P50, r.Refusal.P99, r.Refusal.Max, r.Failed-r.Refused, r.Retransmits(), r.PDD.P99, r.Late)
}

// source is where floods come from.
var source = netip.MustParseAddrPort("127.0.0.9:5060") //nolint:gochecknoglobals // A constant.

// floods has one source do its worst while another places calls.
func (b *bench) floods(ctx context.Context, r *Report) error {
	for _, kind := range []string{"none", "invites", "garbage", "connections"} {
		taken, err := b.flooded(ctx, kind)
		if err != nil {
			return err
		}
		r.Floods = append(r.Floods, taken)
	}
	return nil
}

func (b *bench) flooded(ctx context.Context, kind string) (taken FloodTaken, err error) {
	taken.Kind = kind
	p, err := b.proxy(ctx)
	if err != nil {
		return taken, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	flooding, stop := context.WithCancel(ctx)
	defer stop()
	f := &flood{from: source, to: b.cfg.Proxy, rate: b.Flood, append: garbage}
	if kind == "invites" {
		f.append = invites(f.from, f.to, b.table.Numbers(table.A, 1)[0].Dial)
	}
	ended := make(chan error, 1)
	go func() {
		switch kind {
		case "none":
			ended <- nil
		case "connections":
			f.sent.Store(uint64(connections(flooding, source.Addr(), b.cfg.Proxy, 2000)))
			ended <- nil
		default:
			ended <- errors.Join(b.stay(), f.run(flooding))
		}
	}()
	time.Sleep(time.Second)
	taken.Calls, err = b.offer(ctx, b.Rate, b.Fair)
	stop()
	err = errors.Join(err, <-ended)
	if err != nil {
		return taken, err
	}
	taken.Sent, taken.Refused = f.sent.Load(), f.refused.Load()
	b.print("beside a flood: "+kind, &taken.Calls)
	if taken.Metrics, err = dropped(ctx); err != nil {
		return taken, err
	}
	fmt.Fprintf(b.out, "%28s sent %d, got %d 503s; %s\n", "", taken.Sent, taken.Refused, strings.Join(taken.Metrics, ", "))
	return taken, nil
}

// over sums up a figure of all turns.
func (r *Report) over(figure func(*Turn) float64) stats.Summary {
	var all []float64
	for i := range r.Turns {
		all = append(all, figure(&r.Turns[i]))
	}
	return stats.Summarize(all)
}

// Check returns what is worse than asked.
func (r *Report) Check() error {
	var errs []error
	if s := r.over((*Turn).left); s.Median < 90 {
		errs = append(errs, fmt.Errorf("at twice the capacity %.1f %% of the calls are answered that are at the capacity (%.1f to %.1f), want 90", s.Median, s.Min, s.Max))
	}
	if s := r.over((*Turn).answered); s.Median < 90 {
		errs = append(errs, fmt.Errorf("at the capacity %.1f %% of the calls are answered (%.1f to %.1f), want 90", s.Median, s.Min, s.Max))
	}
	if s := r.over((*Turn).refusal); s.Median > 100 {
		errs = append(errs, fmt.Errorf("the 503 takes %.1f ms (p99; %.1f to %.1f), want 100", s.Median, s.Min, s.Max))
	}
	if r.Recovery > 10 {
		errs = append(errs, fmt.Errorf("all is well again after %.1f s, want 10", r.Recovery))
	}
	for i := range r.Floods {
		f := &r.Floods[i]
		if f.Calls.Failed*1000 > f.Calls.Calls {
			errs = append(errs, fmt.Errorf("beside %s %d of %d calls failed, want 0.1 %%", f.Kind, f.Calls.Failed, f.Calls.Calls))
		}
	}
	return errors.Join(errs...)
}

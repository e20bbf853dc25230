//go:build linux

package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// Turn is one proxy measured once.
type Turn struct {
	Proxy  string      `json:"proxy"`
	Number int         `json:"turn"`
	Load   load.Result `json:"load"`

	CPU       float64 `json:"cpu_us_per_call"` // Of all the proxy's processes, per completed call.
	User      float64 `json:"user_us_per_call"`
	System    float64 `json:"system_us_per_call"`
	Processes int     `json:"processes"`

	Idle   host.Memory `json:"memory_idle"`    // Before the first call.
	Loaded host.Memory `json:"memory_loaded"`  // When the load has ended, finished transactions still there.
	AtRing host.Memory `json:"memory_ringing"` // Scenario R: when all calls ring.

	ProxyBusy float64 `json:"proxy_busy_percent"` // Of one core, while the load lasted.
	LoadBusy  float64 `json:"load_busy_percent"`
	Others    float64 `json:"others_busy_percent"` // What neither of them, nor we, have used.
	Steal     float64 `json:"steal_percent"`
	Drops     int64   `json:"drops"` // Datagrams that the kernel dropped.

	Discarded []string `json:"discarded,omitempty"` // Why the turn does not count.
}

// runner measures with fixed options.
type runner struct {
	options   Options
	self      string // This program.
	addresses load.Config
	table     *table.Table
	dir       string
}

// newRunner returns a runner with a directory of its own. close removes that.
func newRunner(o Options) (*runner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-compare-")
	if err != nil {
		return nil, err
	}
	return &runner{options: o, self: self, addresses: o.addresses(), table: table.New(o.Prefixes), dir: dir}, nil
}

func (r *runner) close() { _ = os.RemoveAll(r.dir) }

// bindTime is how long a proxy may take to listen: a large table takes a while to load.
const bindTime = time.Minute

// measure runs a proxy from start to end for one turn.
func (r *runner) measure(ctx context.Context, kind string, s load.Scenario, rate, number int) (t Turn, err error) {
	o := &r.options
	if err := r.waitForQuiet(ctx); err != nil {
		return Turn{}, fmt.Errorf("measuring %s: %w", kind, err)
	}
	d, err := r.start(ctx, kind)
	if err != nil {
		return Turn{}, err
	}
	defer func() { err = d.end(ctx, err) }()
	gen, proxy := d.gen, d.proxy

	t = Turn{Proxy: kind, Number: number}
	if t.Idle, err = host.SessionMemory(proxy.Session()); err != nil {
		return Turn{}, err
	}
	if s != load.R && o.Warmup > 0 {
		warm := load.Plan{Scenario: s, Rate: rate, Calls: calls(rate, o.Warmup)}
		if _, err := gen.run(ctx, warm, nil); err != nil {
			return Turn{}, err
		}
	}
	if err := sleep(ctx, o.Settle); err != nil {
		return Turn{}, err
	}
	plan := load.Plan{Scenario: s, Rate: rate, Calls: calls(rate, o.Length), Ring: o.ring(s)}
	if err := r.load(ctx, &t, gen, proxy, plan); err != nil {
		return Turn{}, err
	}
	t.Discarded = judge(&t, o.KeepNoisy)
	return t, nil
}

// load is the measured part of a turn.
func (r *runner) load(ctx context.Context, t *Turn, gen *loader, proxy *host.Program, plan load.Plan) error {
	before, err := r.read(proxy, gen)
	if err != nil {
		return err
	}
	rung := make(chan error, 1)
	offered := func() {
		if plan.Scenario != load.R {
			rung <- nil
			return
		}
		go func() { // One second later every call rings.
			err := sleep(ctx, time.Second)
			if err == nil {
				t.AtRing, err = host.SessionMemory(proxy.Session())
			}
			rung <- err
		}()
	}
	if t.Load, err = gen.run(ctx, plan, offered); err != nil {
		return err
	}
	if err := <-rung; err != nil {
		return err
	}
	during, err := r.read(proxy, gen)
	if err != nil {
		return err
	}
	if t.Loaded, err = host.SessionMemory(proxy.Session()); err != nil {
		return err
	}
	if err := sleep(ctx, r.options.Settle); err != nil {
		return err
	}
	select {
	case <-proxy.Ended():
		return fmt.Errorf("the proxy has ended under load: %s", proxy.Status())
	default:
	}
	after, err := r.read(proxy, gen)
	if err != nil {
		return err
	}
	t.account(before, during, after)
	return nil
}

// readings are taken at one moment.
type readings struct {
	at                time.Time
	proxy, load, self host.Usage
	processors        host.CPUTimes
	drops             int64
}

func (r *runner) read(proxy *host.Program, gen *loader) (readings, error) {
	v := readings{at: time.Now()}
	var errs [5]error
	v.proxy, errs[0] = host.SessionUsage(proxy.Session())
	v.load, errs[1] = host.SessionUsage(gen.program.Session())
	v.processors, errs[2] = host.Processors(r.processors()...)
	v.drops, errs[3] = host.UDPDrops()
	var self syscall.Rusage
	errs[4] = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	v.self = host.Usage{User: time.Duration(self.Utime.Nano()), System: time.Duration(self.Stime.Nano())}
	return v, errors.Join(errs[:]...)
}

// processors returns those that matter: where proxy and generator run, or all of them.
func (r *runner) processors() []int {
	proxy, _ := host.ParseCPUs(r.options.ProxyCPU) // Checked with the options.
	gen, _ := host.ParseCPUs(r.options.LoadCPU)
	if len(proxy) == 0 || len(gen) == 0 {
		return nil
	}
	return append(proxy, gen...)
}

// account turns readings into figures: the CPU time up to the last, when finished transactions are gone, the rest
// while the load lasted.
func (t *Turn) account(before, during, after readings) {
	used := after.proxy.Sub(before.proxy)
	t.Processes = used.Processes
	if n := float64(t.Load.OK); n > 0 {
		us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / n }
		t.CPU, t.User, t.System = us(used.Total()), us(used.User), us(used.System)
	}
	wall := float64(during.at.Sub(before.at))
	percent := func(d time.Duration) float64 { return max(0, 100*float64(d)/wall) }
	proxy, gen, self := during.proxy.Sub(before.proxy).Total(), during.load.Sub(before.load).Total(), during.self.Sub(before.self).Total()
	cores := during.processors.Sub(before.processors)
	t.ProxyBusy, t.LoadBusy = percent(proxy), percent(gen)
	t.Others, t.Steal = percent(cores.Busy-proxy-gen-self), percent(cores.Steal)
	t.Drops = after.drops - before.drops
}

func (r *runner) startProxy(ctx context.Context, kind, dir string, log *os.File) (*host.Program, error) {
	argv, err := r.prepare(ctx, kind, dir)
	if err != nil {
		return nil, err
	}
	proxy, err := host.Start(ctx, argv, host.Placement{CPUs: r.options.ProxyCPU, Nice: r.options.Nice}, nil, log, log)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(bindTime); err == nil; {
		var bound bool
		if bound, err = host.Bound(r.addresses.Proxy); bound {
			if err = sleep(ctx, time.Second); err == nil { // Until it has also read its table.
				return proxy, nil
			}
		}
		select {
		case <-proxy.Ended():
			err = fmt.Errorf("it ended before it listened: %s", proxy.Status())
		default:
			if time.Now().After(deadline) {
				err = fmt.Errorf("it does not listen on %v after %v", r.addresses.Proxy, bindTime)
			} else if err == nil {
				err = sleep(ctx, 50*time.Millisecond)
			}
		}
	}
	return nil, errors.Join(err, proxy.Stop())
}

// idle is how idle the processors must be, in percent, before a proxy is started.
const idle = 93

// waitForQuiet waits until the processors have been idle for a second, but not for ever: judge sees what it did.
func (r *runner) waitForQuiet(ctx context.Context) error {
	for end := time.Now().Add(r.options.Quiet); time.Now().Before(end); {
		before, err := host.Processors(r.processors()...)
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		after, err := host.Processors(r.processors()...)
		if err != nil {
			return err
		}
		if d := after.Sub(before); d.Idle*100 >= (d.Idle+d.Busy+d.Steal)*idle {
			return nil
		}
	}
	return nil
}

func calls(rate int, d time.Duration) int { return max(1, int(float64(rate)*d.Seconds())) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lastLines returns the end of a log for an error, on lines of its own.
func lastLines(name string) string {
	text, err := os.ReadFile(name)
	text = bytes.TrimSpace(text)
	if err != nil || len(text) == 0 {
		return ""
	}
	const lines, most = 5, 2000
	cut := len(text)
	for range lines {
		if cut = bytes.LastIndexByte(text[:max(cut, 0)], '\n'); cut < 0 {
			break
		}
	}
	text = text[cut+1:]
	return "\n" + string(text[max(0, len(text)-most):])
}

//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

const (
	silenceNoReply = 2 * time.Second // The budget of the router.
	silenceGrace   = 5 * time.Second // Calls that start so long after the failure must not feel it.
	silenceStart   = 10 * time.Second
	// silenceSlack is what two runs of the same calls differ by on a quiet machine, in milliseconds.
	silenceSlack = 0.05
)

// runSilence lets the first of two providers fall silent under load, and prints what that costs: the calls in flight
// one no_reply budget, and later calls nothing.
func runSilence(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("bench-compare silence", flag.ContinueOnError)
	binary := flags.String("binary", "bin/dialrouter", "the router")
	rate := flags.Int("rate", 100, "calls per second")
	before := flags.Duration("before", 15*time.Second, "how long the provider answers")
	after := flags.Duration("after", 20*time.Second, "how long the load goes on once it is silent")
	if err := parse(flags, args, stderr, 0); err != nil {
		return err
	}
	if *before <= 0 || *after <= silenceGrace {
		fmt.Fprintf(stderr, "want some time before the failure, and more than %v after it\n", silenceGrace)
		return errUsage
	}
	cfg := load.DefaultConfig()
	for _, at := range []*netip.AddrPort{&cfg.Caller, &cfg.Answers, &cfg.Busy, &cfg.Silent} {
		*at = netip.AddrPortFrom(at.Addr(), 0)
	}
	cfg.Proxy = netip.MustParseAddrPort("127.0.0.1:5160")
	e, err := load.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	// As in the comparison, router and load share no core.
	var at host.Placement
	if runtime.NumCPU() > 1 {
		at.CPUs = "0"
		runtime.LockOSThread() // The engine's thread, to the end of this program.
		var cores unix.CPUSet
		cores.Set(1)
		if err := unix.SchedSetaffinity(0, &cores); err != nil {
			return fmt.Errorf("placing the load: %w", err)
		}
	}
	stop, err := startForSilence(ctx, *binary, at, e.Config(), stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	plan := load.Plan{
		Scenario: load.S, Rate: *rate, Calls: int(float64(*rate) * (*before + *after).Seconds()), SilentAfter: *before,
	}
	result, err := e.Run(ctx, plan, silenceNumbers(), nil)
	if err != nil {
		return err
	}
	return printSilence(stdout, e, &result, *before, *before+*after)
}

// silenceTable has two providers for all numbers: one that falls silent, one that answers.
func silenceTable() *table.Table {
	return &table.Table{
		Providers: []table.Provider{
			{Name: "first", TechPrefix: "7717", Kind: table.Silent}, {Name: "second", TechPrefix: "7701", Kind: table.Answers},
		},
		Routes: []table.Route{{Prefix: "1", First: 0, Second: 1, Group: table.C}},
	}
}

func silenceNumbers() []table.Number {
	numbers := make([]table.Number, load.NumbersPerRun)
	for i := range numbers {
		dial := fmt.Sprintf("1555%07d", i)
		numbers[i] = table.Number{Dial: dial, First: "7717" + dial, Second: "7701" + dial}
	}
	return numbers
}

// startForSilence runs a router as it is without a word on breakers; probes alone are off, since the providers here answer
// no OPTIONS and would be down from the start.
func startForSilence(ctx context.Context, binary string, at host.Placement, cfg load.Config, stderr io.Writer) (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "bench-silence-")
	if err != nil {
		return nil, fmt.Errorf("configuring dialrouter: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	text := fmt.Sprintf("sip: {listen: ['udp://%s']}\nbudgets: {no_reply: %v}\nhealth: {interval: 0s}\nadmin: {listen: '127.0.0.1:0'}\nlog: {level: error}\n",
		cfg.Proxy, silenceNoReply)
	path := filepath.Join(dir, "dialrouter.yaml")
	if err := errors.Join(silenceTable().WriteProviders(dir, cfg.Hosts()), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		return nil, errors.Join(fmt.Errorf("configuring dialrouter: %w", err), remove())
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	defer out.Close()
	p, err := host.Start(ctx, []string{binary, "serve", "--config", path}, at, nil, in, stderr)
	err = errors.Join(err, in.Close())
	if p == nil {
		return nil, errors.Join(err, remove())
	}
	stop = func() error { return errors.Join(p.Stop(), remove()) }
	_ = out.SetReadDeadline(time.Now().Add(silenceStart)) // A pipe of ours has deadlines.
	line, rerr := bufio.NewReader(out).ReadString('\n')
	if !strings.HasPrefix(line, "ready") {
		return nil, errors.Join(fmt.Errorf("%s is not ready, it says %q: %w", binary, line, errors.Join(err, rerr)), stop())
	}
	return stop, nil
}

// printSilence prints the delays before the failure, right after it, and later; the error says what is too slow.
func printSilence(w io.Writer, e *load.Engine, r *load.Result, failure, end time.Duration) error {
	was, n := e.PostDialDelay(0, failure)
	fmt.Fprintf(w, "%d calls/s, no_reply %v; %d calls, %d failed, %d datagrams to the silent provider\n", r.Rate, silenceNoReply, r.Calls, r.Failed, r.Unanswered)
	fmt.Fprintf(w, "%-34s %6s  %9s %9s %9s %9s\n", "post-dial delay, ms, of calls", "calls", "p50", "p90", "p99", "max")
	row := func(name string, from, to time.Duration) (p50, p90 float64) {
		p, calls := e.PostDialDelay(from, to)
		fmt.Fprintf(w, "%-34s %6d  %9.3f %9.3f %9.3f %9.3f\n", name, calls, p.P50, p.P90, p.P99, p.Max)
		return p.P50, p.P90
	}
	row("before the failure", 0, failure)
	row("that start within the budget", failure, failure+silenceNoReply)
	row("then, up to 5 s after the failure", failure+silenceNoReply, failure+silenceGrace)
	p50, p90 := row("that start 5 s after it, or later", failure+silenceGrace, end)
	fmt.Fprintf(w, "later against before: p50 %+.0f %%, p90 %+.0f %%\n", 100*(p50/was.P50-1), 100*(p90/was.P90-1))
	switch {
	case r.Failed > 0 || r.Bad > 0 || n == 0:
		return fmt.Errorf("%d calls failed, %d messages failed a check", r.Failed, r.Bad)
	case p50 > was.P50*1.1+silenceSlack || p90 > was.P90*1.1+silenceSlack:
		return errors.New("later calls still feel the failure")
	}
	return nil
}

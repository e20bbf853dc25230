//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// runLoad offers calls to a proxy, or takes plans from its standard input.
func runLoad(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg := load.DefaultConfig()
	plan := load.Plan{}
	flags := flag.NewFlagSet("bench-compare load", flag.ContinueOnError)
	for _, a := range []struct {
		name, usage string
		at          *netip.AddrPort
	}{
		{"proxy", "where calls are sent", &cfg.Proxy},
		{"caller", "where the caller is", &cfg.Caller},
		{"answers", "where the provider is that answers", &cfg.Answers},
		{"busy", "where the provider is that replies 503", &cfg.Busy},
		{"silent", "where the provider is that says nothing", &cfg.Silent},
	} {
		flags.TextVar(a.at, a.name, *a.at, a.usage)
	}
	bare := flags.Bool("bare", false, "the proxy is a relay that knows no SIP: no checks, no route set")
	flags.BoolVar(&cfg.Stream, "stream", false, "the caller speaks TCP with the proxy")
	serve := flags.Bool("serve", false, "take plans as lines of JSON from the standard input")
	prefixes := flags.Int("prefixes", table.MinPrefixes, "size of the routing table")
	flags.StringVar((*string)(&plan.Scenario), "scenario", "A", "A, B, C or R")
	flags.IntVar(&plan.Rate, "rate", 100, "calls per second")
	seconds := flags.Duration("seconds", 10*time.Second, "length of the load")
	flags.DurationVar(&plan.Ring, "ring", 0, "time between 180 and 200")
	flags.DurationVar(&plan.Hold, "hold", 0, "time between ACK and BYE")
	if err := parse(flags, args, stderr, 0); err != nil {
		return err
	}
	cfg.NoChecks, cfg.Outbound = *bare, *bare

	// The generator blocks its thread in ppoll; whatever else Go has to run, its reader of plans, needs another.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	if *serve {
		err := load.Serve(ctx, cfg, *prefixes, stdin, stdout)
		if errors.Is(err, context.Canceled) { // A signal is how a server ends.
			return nil
		}
		return err
	}
	plan.Calls = max(1, int(float64(plan.Rate)*seconds.Seconds()))
	group, err := plan.Scenario.Group()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return errUsage
	}
	e, err := load.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	result, err := e.Run(ctx, plan, table.New(*prefixes).Numbers(group, load.NumbersPerRun), nil)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	if result.Failed > 0 || result.Bad > 0 {
		return fmt.Errorf("%d calls failed, %d messages failed a check", result.Failed, result.Bad)
	}
	return nil
}

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voipbin/dialrouter/bench/compare"
	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
)

// compareFlags is what the flags of the comparison fill.
type compareFlags struct {
	compare.Options
	json      string
	noSandbox bool
}

func parseCompare(args []string, defaults compare.Options, stderr io.Writer) (*compareFlags, error) {
	c := &compareFlags{Options: defaults}
	flags := flag.NewFlagSet("bench-compare", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "two turns of scenarios A and B at 2,000 calls/s, in less than four minutes; other flags still count")
	withFloor := flags.Bool("floor", false, "measure relays that read nothing too, in Go and, where a compiler is, in C")
	flags.StringVar(&c.Binary, "binary", c.Binary, "dialrouter to measure")
	flags.StringVar(&c.Against, "against", "", "another dialrouter to compare with, in place of kamailio")
	flags.StringVar(&c.json, "json", "", "write the report as JSON to this file too; - prints it in place of the tables")
	flags.Func("proxies", "what to measure, the first is what the others are compared with: kamailio,dialrouter,against,floor-go,floor-c", func(s string) error {
		c.Proxies = strings.Split(s, ",")
		return nil
	})
	scenarios := flags.String("scenarios", "", "A,B,C,R (default A,B,C)")
	rates := flags.String("rates", "", "calls per second, such as 500,2000,8000 (default 500,2000)")
	turns := flags.Int("turns", 0, "turns that count, of each scenario and rate (default 5)")
	flags.IntVar(&c.Retries, "retries", -1, "turns that may be thrown away (default as many as --turns; none with --quick)")
	seconds := flags.Duration("seconds", 0, "measured load (default 10s)")
	flags.DurationVar(&c.Warmup, "warmup", c.Warmup, "load before it; longer than a finished transaction lives in any of the proxies")
	flags.DurationVar(&c.Settle, "settle", c.Settle, "quiet before each reading; longer than a finished transaction lives")
	flags.DurationVar(&c.Ring, "ring", 0, "scenario R: time between 180 and 200 (default five seconds more than --seconds)")
	quiet := flags.Duration("quiet-wait", -1, "wait at most this long for the machine to be idle before each start (default 20s)")
	flags.StringVar(&c.ProxyCPU, "proxy-cpu", c.ProxyCPU, "cores of the proxy; empty for any")
	flags.StringVar(&c.LoadCPU, "load-cpu", c.LoadCPU, "cores of the load generator; empty for any")
	flags.IntVar(&c.Nice, "nice", c.Nice, "niceness of all that is measured; below 0 only with the privilege")
	flags.BoolVar(&c.KeepNoisy, "keep-noisy", false, "keep turns that other programs disturbed: for a look, not for a record")
	flags.IntVar(&c.Prefixes, "prefixes", c.Prefixes, "size of the routing table")
	flags.BoolVar(&c.Stream, "stream", false, "the caller speaks TCP with the proxy, over one connection")
	flags.BoolVar(&c.SideBySide, "side-by-side", false, "run all proxies at the same time and give them the load in turns; none are made up for")
	flags.IntVar(&c.Burners, "burners", c.Burners, "highest: programs that share the proxy's core, so that it saturates before the load does")
	flags.IntVar(&c.Start, "start", c.Start, "highest: calls per second that the search begins with")
	flags.DurationVar(&c.Trial, "trial", c.Trial, "highest: load at each rate")
	flags.IntVar(&c.Workers, "workers", 0, "workers of each proxy (default one for each core it may use, Kamailio two)")
	flags.BoolVar(&c.noSandbox, "no-sandbox", false, "no network and process namespaces of our own")
	if err := parse(flags, args, stderr, 0); err != nil {
		return nil, err
	}

	if *quick {
		c.Quick()
	}
	if *turns > 0 {
		c.Turns = *turns
	}
	switch {
	case c.Retries >= 0:
	case *quick:
		c.Retries = 0
	default:
		c.Retries = c.Turns
	}
	if *seconds > 0 {
		c.Length = *seconds
	}
	if *quiet >= 0 {
		c.Quiet = *quiet
	}
	if c.Against != "" && !slices.Contains(c.Proxies, compare.KindAgainst) {
		c.Proxies = []string{compare.KindAgainst, compare.KindDialrouter}
	}
	if *withFloor {
		c.Proxies = append(c.Proxies, compare.KindFloorGo, compare.KindFloorC)
	}
	if err := c.lists(*scenarios, *rates); err != nil {
		fmt.Fprintln(stderr, err)
		return nil, errUsage
	}
	return c, nil
}

func (c *compareFlags) lists(scenarios, rates string) error {
	if scenarios != "" {
		c.Scenarios = nil
		for s := range strings.SplitSeq(scenarios, ",") {
			c.Scenarios = append(c.Scenarios, load.Scenario(s))
		}
	}
	if rates != "" {
		c.Rates = nil
		for s := range strings.SplitSeq(rates, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				return fmt.Errorf("rates %q: want a list such as 500,2000", rates)
			}
			c.Rates = append(c.Rates, n)
		}
	}
	return nil
}

func runCompare(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseCompare(args, compare.Defaults(), stderr)
	if err != nil {
		return report(err, stderr)
	}
	_, most := c.Estimate()
	return c.sandboxed(ctx, most+time.Minute, stderr, func(ctx context.Context) error {
		r, err := compare.Run(ctx, c.Options, stderr)
		if r == nil {
			return err
		}
		if err := c.write(r, r.Print, stdout); err != nil {
			return err
		}
		if err == nil && !r.Complete() {
			err = errors.New("not every scenario has a turn that counts")
		}
		return err
	})
}

// highestLimit is how long a search may take at most.
const highestLimit = time.Hour

func runHighest(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	defaults := compare.Defaults()
	defaults.Scenarios = []load.Scenario{load.A, load.B}
	c, err := parseCompare(args, defaults, stderr)
	if err != nil {
		return report(err, stderr)
	}
	return c.sandboxed(ctx, highestLimit, stderr, func(ctx context.Context) error {
		r, err := compare.Highest(ctx, c.Options, stderr)
		if r == nil {
			return err
		}
		return errors.Join(err, c.write(r, r.Print, stdout))
	})
}

// sandboxed runs a measurement in namespaces of its own, if they are permitted and wanted, and returns the exit code.
func (c *compareFlags) sandboxed(ctx context.Context, limit time.Duration, stderr io.Writer, measure func(context.Context) error) int {
	code, err := host.Sandboxed(ctx, "bench-compare", limit, !c.noSandbox, stderr, measure)
	return max(code, report(err, stderr))
}

// write puts a report where it was asked for.
func (c *compareFlags) write(r any, tables func(io.Writer), stdout io.Writer) error {
	if c.json != "-" {
		tables(stdout)
	}
	if c.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	text = append(text, '\n')
	if c.json == "-" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(c.json, text, 0o644)
}

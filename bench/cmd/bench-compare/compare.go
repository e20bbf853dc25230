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

func parseCompare(args []string, stderr io.Writer) (*compareFlags, error) {
	c := &compareFlags{Options: compare.Defaults()}
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
	c, err := parseCompare(args, stderr)
	if err != nil {
		return report(err, stderr)
	}
	_, most := c.Estimate()
	limit := most + time.Minute
	switch {
	case host.Inside():
		if code, err := host.Furnish(); err != nil {
			fmt.Fprintln(stderr, "bench-compare:", err)
			return code
		}
	case !c.noSandbox:
		code, err := host.RunInside(ctx, limit)
		if err == nil {
			return code
		}
		if !errors.Is(err, host.ErrNotPermitted) {
			return report(err, stderr)
		}
		fmt.Fprintln(stderr, "bench-compare:", err, "- going on without")
	}

	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := compare.Run(ctx, c.Options, stderr)
	if r == nil {
		return report(err, stderr)
	}
	if err := c.write(r, stdout); err != nil {
		return report(err, stderr)
	}
	if err == nil && !r.Complete() {
		err = errors.New("not every scenario has a turn that counts")
	}
	return report(err, stderr)
}

// write puts the report where it was asked for.
func (c *compareFlags) write(r *compare.Report, stdout io.Writer) error {
	if c.json != "-" {
		r.Print(stdout)
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

//go:build linux

// Command overload measures what dialrouter does with more calls than it has time for, and beside floods. See
// bench/README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/overload"
)

// limit is how long it may take at most.
const limit = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == host.BurnCommand {
		host.Burn(ctx)
		return 0
	}
	o := overload.Defaults()
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Binary, "binary", o.Binary, "dialrouter to measure")
	flags.StringVar(&o.ProxyCPU, "proxy-cpu", o.ProxyCPU, "cores of the proxy")
	flags.StringVar(&o.LoadCPU, "load-cpu", o.LoadCPU, "cores of the load")
	flags.IntVar(&o.Burners, "burners", o.Burners, "programs that share the proxy's core, so that it saturates before the load does")
	flags.IntVar(&o.Turns, "turns", o.Turns, "how often the capacity and twice as much are offered")
	flags.DurationVar(&o.Length, "seconds", o.Length, "of each load in a turn")
	flags.DurationVar(&o.Ring, "ring", o.Ring, "how long calls ring; 0 answers at once")
	flags.IntVar(&o.Start, "start", o.Start, "calls per second that the search for the capacity begins with")
	flags.IntVar(&o.Capacity, "capacity", o.Capacity, "calls per second that are the capacity; 0 seeks it")
	flags.DurationVar(&o.Fair, "flood-seconds", o.Fair, "calls beside each flood; 0 leaves floods out")
	flags.IntVar(&o.Rate, "rate", o.Rate, "calls per second beside a flood")
	flags.IntVar(&o.Flood, "flood-rate", o.Flood, "datagrams per second of a flood")
	asJSON := flags.String("json", "", "write the report as JSON to this file too")
	noSandbox := flags.Bool("no-sandbox", false, "no network and process namespaces of our own")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	code, err := host.Sandboxed(ctx, "overload", limit, !*noSandbox, stderr, func(ctx context.Context) error {
		report, err := overload.Run(ctx, o, stdout)
		if err != nil {
			return err
		}
		return errors.Join(report.Check(), write(*asJSON, report))
	})
	if err != nil {
		fmt.Fprintln(stderr, "overload:", err)
		return max(code, 1)
	}
	return code
}

// write keeps the report in a file, if one is named.
func write(path string, report *overload.Report) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

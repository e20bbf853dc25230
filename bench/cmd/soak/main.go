//go:build linux

// Command soak shows what the router survives. See bench/README.md.
//
//	soak [flags]     the items, one after the other
//	soak node FILE   a router with short timers, which the short forms start
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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/voipbin/dialrouter/bench/soak"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// nodeCommand is the subcommand that runs soak.Serve.
const nodeCommand = "node"

// limit ends a run that hangs.
const limit = 30 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 2 && args[0] == nodeCommand {
		return code(soak.Serve(ctx, args[1], stdout), stderr)
	}
	self, err := os.Executable()
	if err != nil {
		return code(err, stderr)
	}
	o := soak.Options{Self: []string{self, nodeCommand}, Log: stderr}
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Binary, "binary", "bin/dialrouter", "the router; build it with make build")
	flags.BoolVar(&o.Short, "short", false, "seconds in place of minutes")
	only := flags.String("only", strings.Join(soak.Names(), ","), "the items to run")
	asJSON := flags.Bool("json", false, "print JSON in place of a table")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "unexpected argument %q\n", flags.Arg(0))
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var figures []soak.Figure
	var errs []error
	for name := range strings.SplitSeq(*only, ",") {
		fmt.Fprintln(stderr, "soak:", name)
		f, err := soak.Run(ctx, name, o)
		figures, errs = append(figures, f...), append(errs, err)
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		errs = append(errs, e.Encode(figures))
	} else {
		soak.Print(stdout, figures)
	}
	if slices.ContainsFunc(figures, func(f soak.Figure) bool { return f.Failed }) {
		errs = append(errs, errors.New("not every figure is reached"))
	}
	return code(errors.Join(errs...), stderr)
}

func code(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "soak:", err)
		return exitFailed
	}
	return exitDone
}

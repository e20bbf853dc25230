//go:build linux

// Command bench-compare measures dialrouter and Kamailio side by side. See bench/README.md.
//
//	bench-compare [flags]         the comparison
//	bench-compare highest [flags] the highest rate without loss
//	bench-compare load [flags]    the load generator alone, against a proxy that runs already
//	bench-compare table [flags]   the routing table as files, to run a proxy by hand
//	bench-compare silence [flags] what a provider costs that falls silent under load
//	bench-compare floor A B       the relay that reads nothing, from A to a provider at B
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/voipbin/dialrouter/bench/compare"
	"github.com/voipbin/dialrouter/bench/host"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage says that the command line is wrong; what is wrong has been printed.
var errUsage = errors.New("wrong command line")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 && len(args[0]) > 0 && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "":
		return runCompare(ctx, args, stdout, stderr)
	case "highest":
		return runHighest(ctx, args, stdout, stderr)
	case host.BurnCommand:
		host.Burn(ctx)
		return exitDone
	case compare.LoadCommand:
		err = runLoad(ctx, args, stdin, stdout, stderr)
	case "table":
		err = runTable(args, stdout, stderr)
	case "silence":
		err = runSilence(ctx, args, stdout, stderr)
	case compare.FloorCommand:
		err = runFloor(ctx, args, stderr)
	default:
		fmt.Fprintf(stderr, "unknown command %q: want highest, load, table, silence, floor, or flags\n", command)
		return exitUsage
	}
	return report(err, stderr)
}

func report(err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	default:
		fmt.Fprintln(stderr, "bench-compare:", err)
		return exitFailed
	}
}

// parse reads flags; what the flag package has printed becomes errUsage.
func parse(flags *flag.FlagSet, args []string, stderr io.Writer, arguments int) error {
	flags.SetOutput(stderr)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case flags.NArg() != arguments:
		fmt.Fprintf(stderr, "%s takes %d arguments beside its flags, got %q\n", flags.Name(), arguments, flags.Args())
		return errUsage
	}
	return nil
}

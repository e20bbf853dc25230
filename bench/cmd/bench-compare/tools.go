//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/voipbin/dialrouter/bench/compare"
	"github.com/voipbin/dialrouter/bench/floor"
	"github.com/voipbin/dialrouter/bench/kamailio"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// runTable writes the routing table for both proxies and says how to start them.
func runTable(args []string, stdout, stderr io.Writer) error {
	cfg := load.DefaultConfig()
	flags := flag.NewFlagSet("bench-compare table", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory to write to; made when missing")
	prefixes := flags.Int("prefixes", table.MinPrefixes, "size of the routing table")
	flags.TextVar(&cfg.Proxy, "proxy", cfg.Proxy, "where the proxy listens")
	if err := parse(flags, args, stderr, 0); err != nil {
		return err
	}
	if *dir == "" || *prefixes < table.MinPrefixes {
		fmt.Fprintf(stderr, "a directory (--dir) and at least %d prefixes are needed\n", table.MinPrefixes)
		return errUsage
	}
	abs, err := filepath.Abs(*dir)
	if err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	t := table.New(*prefixes)
	file, err := compare.WriteDialrouter(abs, compare.DefaultSettings(cfg.Proxy), cfg.Hosts(), t)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "bin/dialrouter serve --config %s\n", file)
	argv, err := kamailio.Command(abs, cfg.Proxy, cfg.Hosts(), t, kamailio.Options{})
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, strings.Join(argv, " "))
	return nil
}

// runFloor relays until it is told to end.
func runFloor(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench-compare floor", flag.ContinueOnError)
	if err := parse(flags, args, stderr, 2); err != nil {
		return err
	}
	var at [2]netip.AddrPort
	for i := range at {
		a, err := netip.ParseAddrPort(flags.Arg(i))
		if err != nil {
			fmt.Fprintln(stderr, err)
			return errUsage
		}
		at[i] = a
	}
	return floor.Relay(ctx, at[0], at[1])
}

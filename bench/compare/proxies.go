//go:build linux

package compare

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/voipbin/dialrouter/bench/floor"
	"github.com/voipbin/dialrouter/bench/kamailio"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// What can be measured.
const (
	KindKamailio   = "kamailio"
	KindDialrouter = "dialrouter"
	KindAgainst    = "against"  // Another dialrouter.
	KindFloorGo    = "floor-go" // A relay that reads nothing, in Go.
	KindFloorC     = "floor-c"  // The same in C.
)

// FloorCommand is the subcommand of this program that runs floor.Relay; its arguments are the two addresses.
const FloorCommand = "floor"

// plays tells whether a proxy can carry a scenario: a relay knows only one provider.
func plays(kind string, s load.Scenario) bool {
	return !isFloor(kind) || s == load.A || s == load.R
}

func isFloor(kind string) bool { return kind == KindFloorGo || kind == KindFloorC }

// prepare writes what a proxy needs into dir and returns the command that runs it in the foreground.
func (r *runner) prepare(ctx context.Context, kind, dir string) ([]string, error) {
	o, cfg := &r.options, r.addresses
	switch kind {
	case KindKamailio:
		return kamailio.Command(dir, cfg.Proxy, cfg.Hosts(), r.table, kamailio.Options{TCP: o.Stream, Workers: o.Workers})
	case KindDialrouter:
		return r.dialrouter(ctx, dir, o.Binary)
	case KindAgainst:
		return r.dialrouter(ctx, dir, o.Against)
	case KindFloorGo:
		return []string{r.self, FloorCommand, cfg.Proxy.String(), cfg.Answers.String()}, nil
	case KindFloorC:
		program, err := floor.BuildC(ctx, dir)
		if err != nil {
			return nil, err
		}
		port := func(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
		return []string{program, cfg.Proxy.Addr().String(), port(cfg.Proxy), cfg.Answers.Addr().String(), port(cfg.Answers)}, nil
	}
	return nil, fmt.Errorf("unknown proxy %q: want %s, %s, %s, %s or %s", kind, KindKamailio, KindDialrouter, KindAgainst, KindFloorGo, KindFloorC)
}

// available says at the start what would fail in the middle.
func (o *Options) available(ctx context.Context) error {
	var errs []error
	for _, kind := range o.Proxies {
		switch kind {
		case KindKamailio:
			_, err := kamailio.Version(ctx)
			errs = append(errs, err)
		case KindDialrouter:
			errs = append(errs, runnable(o.Binary, "build it with: make build"))
		case KindAgainst:
			errs = append(errs, runnable(o.Against, "name it with --against"))
		case KindFloorGo, KindFloorC:
		default:
			errs = append(errs, fmt.Errorf("unknown proxy %q", kind))
		}
	}
	return errors.Join(errs...)
}

func runnable(path, hint string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w; %s", err, hint)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is no program; %s", path, hint)
	}
	return nil
}

// Settings are what a test may choose of dialrouter.yaml.
type Settings struct {
	Listen   netip.AddrPort
	TCP      bool // Listens for TCP too.
	Workers  int  // 0: one for each core.
	MaxCalls int
	Admin    netip.AddrPort
}

// DefaultSettings are those of the comparison.
func DefaultSettings(listen netip.AddrPort) Settings {
	// Port 0: nobody asks for metrics.
	return Settings{Listen: listen, MaxCalls: 500_000, Admin: netip.MustParseAddrPort("127.0.0.1:0")}
}

// WriteDialrouter writes dialrouter.yaml and providers.yaml for the comparison into dir.
func WriteDialrouter(dir string, s Settings, hosts table.Hosts, t *table.Table) (string, error) {
	if err := t.WriteProviders(dir, hosts); err != nil {
		return "", err
	}
	return s.write(dir, noHealth)
}

// Nobody's health is looked after: scenario B's first provider refuses each call, and must get the next one all the
// same. The second form is for programs from before there was a breaker.
const (
	noHealth  = "{interval: 0s, failures: 0}"
	noHealth0 = "{interval: 0s}"
)

func (s Settings) write(dir, health string) (string, error) {
	listen := "udp://" + s.Listen.String()
	if s.TCP {
		listen += ", tcp://" + s.Listen.String()
	}
	// Budgets as in kamailio.cfg: 1.5 s for the first reply, two minutes of ringing, the two providers of the longest
	// prefix.
	text := fmt.Sprintf(`sip:
  listen: [%s]
  allow: [127.0.0.0/8]
  workers: %d
  max_calls: %d
catalog:
  file: providers.yaml
budgets: {no_reply: 1.5s, no_ringing: 120s, answer: 120s, setup: 180s, max_attempts: 2}
failover: {next: [408, 5xx]}
health: %s
admin:
  listen: %s
log: {level: warn}
`, listen, s.Workers, s.MaxCalls, health, s.Admin)
	path := filepath.Join(dir, "dialrouter.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("configuring dialrouter: %w", err)
	}
	return path, nil
}

func (r *runner) dialrouter(ctx context.Context, dir, binary string) ([]string, error) {
	s := DefaultSettings(r.addresses.Proxy)
	s.TCP, s.Workers = r.options.Stream, r.options.Workers
	path, err := WriteDialrouter(dir, s, r.addresses.Hosts(), r.table)
	if err != nil {
		return nil, err
	}
	binary, err = filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("finding dialrouter: %w", err)
	}
	if exec.CommandContext(ctx, binary, "check", "--config", path).Run() != nil {
		if _, err := s.write(dir, noHealth0); err != nil {
			return nil, err
		}
	}
	return []string{binary, "serve", "--config", path}, nil
}

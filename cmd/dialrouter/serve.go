package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	dialrouter "github.com/voipbin/dialrouter/router"
)

// serve carries calls until a signal ends it.
func serve(env environment, args []string) (err error) {
	var path string
	rest, err := flags(env, "serve", args, func(fs *flag.FlagSet) { configFlag(fs, &path) })
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, rest[0])
	}
	cfg, _, err := loadWhole(env, path) // The catalog is read anew when it is opened: this is to name every problem.
	if err != nil {
		return err
	}

	// From here on a signal is not lost: those that come before the router is ready end it.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)

	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	log := logger(env.stderr, cfg.Log.Format, level)
	var closers closers
	defer func() { err = errors.Join(err, closers.close()) }()

	store, err := openCatalog(context.Background(), cfg, path, log)
	if err != nil {
		return err
	}
	closers.add("catalog", store.Close)
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	r, err := dialrouter.New(dialrouter.Options{Config: cfg, Store: store, Log: log, Registry: registry, Spare: spareProcessors()})
	if err != nil {
		return err
	}
	closers.add("router", r.Close)
	admin, err := startAdmin(cfg, store, r, registry, log)
	if err != nil {
		return err
	}
	closers.add("admin", admin.close)
	r.Start()

	names := make([]string, 0, 4)
	for _, l := range r.Listeners() {
		names = append(names, strings.ToLower(l.Proto.String())+"://"+l.Addr.String())
	}
	if admin.url != "" {
		names = append(names, admin.url)
	}
	fmt.Fprintln(env.stdout, "ready", strings.Join(names, " "))
	d := &daemon{env: env, path: path, cfg: cfg, router: r, admin: admin, log: log, level: level}
	d.wait(signals)
	return nil
}

// spareProcessors gives the runtime twice the processors, half of them for readers that keep theirs while they wait in
// the kernel, and returns how many those are. The threads that compute at one time do not become more by it.
func spareProcessors() int {
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * n)
	return n
}

func logger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func newRegistry() (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "dialrouter", Name: "build_info", Help: "The version that runs; always 1.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	// What the garbage collector found in use: the only figure that tells a leak from garbage.
	live := collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)})
	for _, c := range []prometheus.Collector{
		build, collectors.NewGoCollector(live), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return reg, nil
}

// closers are ended last in, first out.
type closers []closer

type closer struct {
	name  string
	close func() error
}

func (c *closers) add(name string, f func() error) { *c = append(*c, closer{name, f}) }

func (c *closers) close() error {
	var errs []error
	for i := range slices.Backward(*c) {
		if err := (*c)[i].close(); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", (*c)[i].name, err))
		}
	}
	return errors.Join(errs...)
}

//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/router"
)

// shortT1 makes a finished transaction stay for 3.2 s in place of 32 s.
const shortT1 = 50 * time.Millisecond

// Serve runs a router as the program does, but with a T1 of 50 ms and nothing of the API but /metrics. It is for the
// short forms that wait for finished transactions to go: a test cannot take a minute.
func Serve(ctx context.Context, path string, stdout io.Writer) (err error) {
	cfg, problems := config.Load(path)
	if len(problems) > 0 {
		return fmt.Errorf("reading %s: %v", path, problems)
	}
	store, err := filestore.Open(cfg.Catalog.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r, err := router.New(router.Options{
		Config: cfg, Store: store, Registry: registry, Timing: router.Timing{T1: shortT1, T2: 8 * shortT1, T4: 10 * shortT1},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	r.Start()
	line := []string{"ready"}
	for _, l := range r.Listeners() {
		line = append(line, fmt.Sprintf("%s://%s", strings.ToLower(l.Proto.String()), l.Addr))
	}
	if _, err := fmt.Fprintf(stdout, "%s http://%s\n", strings.Join(line, " "), listener.Addr()); err != nil {
		return err
	}
	<-ctx.Done()
	err = server.Close()
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

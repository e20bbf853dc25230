package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/voipbin/dialrouter/config"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// admin is the HTTP side: metrics and health. None of it is on a call's way.
type admin struct {
	addr   string
	server *http.Server
	done   chan error
}

// startAdmin listens; with an empty address there is no HTTP side.
func startAdmin(cfg config.Admin, r *dialrouter.Router, reg *prometheus.Registry, log *slog.Logger) (*admin, error) {
	if cfg.Listen == "" {
		return &admin{}, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, r) })
	a := &admin{
		addr: l.Addr().String(),
		server: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
		done: make(chan error, 1),
	}
	go func() { a.done <- a.server.Serve(l) }()
	return a, nil
}

// ready answers whether calls are taken. A catalog that could not be put in force is told, but is no reason to send
// calls elsewhere: the old one works.
func ready(w http.ResponseWriter, r *dialrouter.Router) {
	switch {
	case r.Draining():
		say(w, http.StatusServiceUnavailable, "draining")
	case r.Trouble() != "":
		say(w, http.StatusOK, "ready\nwarning: the old catalog stays in force: "+r.Trouble())
	default:
		say(w, http.StatusOK, "ready")
	}
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, text) // The client may be gone.
}

func (a *admin) close() error {
	if a.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-a.done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

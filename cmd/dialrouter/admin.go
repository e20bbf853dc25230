package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/api"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// admin is the HTTP side: metrics, health and the REST API. None of it is on a call's way.
type admin struct {
	url    string // "" when there is no HTTP side.
	api    *api.API
	log    *slog.Logger
	server *http.Server
	done   chan error

	trouble atomic.Bool // The newest configuration is not in force.
}

// startAdmin listens; with an empty address there is no HTTP side.
func startAdmin(
	cfg *config.Config, store providers.Store, r *dialrouter.Router, reg *prometheus.Registry, log *slog.Logger,
) (*admin, error) {
	if cfg.Admin.Listen == "" {
		return &admin{}, nil
	}
	a := &admin{log: log, done: make(chan error, 1)}
	var err error
	a.api, err = api.New(api.Options{
		Store: store, Router: routerForAPI{r}, Log: log, Version: version,
	})
	if err != nil {
		return nil, err
	}
	if err := a.configure(cfg); err != nil {
		return nil, err
	}
	scheme := "http://"
	var secure *tls.Config
	if cfg.Admin.TLS.Certificate != "" {
		c, err := newCertificate(cfg.Admin.TLS, log)
		if err != nil {
			return nil, fmt.Errorf("admin.tls: %w", err)
		}
		scheme, secure = "https://", &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	}
	if isOpen(&cfg.Admin) {
		log.Warn("the HTTP side can be listened in to: give it admin.tls, or an address of this machine only", "listen", cfg.Admin.Listen)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", cfg.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w", err)
	}
	warnings := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: warnings}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, r, a.trouble.Load()) })
	a.url = scheme + l.Addr().String()
	a.server = &http.Server{
		// The mux would redirect what it does not know to a shorter path; the API answers for itself.
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if _, pattern := mux.Handler(q); pattern != "" {
				mux.ServeHTTP(w, q)
				return
			}
			a.api.ServeHTTP(w, q)
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          warnings,
	}
	if secure != nil {
		a.server.TLSConfig = secure
		go func() { a.done <- a.server.ServeTLS(l, "", "") }()
	} else {
		go func() { a.done <- a.server.Serve(l) }()
	}
	return a, nil
}

// configure says who may use the API from now on, and what it sets providers up with. After an error nothing is changed.
func (a *admin) configure(cfg *config.Config) error {
	if a.api == nil {
		return nil
	}
	who, err := loadAccess(cfg, a.log)
	if err != nil {
		return err
	}
	if err := a.api.Authorize(who.tokens, who.users, who.signingKey); err != nil {
		return err
	}
	a.api.UseTelnyx(api.Telnyx{URL: cfg.Telnyx.URL, FQDN: cfg.Telnyx.SIPFQDN.Host, Port: cfg.Telnyx.SIPFQDN.Port})
	return nil
}

// routerForAPI is the router as the API wants it.
type routerForAPI struct{ *dialrouter.Router }

// Health says what probes and calls know of a provider, and when a probe of it ended last.
func (r routerForAPI) Health(id uuid.UUID) (providers.Health, time.Time) {
	h := r.Router.Health(id)
	return h.Health, h.CheckedAt
}

// ready answers whether calls are taken. What could not be put in force is told, but is no reason to send calls
// elsewhere: the old works.
func ready(w http.ResponseWriter, r *dialrouter.Router, oldConfig bool) {
	if r.Draining() {
		say(w, http.StatusServiceUnavailable, "draining")
		return
	}
	text := "ready"
	if oldConfig {
		text += "\nwarning: the old configuration stays in force; the log says why"
	}
	if trouble := r.Trouble(); trouble != "" {
		text += "\nwarning: the old catalog stays in force: " + trouble
	}
	say(w, http.StatusOK, text)
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

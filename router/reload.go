package router

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/resolve"
)

// reload asks the one goroutine that builds snapshots for a new one.
type reload struct {
	ctx    context.Context //nolint:containedctx // Of the request that is waited for.
	cfg    *config.Config  // Nil: as before.
	result chan error
}

// runReloads serialises all causes of a new snapshot: the store, the addresses, and whoever asks.
func (r *Router) runReloads() {
	defer r.done.Done()
	changed := r.store.Changed()
	for {
		select {
		case <-r.stop:
			return
		case _, open := <-changed:
			if !open {
				changed = nil
				continue
			}
			r.report(r.refresh(r.store.Catalog(r.ctx)))
		case <-r.moved:
			r.report(r.refresh(r.store.Catalog(r.ctx)))
		case q := <-r.reloads:
			err := r.reconfigure(q.cfg)
			if err == nil {
				err = r.refresh(r.store.Reload(q.ctx))
			}
			r.report(err)
			q.result <- err
		}
	}
}

// Reload reads the catalog again, now. The error tells why the newest one is not in force.
func (r *Router) Reload(ctx context.Context) error { return r.Reconfigure(ctx, nil) }

// Reconfigure puts a new configuration in force and reads the catalog again. What cannot change while running is
// refused by name, and then nothing changes.
func (r *Router) Reconfigure(ctx context.Context, cfg *config.Config) error {
	q := reload{ctx: ctx, cfg: cfg, result: make(chan error, 1)}
	select {
	case r.reloads <- q:
		return <-q.result
	case <-ctx.Done():
		return ctx.Err()
	case <-r.stop:
		return context.Canceled
	}
}

// reconfigure checks a new configuration and keeps it. The snapshot that follows is built from it.
func (r *Router) reconfigure(cfg *config.Config) error {
	if cfg == nil {
		return nil
	}
	if fixed := fixedChanges(r.cfg, cfg); len(fixed) > 0 {
		return fmt.Errorf("cannot change while running: %s; restart to change it", strings.Join(fixed, ", "))
	}
	old := r.cfg
	r.cfg = cfg
	cat, err := r.store.Catalog(r.ctx)
	if cat == nil {
		r.cfg = old
		return err
	}
	if _, err := r.build(cat); err != nil {
		r.cfg = old
		return err
	}
	return nil
}

// fixedChanges names the keys that differ and cannot be changed while running.
func fixedChanges(old, cfg *config.Config) []string {
	var keys []string
	check := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	check("sip.listen", slices.Equal(old.SIP.Listen, cfg.SIP.Listen))
	check("sip.advertise", old.SIP.Advertise == cfg.SIP.Advertise)
	check("sip.workers", old.SIP.Workers == cfg.SIP.Workers)
	check("sip.max_calls", old.SIP.MaxCalls == cfg.SIP.MaxCalls)
	check("sip.route_key_file", old.SIP.RouteKeyFile == cfg.SIP.RouteKeyFile)
	check("tls", old.TLS == cfg.TLS)
	check("catalog", old.Catalog == cfg.Catalog)
	check("admin.listen", old.Admin.Listen == cfg.Admin.Listen)
	return keys
}

// refresh puts a catalog in force. All that can fail happens before install.
func (r *Router) refresh(cat *providers.Catalog, err error) error {
	if cat == nil {
		return err
	}
	r.watch(cat)
	s, berr := r.build(cat)
	if berr != nil {
		return berr
	}
	r.install(s)
	return err
}

// watch has the resolver follow the catalog's hosts.
func (r *Router) watch(cat *providers.Catalog) {
	r.resolver.Watch(queries(cat))
}

func (r *Router) build(cat *providers.Catalog) (*snapshot, error) {
	return build(cat, r.cfg, &surroundings{
		lookup:   r.resolver.Lookup,
		listener: r.listenerFor,
		peer:     r.peers.id,
		health:   r.health,
		counts:   r.metrics.provider,
	})
}

// install is the one visible change: calls that begin from now on see the new snapshot, whole.
func (r *Router) install(s *snapshot) {
	old := r.current.Swap(s)
	r.metrics.keep(s)
	r.health.Keep(s.byID)
	if old != nil && old.catalog.Revision != s.catalog.Revision {
		r.log.Info("catalog in force", "revision", s.catalog.Revision, "providers", len(s.providers),
			"routes", len(s.catalog.Routes))
	}
}

// report keeps, counts and logs what keeps the newest catalog from being in force; nil ends that state.
func (r *Router) report(err error) {
	if err == nil {
		r.trouble.Store(nil)
		return
	}
	text := err.Error()
	if old := r.trouble.Swap(&text); old != nil && *old == text {
		return
	}
	r.metrics.reloads.Inc()
	r.log.Error("the old catalog stays in force", "error", err)
}

// addressesMoved is called by the resolver.
func (r *Router) addressesMoved() {
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// queries are what the hosts of a catalog are looked up by.
func queries(cat *providers.Catalog) []resolve.Query {
	all := make([]resolve.Query, 0, len(cat.Providers))
	for i := range cat.Providers {
		if q, err := query(&cat.Providers[i]); err == nil {
			all = append(all, q)
		}
	}
	return all
}

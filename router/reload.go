package router

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transport"
)

// reload asks the one goroutine that builds snapshots for a new one.
type reload struct {
	ctx    context.Context //nolint:containedctx // Of the request that is waited for.
	cfg    *config.Config  // Nil: as before.
	result chan reloaded
}

// reloaded says why what was read is not in force. One is no reason for the other.
type reloaded struct{ config, catalog error }

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
			cat, err := r.store.Reload(q.ctx)
			var done reloaded
			done.config = r.reconfigure(q.cfg, cat)
			if q.cfg != nil {
				r.journal.file.configure(&r.cfg.Calls) // Whether new or not: who moved the file away asks for this.
			}
			done.catalog = r.refresh(cat, err)
			r.report(done.catalog)
			q.result <- done
		}
	}
}

// Reload reads the catalog again, now. The error tells why the newest one is not in force.
func (r *Router) Reload(ctx context.Context) error {
	_, err := r.Reconfigure(ctx, nil)
	return err
}

// Reconfigure puts a new configuration in force, nil for the one there is, and reads the catalog again. Each is taken
// or refused for itself: a broken catalog keeps nobody from mending the configuration, nor the other way round. The
// first error tells why the configuration is not in force: what cannot change while running is refused by name, and
// then nothing of it changes. The second tells why the newest catalog is not.
func (r *Router) Reconfigure(ctx context.Context, cfg *config.Config) (ofConfig, ofCatalog error) {
	q := reload{ctx: ctx, cfg: cfg, result: make(chan reloaded, 1)}
	select {
	case r.reloads <- q:
		done := <-q.result
		return done.config, done.catalog
	case <-ctx.Done():
		return ctx.Err(), ctx.Err()
	case <-r.stop:
		return context.Canceled, context.Canceled
	}
}

// reconfigure keeps a new configuration with which a snapshot can be built: of the newest catalog, or, when that is what
// does not fit, of the one in force. The snapshot that follows is built with it.
func (r *Router) reconfigure(cfg *config.Config, newest *providers.Catalog) error {
	if cfg == nil {
		return nil
	}
	if fixed := fixedChanges(r.cfg, cfg); len(fixed) > 0 {
		return fmt.Errorf("cannot change while running: %s; restart to change it", strings.Join(fixed, ", "))
	}
	old := r.cfg
	r.cfg = cfg
	if newest != nil {
		if _, err := r.build(newest); err == nil {
			return nil
		}
	}
	s, err := r.build(r.current.Load().catalog)
	if err != nil {
		r.cfg = old
		return err
	}
	r.install(s)
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
	check("sip.advertise", old.SIP.Advertise == cfg.SIP.Advertise && maps.Equal(old.SIP.AdvertiseEach, cfg.SIP.AdvertiseEach))
	check("sip.workers", old.SIP.Workers == cfg.SIP.Workers)
	check("sip.max_calls", old.SIP.MaxCalls == cfg.SIP.MaxCalls)
	check("sip.max_connections", old.SIP.MaxConnections == cfg.SIP.MaxConnections)
	check("sip.source_connections", old.SIP.SourceConnections == cfg.SIP.SourceConnections)
	check("sip.source_rate", old.SIP.SourceRate == cfg.SIP.SourceRate)
	check("sip.route_key_file", old.SIP.RouteKeyFile == cfg.SIP.RouteKeyFile)
	check("tls", old.TLS == cfg.TLS)
	check("catalog", old.Catalog == cfg.Catalog)
	check("calls.keep", old.Calls.Keep == cfg.Calls.Keep)
	check("admin.listen", old.Admin.Listen == cfg.Admin.Listen)
	check("admin.tls", old.Admin.TLS == cfg.Admin.TLS)
	check("log.format", old.Log.Format == cfg.Log.Format)
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
	asked := make(sources)
	return build(cat, r.cfg, &surroundings{
		lookup: r.resolver.Lookup,
		listener: func(proto transport.Proto, remote netip.Addr) (uint16, bool) {
			return r.listenerBy(asked, proto, remote)
		},
		peer:    r.peers.id,
		health:  r.health,
		counts:  r.metrics.provider,
		place:   r.probes.place,
		account: r.accounts.account,
	})
}

// install is the one visible change: calls that begin from now on see the new snapshot, whole.
func (r *Router) install(s *snapshot) {
	old := r.current.Swap(s)
	vacateChanged(old, s)
	r.metrics.keep(s)
	r.health.Keep(s.byID)
	r.accounts.keep(s.byID)
	r.proofs.keep(s)
	r.probes.watch(s, &r.cfg.Health)
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

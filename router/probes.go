package router

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transport"
)

// Probes are OPTIONS (RFC 3261 section 11) to every address of every provider. Three parts make them:
//
//	health.Prober    when, to whom, and what the answers come to
//	probeClient      sipgo's user agent: one client transaction each, with its timers
//	probeSocket      what sipgo takes for a socket: messages leave by the sockets of calls, and responses come in there
//
// So a carrier sees one source address, and a stream and its certificate are those that calls get.
type probes struct {
	prober *health.Prober
	socket *probeSocket
	client *probeClient
}

func newProbes(r *Router) (*probes, error) {
	p := &probes{prober: health.NewProber(r.clock, r.log), socket: newProbeSocket(r)}
	var err error
	p.client, err = newProbeClient(r, p.socket)
	return p, err
}

// start begins to ask. The transport takes messages by now.
func (p *probes) start() {
	p.client.start()
	p.prober.Start()
}

// close ends the probes on their way. The transport is still there.
func (p *probes) close() {
	p.prober.Close()
	p.client.close()
}

// probeAddress is a health.Address: one hop of a provider.
type probeAddress transport.Flow

// String is the address as plans and records have it.
func (a probeAddress) String() string { return destination(transport.Flow(a)) }

// place is what probes know of a provider's hop.
func (p *probes) place(id uuid.UUID, hop transport.Flow) *health.Place {
	return p.prober.Place(id, probeAddress(hop))
}

// watch has the providers of a snapshot asked from now on, and no others.
func (p *probes) watch(s *snapshot, cfg *config.Health) {
	checks := make([]health.Check, len(s.providers))
	for i := range s.providers {
		checks[i] = p.check(&s.providers[i], cfg)
	}
	p.prober.Watch(checks)
}

// check is how one provider is asked.
func (p *probes) check(prov *provider, cfg *config.Health) health.Check {
	c := health.Check{
		ID: prov.ID, Name: prov.Name, State: prov.state, Host: prov.Hostname,
		Interval: cfg.Interval, Timeout: cfg.Timeout, DownAfter: cfg.DownAfter, UpAfter: cfg.UpAfter, Up: prov.up,
	}
	if prov.Probing.Interval > 0 && cfg.Interval > 0 {
		c.Interval = prov.Probing.Interval
	}
	if prov.Probing.Off || !prov.Enabled {
		c.Interval = 0
	}
	for _, hop := range prov.hops {
		c.Addresses = append(c.Addresses, probeAddress(hop))
	}
	if len(prov.hops) == 0 && !errors.Is(prov.hopsErr, resolve.ErrPending) {
		c.Trouble = prov.hopsErr
	}
	uri := prov.domain()
	c.Ask = func(ctx context.Context, at health.Address) health.Answer {
		hop, _ := at.(probeAddress) // All addresses of a check are.
		return p.client.ask(ctx, uri, transport.Flow(hop))
	}
	return c
}

// ProviderHealth is what is known of a provider now.
type ProviderHealth struct {
	Health    providers.Health
	CheckedAt time.Time // When a probe ended last; zero: none did.
}

// Health is what probes and calls say of a provider.
func (r *Router) Health(id uuid.UUID) ProviderHealth {
	h := ProviderHealth{Health: providers.HealthUnknown}
	s := r.current.Load()
	if i, ok := s.byID[id]; ok {
		h.Health = s.providers[i].state.Status(r.clock()).Health
		h.CheckedAt = r.probes.prober.CheckedAt(id)
	}
	return h
}

// Reach says why a provider is not healthy, "" when there is nothing to say, and what probes know of each of its
// addresses.
func (r *Router) Reach(id uuid.UUID) (string, []health.PlaceFound) {
	s := r.current.Load()
	i, ok := s.byID[id]
	if !ok {
		return "", nil
	}
	found := r.probes.prober.Found(id)
	status := s.providers[i].state.Status(r.clock())
	if status.Health == providers.HealthUnhealthy && found.Health == providers.HealthUnhealthy {
		return found.Detail, found.Places
	}
	return status.Reason, found.Places
}

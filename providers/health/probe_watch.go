package health

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// Watch says who is asked from now on, and how; whoever is not named is asked no more, and what was known of it is
// forgotten. A provider that stays keeps what is known and its turn.
func (p *Prober) Watch(checks []Check) {
	all := make([]news, 0, 1)
	p.mu.Lock()
	p.set++
	var fresh []*Place
	for i := range checks {
		t := p.targetLocked(checks[i].ID)
		fresh = p.followLocked(t, &checks[i], fresh)
		var n news
		if n.provider(t, p.settleLocked(t)); n.any() {
			all = append(all, n)
		}
	}
	for id, t := range p.targets {
		if t.set != p.set {
			t.order = nil
			p.forgetPlacesLocked(t)
			delete(p.targets, id)
		}
	}
	now := time.Now()
	for _, pl := range fresh {
		spread := min(pl.of.check.Interval, time.Duration(len(fresh))*firstPace)
		pl.due = now.Add(rand.N(spread))
		p.queue.put(pl)
	}
	p.armLocked(now)
	p.mu.Unlock()
	for i := range all {
		all[i].tell(p.log)
	}
}

// followLocked takes over a check. It appends the places that are to be asked and have no turn yet, or a turn that is
// too far away.
func (p *Prober) followLocked(t *target, c *Check, fresh []*Place) []*Place {
	moved := t.set != 0 && t.check.Host != c.Host
	ended := t.check.Interval > 0 && c.Interval <= 0
	if moved || ended {
		c.State.Forget()
		t.known, t.checked = providers.HealthUnknown, time.Time{}
		for _, pl := range t.places {
			pl.forgetLocked()
		}
	}
	t.check, t.set = *c, p.set
	t.check.Addresses = nil // They are in order.
	t.order = make([]*Place, 0, len(c.Addresses))
	for _, at := range c.Addresses {
		pl := t.placeLocked(at)
		if pl.set == p.set {
			continue // Named twice.
		}
		pl.set = p.set
		t.order = append(t.order, pl)
		switch {
		case c.Interval <= 0:
			p.queue.drop(pl)
		case pl.busy:
		case pl.index < 0, moved, time.Until(pl.due) > c.Interval+time.Duration(float64(c.Interval)*jitter):
			fresh = append(fresh, pl)
		}
	}
	p.forgetPlacesLocked(t)
	return fresh
}

// forgetPlacesLocked drops the places that the last call of Watch did not name.
func (p *Prober) forgetPlacesLocked(t *target) {
	for at, pl := range t.places {
		if pl.set != p.set {
			p.queue.drop(pl)
			pl.of = nil
			pl.down.Store(false)
			delete(t.places, at)
		}
	}
}

// CheckedAt is when a probe of a provider ended last; zero: none did.
func (p *Prober) CheckedAt(id uuid.UUID) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.targets[id]; ok {
		return t.checked
	}
	return time.Time{}
}

// Results says how many probes of a provider ended how.
func (p *Prober) Results(id uuid.UUID) (results [NumResults]uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.targets[id]; ok {
		results = t.results
	}
	return results
}

// Found says what probes know of a provider.
func (p *Prober) Found(id uuid.UUID) Found {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.targets[id]
	if !ok {
		return Found{Health: providers.HealthUnknown}
	}
	r := Found{Health: t.known, CheckedAt: t.checked, Detail: t.detailLocked()}
	for _, pl := range t.order {
		r.Places = append(r.Places, PlaceFound{
			Address: pl.address.String(), Health: pl.known, CheckedAt: pl.checked, Detail: pl.detail,
		})
	}
	return r
}

// news is what there is to log once locks are released: changes of state, and nothing else.
type news struct {
	name    string
	address Address
	at, now providers.Health
	detail  string
	reason  string
}

// place notes that what is known of one address among several changed.
func (n *news) place(pl *Place) {
	n.name, n.address, n.at, n.detail = pl.of.check.Name, pl.address, pl.known, pl.detail
}

// provider notes that what is known of a provider changed.
func (n *news) provider(t *target, changed bool) {
	if changed {
		n.name, n.now, n.reason = t.check.Name, t.known, t.detailLocked()
	}
}

func (n *news) any() bool { return n.at != "" || n.now != "" }

func (n *news) tell(log *slog.Logger) {
	if n.at != "" {
		log.Info("address of a provider", "provider", n.name, "address", n.address.String(), "health", n.at, "reason", n.detail)
	}
	switch n.now {
	case providers.HealthUnhealthy:
		log.Warn("provider unhealthy", "provider", n.name, "reason", n.reason)
	case providers.HealthHealthy:
		log.Info("provider healthy", "provider", n.name)
	default:
	}
}

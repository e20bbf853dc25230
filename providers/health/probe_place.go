package health

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// Place is one address of a provider, and what is known of it.
type Place struct {
	address Address
	down    atomic.Bool // Read by calls.

	// The rest is guarded by Prober.mu.
	of       *target // Nil: nobody asks there any more.
	known    providers.Health
	lost     int // Probes in a row.
	answered int
	detail   string
	checked  time.Time
	due      time.Time
	index    int    // In Prober.queue; -1 when it is not there.
	busy     bool   // A probe is on its way.
	epoch    int    // Counts how often all was forgotten: answers to earlier questions are worth nothing.
	set      uint64 // The last call of Watch that named it.
}

func newPlace(of *target, at Address) *Place {
	return &Place{address: at, of: of, known: providers.HealthUnknown, index: -1}
}

// Down says whether probes find nobody at the address. It takes no lock. A nil Place is not down.
func (p *Place) Down() bool { return p != nil && p.down.Load() }

// forgetLocked makes the address one that was never asked.
func (p *Place) forgetLocked() {
	p.known, p.lost, p.answered, p.detail, p.checked = providers.HealthUnknown, 0, 0, "", time.Time{}
	p.epoch++
	p.down.Store(false)
}

// takeLocked counts an answer against the thresholds, and says whether what is known changed by it.
func (p *Place) takeLocked(c *Check, a *Answer, now time.Time) bool {
	before := p.known
	p.checked, p.detail = now, c.detail(a)
	if c.result(a) == ResultUp {
		p.answered, p.lost = p.answered+1, 0
		if p.answered >= c.UpAfter {
			p.known = providers.HealthHealthy
		}
	} else {
		p.lost, p.answered = p.lost+1, 0
		if p.lost >= c.DownAfter {
			p.known = providers.HealthUnhealthy
		}
	}
	p.down.Store(p.known == providers.HealthUnhealthy)
	return p.known != before
}

// target is one provider that is asked.
type target struct {
	check   Check
	places  map[Address]*Place
	order   []*Place // As the check names them.
	known   providers.Health
	checked time.Time
	results [NumResults]uint64
	set     uint64 // The last call of Watch that named it.
}

// judgeLocked makes one of what is known of the addresses.
func (t *target) judgeLocked() providers.Health {
	if t.check.Interval <= 0 {
		return providers.HealthUnknown
	}
	if len(t.order) == 0 {
		if t.check.Trouble != nil {
			return providers.HealthUnhealthy
		}
		return providers.HealthUnknown
	}
	all := providers.HealthUnhealthy
	for _, p := range t.order {
		switch p.known {
		case providers.HealthHealthy:
			return providers.HealthHealthy
		case providers.HealthUnknown:
			all = providers.HealthUnknown
		default:
		}
	}
	return all
}

// detailLocked says why the provider is unhealthy.
func (t *target) detailLocked() string {
	switch n := len(t.order); {
	case t.known != providers.HealthUnhealthy:
		return ""
	case n == 0:
		return t.check.Trouble.Error()
	case n == 1:
		return t.order[0].detail
	default:
		return fmt.Sprintf("none of %d addresses answers; %s: %s", n, t.order[0].address, t.order[0].detail)
	}
}

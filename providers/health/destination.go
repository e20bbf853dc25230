package health

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"

	"github.com/google/uuid"
)

// A destination is a provider and the target of the route by which a call came to it: a prefix, or all. Their series
// are in a table of a fixed size that is read without a lock; one that has counted nothing for an hour makes room for
// another. What finds no room is not counted by destination, and that is counted.
const (
	// MaxDestinations bounds the table, and so its memory to 16 MB, whatever the routes are.
	MaxDestinations = 2048

	probed = 16 // Places that a key may have.
	idle   = longSpan + 2*perOlder
)

// Destination has the series of one provider and target.
type Destination struct {
	Series
	Provider uuid.UUID
	Target   string
	gone     atomic.Bool
}

// Gone says that the destination made room for another, and that nobody reads what is counted for it.
func (d *Destination) Gone() bool { return d.gone.Load() }

type destinations struct {
	seed    maphash.Seed
	slots   [MaxDestinations]atomic.Pointer[Destination]
	without atomic.Uint64
}

// Destination returns the series of a provider and target, nil when there is no room for it.
func (r *Registry) Destination(now int64, provider uuid.UUID, target string) *Destination {
	if d := r.Known(provider, target); d != nil {
		return d
	}
	d := &r.destinations
	return d.insert(now, d.hash(provider, target), &Destination{Provider: provider, Target: target})
}

// Known returns the series of a provider and target, nil when no call went there.
func (r *Registry) Known(provider uuid.UUID, target string) *Destination {
	d := &r.destinations
	h := d.hash(provider, target)
	for i := range uint64(probed) {
		e := d.slots[(h+i)%MaxDestinations].Load()
		if e == nil {
			return nil
		}
		if e.Provider == provider && e.Target == target {
			return e
		}
	}
	return nil
}

func (d *destinations) hash(provider uuid.UUID, target string) uint64 {
	return maphash.String(d.seed, target) ^ binary.LittleEndian.Uint64(provider[:8])*0x9E3779B97F4A7C15
}

// insert puts a destination into the first place that is free, or whose owner is idle.
func (d *destinations) insert(now int64, h uint64, fresh *Destination) *Destination {
	slot := now / recentLen
	for i := range uint64(probed) {
		p := &d.slots[(h+i)%MaxDestinations]
		for {
			e := p.Load()
			if e != nil && e.Provider == fresh.Provider && e.Target == fresh.Target {
				return e
			}
			if e != nil && slot-e.last() <= idle {
				break
			}
			if p.CompareAndSwap(e, fresh) {
				if e != nil {
					e.gone.Store(true)
				}
				fresh.at(now)
				return fresh
			}
		}
	}
	d.without.Add(1)
	return nil
}

// Destinations appends the destinations of a provider that counted something within the last hour.
func (r *Registry) Destinations(now int64, provider uuid.UUID) []*Destination {
	var all []*Destination
	for i := range r.destinations.slots {
		if e := r.destinations.slots[i].Load(); e != nil && e.Provider == provider && now/recentLen-e.last() <= longSpan {
			all = append(all, e)
		}
	}
	return all
}

// WithoutDestination is how many attempts were not counted by destination because there was no room.
func (r *Registry) WithoutDestination() uint64 { return r.destinations.without.Load() }

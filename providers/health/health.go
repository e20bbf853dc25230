// Package health knows which providers answer. What it knows lives outside the catalog, keyed by provider id, and
// survives reloads: a provider that rests because it asked for it still rests when somebody edits a route.
package health

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// MaxRest bounds how long a provider is left alone on its own word (RFC 3261 section 21.5.4 sets no bound).
const MaxRest = 10 * time.Minute

// Registry has one State for each provider that was ever asked for. It is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex
	states map[uuid.UUID]*State

	destinations destinations
	talks        []talk
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	r := &Registry{states: make(map[uuid.UUID]*State), talks: make([]talk, maxTalks)}
	r.destinations.seed = maphash.MakeSeed()
	return r
}

// State returns the state of a provider, the same pointer each time.
func (r *Registry) State(id uuid.UUID) *State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.states[id]
	if !ok {
		s = new(State)
		r.states[id] = s
	}
	return s
}

// Keep forgets the providers that are not in the set.
func (r *Registry) Keep(ids map[uuid.UUID]int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.states {
		if _, ok := ids[id]; !ok {
			delete(r.states, id)
		}
	}
}

// State is what is known of one provider now. Its methods are safe for concurrent use. Times are
// nanoseconds of the router's monotonic clock.
type State struct {
	restUntil      atomic.Int64
	breaker        breaker // Beside restUntil: the plan of each call reads both.
	datagramsUntil atomic.Int64
	places         places
	stats          atomic.Pointer[Series] // Made when the first call is counted: many providers never have one.
}

// Stats has the counts of the provider's calls.
func (s *State) Stats() *Series {
	if c := s.stats.Load(); c != nil {
		return c
	}
	s.stats.CompareAndSwap(nil, new(Series))
	return s.stats.Load()
}

// datagramsFor is how long TCP is not tried again, for requests too large for a datagram, after it failed.
const datagramsFor = 10 * time.Minute

// PreferDatagrams notes that the provider could not be reached by TCP.
func (s *State) PreferDatagrams(now int64) { s.datagramsUntil.Store(now + int64(datagramsFor)) }

// DatagramsOnly says whether TCP failed lately.
func (s *State) DatagramsOnly(now int64) bool { return now < s.datagramsUntil.Load() }

// Rest leaves the provider alone for a time from now on, as it asked by Retry-After; MaxRest at most.
func (s *State) Rest(now int64, d time.Duration) {
	until := now + int64(min(d, MaxRest))
	for {
		old := s.restUntil.Load()
		if old >= until && old-now <= int64(MaxRest) || s.restUntil.CompareAndSwap(old, until) {
			return
		}
	}
}

// Resting says for how much longer the provider is left alone; zero when it is not. A rest that is longer than any can
// be is of a clock that went back since.
func (s *State) Resting(now int64) time.Duration {
	if left := time.Duration(s.restUntil.Load() - now); left > 0 && left <= MaxRest {
		return left
	}
	return 0
}

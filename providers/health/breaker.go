package health

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// The breaker of a provider is fed by what becomes of calls, and by probes:
//
//	         limit failures in a row, or probes say down
//	closed ---------------------------------------------> open: the provider goes behind the others
//	  ^                                                     |
//	  |  a call that began since was served; probes say up  |  a canary each hold: 2 s, 4 s, 8 s ... 30 s
//	  +-----------------------------------------------------+
//
// A canary is a real call that goes to the provider in its usual place. One that opens again soon after it closed
// begins with the hold at which it left off, so that a provider which flaps is tried less and less; when it has been
// closed for a while, that is forgotten. So a provider that is well again has its calls back within firstHold to
// maxHold, and its past is forgotten calm later.
//
// The way of a call reads one word, and writes only when something changes; the lock is for turns of the state.
const (
	firstHold = 2 * time.Second  // About as long as the calls in flight take to fail.
	maxHold   = 30 * time.Second // With calm a minute: nothing is remembered for longer.
	calm      = 30 * time.Second
)

// Failure is what a provider did with a call that is evidence against it.
type Failure uint8

// The failures.
const (
	Unreachable Failure = iota // The request could not be sent.
	Silent                     // Nothing came back.
	Refused                    // A 5xx that is not about the request.
	Stalled                    // A 100, and nothing after it.
)

// String tells what happened to the call.
func (f Failure) String() string {
	return [...]string{Unreachable: "could not be sent", Silent: "got no reply", Refused: "was refused with a 5xx", Stalled: "got a 100 and nothing more"}[f]
}

// Why a provider is in trouble.
const (
	opened    uint32 = 1 << iota // The breaker is open.
	probeDown                    // Probes say so.
)

// breaker is one provider's.
type breaker struct {
	trouble  atomic.Uint32 // Bits; zero is well.
	fails    atomic.Uint64 // In a row: those that somebody was there for in the upper half, all others in the lower.
	canaryAt atomic.Int64  // When a call may try it in its usual place; while in trouble.
	goodAt   atomic.Int64  // The last evidence for it, to a second; zero is never.
	badAt    atomic.Int64  // And against it.

	mu       sync.Mutex
	since    int64 // When the trouble began.
	closedAt int64
	level    int // The hold is firstHold doubled so often.
	limit    int // How many failures opened it, and of which kind the last one was.
	why      Failure
}

const oneRefused = uint64(1) << 32

// present says whether a failed call found somebody, so that a 100 to another one proves nothing.
func (f Failure) present() bool { return f == Refused || f == Stalled }

// Down says whether the provider goes behind those that are well.
func (s *State) Down(int64) bool { return s.breaker.trouble.Load() != 0 }

// Failed takes evidence against the provider: limit failures in a row put it behind the others. Zero never does.
func (s *State) Failed(now int64, why Failure, limit int) {
	b := &s.breaker
	note(&b.badAt, now)
	if limit <= 0 || b.trouble.Load()&opened != 0 {
		return
	}
	one := uint64(1)
	if why.present() {
		one = oneRefused
	}
	if n := b.fails.Add(one); int(n>>32+n&(oneRefused-1)) < limit {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble.Load()&opened != 0 {
		return
	}
	switch {
	case b.trouble.Load() != 0: // Probes said so before.
	case b.calmLocked(now):
		b.level = 0
	default:
		b.level++
	}
	b.since, b.limit, b.why = now, limit, why
	b.canaryAt.Store(now + b.holdLocked())
	b.fails.Store(0)
	b.trouble.Or(opened)
}

// Heard takes a 100: somebody is there, though it may still refuse the call, which began at start.
func (s *State) Heard(now, start int64) {
	b := &s.breaker
	if n := b.fails.Load(); n&(oneRefused-1) != 0 {
		b.fails.And(^(oneRefused - 1))
	}
	if b.trouble.Load() != 0 {
		b.relieve(now, start, true)
	}
}

// Served takes evidence for the provider: it carried a call that began at start to where somebody rings, or said why
// not with less than a 5xx.
func (s *State) Served(now, start int64) {
	b := &s.breaker
	note(&b.goodAt, now)
	if b.fails.Load() != 0 {
		b.fails.Store(0)
	}
	if b.trouble.Load() != 0 {
		b.relieve(now, start, false)
	}
}

// relieve ends the trouble if the call that speaks for the provider began since. Calls say more than probes: a
// provider may not care for OPTIONS.
func (b *breaker) relieve(now, start int64, onlyHeard bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := b.since
	if since > now { // The clock went back.
		since = 0
	}
	if start < since || onlyHeard && (b.trouble.Load() != opened || b.why.present()) {
		return
	}
	b.closeLocked(now)
}

func (b *breaker) closeLocked(now int64) {
	if b.trouble.Load()&opened != 0 {
		b.closedAt = now
	}
	b.fails.Store(0)
	b.trouble.Store(0)
}

// calmLocked says whether the breaker was closed for so long that its past does not matter.
func (b *breaker) calmLocked(now int64) bool {
	return b.closedAt == 0 || now-b.closedAt > int64(calm) || now < b.closedAt
}

// Probed takes what probes say, after their thresholds. Up closes an open breaker, too; but where it opened again soon
// after, calls fail that probes do not: then only calls close it, or that none failed for a minute.
func (s *State) Probed(now int64, up bool) {
	b := &s.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if !up {
		note(&b.badAt, now)
		if b.trouble.Load() == 0 {
			b.since, b.level = now, maxLevel
			b.canaryAt.Store(now + int64(maxHold))
		}
		b.trouble.Or(probeDown)
		return
	}
	note(&b.goodAt, now)
	b.trouble.And(^probeDown)
	if b.trouble.Load()&opened != 0 && (b.calmLocked(b.since) || now-b.badAt.Load() > int64(calm+maxHold)) {
		b.closeLocked(now)
	}
}

// maxLevel is the first with the longest hold.
const maxLevel = 4

func (b *breaker) holdLocked() int64 {
	b.level = min(b.level, maxLevel)
	return int64(min(firstHold<<b.level, maxHold))
}

// Due says whether the next call may try the provider in its usual place though it is down.
func (s *State) Due(now int64) bool {
	at := s.breaker.canaryAt.Load()
	return now >= at || at-now > int64(maxHold) // The latter only if the clock went back.
}

// Try is Due for the call that does try: there is one such call for each hold.
func (s *State) Try(now int64) bool {
	if !s.Due(now) {
		return false
	}
	b := &s.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if !s.Due(now) {
		return false
	}
	b.level++
	b.canaryAt.Store(now + b.holdLocked())
	return true
}

// Forget drops all evidence, as when the provider's host is another from now on.
func (s *State) Forget() {
	b := &s.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble.Store(0)
	b.fails.Store(0)
	b.goodAt.Store(0)
	b.badAt.Store(0)
	b.since, b.closedAt, b.level = 0, 0, 0
	s.restUntil.Store(0)
}

// note keeps the time of the last evidence to a second, so that a busy provider's is not written by each call.
func note(at *atomic.Int64, now int64) {
	if old := at.Load(); old == 0 || now-old >= int64(time.Second) || now < old {
		at.Store(now)
	}
}

// Status is what is known of a provider, for people.
type Status struct {
	Health providers.Health
	At     int64  // When the last evidence came, to a second; zero is never.
	Reason string // Why it goes behind the others; "" when it does not.
}

// Status tells what is known of the provider now.
func (s *State) Status(now int64) Status {
	b := &s.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	st := Status{Health: providers.HealthUnknown, At: max(b.goodAt.Load(), b.badAt.Load())}
	trouble := b.trouble.Load()
	switch {
	case trouble&opened != 0:
		st.Health = providers.HealthUnhealthy
		st.Reason = fmt.Sprintf("%d calls in a row failed, the last %s", b.limit, b.why)
	case trouble != 0:
		st.Health = providers.HealthUnhealthy
		st.Reason = "probes get no good answer"
	case b.goodAt.Load() != 0:
		st.Health = providers.HealthHealthy
	}
	if d := s.Resting(now); d > 0 && st.Reason == "" {
		st.Reason = "it asked to be left alone for " + shown(d) + " more"
	}
	return st
}

// shown is a duration in whole seconds, one at least.
func shown(d time.Duration) string { return max(d.Round(time.Second), time.Second).String() }

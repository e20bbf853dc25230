package health

import (
	"sync"
	"time"
)

// Call identifies an established call: a keyed hash of its Call-ID.
type Call [2]uint64

// MaxCall is how long a call that never says BYE counts.
const MaxCall = 12 * time.Hour

// sweepEvery bounds how often expired calls are looked for when a provider is full.
const sweepEvery = int64(time.Second)

// places counts the calls that a provider has: those being set up, and the established ones, each with the time when it
// is let go without a BYE. It is used for providers with a limit only.
type places struct {
	mu      sync.Mutex
	pending int
	calls   map[Call]int64
	swept   int64
	tat     int64 // Theoretical arrival time of the next call (the leaky bucket of ITU-T I.371, in its virtual form).
}

// Refusal says which limit a provider is at.
type Refusal uint8

// The limits.
const (
	Room        Refusal = iota // None: the call may go.
	CallsInUse                 // As many calls as it takes.
	RateReached                // As many new calls in this second as it takes.
)

// Enter takes a place for a call that is about to be set up, if limits leave one: at most calls at once, cps new ones a
// second; zero is no limit. Without any limit it does nothing and returns Room.
func (s *State) Enter(now int64, calls int, cps float64) Refusal {
	if calls <= 0 && cps <= 0 {
		return Room
	}
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal, tat := p.refusalLocked(now, calls, cps)
	if refusal != Room {
		return refusal
	}
	p.tat = tat
	if calls > 0 {
		p.pending++
	}
	return Room
}

// Would says what Enter would return, and takes no place.
func (s *State) Would(now int64, calls int, cps float64) Refusal {
	if calls <= 0 && cps <= 0 {
		return Room
	}
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal, _ := p.refusalLocked(now, calls, cps)
	return refusal
}

// refusalLocked says which limit a call would be over, and when the next one after it is expected.
func (p *places) refusalLocked(now int64, calls int, cps float64) (Refusal, int64) {
	if calls > 0 && p.pending+len(p.calls) >= calls {
		p.sweepLocked(now)
		if p.pending+len(p.calls) >= calls {
			return CallsInUse, p.tat
		}
	}
	if cps <= 0 {
		return Room, p.tat
	}
	interval := int64(float64(time.Second) / cps)
	burst := max(int64(time.Second), interval)
	tat := p.tat
	if tat < now || tat-now > burst { // The latter only if the clock went back, or the rate was a lower one.
		tat = now
	}
	if tat+interval-now > burst {
		return RateReached, p.tat
	}
	return Room, tat + interval
}

// Leave gives the place of a call back that was not established.
func (s *State) Leave() {
	p := &s.places
	p.mu.Lock()
	p.pending = max(0, p.pending-1)
	p.mu.Unlock()
}

// Undo gives back all that Enter took, with the same limits, for a call that was not sent after all.
func (s *State) Undo(calls int, cps float64) {
	if calls <= 0 && cps <= 0 {
		return
	}
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if calls > 0 {
		p.pending = max(0, p.pending-1)
	}
	if cps > 0 {
		p.tat -= int64(float64(time.Second) / cps)
	}
}

// Establish turns the place of a call being set up into that of an established one.
func (s *State) Establish(now int64, c Call) {
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = max(0, p.pending-1)
	p.addLocked(now, c)
}

// Add takes a place for an established call that has none, whether there is room or not: one that was given up, and
// answered after all.
func (s *State) Add(now int64, c Call) {
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addLocked(now, c)
}

func (p *places) addLocked(now int64, c Call) {
	if p.calls == nil {
		p.calls = make(map[Call]int64)
	}
	p.calls[c] = now + int64(MaxCall)
}

// Vacate gives all places back, when a provider gets its limit of calls or loses it: while it has none, nobody looks
// for the ends of its calls.
func (s *State) Vacate() {
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = 0
	clear(p.calls)
}

// Refresh notes that an established call is alive for some time to come: what its session timer promises. Zero leaves
// it at MaxCall from now.
func (s *State) Refresh(now int64, c Call, d time.Duration) {
	if d <= 0 || d > MaxCall {
		d = MaxCall
	}
	p := &s.places
	p.mu.Lock()
	if _, ok := p.calls[c]; ok {
		p.calls[c] = now + int64(d)
	}
	p.mu.Unlock()
}

// End gives the place of an established call back. It may be called more than once for a call.
func (s *State) End(c Call) {
	p := &s.places
	p.mu.Lock()
	delete(p.calls, c)
	p.mu.Unlock()
}

// Calls is how many places are taken.
func (s *State) Calls(now int64) int {
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweepLocked(now)
	return p.pending + len(p.calls)
}

func (p *places) sweepLocked(now int64) {
	if d := now - p.swept; d >= 0 && d < sweepEvery { // Below zero the clock went back.
		return
	}
	p.swept = now
	for c, until := range p.calls {
		if now >= until {
			delete(p.calls, c)
		}
	}
}

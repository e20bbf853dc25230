package router

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/voipbin/dialrouter/providers"
)

// ring keeps the last calls. Whoever ends a call takes the next number and writes into the entry of that number; who
// reads copies an entry out. Each entry has a lock of its own, so a reader keeps nobody waiting but who comes around to
// this very one.
//
//	last = 7     numbers given so far
//	entries      [ 4 | 5 | 6 | 7 | 0 | ... ]      number modulo length; the oldest is overwritten
//
// The API reads from the newest back; the log and the file of calls follow from the oldest on, each at its own pace,
// and count what was overwritten before they came to it.
type ring struct {
	entries []entry
	keep    uint64 // How many the API shows.
	seed    maphash.Seed
	facts   facts
	active  atomic.Bool  // Somebody wants to know.
	epoch   atomic.Int64 // Unix time at zero of the router's clock, in nanoseconds.
	_       [64]byte     // Every writer writes what follows, and reads what stands before.
	last    atomic.Uint64
}

// shortestRing is how many calls may wait for the log and the file, even if fewer are kept for the API.
const shortestRing = 4096

func newRing(keep int, seed maphash.Seed) *ring {
	g := &ring{entries: make([]entry, max(keep, shortestRing)), keep: uint64(keep), seed: seed}
	for i := range g.entries {
		e := &g.entries[i]
		e.text, e.tries = e.room[:0], e.firstTry[:0]
	}
	return g
}

// put keeps a call that has just ended.
func (g *ring) put(c *call, o outcome, code int, now int64) {
	if !g.active.Load() {
		return
	}
	hash := hashOf(g.seed, c.req[c.callID.Start:c.callID.End])
	epoch := g.epoch.Load()
	seq := g.last.Add(1)
	e := &g.entries[seq%uint64(len(g.entries))]
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seq > seq {
		return // The others came around while this goroutine did not run.
	}
	e.seq, e.hash = seq, hash
	e.fill(c, o, code, now, &g.facts)
	e.start, e.end = e.start+epoch, e.end+epoch
}

// manyTries is how many attempts there is room for in what is lent to a call that had more than one; one with more than that gets
// room for all that are kept, maxTries.
const manyTries = 8

// facts are lent to entries of calls that had more than one attempt. Were they kept there, each entry would have some sooner or
// later, though only few need them at a time.
type facts struct {
	mu         sync.Mutex
	many, most [][]fact
}

// of returns where slices of a capacity wait, and what the capacity of the next longer ones is.
func (s *facts) of(capacity int) (free *[][]fact, longer int) {
	switch capacity {
	case manyTries:
		return &s.many, maxTries
	case maxTries:
		return &s.most, 2 * maxTries
	default:
		return nil, manyTries
	}
}

// more returns a longer slice with the same facts.
func (s *facts) more(tries []fact) []fact {
	_, capacity := s.of(cap(tries))
	var lent []fact
	s.mu.Lock()
	if free, _ := s.of(capacity); free != nil && len(*free) > 0 {
		n := len(*free) - 1
		lent, *free = (*free)[n], (*free)[:n]
	}
	s.mu.Unlock()
	if lent == nil {
		lent = make([]fact, 0, capacity)
	}
	lent = append(lent, tries...)
	s.put(tries)
	return lent
}

// put takes back what was lent.
func (s *facts) put(tries []fact) {
	free, _ := s.of(cap(tries))
	if free == nil {
		return
	}
	clear(tries) // Cards of providers that are gone, too.
	s.mu.Lock()
	*free = append(*free, tries[:0])
	s.mu.Unlock()
}

// state is what became of a number.
type state uint8

const (
	there   state = iota // Copied.
	pending              // Its writer is not done.
	lapped               // It was overwritten.
)

// read copies the entry of a number that was given.
func (g *ring) read(seq uint64, into *entry) state {
	e := &g.entries[seq%uint64(len(g.entries))]
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.seq < seq:
		return pending
	case e.seq > seq:
		return lapped
	}
	into.copyFrom(e)
	return there
}

// oldest is the first number that the API still shows.
func (g *ring) oldest(last uint64) uint64 {
	if last < g.keep {
		return 1
	}
	return last - g.keep + 1
}

// back visits the entries from the newest, or from before a number, to the oldest, until visit says no. What visit gets
// is its own until the next visit.
func (g *ring) back(before uint64, visit func(*entry) bool) {
	last := g.last.Load()
	from := last
	if before > 0 {
		from = min(last, before-1)
	}
	var e entry
	for seq := from; seq >= max(g.oldest(last), 1); seq-- {
		if g.read(seq, &e) == there && !visit(&e) {
			return
		}
	}
}

// Calls returns the records that a query asks for, the newest first, and what to ask for next by Before: 0 when there are
// none.
func (r *Router) Calls(q providers.CallQuery) ([]providers.CallRecord, uint64) {
	var found []providers.CallRecord
	var next uint64
	r.records.back(q.Before, func(e *entry) bool {
		if e.matches(&q) {
			found, next = append(found, e.record()), e.seq
		}
		return len(found) < q.Limit
	})
	return found, next
}

// Call returns the record of the newest call with a Call-ID. One that is longer than what is kept of it is found by the
// whole and by what is kept.
func (r *Router) Call(callID string) (providers.CallRecord, bool) {
	id := []byte(callID)
	hash := hashOf(r.records.seed, id)
	var found providers.CallRecord
	ok := false
	r.records.back(0, func(e *entry) bool {
		if string(e.id()) == string(clip(id)) && (e.hash == hash || len(id) == longestText) {
			found, ok = e.record(), true
		}
		return !ok
	})
	return found, ok
}

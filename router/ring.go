package router

import (
	"hash/maphash"
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
	e.fill(c, o, code, now)
	e.start, e.end = e.start+epoch, e.end+epoch
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

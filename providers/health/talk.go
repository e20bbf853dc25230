package health

import "sync/atomic"

// How long a call lasts is known when its BYE comes this way and its answer did, too: the router keeps nothing else of
// an established call. So the time of the answer is kept in a table of a fixed size, by a keyed hash of the Call-ID. A
// call that finds both of its places taken is not measured; neither is one that ends unseen, or elsewhere. Which calls
// find a place does not depend on how long they will last, so those that are measured stand for all.
const maxTalks = 1 << 14

// talkBusy is the key of a place that somebody reads or writes.
const talkBusy = ^uint64(0)

// talk is a call that was answered. Who holds the key busy may touch the rest.
type talk struct {
	key      atomic.Uint64 // Zero: the place is free.
	answered atomic.Int64
	of       *Series
	to       *Destination // May be nil.
}

// Answered notes when a call was answered, and whose call it is.
func (r *Registry) Answered(now int64, c Call, of *State, to *Destination) {
	key := talkKey(c)
	for i := range uint64(2) {
		t := &r.talks[(key^i)%maxTalks]
		old := t.key.Load()
		if old == talkBusy || old != 0 && now-t.answered.Load() < int64(MaxCall) {
			continue
		}
		if t.key.CompareAndSwap(old, talkBusy) {
			t.answered.Store(now)
			t.of, t.to = of.Stats(), to
			t.key.Store(key)
			return
		}
	}
}

// HungUp takes a call's BYE. Another one of the same call does nothing.
func (r *Registry) HungUp(now int64, c Call) {
	key := talkKey(c)
	for i := range uint64(2) {
		t := &r.talks[(key^i)%maxTalks]
		if t.key.Load() != key || !t.key.CompareAndSwap(key, talkBusy) {
			continue
		}
		length, of, to := now-t.answered.Load(), t.of, t.to
		t.of, t.to = nil, nil
		t.key.Store(0)
		of.Ended(now, length)
		if to != nil {
			to.Ended(now, length)
		}
		return
	}
}

// talkKey is a call's key: neither of the two that mean something else.
func talkKey(c Call) uint64 { return min(max(c[0], 1), talkBusy-1) }

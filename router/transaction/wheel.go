package transaction

import (
	"sync"
	"time"
)

// The wheel turns in steps of 10 ms; a full turn takes some 41 s, a little more than the longest timer of RFC 3261.
// What is due later is put into the last bucket and comes round again.
//
//	          now
//	... | 17 | 18 | 19 | ...     bucket = time / tick modulo wheelBuckets
//	      |    |    +-- slots 4, 99, 12
//	      |    +------- slot 7
//	      +------------ done
//
// A bucket is a list of entries in one array that all buckets of a shard share, so the memory follows the number of
// entries and nothing here is seen by the garbage collector. An entry is never taken out before its time: whoever is
// woken looks at its own deadlines, and finds nothing due when they have moved. That makes a timer that does not fire
// one write.
const (
	wheelTick    = int64(10 * time.Millisecond)
	wheelBuckets = 4096
	wheelShards  = 4
)

// Wheel wakes slots at given times. It is safe for concurrent use.
type Wheel struct {
	shards [wheelShards]wheelShard
}

type wheelShard struct {
	mu      sync.Mutex
	done    int64                // The last tick that was expired.
	buckets [wheelBuckets]uint32 // The first entry of each, plus one.
	entries []wheelEntry
	free    uint32 // The first entry that is not in use, plus one.
}

type wheelEntry struct {
	slot uint32
	next uint32 // The next entry of the same list, plus one.
}

// NewWheel makes a wheel that starts at the given time.
func NewWheel(now int64) *Wheel {
	w := new(Wheel)
	for i := range w.shards {
		w.shards[i].done = now / wheelTick
	}
	return w
}

// Tick is how often Expire wants to be called.
func (w *Wheel) Tick() time.Duration { return time.Duration(wheelTick) }

// Add asks for a slot to be woken at a time, or shortly after. The hint, such as the number of the worker, keeps what
// one of them writes together: deadlines that are near each other then touch the same memory. It returns when that will be: earlier than asked for a
// time that is more than a turn away.
func (w *Wheel) Add(hint int, slot uint32, at int64) int64 {
	s := &w.shards[hint%wheelShards]
	tick := (at + wheelTick - 1) / wheelTick
	s.mu.Lock()
	tick = min(max(tick, s.done+1), s.done+wheelBuckets-1)
	b := &s.buckets[tick%wheelBuckets]
	if s.free == 0 {
		s.entries = append(s.entries, wheelEntry{})
		s.free = uint32(len(s.entries))
	}
	i := s.free
	e := &s.entries[i-1]
	s.free = e.next
	*e = wheelEntry{slot, *b}
	*b = i
	s.mu.Unlock()
	return tick * wheelTick
}

// Expire appends the slots that are due to dst.
func (w *Wheel) Expire(now int64, dst []uint32) []uint32 {
	tick := now / wheelTick
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		for n := 0; s.done < tick && n < wheelBuckets; n++ {
			s.done++
			b := &s.buckets[s.done%wheelBuckets]
			for *b != 0 {
				i := *b
				e := &s.entries[i-1]
				dst = append(dst, e.slot)
				*b, e.next, s.free = e.next, s.free, i
			}
		}
		s.done = max(s.done, tick)
		s.mu.Unlock()
	}
	return dst
}

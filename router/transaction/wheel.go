package transaction

import (
	"sync"
	"time"
)

// The wheel turns in steps of 10 ms; a full turn takes some 41 s, a little more than the longest timer of RFC 3261.
// What is due later is put into the last bucket and comes round again.
//
//	          now
//	... | 17 | 18 | 19 | ...     bucket = tick modulo wheelBuckets
//	      |    |    +-- slots 4, 99, 12
//	      |    +------- slot 7
//	      +------------ done
//
// Each slot has one node, in an array that the garbage collector does not look into: where it is filed, and when it is
// really due. A deadline that moves to later, which nearly all do, is one write; the node is filed anew when the wheel
// comes to its old place, without a look at what the slot holds. So a timer that does not fire never touches its call.
const (
	wheelTick    = int64(10 * time.Millisecond)
	wheelBuckets = 4096
	wheelShards  = 4
)

// Wheel wakes slots at given times. It is safe for concurrent use.
type Wheel struct {
	shards [wheelShards]wheelShard
}

// wheelShard has the slots of every fourth chunk of Slots, so that those which one worker took lie together.
type wheelShard struct {
	mu      sync.Mutex
	done    int64                // The last tick that was expired.
	buckets [wheelBuckets]uint32 // The first node of each, plus one.
	nodes   []wheelNode
}

// wheelNode is 24 bytes.
type wheelNode struct {
	due        int64  // The tick to wake the slot at; 0 for never.
	bucket     uint32 // The bucket it is filed in, plus one; 0 for none.
	next, prev uint32 // The neighbours there, plus one.
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

// Set asks for a slot to be woken at a time, or up to one tick after it, in place of when it was to be woken before;
// 0 is never.
func (w *Wheel) Set(slot uint32, at int64) {
	s, i := w.home(slot)
	tick := int64(0)
	if at > 0 {
		tick = (at + wheelTick - 1) / wheelTick
	}
	s.mu.Lock()
	if int(i) >= len(s.nodes) {
		if tick == 0 {
			s.mu.Unlock()
			return
		}
		s.grow(i)
	}
	n := &s.nodes[i]
	n.due = tick
	if tick != 0 && (n.bucket == 0 || s.tickOf(n.bucket-1) > tick) {
		s.unfile(n)
		s.file(n, i)
	}
	s.mu.Unlock()
}

// home is a slot's shard, and its node's index there.
func (w *Wheel) home(slot uint32) (*wheelShard, uint32) {
	chunk := slot / chunkSize
	return &w.shards[chunk%wheelShards], chunk/wheelShards*chunkSize + slot%chunkSize
}

// slotOf is the reverse of home.
func slotOf(shard int, i uint32) uint32 {
	return (i/chunkSize*wheelShards+uint32(shard))*chunkSize + i%chunkSize
}

// tickOf is when a bucket comes next.
func (s *wheelShard) tickOf(bucket uint32) int64 {
	ahead := (int64(bucket) - s.done) % wheelBuckets
	if ahead <= 0 {
		ahead += wheelBuckets
	}
	return s.done + ahead
}

// file puts a node where it is due, or as far ahead as the wheel reaches.
func (s *wheelShard) file(n *wheelNode, i uint32) {
	b := uint32(min(max(n.due, s.done+1), s.done+wheelBuckets-1) % wheelBuckets)
	first := s.buckets[b]
	n.bucket, n.next, n.prev = b+1, first, 0
	if first != 0 {
		s.nodes[first-1].prev = i + 1
	}
	s.buckets[b] = i + 1
}

// unfile takes a node out of its bucket, if it is in one.
func (s *wheelShard) unfile(n *wheelNode) {
	if n.bucket == 0 {
		return
	}
	if n.prev != 0 {
		s.nodes[n.prev-1].next = n.next
	} else {
		s.buckets[n.bucket-1] = n.next
	}
	if n.next != 0 {
		s.nodes[n.next-1].prev = n.prev
	}
	n.bucket = 0
}

func (s *wheelShard) grow(i uint32) {
	nodes := make([]wheelNode, max(chunkSize, 2*len(s.nodes), int(i)+1))
	hugePages(nodes)
	copy(nodes, s.nodes)
	s.nodes = nodes
}

// Expire appends the slots that are due to dst. They are not woken again until the next Set.
func (w *Wheel) Expire(now int64, dst []uint32) []uint32 {
	tick := now / wheelTick
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		// After a pause of more than a turn each bucket is looked at once.
		s.done = max(s.done, tick-wheelBuckets)
		for s.done < tick {
			s.done++
			dst = s.expire(i, tick, dst)
		}
		s.mu.Unlock()
	}
	return dst
}

// expire empties the bucket of the tick that is done: what is due by now goes to dst, the rest where it is due.
func (s *wheelShard) expire(shard int, now int64, dst []uint32) []uint32 {
	b := &s.buckets[s.done%wheelBuckets]
	at := *b
	*b = 0
	for at != 0 {
		i := at - 1
		n := &s.nodes[i]
		at, n.bucket = n.next, 0
		switch {
		case n.due == 0:
		case n.due <= now:
			n.due = 0
			dst = append(dst, slotOf(shard, i))
		default:
			s.file(n, i)
		}
	}
	return dst
}

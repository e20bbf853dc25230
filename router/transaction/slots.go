package transaction

import (
	"sync"
	"sync/atomic"
)

const (
	chunkSize  = 256
	slotShards = 8
)

// Slots keeps values of one type in numbered slots that never move and are never given back to the garbage collector:
// a number found in a message can be looked up without a lock and without a map, and what it finds is always a T,
// though perhaps one that serves another call by now. The T's own lock and generation tell.
//
// A slot belongs to the shard that its chunk was made for, and goes back there whoever frees it: the timer goroutine
// frees most of what the readers of sockets take.
type Slots[T any] struct {
	chunks []atomic.Pointer[[chunkSize]T]
	owner  []uint8 // The shard of each chunk.
	grow   sync.Mutex
	next   uint32
	used   atomic.Int64
	shards [slotShards]slotShard
}

type slotShard struct {
	mu   sync.Mutex
	free []uint32
	_    [32]byte // Keeps two shards out of one cache line.
}

// NewSlots makes room for at most limit values; memory is taken as they are needed.
func NewSlots[T any](limit int) *Slots[T] {
	n := (limit + chunkSize - 1) / chunkSize
	return &Slots[T]{chunks: make([]atomic.Pointer[[chunkSize]T], n), owner: make([]uint8, n)}
}

// Get returns the value of a slot, nil for a number that was never given out.
func (s *Slots[T]) Get(slot uint32) *T {
	if int(slot/chunkSize) >= len(s.chunks) {
		return nil
	}
	c := s.chunks[slot/chunkSize].Load()
	if c == nil {
		return nil
	}
	return &c[slot%chunkSize]
}

// Alloc gives out a slot; ok is false when all are taken. The value is as its last user left it. The hint, such as
// the number of the worker, spreads the callers.
func (s *Slots[T]) Alloc(hint int) (slot uint32, value *T, ok bool) {
	hint %= slotShards
	sh := &s.shards[hint]
	sh.mu.Lock()
	if n := len(sh.free); n > 0 {
		slot = sh.free[n-1]
		sh.free = sh.free[:n-1]
		sh.mu.Unlock()
		s.used.Add(1)
		return slot, s.Get(slot), true
	}
	sh.mu.Unlock()
	if slot, ok = s.borrow(chunkSize, hint); !ok {
		slot, ok = s.more(hint)
	}
	if !ok {
		slot, ok = s.borrow(1, hint)
	}
	if !ok {
		return 0, nil, false
	}
	s.used.Add(1)
	return slot, s.Get(slot), true
}

// Free takes a slot back.
func (s *Slots[T]) Free(slot uint32) {
	s.used.Add(-1)
	sh := &s.shards[s.owner[slot/chunkSize]]
	sh.mu.Lock()
	sh.free = append(sh.free, slot)
	sh.mu.Unlock()
}

// Used is the number of slots given out.
func (s *Slots[T]) Used() int { return int(s.used.Load()) }

// Cap is the largest number of slots there can be.
func (s *Slots[T]) Cap() int { return len(s.chunks) * chunkSize }

// Known is the number of slots that were ever given out: all of them are below it.
func (s *Slots[T]) Known() uint32 {
	s.grow.Lock()
	defer s.grow.Unlock()
	return s.next
}

// more adds a chunk, gives its first slot out and the rest to a shard.
func (s *Slots[T]) more(owner int) (uint32, bool) {
	s.grow.Lock()
	defer s.grow.Unlock()
	if int(s.next) >= s.Cap() {
		return 0, false
	}
	first := s.next
	s.owner[first/chunkSize] = uint8(owner)
	chunk := new([chunkSize]T)
	hugePages(chunk[:])
	s.chunks[first/chunkSize].Store(chunk)
	s.next += chunkSize
	sh := &s.shards[owner]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := first + chunkSize - 1; i > first; i-- {
		sh.free = append(sh.free, i)
	}
	return first, true
}

// loan is how many slots a shard borrows at once.
const loan = 32

// borrow takes a slot from a shard that has so many to spare, and where these are many some more for the next callers. Each goes back to
// its owner. So there are not as many slots as all shards needed together at their busiest, each at a time of its own.
func (s *Slots[T]) borrow(spare, to int) (uint32, bool) {
	var room [loan]uint32
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n := len(sh.free)
		if n < spare {
			sh.mu.Unlock()
			continue
		}
		many := loan
		if spare < loan {
			many = 1 // The last ones: none may be where others do not find it meanwhile.
		}
		lent := room[:copy(room[:], sh.free[n-many:])]
		sh.free = sh.free[:n-many]
		sh.mu.Unlock()
		sh = &s.shards[to]
		sh.mu.Lock()
		sh.free = append(sh.free, lent[1:]...)
		sh.mu.Unlock()
		return lent[0], true
	}
	return 0, false
}

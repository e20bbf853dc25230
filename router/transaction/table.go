package transaction

import "sync"

// Key identifies a server transaction: a 128-bit keyed hash of what RFC 3261 section 17.2.3 compares. Its first word
// is used as the table's hash.
type Key [2]uint64

// tableShards bounds contention between workers; a power of two.
const tableShards = 64

// Table finds slots by Key. It is safe for concurrent use.
type Table struct {
	shards [tableShards]tableShard
}

// tableShard is an open-addressing table with linear probing. Its cells hold no pointers, so the garbage collector
// does not look at them.
type tableShard struct {
	mu    sync.Mutex
	cells []cell
	used  int
	_     [24]byte // Keeps two shards out of one cache line.
}

type cell struct {
	key  Key
	slot uint32 // The slot plus one; zero is an empty cell.
}

func (t *Table) shard(k Key) *tableShard { return &t.shards[k[0]>>58] }

// Find returns the slot of a key.
func (t *Table) Find(k Key) (slot uint32, ok bool) {
	s := t.shard(k)
	s.mu.Lock()
	if len(s.cells) > 0 {
		slot = s.cells[s.probe(k)].slot
	}
	s.mu.Unlock()
	return slot - 1, slot != 0
}

// Insert adds a key, or returns the slot that it already has.
func (t *Table) Insert(k Key, slot uint32) (existing uint32, inserted bool) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.used+1)*4 > len(s.cells)*3 {
		s.grow()
	}
	i := s.probe(k)
	if s.cells[i].slot != 0 {
		return s.cells[i].slot - 1, false
	}
	s.cells[i] = cell{k, slot + 1}
	s.used++
	return slot, true
}

// Remove takes a key out, if it belongs to this slot.
func (t *Table) Remove(k Key, slot uint32) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cells) == 0 {
		return
	}
	i := s.probe(k)
	if s.cells[i].slot != slot+1 {
		return
	}
	s.used--
	// Close the gap: whatever follows in the same run and may stand here moves up.
	mask := uint64(len(s.cells) - 1)
	gap := uint64(i)
	for j := (gap + 1) & mask; s.cells[j].slot != 0; j = (j + 1) & mask {
		home := s.cells[j].key[0] & mask
		if (j-home)&mask >= (j-gap)&mask {
			s.cells[gap] = s.cells[j]
			gap = j
		}
	}
	s.cells[gap] = cell{}
}

// Len is the number of keys.
func (t *Table) Len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += s.used
		s.mu.Unlock()
	}
	return n
}

// probe finds the cell of a key, or the empty cell where it would stand.
func (s *tableShard) probe(k Key) int {
	mask := uint64(len(s.cells) - 1)
	i := k[0] & mask
	for s.cells[i].slot != 0 && s.cells[i].key != k {
		i = (i + 1) & mask
	}
	return int(i)
}

func (s *tableShard) grow() {
	old := s.cells
	s.cells = make([]cell, max(64, 2*len(old)))
	for _, c := range old {
		if c.slot != 0 {
			s.cells[s.probe(c.key)] = c
		}
	}
}

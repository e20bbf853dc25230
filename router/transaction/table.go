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

// tableShard is an open-addressing table with linear probing. Nothing in it holds a pointer, so the garbage collector
// does not look at it.
//
//	marks  | 0 | ff | 83 | 0 | ...     one byte a cell: 0 for an empty one, else 80 and seven bits of its key
//	cells  |   | k1 | k2 |   | ...
//
// Nearly every request is new, and is looked for in vain: that ends at the marks, which are few enough to stay in the
// processor's cache when the cells, a megabyte for some thousand calls, do not.
type tableShard struct {
	mu    sync.Mutex
	used  int
	marks []uint8
	cells []cell // As many as marks.
}

type cell struct {
	key  Key
	slot uint32
}

// markOf is a key's byte in marks. It comes from the second word, since all keys near each other share the first.
func markOf(k Key) uint8 { return uint8(k[1]>>57) | 0x80 }

func (t *Table) shard(k Key) *tableShard { return &t.shards[k[0]>>58] }

// Find returns the slot of a key.
func (t *Table) Find(k Key) (slot uint32, ok bool) {
	s := t.shard(k)
	s.mu.Lock()
	if len(s.marks) > 0 {
		var i int
		if i, ok = s.probe(k); ok {
			slot = s.cells[i].slot
		}
	}
	s.mu.Unlock()
	return slot, ok
}

// Insert adds a key, or returns the slot that it already has.
func (t *Table) Insert(k Key, slot uint32) (existing uint32, inserted bool) {
	s := t.shard(k)
	s.mu.Lock()
	if (s.used+1)*4 > len(s.marks)*3 {
		s.grow()
	}
	i, ok := s.probe(k)
	if ok {
		slot = s.cells[i].slot
	} else {
		s.marks[i], s.cells[i] = markOf(k), cell{k, slot}
		s.used++
	}
	s.mu.Unlock()
	return slot, !ok
}

// Remove takes a key out, if it belongs to this slot.
func (t *Table) Remove(k Key, slot uint32) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.marks) == 0 {
		return
	}
	i, ok := s.probe(k)
	if !ok || s.cells[i].slot != slot {
		return
	}
	s.used--
	// Close the gap: whatever follows in the same run and may stand here moves up.
	mask := uint64(len(s.marks) - 1)
	gap := uint64(i)
	for j := (gap + 1) & mask; s.marks[j] != 0; j = (j + 1) & mask {
		home := s.cells[j].key[0] & mask
		if (j-home)&mask >= (j-gap)&mask {
			s.marks[gap], s.cells[gap] = s.marks[j], s.cells[j]
			gap = j
		}
	}
	s.marks[gap] = 0
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
func (s *tableShard) probe(k Key) (i int, found bool) {
	mask := uint64(len(s.marks) - 1)
	mark := markOf(k)
	at := k[0] & mask
	for s.marks[at] != 0 {
		if s.marks[at] == mark && s.cells[at].key == k {
			return int(at), true
		}
		at = (at + 1) & mask
	}
	return int(at), false
}

func (s *tableShard) grow() {
	marks, cells := s.marks, s.cells
	n := max(64, 2*len(cells))
	s.marks, s.cells = make([]uint8, n), make([]cell, n)
	hugePages(s.cells)
	for i, mark := range marks {
		if mark != 0 {
			at, _ := s.probe(cells[i].key)
			s.marks[at], s.cells[at] = mark, cells[i]
		}
	}
}

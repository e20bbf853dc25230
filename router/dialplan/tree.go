package dialplan

import "math/bits"

const (
	leafKeys  = 3 // As many targets with all that belongs to them fill a cache line.
	leafShift = 2 // A position is a leaf's number and, in its lowest bits, the place in the leaf.
	leafMask  = 1<<leafShift - 1
	blockKeys = 16 // Two cache lines, which come in together.
	bareTree  = 4  // Up to as many leaves are walked without an index.

	none = ^uint32(0) // No position.
)

// In place of the provider in leaf.choices.
const (
	choices  int32 = -1 // The target has several; Route is the index of the first item.
	noChoice int32 = -2 // The target is there only for its tail.
)

// leaf holds leafKeys targets in the order of their keys, noKey where there is none. It is one cache line: often the
// only one of a large table that a lookup does not find in a cache.
type leaf struct {
	keys    [leafKeys]uint64
	parents [leafKeys]uint32 // Position of the longest other target that this one begins with; or none.
	choices [leafKeys]Choice
}

// block holds the first keys of blockKeys leaves or of blockKeys blocks of the level below.
type block [blockKeys]uint64

// tree is one owner's targets.
type tree struct {
	leaf   uint32 // Its first leaf.
	leaves uint32
	index  uint32 // Its first block. Levels follow each other, the top first.
}

// levels is the number of index levels over so many leaves.
func levels(leaves uint32) int {
	if leaves <= bareTree {
		return 0
	}
	return (bits.Len32(leaves-1) + 3) / 4
}

// blocks is the number of blocks at a level, counted from 1 just above the leaves.
func blocks(leaves uint32, level int) uint32 {
	shift := 4 * level
	return uint32((uint64(leaves) + 1<<shift - 1) >> shift)
}

// find returns the position of the greatest key of tr that is not above x, or none.
func (t *Table) find(tr tree, x uint64) uint32 {
	if tr.leaves == 0 {
		return none
	}
	n := uint32(0) // Within its level.
	top := levels(tr.leaves)
	if top == 0 {
		for n+1 < tr.leaves && t.leaves[tr.leaf+n+1].keys[0] <= x {
			n++
		}
	}
	base := tr.index
	for level := top; level > 0; level-- {
		below := t.index[base+n].notAbove(x)
		if below == 0 {
			return none
		}
		base += blocks(tr.leaves, level)
		n = n*blockKeys + below - 1
	}
	n += tr.leaf
	below := t.leaves[n].notAbove(x)
	if below == 0 {
		return none
	}
	return n<<leafShift | (below - 1)
}

// notAbove counts the keys that are not above x. It adds up the borrows of x - key: there is no branch to mispredict.
func (b *block) notAbove(x uint64) uint32 {
	above := uint64(0)
	for i := 0; i < blockKeys; i += 4 {
		_, b0 := bits.Sub64(x, b[i], 0)
		_, b1 := bits.Sub64(x, b[i+1], 0)
		_, b2 := bits.Sub64(x, b[i+2], 0)
		_, b3 := bits.Sub64(x, b[i+3], 0)
		above += b0 + b1 + b2 + b3
	}
	return blockKeys - uint32(above)
}

func (l *leaf) notAbove(x uint64) uint32 {
	_, b0 := bits.Sub64(x, l.keys[0], 0)
	_, b1 := bits.Sub64(x, l.keys[1], 0)
	_, b2 := bits.Sub64(x, l.keys[2], 0)
	return leafKeys - uint32(b0+b1+b2)
}

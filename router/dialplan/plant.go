package dialplan

// leavesFor is the number of leaves for the sorted rows of one tree.
func leavesFor(rows []row) uint32 {
	targets := uint32(0)
	for i := range rows {
		if i == 0 || rows[i].key != rows[i-1].key {
			targets++
		}
	}
	return (targets + leafKeys - 1) / leafKeys
}

// plantTree adds one tree's leaves, index and items from its sorted rows. It tells headAt the position of each
// target that leads to a tail. A tail hangs on its head, all else on none.
func (b *builder) plantTree(rows []row, head uint32, headAt func(digits uint64, at uint32)) tree {
	tr := tree{
		leaf:   uint32(len(b.leaves)),
		leaves: leavesFor(rows),
		index:  uint32(len(b.index)),
	}
	for range tr.leaves {
		b.leaves = append(b.leaves, leaf{keys: [leafKeys]uint64{noKey, noKey, noKey}})
	}
	var open []uint32 // The targets that the next one may begin with, each beginning with the one before it.
	for i := uint32(0); len(rows) > 0; i++ {
		key, n := rows[0].key, 1
		for n < len(rows) && rows[n].key == key {
			n++
		}
		at := (tr.leaf+i/leafKeys)<<leafShift | i%leafKeys
		target := rows[:n]
		rows = rows[n:]
		if target[0].route < 0 {
			headAt(key, at)
			target = target[1:]
		}
		for len(open) > 0 && !isPrefix(b.keyAt(open[len(open)-1]), key) {
			open = open[:len(open)-1]
		}
		l, slot := &b.leaves[at>>leafShift], at&leafMask
		l.keys[slot], l.parents[slot], l.choices[slot] = key, head, b.addTarget(target)
		if len(open) > 0 {
			l.parents[slot] = open[len(open)-1]
		}
		open = append(open, at)
	}
	b.addIndex(tr)
	return tr
}

func (b *builder) keyAt(at uint32) uint64 { return b.leaves[at>>leafShift].keys[at&leafMask] }

// addIndex adds the levels above the leaves of tr, the top first. The first key of a block's first child is its own.
func (b *builder) addIndex(tr tree) {
	for level := levels(tr.leaves); level > 0; level-- {
		under := uint32(1) << (4 * (level - 1)) // Leaves under one key of this level.
		for n := range blocks(tr.leaves, level) {
			var bl block
			for i := range bl {
				bl[i] = noKey
				if first := (n*blockKeys + uint32(i)) * under; first < tr.leaves {
					bl[i] = b.leaves[tr.leaf+first].keys[0]
				}
			}
			b.index = append(b.index, bl)
		}
	}
}

// addTarget adds the items of one target from its sorted rows and returns what stands for them in a leaf. A provider
// that a lower priority names again could never be chosen by it and is left out there.
func (b *builder) addTarget(rows []row) Choice {
	if len(rows) == 0 {
		return Choice{Provider: noChoice}
	}
	b.target++
	first := len(b.items)
	last := first // Where the last run begins.
	for len(rows) > 0 {
		start, priority := len(b.items), rows[0].priority
		for len(rows) > 0 && rows[0].priority == priority {
			b.addItem(&rows[0])
			rows = rows[1:]
		}
		if n := len(b.items) - start; n > 0 {
			b.items[last].run |= 1
			b.items[start].run = uint32(n) << 1
			last = start
		}
	}
	if len(b.items)-first == 1 {
		only := b.items[first].Choice
		b.items = b.items[:first]
		return only
	}
	return Choice{Provider: choices, Route: int32(first)}
}

func (b *builder) addItem(r *row) {
	chosen := &b.chosen[r.provider]
	if chosen.target == b.target && chosen.priority != r.priority {
		return
	}
	*chosen = stamp{b.target, r.priority}
	b.items = append(b.items, item{
		Choice: Choice{Provider: r.provider, Route: r.route},
		weight: r.weight,
	})
}

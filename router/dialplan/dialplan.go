// Package dialplan decides which providers may carry a number, in which order.
//
// A Table is built once from a catalog and then only read. Each customer has a tree of the targets of its routes,
// and everyone has one:
//
//	target "+1415" -> key 0x2526_0000_0000_0000     a nibble per digit, digit plus one, zero behind the end;
//	target "all"   -> key 0                         the prefix of all others
//
//	index   [ key key ... key ]                     16 keys a block: the first key of each block below
//	             /       \
//	leaves  [ keys | parents | choices ] ...        3 targets a leaf, sorted by key; a cache line
//	                    |         |
//	      the next shorter     the only route, or
//	      target               items [ choice mean run ] ...   by priority; a run is what shares one
//
// As keys sort, the greatest target that is not above the number is found first. Every target that the number
// begins with is this one or an ancestor of it: so one descent and a walk over parents find all of them, the longest
// first. No node holds a Go pointer, so a million routes cost the garbage collector nothing.
//
// The package also reads and writes the user part of a Request-URI: see ParseUser and AppendUser.
package dialplan

import "github.com/google/uuid"

// Listed is the Route of a Choice that no route made: an explicit list named the provider.
const Listed int32 = -1

// Choice is one provider to try for a call.
type Choice struct {
	Provider int32 // Index into the catalog's Providers.
	Route    int32 // Index into the catalog's Routes; or Listed.
}

// Table answers which providers may carry a number. It is immutable and safe for concurrent use.
type Table struct {
	everyone tree
	owned    ownerTable
	tails    map[uint32]tree // What lies below a target's first keyDigits digits, by the position of these.

	leaves []leaf
	index  []block
	items  []item
	exact  bool // See collector.

	dangling []int32
}

// Dangling returns the indexes of the routes that are skipped because the catalog has no such provider, ascending.
// The slice belongs to the table.
func (t *Table) Dangling() []int32 { return t.dangling }

// Append appends to dst the providers that may carry number for customer, best first, each once, and returns the
// extended slice. It allocates only to make room in dst.
//
// The customer's own routes come before everyone's; within them the longest matching target first, TargetAll last;
// then the lower priority. Routes that are equal in all this are drawn at random in proportion to their weights,
// those without weight last. The draw is a pure function of seed. What is in dst already is not looked at.
//
// The number is digits without a plus, as ParseUser returns them. Anything else, and nothing, matches TargetAll
// only. A customer that is unknown, uuid.Nil or providers.Everyone has no routes of its own. Disabled providers are
// not left out.
func (t *Table) Append(dst []Choice, number []byte, customer uuid.UUID, seed uint64) []Choice {
	if !allDigits(number) {
		number = nil
	}
	c := collector{dst: dst, start: len(dst), seed: mix(seed), exact: t.exact}
	if own, ok := t.owned.find(customer); ok {
		t.collect(&c, t.longest(own, number, none))
	}
	t.collect(&c, t.longest(t.everyone, number, none))
	return c.dst
}

// longest returns the position of the longest target of tr that digits begins with, or else head: what tr hangs on.
func (t *Table) longest(tr tree, digits []byte, head uint32) uint32 {
	x := keyOf(digits)
	at := t.find(tr, x)
	if at == none {
		return head
	}
	for at != head {
		l, i := &t.leaves[at>>leafShift], at&leafMask
		if isPrefix(l.keys[i], x) {
			break
		}
		at = l.parents[i]
	}
	if len(digits) > keyDigits && at != head {
		if tail, ok := t.tails[at]; ok {
			return t.longest(tail, digits[keyDigits:], at)
		}
	}
	return at
}

// collect adds the providers of the target at a position and of all that it begins with.
func (t *Table) collect(c *collector, at uint32) {
	for at != none {
		l, i := &t.leaves[at>>leafShift], at&leafMask
		switch choice := l.choices[i]; choice.Provider {
		case noChoice:
		case choices:
			c.addRuns(t.items[choice.Route:])
		default:
			c.add(choice)
		}
		at = l.parents[i]
	}
}

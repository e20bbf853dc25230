package dialplan

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// row is a route on its way into a tree.
type row struct {
	key      uint64 // 0 for providers.TargetAll.
	priority int64
	created  int64  // Microseconds.
	owner    uint32 // Index into builder.owners.
	route    int32  // -1 for a place that only leads to a tail; sorts first.
	provider int32
	weight   uint32
}

// owner is whose tree a row goes into: a customer's, or one below a long target's first digits.
type owner struct {
	customer uuid.UUID
	parent   uint32 // For a tail: the owner of the first digits.
	head     uint64 // For a tail: these digits; 0 for a customer.
}

// stamp says which target last took a provider, and at which priority.
type stamp struct {
	target   uint32
	priority int64
}

// builder fills a Table.
type builder struct {
	Table
	catalog *providers.Catalog
	rows    []row
	owners  []owner
	byOwner map[owner]uint32
	target  uint32  // Counts the targets.
	chosen  []stamp // By provider.
}

// New builds the table of a catalog's routes, and keeps nothing of the catalog but indexes. A route is skipped when
// the catalog has no such provider (see Dangling), or when its target is neither providers.TargetAll nor digits with
// or without a plus.
func New(c *providers.Catalog) *Table {
	b := builder{
		catalog: c,
		rows:    make([]row, 0, len(c.Routes)),
		byOwner: map[owner]uint32{},
		chosen:  make([]stamp, len(c.Providers)),
	}
	b.exact = len(c.Providers) <= seenBits
	b.readRoutes()
	slices.SortFunc(b.rows, b.compare)
	b.reserve()
	b.plant()
	t := b.Table
	return &t
}

// readRoutes makes a row of every route that counts.
func (b *builder) readRoutes() {
	byID := make(map[uuid.UUID]int32, len(b.catalog.Providers))
	for i := range b.catalog.Providers {
		p := &b.catalog.Providers[i]
		if _, twice := byID[p.ID]; !twice && !p.Deleted() {
			byID[p.ID] = int32(i)
		}
	}
	for i := range b.catalog.Routes {
		r := &b.catalog.Routes[i]
		if r.Deleted() {
			continue
		}
		provider, ok := byID[r.ProviderID]
		if !ok {
			b.dangling = append(b.dangling, int32(i))
			continue
		}
		b.addRow(r, int32(i), provider)
	}
}

func (b *builder) addRow(r *providers.Route, route, provider int32) {
	digits := ""
	if r.Target != providers.TargetAll {
		digits = strings.TrimPrefix(r.Target, "+")
		if digits == "" || !allDigits(digits) {
			return
		}
	}
	own := b.ownerIndex(owner{customer: r.CustomerID})
	for len(digits) > keyDigits {
		head := keyOf(digits)
		tail := owner{parent: own, head: head}
		if _, known := b.byOwner[tail]; !known {
			b.rows = append(b.rows, row{key: head, owner: own, route: -1})
		}
		own, digits = b.ownerIndex(tail), digits[keyDigits:]
	}
	b.rows = append(b.rows, row{
		key:      keyOf(digits),
		priority: int64(r.Priority),
		created:  r.TmCreate.UnixMicro(),
		owner:    own,
		route:    route,
		provider: provider,
		weight:   uint32(min(max(r.Weight, 0), math.MaxUint32)),
	})
}

func (b *builder) ownerIndex(o owner) uint32 {
	i, ok := b.byOwner[o]
	if !ok {
		i = uint32(len(b.owners))
		b.byOwner[o] = i
		b.owners = append(b.owners, o)
	}
	return i
}

// compare orders rows by tree, target, and then as Append promises.
func (b *builder) compare(x, y row) int {
	if x.owner != y.owner {
		return cmp.Compare(x.owner, y.owner)
	}
	if x.key != y.key {
		return cmp.Compare(x.key, y.key)
	}
	if x.route < 0 || y.route < 0 {
		return cmp.Compare(x.route, y.route)
	}
	if x.priority != y.priority {
		return cmp.Compare(x.priority, y.priority)
	}
	if x.weight == 0 != (y.weight == 0) { // Those without are never drawn; see addRun.
		return cmp.Compare(y.weight, x.weight)
	}
	if x.created != y.created {
		return cmp.Compare(x.created, y.created)
	}
	r, s := &b.catalog.Routes[x.route], &b.catalog.Routes[y.route]
	return cmp.Or(r.TmCreate.Compare(s.TmCreate), bytes.Compare(r.ID[:], s.ID[:]), cmp.Compare(x.route, y.route))
}

// reserve makes the arrays as large as plant fills them.
func (b *builder) reserve() {
	var leaves, blocksUsed uint32
	b.eachTree(func(_ owner, rows []row) {
		n := leavesFor(rows)
		leaves += n
		for level := levels(n); level > 0; level-- {
			blocksUsed += blocks(n, level)
		}
	})
	b.leaves = make([]leaf, 0, leaves)
	b.index = make([]block, 0, blocksUsed)
	b.owned = newOwnerTable(len(b.owners))
	b.tails = map[uint32]tree{}
}

// plant builds the trees in the order of their owners. A tail's owner comes behind the one it hangs on.
func (b *builder) plant() {
	type place struct {
		owner  uint32
		digits uint64
	}
	heads := map[place]uint32{} // Where the heads of tails came to stand.
	n := uint32(0)
	b.eachTree(func(o owner, rows []row) {
		headAt := func(digits uint64, at uint32) { heads[place{n, digits}] = at }
		switch {
		case o.head != 0:
			at := heads[place{o.parent, o.head}]
			b.tails[at] = b.plantTree(rows, at, headAt)
		case o.customer == providers.Everyone:
			b.everyone = b.plantTree(rows, none, headAt)
		default:
			b.owned.add(o.customer, b.plantTree(rows, none, headAt))
		}
		n++
	})
}

// eachTree calls do with each owner and its sorted rows, in the order of b.owners.
func (b *builder) eachTree(do func(o owner, rows []row)) {
	for rest := b.rows; len(rest) > 0; {
		own, n := rest[0].owner, 1
		for n < len(rest) && rest[n].owner == own {
			n++
		}
		do(b.owners[own], rest[:n])
		rest = rest[n:]
	}
}

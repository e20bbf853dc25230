package dialplan

import (
	"cmp"
	"math"
	"slices"
)

// item is one route of a target that has several.
type item struct {
	Choice
	mean float32 // 1 / weight: how long the route takes to arrive, on average.
	run  uint32  // At the first of a run: its length, times two, plus one when another run of the target follows.
}

const (
	drawOnStack = 32   // Longer runs are sorted in dst, computing arrivals over again.
	seenBits    = 1024 // Providers that are told apart without a look at what was collected.
)

// collector gathers the choices of one Append.
type collector struct {
	dst   []Choice
	start int    // Where this Append began in dst.
	seed  uint64 // Mixed.
	exact bool   // No two providers share a bit of seen.
	seen  [seenBits / 64]uint64
}

// add appends a choice unless its provider is there already.
func (c *collector) add(choice Choice) {
	word := &c.seen[uint32(choice.Provider)/64%uint32(len(c.seen))]
	bit := uint64(1) << (uint32(choice.Provider) % 64)
	if *word&bit != 0 {
		has := func(have Choice) bool { return have.Provider == choice.Provider }
		if c.exact || slices.ContainsFunc(c.dst[c.start:], has) {
			return
		}
	}
	*word |= bit
	c.dst = append(c.dst, choice)
}

// addRuns adds the choices of the target whose items come first.
func (c *collector) addRuns(items []item) {
	for {
		run := items[0].run
		n := run >> 1
		if n == 1 {
			c.add(items[0].Choice)
		} else {
			c.addRun(items[:n])
		}
		if run&1 == 0 {
			return
		}
		items = items[n:]
	}
}

// addRun adds choices that are equal but for their weight, in the order of their arrivals.
func (c *collector) addRun(run []item) {
	if len(run) > drawOnStack {
		c.addLongRun(run)
		return
	}
	var arrivals [drawOnStack]float64
	var order [drawOnStack]uint8
	for i := range run {
		a := run[i].arrival(c.seed)
		j := i
		for ; j > 0 && arrivals[j-1] > a; j-- {
			arrivals[j], order[j] = arrivals[j-1], order[j-1]
		}
		arrivals[j], order[j] = a, uint8(i)
	}
	for _, i := range order[:len(run)] {
		c.add(run[i].Choice)
	}
}

// addLongRun is addRun without a bound on the length. It sorts at the end of dst, where a Choice holds an item's
// place in the run for the time being.
func (c *collector) addLongRun(run []item) {
	end := len(c.dst)
	for i := range run {
		c.dst = append(c.dst, Choice{Provider: int32(i)})
	}
	places := c.dst[end:]
	slices.SortFunc(places, func(a, b Choice) int {
		return cmp.Or(
			cmp.Compare(run[a.Provider].arrival(c.seed), run[b.Provider].arrival(c.seed)),
			cmp.Compare(a.Provider, b.Provider),
		)
	})
	c.dst = c.dst[:end]
	for _, p := range places {
		c.add(run[p.Provider].Choice) // Writes at or before the place that was just read.
	}
}

// arrival is when a route comes in, if each comes at random at a rate of its weight. Who arrives first was drawn in
// proportion to the weights, who arrives second was so among the rest, and so on. Weight 0 never comes: +Inf.
func (it *item) arrival(seed uint64) float64 {
	u := (float64(mix(seed+uint64(it.Route))>>11) + 0.5) * 0x1p-53 // In (0, 1).
	return -math.Log(u) * float64(it.mean)
}

// mix spreads the bits of x over the whole word: the output function of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

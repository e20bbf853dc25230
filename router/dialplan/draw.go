package dialplan

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// item is one route of a target that has several.
type item struct {
	Choice
	weight uint32
	run    uint32 // At the first of a run: its length, times two, plus one when another run of the target follows.
}

const (
	drawOnStack = 16   // Longer runs are sorted by arrival.
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
	bit := uint64(1) << (choice.Provider & 63)
	word := &c.seen[choice.Provider>>6&(seenBits/64-1)]
	if *word&bit != 0 && c.has(choice.Provider) {
		return
	}
	*word |= bit
	c.dst = append(c.dst, choice)
}

// has says whether a provider whose bit in seen is set was collected.
func (c *collector) has(provider int32) bool {
	return c.exact || slices.ContainsFunc(c.dst[c.start:], func(have Choice) bool { return have.Provider == provider })
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

// addRun adds choices that are equal but for their weight. One after the other is drawn from those that are left, in
// proportion to the weights; then those without weight follow as they stand, which is at the end of run.
func (c *collector) addRun(run []item) {
	if len(run) > drawOnStack {
		c.addLongRun(run)
		return
	}
	var buf [drawOnStack]struct{ weight, place uint32 }
	left, total := buf[:0], uint64(0)
	for i := range run {
		left = append(left, struct{ weight, place uint32 }{run[i].weight, uint32(i)})
		total += uint64(run[i].weight)
	}
	state := c.seed + uint64(run[0].Route)<<32
	for ; len(left) > 0; left = left[1:] {
		i := 0
		if len(left) > 1 && total > 0 {
			state++
			at, _ := bits.Mul64(mix(state), total) // In [0, total).
			for at >= uint64(left[i].weight) {
				at -= uint64(left[i].weight)
				i++
			}
			total -= uint64(left[i].weight)
		}
		c.add(run[left[i].place].Choice)
		left[i] = left[0]
	}
}

// addLongRun is addRun without a bound on the length, and without a square of it: the choices are sorted by arrival,
// at the end of dst, where a Choice holds an item's place in the run for the time being.
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
	return -math.Log(u) / float64(it.weight)
}

// mix spreads the bits of x over the whole word: the output function of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

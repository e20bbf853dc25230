package resolve

import (
	"math/bits"
	"slices"
)

// Order appends targets to dst in an order to try them in, drawn by seed: the same seed gives the same order. Targets
// come sorted by priority, as Lookup returns them. Among equal priorities the SRV records are drawn by weight (RFC 2782),
// and all addresses of one follow each other, its preferred family first. It allocates only to make room in dst.
func Order(dst, targets []Target, seed uint64) []Target {
	start := len(dst)
	dst = append(dst, targets...)
	d := draw{state: seed}
	for rest := dst[start:]; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Priority == rest[0].Priority {
			n++
		}
		for equal := rest[:n]; len(equal) > 0; {
			size := d.pullRecord(equal)
			d.shuffle(equal[:size])
			equal = equal[size:]
		}
		rest = rest[n:]
	}
	return dst
}

// recordSize is the number of targets that the first one's SRV record gave.
func recordSize(targets []Target) int {
	first := &targets[0]
	for i := range targets {
		t := &targets[i]
		if t.Host != first.Host || t.Addr.Port() != first.Addr.Port() || t.Transport != first.Transport || t.Weight != first.Weight {
			return i
		}
	}
	return len(targets)
}

// draw is a source of random numbers.
type draw struct{ state uint64 }

// below returns a number in [0, n): SplitMix64, scaled.
func (d *draw) below(n uint64) uint64 {
	d.state += 0x9E3779B97F4A7C15
	x := d.state
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	scaled, _ := bits.Mul64(x^x>>31, n)
	return scaled
}

// pullRecord draws one SRV record by weight, moves its targets to the front and returns their number.
func (d *draw) pullRecord(equal []Target) int {
	total, weightless := uint64(0), uint64(0)
	for rest := equal; len(rest) > 0; rest = rest[recordSize(rest):] {
		total += uint64(rest[0].Weight)
		if rest[0].Weight == 0 {
			weightless++
		}
	}
	// The weightless stand first, in an order of no meaning; the one whose running sum reaches the number is it.
	mark := d.below(total + 1)
	luckless := mark > 0 || weightless == 0
	if luckless {
		mark = max(mark, 1)
	} else {
		mark = 1 + d.below(weightless)
	}
	at := 0
	for {
		size := recordSize(equal[at:])
		share := uint64(equal[at].Weight)
		if !luckless {
			share = one(equal[at].Weight == 0)
		}
		if share >= mark {
			slices.Reverse(equal[:at])
			slices.Reverse(equal[at : at+size])
			slices.Reverse(equal[:at+size])
			return size
		}
		mark -= share
		at += size
	}
}

// shuffle mixes the addresses of each family.
func (d *draw) shuffle(record []Target) {
	for len(record) > 0 {
		n := 1
		for n < len(record) && record[n].Addr.Addr().Is4() == record[0].Addr.Addr().Is4() {
			n++
		}
		for i := n - 1; i > 0; i-- {
			j := d.below(uint64(i + 1))
			record[i], record[j] = record[j], record[i]
		}
		record = record[n:]
	}
}

func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

package dialplan

import (
	"math"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// TestWeights counts the orders of three routes over many seeds against what drawing in proportion to the weights
// among those that are left gives. The bounds are six standard deviations, and the seeds are fixed.
func TestWeights(t *testing.T) {
	const draws = 200_000
	weights := map[byte]float64{'A': 1, 'B': 3, 'C': 6}
	c := catalogOf(
		rt{target: "+1", provider: 'A', weight: 1},
		rt{target: "+1", provider: 'B', weight: 3},
		rt{target: "+1", provider: 'C', weight: 6},
	)
	table := New(c)
	seen := map[string]int{}
	var choices []Choice
	for seed := range uint64(draws) {
		choices = table.Append(choices[:0], []byte("1"), uuid.Nil, seed)
		seen[names(c, choices)]++
	}
	for _, order := range []string{"ABC", "ACB", "BAC", "BCA", "CAB", "CBA"} {
		first, second, third := weights[order[0]], weights[order[1]], weights[order[2]]
		p := first / (first + second + third) * second / (second + third)
		want, slack := draws*p, 6*math.Sqrt(draws*p*(1-p))
		if got := float64(seen[order]); math.Abs(got-want) > slack {
			t.Errorf("%s came %.0f times of %d, want %.0f +- %.0f", order, got, draws, want, slack)
		}
	}
}

// TestLongRun draws among more routes than fit on the stack, with providers that are told apart by looking only.
func TestLongRun(t *testing.T) {
	const n, draws = 3 * seenBits, 300
	c := &providers.Catalog{}
	for i := range n {
		p := providers.Provider{ID: uuid.UUID{0: byte(i), 1: byte(i >> 8)}}
		c.Providers = append(c.Providers, p)
		for range 1 + i%2 { // Some twice.
			c.Routes = append(c.Routes, providers.Route{
				ProviderID: p.ID, CustomerID: providers.Everyone, Target: providers.TargetAll, Weight: i % 3,
			})
		}
	}
	table := New(c)
	before := []Choice{{Provider: 1, Route: Listed}}
	if got := len(table.Append(before, nil, uuid.Nil, 1)); got != 1+n {
		t.Errorf("%d choices behind one that was there, want %d", got-1, n)
	}
	var sum float64 // Of the places of provider 1, weight 1, and twice there.
	for seed := range uint64(draws) {
		choices := table.Append(nil, nil, uuid.Nil, seed)
		if len(choices) != n {
			t.Fatalf("%d choices, want each of %d providers once", len(choices), n)
		}
		weighted := slices.IndexFunc(choices, func(ch Choice) bool { return c.Routes[ch.Route].Weight == 0 })
		if want := n - n/3; weighted != want {
			t.Fatalf("seed %d: the first without weight is at %d, want %d", seed, weighted, want)
		}
		sum += float64(slices.IndexFunc(choices, func(ch Choice) bool { return ch.Provider == 1 }))
	}
	// Against it: per six providers, one more of rate 2 and one of rate 1 (twice weight 1, once weight 1), and two of
	// weight 2 (rates 2 and 4). Another of rate r comes before rate 2 with probability r/(r+2).
	want := float64(n) / 6 * (2./4 + 1./3 + 2./4 + 4./6)
	if got := sum / draws; math.Abs(got-want) > 0.1*n {
		t.Errorf("provider 1 came at place %.0f on average, want %.0f", got, want)
	}
}

func TestArrival(t *testing.T) {
	for seed := range uint64(1000) {
		never := item{}
		if a := never.arrival(seed); !math.IsInf(a, 1) {
			t.Fatalf("seed %d: weight 0 arrives at %v", seed, a)
		}
		soon := item{weight: math.MaxUint32}
		if a := soon.arrival(seed); a <= 0 || math.IsInf(a, 0) || math.IsNaN(a) {
			t.Fatalf("seed %d: the largest weight arrives at %v", seed, a)
		}
	}
}

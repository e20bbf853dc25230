package dialplan

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// reference is Append as the documents tell it, without any thought of speed. It shares addRun with the real one:
// TestWeights and TestLongRun look at that.
func reference(c *providers.Catalog, number string, customer uuid.UUID, seed uint64) []Choice {
	provider := map[uuid.UUID]int32{}
	for i, p := range c.Providers {
		if _, ok := provider[p.ID]; !ok {
			provider[p.ID] = int32(i)
		}
	}
	if !allDigits(number) {
		number = ""
	}
	var out []Choice
	used := map[int32]bool{}
	tier := func(owner uuid.UUID, target string) {
		var tier []int
		for i, r := range c.Routes {
			if _, ok := provider[r.ProviderID]; ok && r.CustomerID == owner && r.Target == target {
				tier = append(tier, i)
			}
		}
		slices.SortFunc(tier, func(i, j int) int {
			r, s := c.Routes[i], c.Routes[j]
			return cmp.Or(
				cmp.Compare(r.Priority, s.Priority),
				cmp.Compare(min(1, s.Weight), min(1, r.Weight)),
				r.TmCreate.Compare(s.TmCreate),
				bytes.Compare(r.ID[:], s.ID[:]),
				cmp.Compare(i, j),
			)
		})
		here := map[int32]bool{} // Providers of a lower priority do not take part in the draw.
		for len(tier) > 0 {
			priority := c.Routes[tier[0]].Priority
			var run []int
			for ; len(tier) > 0 && c.Routes[tier[0]].Priority == priority; tier = tier[1:] {
				if !here[provider[c.Routes[tier[0]].ProviderID]] {
					run = append(run, tier[0])
				}
			}
			for _, i := range drawn(c, run, seed) {
				p := provider[c.Routes[i].ProviderID]
				here[p] = true
				if !used[p] {
					used[p] = true
					out = append(out, Choice{Provider: p, Route: int32(i)})
				}
			}
		}
	}
	for _, owner := range slices.Compact([]uuid.UUID{customer, providers.Everyone}) {
		for n := len(number); n > 0; n-- {
			tier(owner, "+"+number[:n])
		}
		tier(owner, providers.TargetAll)
	}
	return out
}

// drawn puts routes that are equal but for their weights into the order of the draw.
func drawn(c *providers.Catalog, run []int, seed uint64) []int {
	if len(run) < 2 {
		return run
	}
	var items []item
	for place, i := range run { // With providers that differ, so that none is left out.
		items = append(items, item{Choice: Choice{Provider: int32(place), Route: int32(i)}, weight: uint32(c.Routes[i].Weight)})
	}
	var draw collector
	draw.seed = mix(seed)
	draw.addRun(items)
	order := make([]int, 0, len(run))
	for _, choice := range draw.dst {
		order = append(order, int(choice.Route))
	}
	return order
}

// randomCatalog makes catalogs that are dense where mistakes hide: few digits, so that targets nest; few priorities
// and times, so that routes tie; targets across the width of a key.
func randomCatalog(r *rand.Rand) *providers.Catalog {
	c := &providers.Catalog{}
	for range 1 + r.IntN([]int{3, 12, 3000}[r.IntN(3)]) {
		c.Providers = append(c.Providers, providers.Provider{ID: randomID(r)})
	}
	customers := []uuid.UUID{providers.Everyone, alice, {2}, {3}, {4}}[:1+r.IntN(5)]
	digits := "0123456789"[:1+r.IntN(10)]
	longest := []int{3, 6, 40}[r.IntN(3)]
	priorities, weights, times := 1+r.IntN(4), 1+r.IntN(4), 1+r.IntN(3)
	for range r.IntN([]int{10, 200, 4000}[r.IntN(3)]) {
		c.Routes = append(c.Routes, providers.Route{
			ID:         randomID(r),
			CustomerID: customers[r.IntN(len(customers))],
			ProviderID: c.Providers[r.IntN(len(c.Providers))].ID,
			Target:     randomTarget(r, digits, longest),
			Priority:   r.IntN(priorities) - 1,
			Weight:     r.IntN(weights),
			TmCreate:   epoch.Add(time.Duration(r.IntN(times)) * time.Nanosecond),
		})
	}
	if len(c.Routes) > 0 && r.IntN(4) == 0 {
		c.Routes[r.IntN(len(c.Routes))].ProviderID = uuid.UUID{9, 9}
	}
	return c
}

func randomID(r *rand.Rand) (id uuid.UUID) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	return id
}

func randomTarget(r *rand.Rand, digits string, longest int) string {
	n := r.IntN(longest + 1)
	if n == 0 {
		return providers.TargetAll
	}
	return "+" + randomDigits(r, digits, n)
}

func randomDigits(r *rand.Rand, digits string, n int) string {
	s := make([]byte, n)
	for i := range s {
		s[i] = digits[r.IntN(len(digits))]
	}
	return string(s)
}

// compareWithReference asks table and reference about number and, where there are routes, about numbers near their
// targets.
func compareWithReference(t *testing.T, r *rand.Rand, c *providers.Catalog, number string) {
	t.Helper()
	table := New(c)
	numbers := []string{number, ""}
	for range 4 {
		if len(c.Routes) == 0 {
			break
		}
		target := c.Routes[r.IntN(len(c.Routes))].Target[1:]
		numbers = append(numbers, target, target+randomDigits(r, "0123456789", r.IntN(20)), target[:r.IntN(len(target)+1)])
	}
	for _, number := range numbers {
		for _, customer := range []uuid.UUID{providers.Everyone, alice, {2}, {7}, uuid.Nil} {
			seed := r.Uint64()
			got := table.Append(nil, []byte(number), customer, seed)
			want := reference(c, number, customer, seed)
			if !slices.Equal(got, want) {
				t.Fatalf("Append(%q, customer %v) over %d routes:\n got %v\nwant %v", number, customer, len(c.Routes), got, want)
			}
		}
	}
}

func TestAppendIsReference(t *testing.T) {
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			compareWithReference(t, r, randomCatalog(r), randomDigits(r, "0123456789", r.IntN(20)))
		})
	}
}

func FuzzAppend(f *testing.F) {
	f.Add(uint64(1), "14155550100")
	f.Add(uint64(2), "")
	f.Add(uint64(3), "00000000000000000000000000000000000")
	f.Add(uint64(4), "1\x00")
	f.Fuzz(func(t *testing.T, seed uint64, number string) {
		r := rand.New(rand.NewPCG(seed, 2))
		compareWithReference(t, r, randomCatalog(r), number[:min(len(number), 64)])
	})
}

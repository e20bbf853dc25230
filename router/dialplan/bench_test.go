package dialplan

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// shape says how a benchmark's catalog is made.
type shape struct {
	name      string
	customers int // 0: everyone's routes.
	targets   int // Per customer.
	perTarget int // Routes, each of its own priority, or
	perRun    int // so many sharing one.
}

// shapes all have a million routes.
var shapes = []shape{
	{name: "everyone,1000000x1", targets: 1_000_000, perTarget: 1, perRun: 1},
	{name: "everyone,200000x5", targets: 200_000, perTarget: 5, perRun: 1},
	{name: "everyone,200000x5,weighted", targets: 200_000, perTarget: 5, perRun: 5},
	{name: "customers,100000x10x1", customers: 100_000, targets: 10, perTarget: 1, perRun: 1},
}

// world is a catalog and questions to it.
type world struct {
	catalog   *providers.Catalog
	numbers   [][]byte
	customers []uuid.UUID
}

// rateSheet makes targets that nest as those of a carrier's rate sheet do: countries, areas in them, and mostly
// ranges of 7 to 9 digits in these areas.
type rateSheet struct {
	r              *rand.Rand
	country, areas []string
}

func newRateSheet(r *rand.Rand) rateSheet {
	s := rateSheet{r: r}
	for code := 10; code < 100; code++ {
		s.country = append(s.country, "+"+strconv.Itoa(code))
	}
	for range 10_000 {
		s.areas = append(s.areas, s.country[r.IntN(len(s.country))]+randomDigits(r, "0123456789", 3))
	}
	return s
}

func (s rateSheet) target() string {
	switch s.r.IntN(50) {
	case 0:
		return s.country[s.r.IntN(len(s.country))]
	case 1, 2:
		return s.areas[s.r.IntN(len(s.areas))]
	}
	return s.areas[s.r.IntN(len(s.areas))] + randomDigits(s.r, "0123456789", 2+s.r.IntN(3))
}

func worldOf(s shape) world {
	r := rand.New(rand.NewPCG(1, uint64(s.targets)))
	w := world{catalog: &providers.Catalog{}}
	for range 50 {
		w.catalog.Providers = append(w.catalog.Providers, providers.Provider{ID: randomID(r)})
	}
	sheet := newRateSheet(r)
	for i := range max(s.customers, 1) {
		owner := providers.Everyone
		if s.customers > 0 {
			owner = randomID(r)
		}
		seen := map[string]bool{}
		for len(seen) < s.targets {
			target := sheet.target()
			if seen[target] {
				target += randomDigits(r, "0123456789", 1)
			}
			if seen[target] {
				continue
			}
			seen[target] = true
			for j := range s.perTarget {
				w.catalog.Routes = append(w.catalog.Routes, providers.Route{
					ID: randomID(r), CustomerID: owner, Target: target, Priority: j / s.perRun, Weight: 1 + r.IntN(100),
					ProviderID: w.catalog.Providers[(i+j*7+len(seen))%50].ID, TmCreate: time.Unix(r.Int64N(1<<30), 0),
				})
			}
		}
	}
	r.Shuffle(len(w.catalog.Routes), func(i, j int) {
		w.catalog.Routes[i], w.catalog.Routes[j] = w.catalog.Routes[j], w.catalog.Routes[i]
	})
	for range 1 << 16 {
		route := w.catalog.Routes[r.IntN(len(w.catalog.Routes))]
		number := route.Target[1:] + randomDigits(r, "0123456789", 12)
		w.numbers = append(w.numbers, []byte(number[:12]))
		w.customers = append(w.customers, route.CustomerID)
	}
	return w
}

func BenchmarkAppend(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			w := worldOf(s)
			t := New(w.catalog)
			w.catalog = nil
			runtime.GC()
			dst := make([]Choice, 0, 64)
			var found int
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				dst = t.Append(dst[:0], w.numbers[i&0xFFFF], w.customers[i&0xFFFF], uint64(i))
				found += len(dst)
				i++
			}
			b.ReportMetric(float64(found)/float64(b.N), "choices/op")
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			w := worldOf(s)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var t *Table
			for b.Loop() {
				t = New(w.catalog)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
			runtime.KeepAlive(w)
			runtime.KeepAlive(t)
		})
	}
}

func BenchmarkParseUser(b *testing.B) {
	international := [][]byte{[]byte("00"), []byte("011")}
	for _, user := range []string{"+15551234567", "%2B1(555)123-4567;npdi"} {
		b.Run(user, func(b *testing.B) {
			in, dst := []byte(user), make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ParseUser(dst, in, international)
			}
		})
	}
}

// TestAllocations holds what Append, ParseUser and AppendUser promise.
func TestAllocations(t *testing.T) {
	c := catalogOf()
	for i := range 400 {
		c.Routes = append(c.Routes, providers.Route{
			CustomerID: providers.Everyone, ProviderID: c.Providers[i%8].ID, Weight: i % 5,
			Target: []string{"+1", "+14", "+1415", providers.TargetAll}[i%4],
		}, providers.Route{
			CustomerID: alice, ProviderID: c.Providers[i%8].ID, Weight: 1, Target: fmt.Sprintf("+14%d", i),
		})
	}
	table := New(c)
	choices, bytes := make([]Choice, 0, 400), make([]byte, 0, 100)
	number, user := []byte("14155550100"), []byte("%2B1(415)555-0100;npdi")
	international := [][]byte{[]byte("00")}
	checks := map[string]func(){
		"Append":     func() { table.Append(choices, number, alice, 7) },
		"ParseUser":  func() { ParseUser(bytes, user, international) },
		"AppendUser": func() { AppendUser(bytes, "9#", user, "#", false) },
	}
	for name, do := range checks {
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

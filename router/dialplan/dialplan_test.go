package dialplan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

var (
	alice   = uuid.MustParse("a11ce000-0000-4000-8000-000000000001")
	epoch   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	carrier = func(name byte) uuid.UUID { return uuid.UUID{15: name} }
)

// rt is a route in a test's words: the provider is one letter.
type rt struct {
	customer uuid.UUID
	target   string
	provider byte
	priority int
	weight   int
	created  int // Seconds after epoch.
	id       byte
}

// catalogOf has the providers A to H and the given routes.
func catalogOf(routes ...rt) *providers.Catalog {
	c := &providers.Catalog{}
	for name := byte('A'); name <= 'H'; name++ {
		c.Providers = append(c.Providers, providers.Provider{ID: carrier(name), Name: string(name)})
	}
	for _, r := range routes {
		if r.customer == uuid.Nil {
			r.customer = providers.Everyone
		}
		c.Routes = append(c.Routes, providers.Route{
			ID:         uuid.UUID{15: r.id},
			CustomerID: r.customer,
			ProviderID: carrier(r.provider),
			Target:     r.target,
			Priority:   r.priority,
			Weight:     r.weight,
			TmCreate:   epoch.Add(time.Duration(r.created) * time.Second),
		})
	}
	return c
}

// names spells choices as the letters of their providers.
func names(c *providers.Catalog, choices []Choice) string {
	var s strings.Builder
	for _, ch := range choices {
		s.WriteString(c.Providers[ch.Provider].Name)
	}
	return s.String()
}

func TestAppendOrder(t *testing.T) {
	tests := []struct {
		name     string
		routes   []rt
		number   string
		customer uuid.UUID
		want     string
	}{
		{name: "no routes", number: "1555"},
		{name: "nothing matches", number: "1555", routes: []rt{{target: "+2", provider: 'A'}}},
		{name: "all matches any number", number: "1555", want: "A", routes: []rt{{target: "all", provider: 'A'}}},
		{name: "all matches no number", number: "", want: "A", routes: []rt{
			{target: "all", provider: 'A'}, {target: "+1", provider: 'B'},
		}},
		{name: "what is not digits matches all only", number: "155a", want: "A", routes: []rt{
			{target: "all", provider: 'A'}, {target: "+1", provider: 'B'},
		}},
		{name: "a target matches itself", number: "1555", want: "A", routes: []rt{{target: "+1555", provider: 'A'}}},
		{name: "a longer target does not", number: "155", routes: []rt{{target: "+1555", provider: 'A'}}},
		{name: "a target without plus is read as with", number: "1555", want: "A", routes: []rt{{target: "15", provider: 'A'}}},
		{name: "a zero is a digit", number: "0", want: "B", routes: []rt{
			{target: "+00", provider: 'A'}, {target: "+0", provider: 'B'},
		}},
		{name: "targets that are no targets", number: "1555", routes: []rt{
			{target: "", provider: 'A'},
			{target: "+", provider: 'A'},
			{target: "+1x", provider: 'A'},
			{target: "ALL", provider: 'A'},
			{target: "++1", provider: 'A'},
		}},
		{name: "longest first, all last, whatever the priority", number: "14155550100", want: "CBAD", routes: []rt{
			{target: "+1", provider: 'A', priority: 2},
			{target: "+1415", provider: 'B', priority: 3},
			{target: "+1415555", provider: 'C', priority: 4},
			{target: "all", provider: 'D', priority: 1},
			{target: "+1416", provider: 'E'},
			{target: "+2", provider: 'F'},
		}},
		{name: "lower priority first", number: "1", want: "BCA", routes: []rt{
			{target: "+1", provider: 'A', priority: 10},
			{target: "+1", provider: 'B', priority: -3},
			{target: "+1", provider: 'C', priority: 0},
		}},
		{name: "the customer's own before everyone's, whatever the target", number: "15", customer: alice, want: "BCA", routes: []rt{
			{target: "+15", provider: 'A'},
			{target: "all", provider: 'C', customer: alice},
			{target: "+1", provider: 'B', customer: alice},
		}},
		{name: "another customer's do not count", number: "15", customer: uuid.UUID{1}, want: "A", routes: []rt{
			{target: "+15", provider: 'A'}, {target: "+15", provider: 'B', customer: alice},
		}},
		{name: "no customer has everyone's", number: "15", want: "A", routes: []rt{
			{target: "+15", provider: 'A'}, {target: "+15", provider: 'B', customer: alice},
		}},
		{name: "everyone as customer", number: "15", customer: providers.Everyone, want: "A", routes: []rt{
			{target: "+15", provider: 'A'},
		}},
		{name: "a customer's own only", number: "15", customer: alice, want: "B", routes: []rt{
			{target: "+15", provider: 'B', customer: alice},
		}},
		{name: "a provider appears once, at its best place", number: "15", customer: alice, want: "BAC", routes: []rt{
			{target: "+15", provider: 'A'},
			{target: "+1", provider: 'B'},
			{target: "all", provider: 'C'},
			{target: "all", provider: 'A'},
			{target: "+1", provider: 'B', customer: alice},
			{target: "+1", provider: 'B', priority: 7},
		}},
		{name: "no weight: by creation, then id", number: "1", want: "CBDA", routes: []rt{
			{target: "+1", provider: 'A', created: 9, id: 1},
			{target: "+1", provider: 'B', created: 5, id: 7},
			{target: "+1", provider: 'C', created: 2, id: 9},
			{target: "+1", provider: 'D', created: 5, id: 8},
		}},
		{name: "no weight after weight", number: "1", want: "BACD", routes: []rt{
			{target: "+1", provider: 'A', created: 1},
			{target: "+1", provider: 'B', created: 9, weight: 1},
			{target: "+1", provider: 'C', created: 2, weight: -5},
			{target: "+1", provider: 'D', created: 3},
		}},
		{name: "targets longer than a key", number: "12345678901234567890123456789012345", want: "EDCBA", routes: []rt{
			{target: "+1", provider: 'A'},
			{target: "+1234567890123456", provider: 'B'},
			{target: "+12345678901234567", provider: 'C'},
			{target: "+12345678901234567890123456789012", provider: 'D'},
			{target: "+123456789012345678901234567890123", provider: 'E'},
			{target: "+12345678901234568", provider: 'F'},
			{target: "+12345678901234560000000000000000000", provider: 'G'},
		}},
		{name: "a long target beside shorter numbers", number: "1234567890123456", want: "A", routes: []rt{
			{target: "+123", provider: 'A'}, {target: "+12345678901234567", provider: 'C'},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := catalogOf(tt.routes...)
			got := names(c, New(c).Append(nil, []byte(tt.number), tt.customer, 1))
			if got != tt.want {
				t.Errorf("Append(%q) = %q, want %q", tt.number, got, tt.want)
			}
		})
	}
}

func TestAppendNamesTheRoute(t *testing.T) {
	c := catalogOf(
		rt{target: "all", provider: 'A'},
		rt{target: "+1", provider: 'B', priority: 2},
		rt{target: "+1", provider: 'C', priority: 1},
	)
	got := New(c).Append([]Choice{{Provider: 0, Route: Listed}}, []byte("1"), uuid.Nil, 1)
	want := []Choice{{0, Listed}, {2, 2}, {1, 1}, {0, 0}}
	if !slices.Equal(got, want) {
		t.Errorf("Append = %v, want %v", got, want)
	}
}

func TestDangling(t *testing.T) {
	c := catalogOf(
		rt{target: "+1", provider: 'Z'},
		rt{target: "+1", provider: 'A'},
		rt{target: "+1", provider: 'B'},
		rt{target: "+1", provider: 'Z'},
	)
	c.Providers[0].TmDelete = epoch
	c.Routes[3].TmDelete = epoch // Gone itself: nobody misses its provider.
	table := New(c)
	if got, want := table.Dangling(), []int32{0, 1}; !slices.Equal(got, want) {
		t.Errorf("Dangling() = %v, want %v", got, want)
	}
	if got := names(c, table.Append(nil, []byte("1"), uuid.Nil, 1)); got != "B" {
		t.Errorf("Append = %q, want B", got)
	}
}

func TestManyCustomers(t *testing.T) {
	const n = 1000
	c := catalogOf()
	customer := func(i int) uuid.UUID { return uuid.UUID{1: byte(i), 15: byte(i >> 8), 8: 1} }
	for i := range n {
		c.Routes = append(c.Routes, providers.Route{CustomerID: customer(i), ProviderID: c.Providers[i%8].ID, Target: "+1"})
	}
	table := New(c)
	for i := range 2 * n {
		want := ""
		if i < n {
			want = c.Providers[i%8].Name
		}
		if got := names(c, table.Append(nil, []byte("1"), customer(i), 1)); got != want {
			t.Fatalf("customer %d has %q, want %q", i, got, want)
		}
	}
}

func TestAppendIsPure(t *testing.T) {
	var routes []rt
	for p := byte('A'); p <= 'H'; p++ {
		routes = append(routes, rt{target: "+1", provider: p, weight: 1})
	}
	table := New(catalogOf(routes...))
	first := table.Append(nil, []byte("1"), uuid.Nil, 42)
	differs := false
	for seed := range uint64(100) {
		if got := table.Append(nil, []byte("1"), uuid.Nil, 42); !slices.Equal(got, first) {
			t.Fatalf("seed 42 gave %v and %v", first, got)
		}
		differs = differs || !slices.Equal(first, table.Append(nil, []byte("1"), uuid.Nil, seed))
	}
	if !differs {
		t.Error("100 seeds gave the same order")
	}
}

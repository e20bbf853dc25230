package providers_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// TestDraftKeepsOrder makes changes by chance: what was replaced stays in its place, what was deleted is gone, and what
// is new comes behind, in the order in which it came.
func TestDraftKeepsOrder(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(1, 2))
	c := providers.NewCatalog("0", nil, nil)
	for round := range 300 {
		d := providers.NewDraft(c, time.Unix(int64(round), 0))
		var want []string // Names.
		for i := range c.Providers {
			want = append(want, c.Providers[i].Name)
		}
		var made []string
		for i := range chance.IntN(6) {
			switch all := append(slices.Clone(want), made...); {
			case len(all) == 0 || chance.IntN(3) == 0:
				name := fmt.Sprintf("p%d-%d", round, i)
				if _, err := d.CreateProvider(providers.Provider{Type: "sip", Name: name, Hostname: "h.example"}); err != nil {
					t.Fatal(err)
				}
				made = append(made, name)
			default:
				name := all[chance.IntN(len(all))]
				p, err := d.ProviderNamed(name)
				if err != nil {
					t.Fatal(err)
				}
				if chance.IntN(2) == 0 {
					p.Detail = fmt.Sprint(round)
					_, err = d.ReplaceProvider(*p)
				} else {
					_, err = d.DeleteProvider(p.ID)
					gone := func(n string) bool { return n == name }
					want, made = slices.DeleteFunc(want, gone), slices.DeleteFunc(made, gone)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		next := d.Catalog(fmt.Sprint(round + 1))
		want = append(want, made...)
		for i := range next.Providers {
			if i >= len(want) || next.Providers[i].Name != want[i] {
				t.Fatalf("round %d: %d is %s, want %q", round, i, next.Providers[i].Name, want)
			}
			if got := next.ProviderNamed(want[i]); got != &next.Providers[i] || next.Provider(got.ID) != got {
				t.Fatalf("round %d: %s is found in another place", round, want[i])
			}
		}
		if len(next.Providers) != len(want) {
			t.Fatalf("round %d: %d providers, want %q", round, len(next.Providers), want)
		}
		c = next
	}
}

// TestDraftSharesLists holds that a list in which nothing changed is not copied, and one in which something did is.
func TestDraftSharesLists(t *testing.T) {
	t.Parallel()
	p := providers.Provider{ID: uuid.New(), Type: "sip", Name: "a", Hostname: "h.example"}
	r := providers.Route{ID: uuid.New(), ProviderID: p.ID, CustomerID: providers.Everyone, Target: "+1", Weight: 100}
	c := providers.NewCatalog("1", []providers.Provider{p}, []providers.Route{r})
	d := providers.NewDraft(c, time.Unix(1, 0))
	p.Detail = "changed"
	if _, err := d.ReplaceProvider(p); err != nil {
		t.Fatal(err)
	}
	next := d.Catalog("2")
	if &next.Routes[0] != &c.Routes[0] || next.Route(r.ID) != &c.Routes[0] {
		t.Error("the routes were copied")
	}
	if &next.Providers[0] == &c.Providers[0] || c.Providers[0].Detail != "" || next.Provider(p.ID).Detail != "changed" {
		t.Error("the catalog that is in force was changed")
	}
}

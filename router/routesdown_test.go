package router

import (
	"testing"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/transport"
)

func TestRoutesDown(t *testing.T) {
	all := make([]providers.Provider, 4)
	reg := health.NewRegistry()
	snap := &snapshot{byID: make(map[uuid.UUID]int32), providers: make([]provider, len(all))}
	for i := range all {
		all[i].ID, all[i].Enabled = uuid.New(), true
		snap.providers[i] = provider{Provider: &all[i], state: reg.State(all[i].ID), hops: make([]transport.Flow, 1)}
		snap.byID[all[i].ID] = int32(i)
	}
	other := uuid.New()
	route := func(customer uuid.UUID, target string, provider int) providers.Route {
		return providers.Route{CustomerID: customer, Target: target, ProviderID: all[provider].ID}
	}
	gone := route(providers.Everyone, "+9", 0)
	gone.TmDelete = gone.TmDelete.AddDate(2000, 0, 0)
	snap.catalog = &providers.Catalog{Routes: []providers.Route{
		route(providers.Everyone, "+1", 0), route(providers.Everyone, "+1", 1), route(other, "+1", 0), route(other, "all", 2),
		route(providers.Everyone, "+3", 3), gone,
		{CustomerID: other, Target: "+7", ProviderID: uuid.New()},
	}}
	s := &standing{}
	step := func(what string, want int) {
		t.Helper()
		if got := s.routesDown(snap, 1); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	step("all is well", 0)
	snap.providers[0].state.Probed(1, false)
	step("one of two, and the only one of another", 1)
	snap.providers[1].state.Probed(1, false)
	step("two of two", 2)
	snap.providers[2].hops = nil
	step("no address", 3)
	all[3].Enabled = false
	step("disabled by hand", 3)
	all[1].Enabled = false
	step("one down, one disabled", 3)
	snap.providers[0].state.Probed(2, true)
	step("well again", 1)
	if n := testing.AllocsPerRun(10, func() { s.routesDown(snap, 3) }); n != 0 {
		t.Errorf("%v allocations a scrape", n)
	}
	snap = &snapshot{catalog: &providers.Catalog{}}
	step("another catalog", 0)
}

package router

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/transport"
)

// qualitySnapshot has a provider for each letter, and a route to each. A letter's priority is what stands behind it.
func qualitySnapshot(routes string) *snapshot {
	cat := new(providers.Catalog)
	s := &snapshot{catalog: cat, health: health.NewRegistry(), quality: health.Quality{MinSamples: 50, Margin: 0.05}}
	for i, r := range strings.Fields(routes) {
		id := uuid.UUID{0: byte(i + 1), 15: 1}
		cat.Providers = append(cat.Providers, providers.Provider{ID: id, Name: r[:1], Enabled: true})
		cat.Routes = append(cat.Routes, providers.Route{
			ID: uuid.UUID{1: byte(i)}, CustomerID: providers.Everyone, ProviderID: id, Target: "+1", Priority: int(r[1]), Weight: 1,
		})
	}
	s.providers = make([]provider, len(cat.Providers))
	for i := range s.providers {
		p := &s.providers[i]
		p.Provider, p.state = &cat.Providers[i], s.health.State(cat.Providers[i].ID)
		p.hops = []transport.Flow{{Remote: netip.MustParseAddrPort("127.0.0.1:5060")}}
	}
	s.table = dialplan.New(cat)
	return s
}

// call counts a call of a provider to +1.
func (s *snapshot) call(now int64, provider int32, good bool) {
	o := health.Ailing
	if good {
		o = health.Answered
	}
	s.health.Destination(now, s.providers[provider].ID, "+1").Count(now, o, 0)
}

func (s *snapshot) spell(plan []dialplan.Choice) string {
	text := ""
	for _, ch := range plan {
		text += s.providers[ch.Provider].Name
	}
	return text
}

func TestPrefer(t *testing.T) {
	const now = int64(time.Hour)
	all := func(s *snapshot) []dialplan.Choice {
		var plan []dialplan.Choice
		for i := range s.providers {
			plan = append(plan, dialplan.Choice{Provider: int32(i), Route: int32(i)})
		}
		return plan
	}
	for _, tt := range []struct {
		name, routes string
		good         map[string]int // Of a hundred calls.
		prepare      func(*snapshot)
		want         string
	}{
		{name: "nothing is known", routes: "a1 b1 c1", want: "abc"},
		{name: "all are good", routes: "a1 b1 c1", good: map[string]int{"a": 97, "b": 99, "c": 98}, want: "abc"},
		{name: "one is bad", routes: "a1 b1 c1", good: map[string]int{"a": 60, "b": 99, "c": 98}, want: "bca"},
		{name: "two are bad, the worst last", routes: "a1 b1 c1", good: map[string]int{"a": 20, "b": 60, "c": 98}, want: "cba"},
		{name: "one is bad, nothing is known of the others", routes: "a1 b1 c1", good: map[string]int{"a": 20}, want: "abc"},
		{name: "another priority is none of its business", routes: "a1 b2 c2", good: map[string]int{"a": 20, "b": 50, "c": 99}, want: "acb"},
		{name: "the best one is down", routes: "a1 b1", good: map[string]int{"a": 20, "b": 99}, want: "ab", prepare: func(s *snapshot) {
			s.providers[1].state.Probed(now, false)
		}},
		{name: "the best one is disabled", routes: "a1 b1", good: map[string]int{"a": 20, "b": 99}, want: "ab", prepare: func(s *snapshot) {
			s.catalog.Providers[1].Enabled = false
		}},
		{name: "it is off", routes: "a1 b1", good: map[string]int{"a": 20, "b": 99}, want: "ab", prepare: func(s *snapshot) {
			s.quality.MinSamples = 0
		}},
		{name: "too few calls", routes: "a1 b1", good: map[string]int{"a": 20, "b": 99}, want: "ab", prepare: func(s *snapshot) {
			s.quality.MinSamples = 101
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := qualitySnapshot(tt.routes)
			for name, good := range tt.good {
				for i := range 100 {
					s.call(now, int32(strings.Index("abc", name)), i < good)
				}
			}
			if tt.prepare != nil {
				tt.prepare(s)
			}
			plan := all(s)
			prefer(plan, s, now, noTest)
			if got := s.spell(plan); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	t.Run("a list of the request's stands", func(t *testing.T) {
		s := qualitySnapshot("a1 b1")
		for i := range 100 {
			s.call(now, 0, i < 20)
			s.call(now, 1, true)
		}
		plan := []dialplan.Choice{{Provider: 0, Route: dialplan.Listed}, {Provider: 1, Route: dialplan.Listed}}
		if prefer(plan, s, now, noTest); s.spell(plan) != "ab" {
			t.Errorf("%s, want ab", s.spell(plan))
		}
	})
}

// TestQualityOverTime sends ten calls a second to two providers of equal weight, one of which turns bad after ten
// minutes and good again ten minutes later: it has half of the calls, then a trickle, then half again.
func TestQualityOverTime(t *testing.T) {
	s := qualitySnapshot("a1 b1")
	rng := rand.New(rand.NewPCG(5, 6))
	first := map[int]int{} // Of b, by minute.
	var plan []dialplan.Choice
	for i := range 30 * 60 * 10 {
		now := int64(time.Hour) + int64(i)*int64(100*time.Millisecond)
		minute := i / 600
		plan = s.table.Append(plan[:0], []byte("1555"), providers.Everyone, rng.Uint64())
		prefer(plan, s, now, (*health.Series).Test)
		if len(plan) != 2 {
			t.Fatalf("a plan of %d", len(plan))
		}
		share := 0.99
		if plan[0].Provider == 1 {
			first[minute]++
			if minute >= 10 && minute < 20 {
				share = 0.3
			}
		}
		s.call(now, plan[0].Provider, rng.Float64() < share)
	}
	for minute, want := range map[int][2]int{
		5: {250, 350}, 9: {250, 350}, // Half.
		15: {9, 20}, 18: {9, 20}, // A test each five seconds, for half of which the weights had it first.
		27: {250, 350}, 29: {250, 350},
	} {
		if got := first[minute]; got < want[0] || got > want[1] {
			t.Errorf("minute %d: b has %d of 600 calls, want %v", minute, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { prefer(plan, s, int64(2*time.Hour), (*health.Series).Test) }); n != 0 {
		t.Errorf("%v allocations a plan", n)
	}
}

package router

import (
	"fmt"

	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
)

// Where the configuration asks for it, providers of equal priority whose calls fail more often for certain go behind
// the others of that priority, the worst last. Calls to the same target are compared, of the last five minutes. Now and
// then a call tests one of them in the place that the weights gave it, so that it comes back when it is better.

// tests says whether a call may test a provider, and does so.
type tests func(s *health.Series, now int64, q health.Quality) bool

func noTest(*health.Series, int64, health.Quality) bool { return false }

func testDue(s *health.Series, now int64, _ health.Quality) bool { return s.TestDue(now) }

// prefer orders each run of equal routes in a plan.
func prefer(plan []dialplan.Choice, s *snapshot, now int64, test tests) {
	if s.quality.MinSamples <= 0 {
		return
	}
	for len(plan) > 1 {
		n := 1
		for n < len(plan) && s.equals(plan[0], plan[n]) {
			n++
		}
		if n > 1 {
			s.preferRun(plan[:n], now, test)
		}
		plan = plan[n:]
	}
}

// equals says whether only weights are between two choices.
func (s *snapshot) equals(a, b dialplan.Choice) bool {
	if a.Route < 0 || b.Route < 0 {
		return false
	}
	x, y := &s.catalog.Routes[a.Route], &s.catalog.Routes[b.Route]
	return x.Priority == y.Priority && x.Target == y.Target && x.CustomerID == y.CustomerID
}

func (s *snapshot) preferRun(run []dialplan.Choice, now int64, test tests) {
	best, ok := s.bestOf(run, now)
	if !ok {
		return
	}
	good := 0
	for i, ch := range run {
		if score, known := s.score(ch, now); known && s.quality.Behind(score, best) {
			if i > 0 || !test(&s.calls(ch).Series, now, s.quality) {
				continue
			}
		}
		copy(run[good+1:i+1], run[good:i])
		run[good] = ch
		good++
	}
	for i := good + 1; i < len(run); i++ { // Those that go behind: few.
		for j := i; j > good && s.low(run[j], now) > s.low(run[j-1], now); j-- {
			run[j], run[j-1] = run[j-1], run[j]
		}
	}
}

// bestOf is the best score of those that can take a call.
func (s *snapshot) bestOf(run []dialplan.Choice, now int64) (best health.Score, ok bool) {
	for _, ch := range run {
		p := &s.providers[ch.Provider]
		if p.behind(now) || p.skip() != skipNone {
			continue
		}
		if score, known := s.score(ch, now); known && score.Low > best.Low {
			best, ok = score, true
		}
	}
	return best, ok
}

// calls has those that a choice is judged by, nil for none.
func (s *snapshot) calls(ch dialplan.Choice) *health.Destination {
	return s.health.Known(s.providers[ch.Provider].ID, s.catalog.Routes[ch.Route].Target)
}

func (s *snapshot) score(ch dialplan.Choice, now int64) (health.Score, bool) {
	calls := s.calls(ch)
	if calls == nil {
		return health.Score{}, false
	}
	return calls.Score(now, s.quality)
}

func (s *snapshot) low(ch dialplan.Choice, now int64) float32 {
	score, _ := s.score(ch, now)
	return score.Low
}

// merit says what the quality of a choice has to do with its place in an ordered plan.
func (s *snapshot) merit(plan []dialplan.Choice, i int, now int64) string {
	if s.quality.MinSamples <= 0 || plan[i].Route < 0 {
		return ""
	}
	first, end := i, i+1
	for first > 0 && s.equals(plan[first-1], plan[i]) {
		first--
	}
	for end < len(plan) && s.equals(plan[end], plan[i]) {
		end++
	}
	best, ok := s.bestOf(plan[first:end], now)
	score, known := s.score(plan[i], now)
	if !ok || !known || !s.quality.Behind(score, best) {
		return ""
	}
	place := "behind others of its priority"
	if i == first {
		place = "in its place to test it once"
	}
	return fmt.Sprintf("; %s: at most %.0f%% of its calls get through, of the best one's at least %.0f%%", place, score.High*100, best.Low*100)
}

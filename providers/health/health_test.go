package health_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers/health"
)

const second = int64(time.Second)

func TestStatesLiveOn(t *testing.T) {
	r := health.NewRegistry()
	a, b := uuid.New(), uuid.New()
	s := r.State(a)
	s.Rest(second, time.Minute)
	if r.State(a) != s || r.State(b) == s {
		t.Error("a state is not its provider's")
	}
	r.Keep(map[uuid.UUID]int32{a: 0})
	if r.State(a) != s {
		t.Error("a provider that stays lost its state")
	}
	r.Keep(nil)
	if r.State(a) == s {
		t.Error("a provider that went kept its state")
	}
}

func TestRest(t *testing.T) {
	var s health.State
	s.Rest(second, 10*time.Second)
	s.Rest(second, time.Second) // A shorter one does not cut it.
	if d := s.Resting(2 * second); d != 9*time.Second {
		t.Errorf("rests for %v more, want 9s", d)
	}
	if d := s.Resting(11 * second); d != 0 {
		t.Errorf("rests for %v more, want 0", d)
	}
	s.Rest(second, 1000*time.Hour)
	if d := s.Resting(second); d != health.MaxRest {
		t.Errorf("rests for %v, want %v at most", d, health.MaxRest)
	}
	s.PreferDatagrams(second)
	if !s.DatagramsOnly(2*second) || s.DatagramsOnly(3600*second) {
		t.Error("TCP is not tried again after a while, or at once")
	}
}

func TestCallLimit(t *testing.T) {
	var s health.State
	now := 5 * second
	enter := func(want health.Refusal) {
		t.Helper()
		if got := s.Would(now, 2, 0); got != want {
			t.Errorf("would: %v, want %v", got, want)
		}
		if got := s.Enter(now, 2, 0); got != want {
			t.Errorf("enter: %v, want %v", got, want)
		}
	}
	enter(health.Room)
	enter(health.Room)
	enter(health.CallsInUse)
	s.Leave()
	enter(health.Room)
	s.Establish(now, health.Call{1})
	s.Establish(now, health.Call{2})
	enter(health.CallsInUse)
	s.End(health.Call{1})
	s.End(health.Call{1})
	s.End(health.Call{7})
	enter(health.Room)
	enter(health.CallsInUse)
	s.Leave()
	s.Leave() // One too many does no harm.
	s.Refresh(now, health.Call{2}, 90*time.Second)
	s.Refresh(now, health.Call{9}, 90*time.Second)
	if n := s.Calls(now); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	now += 91 * second
	if n := s.Calls(now); n != 0 {
		t.Errorf("%d calls after the session timer, want 0", n)
	}
	s.Establish(now, health.Call{3})
	now += int64(health.MaxCall)
	if n := s.Calls(now); n != 0 {
		t.Errorf("%d calls after the longest time, want 0", n)
	}
}

func TestRateLimit(t *testing.T) {
	for _, cps := range []float64{0.5, 1, 3, 100} {
		var s health.State
		taken := 0
		for ms := range int64(20_000) {
			at := second + ms*int64(time.Millisecond)
			would := s.Would(at, 0, cps)
			if got := s.Enter(at, 0, cps); got != would {
				t.Fatalf("%v a second, after %d ms: %v, and was to be %v", cps, ms, got, would)
			} else if got == health.Room {
				taken++
			}
		}
		if want := int(20*cps + max(1, cps)); taken < want-2 || taken > want+1 {
			t.Errorf("%v a second: %d in 20 s, want about %d", cps, taken, want)
		}
	}
	var s health.State
	if s.Enter(second, 0, 0) != health.Room || s.Calls(second) != 0 {
		t.Error("a provider without limits is counted")
	}
}

// TestUndo gives back what was taken for calls that were not sent: their rate is for others.
func TestUndo(t *testing.T) {
	var s health.State
	for range 50 {
		if got := s.Enter(second, 1, 2); got != health.Room {
			t.Fatalf("not given back: %v", got)
		}
		s.Undo(1, 2)
	}
	for i := range 2 {
		if got := s.Enter(second, 0, 2); got != health.Room {
			t.Errorf("call %d: %v", i, got)
		}
	}
	if got := s.Enter(second, 0, 2); got != health.RateReached {
		t.Errorf("a third call in a second: %v", got)
	}
	s.Undo(0, 0)
	if n := s.Calls(second); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// TestLimitsAndTime has the clock jump and the limits change: neither keeps calls away for longer than a second, and
// calls without a place of their own are counted and forgotten as others.
func TestLimitsAndTime(t *testing.T) {
	var s health.State
	hour := 3600 * second
	s.Enter(2*hour, 0, 1)
	if got := s.Enter(hour, 0, 1); got != health.Room {
		t.Errorf("an hour back: %v", got)
	}
	s.Enter(hour+2*second, 0, 0.01)
	if got := s.Enter(hour+2*second, 0, 10); got != health.Room {
		t.Errorf("after the rate was raised: %v", got)
	}

	s.Add(2*hour, health.Call{1})
	s.Refresh(2*hour, health.Call{1}, time.Minute)
	if s.Calls(2*hour) != 1 || s.Would(2*hour, 1, 0) != health.CallsInUse {
		t.Error("a call that took no place before is not counted")
	}
	s.Refresh(hour, health.Call{1}, time.Minute)
	if n := s.Calls(hour + 100*second); n != 0 {
		t.Errorf("%d calls once the clock went back and the session is over", n)
	}
	s.Enter(hour, 5, 0)
	s.Add(hour, health.Call{2})
	s.Vacate()
	if n := s.Calls(hour); n != 0 {
		t.Errorf("%d calls after all places were given back", n)
	}
}

func TestPlacesConcurrently(t *testing.T) {
	var s health.State
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				if s.Enter(second, 3, 0) != health.Room {
					continue
				}
				c := health.Call{uint64(g), uint64(i)}
				if i%2 == 0 {
					s.Leave()
					continue
				}
				s.Establish(second, c)
				s.End(c)
			}
		})
	}
	wg.Wait()
	if n := s.Calls(second); n != 0 {
		t.Errorf("%d places lost", n)
	}
}

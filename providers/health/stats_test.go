package health_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers/health"
)

func TestFigures(t *testing.T) {
	var s health.Series
	counts := map[health.Outcome]int{
		health.Answered: 7, health.Busy: 2, health.NoAnswer: 3, health.Rejected: 1, health.HungUp: 4, health.NotFound: 5, health.Moved: 6,
		health.Ailing: 8,
	}
	for o, n := range counts {
		for range n {
			s.Count(at(0), o, 0)
		}
	}
	f := s.Read(at(1), health.Minutes5)
	for o, n := range counts {
		if f.Outcomes[o] != uint64(n) {
			t.Errorf("%v: %d, want %d", o, f.Outcomes[o], n)
		}
	}
	if f.Attempts() != 36 || f.Effective() != 17 {
		t.Errorf("%d attempts, %d of them effective, want 36 and 17", f.Attempts(), f.Effective())
	}
	if asr, ok := f.ASR(); !ok || asr != 7./30 {
		t.Errorf("ASR %v %v, want 7 of 30", asr, ok)
	}
	if ner, ok := f.NER(); !ok || ner != 17./25 {
		t.Errorf("NER %v %v, want 17 of 25", ner, ok)
	}
	if _, ok := f.ACD(); ok {
		t.Error("an average duration of no calls")
	}
	if _, ok := f.PDD(0.5); ok {
		t.Error("a post-dial delay without an 18x")
	}
	// What blames nobody alone makes no ratio of it.
	var none health.Series
	none.Count(at(0), health.NotFound, 0)
	f = none.Read(at(0), health.Hour1)
	if _, ok := f.NER(); ok {
		t.Error("a number that nobody has made a network effective, or not")
	}
	if asr, ok := f.ASR(); !ok || asr != 0 {
		t.Errorf("ASR %v %v, want 0", asr, ok)
	}
}

// TestWindows counts one call each second for two hours and looks at the windows all along: never less than what they
// are named for, never more than a bucket above it.
func TestWindows(t *testing.T) {
	var s health.Series
	for sec := range 7200 {
		now := at(float64(sec))
		s.Count(now, health.Answered, 0)
		for window, slack := range map[time.Duration]int{health.Minutes5: 30, health.Hour1: 0} {
			f := s.Read(now, window)
			got, want := int(f.Attempts()), min(sec+1, int(window/time.Second))
			low := want
			if window == health.Hour1 && sec >= 3300 {
				low -= 300
				slack = 60
			}
			if got < low || got > want+slack {
				t.Fatalf("after %d s: %d calls in %v, want %d to %d", sec, got, window, low, want+slack)
			}
		}
	}
}

// TestIdleDecays checks that a window is empty when its time has passed, however long nothing was counted.
func TestIdleDecays(t *testing.T) {
	for _, idle := range []time.Duration{0, 4 * time.Minute, 6 * time.Minute, 59 * time.Minute, 66 * time.Minute, 24 * time.Hour} {
		var s health.Series
		for sec := range 400 {
			s.Count(at(float64(sec)), health.Busy, 0)
		}
		now := at(400) + int64(idle)
		short, long := s.Read(now, health.Minutes5), s.Read(now, health.Hour1)
		if got := short.Attempts() > 0; got != (idle < health.Minutes5) {
			t.Errorf("idle for %v: %d calls in five minutes", idle, short.Attempts())
		}
		if got := long.Attempts() > 0; got != (idle < health.Hour1) {
			t.Errorf("idle for %v: %d calls in an hour", idle, long.Attempts())
		}
		s.Count(now, health.Busy, 0) // What was idle counts on, whatever still stands in its buckets.
		if short = s.Read(now, health.Minutes5); short.Attempts() == 0 || idle > time.Hour && short.Attempts() != 1 {
			t.Errorf("idle for %v: %d calls after one", idle, short.Attempts())
		}
	}
}

// TestJumps has the clock jump by anything, forward and back: figures stay within what was counted, and are right when
// the clock has gone on steadily for the length of a window.
func TestJumps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s health.Series
		counted := uint64(0)
		for range 50 {
			now := at(0) + rng.Int64N(int64(5*time.Hour))
			for range rng.IntN(20) {
				s.Count(now, health.Answered, int64(time.Second))
				counted++
			}
			if f := s.Read(now, health.Hour1); f.Attempts() > counted || f.Rang() > counted {
				t.Fatalf("%d calls where %d were counted", f.Attempts(), counted)
			}
		}
		now := at(10 * 3600)
		for sec := range 330 {
			s.Count(now+int64(sec)*second, health.Answered, 0)
		}
		if f := s.Read(now+329*second, health.Minutes5); f.Attempts() < 300 || f.Attempts() > 330 {
			t.Fatalf("%d calls in five minutes of one a second", f.Attempts())
		}
	}
}

// TestOldDoesNotReplaceNewer puts a bucket that was left from an hour ago among the older ones after a newer one took its
// place there; and looks from before all that was counted.
func TestOldDoesNotReplaceNewer(t *testing.T) {
	var s health.Series
	for _, sec := range []float64{0, 3990, 4350, 4680} {
		s.Count(at(sec), health.Answered, 0)
	}
	if f := s.Read(at(4690), health.Hour1); f.Attempts() != 3 {
		t.Errorf("%d calls, want the 3 of this hour", f.Attempts())
	}
	if f := s.Read(at(-3600), health.Hour1); f.Attempts() != 0 {
		t.Errorf("%d calls before any", f.Attempts())
	}
}

func TestAmend(t *testing.T) {
	var s health.Series
	s.Count(at(29), health.Ailing, 0)
	s.Amend(at(31), health.Ailing, health.Answered) // In another bucket.
	f := s.Read(at(40), health.Minutes5)
	if f.Attempts() != 1 || f.Outcomes[health.Answered] != 1 {
		t.Errorf("%v, want one answered", f.Outcomes)
	}
	f = s.Read(at(29+5*60+30), health.Minutes5)
	if f.Attempts() != 1 || f.Outcomes[health.Ailing] != 0 {
		t.Errorf("%v when what was amended has left the window, want one answered", f.Outcomes)
	}
	if f = s.Read(at(1800), health.Hour1); f.Attempts() != 1 {
		t.Errorf("%v later, want one answered", f.Outcomes)
	}
}

// TestPDD compares quantiles of many values with the exact ones.
func TestPDD(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, scale := range []float64{5, 100, 3000, 60_000} {
		var s health.Series
		values := make([]float64, 5000)
		for i := range values {
			values[i] = scale * (0.3 + rng.ExpFloat64()/2)
			s.Count(at(0), health.Answered, int64(values[i]*float64(time.Millisecond)))
		}
		slices.Sort(values)
		f := s.Read(at(0), health.Minutes5)
		for _, q := range []float64{0.05, 0.5, 0.95} {
			want := values[int(q*float64(len(values)))]
			got, ok := f.PDD(q)
			if ms := got.Seconds() * 1000; !ok || math.Abs(ms-want) > max(want/8, 1) {
				t.Errorf("scale %v ms, quantile %v: %v ms, want %v", scale, q, ms, want)
			}
		}
	}
	var s health.Series
	s.Count(at(0), health.Answered, 1) // Less than a millisecond is some.
	s.Count(at(0), health.Answered, math.MaxInt64)
	s.Count(at(0), health.Busy, 0)
	if f := s.Read(at(0), health.Minutes5); f.Rang() != 2 {
		t.Errorf("%d rang, want 2", f.Rang())
	} else if top, _ := f.PDD(1); top < 100*time.Second || top > 140*time.Second {
		t.Errorf("the longest is %v", top)
	}
}

// TestCountConcurrently counts from several goroutines over the turns of buckets: nothing is lost.
func TestCountConcurrently(t *testing.T) {
	var s health.Series
	var wg sync.WaitGroup
	const each = 20_000
	for range 4 {
		wg.Go(func() {
			for i := range each {
				s.Count(at(float64(i)/100), health.Answered, second)
			}
		})
	}
	wg.Wait()
	if f := s.Read(at(each/100), health.Minutes5); f.Attempts() != 4*each || f.Rang() != 4*each {
		t.Errorf("%d attempts, %d rang, want %d", f.Attempts(), f.Rang(), 4*each)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	r := health.NewRegistry()
	id := uuid.New()
	s := r.State(id)
	call := uint64(0)
	now := at(0)
	if n := testing.AllocsPerRun(10_000, func() {
		call++
		d := r.Destination(now, id, "+1555")
		s.Heard(now, now)
		s.Served(now, now)
		s.Stats().Count(now, health.Answered, second)
		d.Count(now, health.Answered, second)
		r.Answered(now, health.Call{call}, s, d)
		r.HungUp(now+second, health.Call{call})
		if s.Down(now) || s.Resting(now) > 0 {
			t.Fatal("a provider that is well is not")
		}
	}); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

// TestDestinationsAreBounded counts for more targets than there is room for, and for others when those are idle.
func TestDestinationsAreBounded(t *testing.T) {
	r := health.NewRegistry()
	id := uuid.New()
	target := func(i int) string { return "+" + string(rune('1'+i%9)) + time.Duration(i).String() }
	kept := 0
	for i := range 3 * health.MaxDestinations {
		if d := r.Destination(at(0), id, target(i)); d != nil {
			d.Count(at(0), health.Answered, 0)
			kept++
			if again := r.Destination(at(1), id, target(i)); again != d {
				t.Fatal("a destination has two series")
			}
		}
	}
	if kept > health.MaxDestinations || kept < health.MaxDestinations*9/10 {
		t.Errorf("%d destinations are kept, want up to %d", kept, health.MaxDestinations)
	}
	if got := len(r.Destinations(at(0), id)); got != kept {
		t.Errorf("%d destinations are told, %d were kept", got, kept)
	}
	if r.WithoutDestination() == 0 {
		t.Error("what found no room was not counted")
	}
	if got := len(r.Destinations(at(2*3600), id)); got != 0 {
		t.Errorf("%d destinations are told after two idle hours", got)
	}
	before, other := r.WithoutDestination(), uuid.New()
	for i := range health.MaxDestinations / 2 {
		if d := r.Destination(at(2*3600), other, target(i)); d != nil {
			d.Count(at(2*3600), health.Answered, 0)
		}
	}
	if n := r.WithoutDestination() - before; n > health.MaxDestinations/50 { // Where many keys share a few places.
		t.Errorf("idle destinations make no room for %d", n)
	}
}

func TestTalk(t *testing.T) {
	r := health.NewRegistry()
	s, other := r.State(uuid.New()), r.State(uuid.New())
	d := r.Destination(at(0), uuid.New(), "+1")
	r.Answered(at(0), health.Call{1}, s, d)
	r.Answered(at(0), health.Call{2}, s, nil)
	r.Answered(at(0), health.Call{3}, other, nil)
	r.HungUp(at(10), health.Call{1})
	r.HungUp(at(11), health.Call{1}) // The other side's BYE, or a copy.
	r.HungUp(at(20), health.Call{2})
	r.HungUp(at(20), health.Call{9}) // Answered before we began, or by another node.
	f := s.Stats().Read(at(30), health.Minutes5)
	if acd, ok := f.ACD(); !ok || acd != 15*time.Second || f.Measured != 2 {
		t.Errorf("average %v of %d, want 15s of 2", acd, f.Measured)
	}
	f = d.Read(at(30), health.Minutes5)
	if acd, _ := f.ACD(); acd != 10*time.Second || f.Measured != 1 {
		t.Errorf("destination: average %v of %d, want 10s of 1", acd, f.Measured)
	}
	if f = other.Stats().Read(at(30), health.Minutes5); f.Measured != 0 {
		t.Error("a call that goes on has a length")
	}
}

// TestTalksAreBounded has more calls up than there is room for: some are measured, rightly, and when calls never end
// their places are used again after the longest time.
func TestTalksAreBounded(t *testing.T) {
	r := health.NewRegistry()
	s := r.State(uuid.New())
	calls := make([]health.Call, 100_000)
	for i := range calls {
		calls[i] = health.Call{rand.Uint64()}
		r.Answered(at(0), calls[i], s, nil)
	}
	for _, c := range calls[:8000] {
		r.HungUp(at(60), c)
	}
	f := s.Stats().Read(at(60), health.Minutes5)
	if acd, _ := f.ACD(); acd != time.Minute || f.Measured < 5000 {
		t.Errorf("average %v of %d", acd, f.Measured)
	}
	later := at(0) + int64(health.MaxCall)
	for i := range calls {
		calls[i] = health.Call{rand.Uint64()}
		r.Answered(later, calls[i], s, nil)
	}
	for _, c := range calls {
		r.HungUp(later+second, c)
	}
	if f = s.Stats().Read(later+second, health.Minutes5); f.Measured < 14_000 {
		t.Errorf("%d calls measured after those that never ended", f.Measured)
	}
}

func TestTalkConcurrently(t *testing.T) {
	r := health.NewRegistry()
	s := r.State(uuid.New())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range uint64(5000) {
				c := health.Call{i%64 + 1} // The same keys from all sides.
				if (i+uint64(g))%2 == 0 {
					r.Answered(at(0), c, s, nil)
				} else {
					r.HungUp(at(1), c)
				}
			}
		})
	}
	wg.Wait()
	f := s.Stats().Read(at(1), health.Minutes5)
	if acd, ok := f.ACD(); ok && acd != time.Second {
		t.Errorf("average %v of %d, want a second", acd, f.Measured)
	}
}

func TestReport(t *testing.T) {
	r := health.NewRegistry()
	id := uuid.New()
	if got := r.Report(at(0), id); got.Windows.Hour1.Attempts() != 0 || got.Destinations != nil {
		t.Errorf("%+v of a provider that nobody asked for", got)
	}
	s := r.State(id)
	for i, target := range []string{"+44", "+1", "all"} {
		for range i + 1 {
			s.Stats().Count(at(0), health.Answered, 0)
			r.Destination(at(0), id, target).Count(at(0), health.Answered, 0)
		}
	}
	r.Destination(at(0), uuid.New(), "+1").Count(at(0), health.Answered, 0)
	got := r.Report(at(1), id)
	var text []string
	for _, d := range got.Destinations {
		text = append(text, d.Target+" "+string(rune('0'+d.Windows.Minutes5.Attempts())))
	}
	if want := []string{"+1 2", "+44 1", "all 3"}; !slices.Equal(text, want) || got.Windows.Minutes5.Attempts() != 6 {
		t.Errorf("%v, and %d in all, want %v and 6", text, got.Windows.Minutes5.Attempts(), want)
	}
}

package router

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// site is a router that has time for so many calls a second, to its callers and callees: a model of what goes on in periods of a
// tenth of a second.
type site struct {
	forecast
	capacity float64 // Calls a second.
	rings    int     // For so many periods.
	sources  int     // Of equal weight.
	foreign  bool    // Others take the processor: how long workers wait says nothing.
	other    float64 // Part of the time that something else takes than calls.

	due      []float64 // Calls a second that will be answered, by periods from now.
	ringing  float64
	begun    float64 // In the last period, and so on.
	done     float64
	refused  float64
	demand   float64 // What there was to do, as a part of what there was time for.
	buried   int     // Periods in which answers alone were more than there was time for.
	answered float64 // In all, calls.
	was      bool    // There was a bound in the period before.
}

const tenth = 0.1

// turn is a period in which so many calls a second are offered.
func (s *site) turn(offered float64) {
	const before, after, refusing = 0.36, 0.64, 0.07 // Not what the forecast takes them for.
	capacity := s.capacity * (1 - s.other)
	s.due = append(s.due, 0)
	s.begun = offered
	if s.bound != 0 {
		s.begun = min(offered, s.bound*float64(s.sources)*s.burst())
	}
	if s.rings > 0 {
		s.done, s.due = s.due[0], s.due[1:]
	} else {
		s.done = s.begun
	}
	if s.done*after > capacity {
		s.buried++
		s.due = append(s.due, 0)
		s.due[0] += s.done - capacity/after
		s.done = capacity / after
	}
	spent := func() float64 { return s.begun*before + s.done*after + (offered-s.begun)*refusing }
	s.demand = spent() / capacity
	if s.demand > 1 { // Pressure has new calls refused.
		s.begun = min(max(0, s.begun-(spent()-capacity)/(before-refusing)), s.begun)
		if s.rings == 0 {
			s.begun = min(s.begun, (capacity-offered*refusing)/(1-refusing))
			s.done = s.begun
		}
	}
	s.refused = offered - s.begun
	if s.rings > 0 {
		for len(s.due) < s.rings {
			s.due = append(s.due, 0)
		}
		s.due[s.rings-1] += s.begun
	}
	s.ringing += (s.begun - s.done) * tenth
	s.answered += s.done * tenth
	busy := s.other + (1-s.other)*min(1, s.demand)
	p := period{
		length: 100 * time.Millisecond, begun: s.begun, done: s.done, refused: s.refused, ringing: s.ringing, strained: s.demand > 1,
		least: busy, most: busy,
	}
	if s.foreign {
		p.least, p.most = p.least/5, 1
	}
	s.was = s.bound != 0
	s.next(&p)
}

// burst is what sources have at once when a bound begins.
func (s *site) burst() float64 {
	if !s.was {
		return 1 + float64(meterSlack)/float64(whole)
	}
	return 1
}

func periods(d time.Duration) int { return int(d / (100 * time.Millisecond)) }

func (s *site) turns(n int, offered float64) {
	for range n {
		s.turn(offered)
	}
}

// TestForecast: a router that has nothing to do is offered twice the calls that it can carry, which ring: it is not buried under their
// answers, and carries most of what it can.
func TestForecast(t *testing.T) {
	for name, s := range map[string]*site{
		"ringing for a second":        {capacity: 5000, rings: 10, sources: 1},
		"ringing for ten":             {capacity: 5000, rings: 100, sources: 1},
		"many sources":                {capacity: 5000, rings: 60, sources: 30},
		"a small machine":             {capacity: 1200, rings: 60, sources: 2},
		"a large one":                 {capacity: 80_000, rings: 60, sources: 8},
		"others take the processor":   {capacity: 5000, rings: 60, sources: 1, foreign: true},
		"others take it, many source": {capacity: 5000, rings: 10, sources: 10, foreign: true},
	} {
		t.Run(name, func(t *testing.T) {
			if s.foreign { // What there is time for shows when there is too much for the first time, as load grows by the day.
				for load := 0.5; load < 1.2; load += 0.01 {
					s.turns(max(s.rings, 10)/5, load*s.capacity)
				}
				s.turns(s.rings, 0)
				s.buried = 0
			}
			s.turns(s.rings+20, 2*s.capacity)
			if s.buried > 12 { // See TestForecastNone.
				t.Errorf("buried for %d periods; it is taken for %.0f calls/s", s.buried, s.forecast.capacity)
			}
			s.answered = 0
			n := 3 * max(s.rings, 60)
			s.turns(n, 2*s.capacity)
			if got := s.answered / (tenth * float64(n)) / s.capacity; got < 0.75 || got > 1.01 { // A twelfth of what is offered beyond goes into refusals, and load swings for a while.
				t.Errorf("%.0f %% of what there is time for is answered", 100*got)
			}
			s.turns(s.rings+periods(loosened)+1, s.capacity/2)
			if s.bound != 0 || s.refused != 0 {
				t.Errorf("afterwards a bound of %.0f, %.0f refused", s.bound, s.refused)
			}
		})
	}
}

// TestForecastNone: without it the model is buried, so the test above shows something.
func TestForecastNone(t *testing.T) {
	s := &site{capacity: 5000, rings: 60, sources: 1, foreign: true}
	s.turns(150, 2*s.capacity)
	if s.buried < 50 {
		t.Errorf("buried for %d periods", s.buried)
	}
}

// TestForecastRefusesNobody: what there is time for is let in, however it comes, and whatever else there is to do.
func TestForecastRefusesNobody(t *testing.T) {
	for _, tt := range []site{
		{capacity: 5000},
		{capacity: 5000, foreign: true},
		{capacity: 5000, other: 0.6},
		{capacity: 5000, foreign: true, forecast: forecast{capacity: 4500}}, // There was pressure lately.
		{capacity: 5000, forecast: forecast{capacity: 4500}},
	} {
		for _, rings := range []int{0, 1, 10, 100} {
			s := tt
			s.rings, s.sources = rings, 1
			for range 300 {
				s.turn(0)
			}
			for _, load := range []float64{0.9, 0.1, 0, 0.95, 0.5, 0.95, 0.3} {
				for range 150 {
					s.turn(load * s.capacity * (1 - s.other))
					if s.bound != 0 {
						t.Fatalf("%+v at %v of the capacity, ringing for %d: a bound of %.0f", tt, load, rings, s.bound)
					}
				}
			}
		}
	}
}

// TestForecastErrs: a capacity that was seen while something else took the time is given up as soon as calls come, and one that nobody
// needs is forgotten.
func TestForecastErrs(t *testing.T) {
	for _, rings := range []int{0, 60} {
		s := &site{capacity: 20_000, rings: rings, sources: 1}
		s.turns(rings+10, 200)
		for range 20 { // Garbage takes all the time.
			s.next(&period{length: 100 * time.Millisecond, begun: 200, done: 200, strained: true, least: 1, most: 1})
		}
		if got := s.forecast.capacity; got < 150 || got > 250 {
			t.Fatalf("a capacity of %.0f", got)
		}
		s.turns(15, 10_000)
		if s.refused != 0 {
			t.Errorf("after 1.5 s %.0f calls/s are refused with a capacity of %.0f", s.refused, s.forecast.capacity)
		}
		s.turns(rings+periods(loosened)+1, 0)
		s.turns(periods(memory-s.calm)-1, 100)
		if s.forecast.capacity == 0 {
			t.Error("forgotten too soon")
		}
		s.turn(100)
		if s.forecast.capacity != 0 {
			t.Error("never forgotten")
		}
	}
}

// TestForecastShares: sources that send most are bounded, not those that send little.
func TestForecastShares(t *testing.T) {
	s := &site{capacity: 5000, rings: 60, sources: 1}
	s.turns(30, 20_000)
	if s.bound < 2500 || s.bound > 6000 {
		t.Errorf("one source: a bound of %.0f", s.bound)
	}
	s = &site{capacity: 5000, rings: 60, sources: 100, forecast: forecast{capacity: 5000}}
	s.turns(60, 12_000)
	if s.bound != leastBound {
		t.Errorf("a hundred sources: a bound of %.0f", s.bound)
	}
	for ringing, want := range map[float64]bool{300: false, 500: true} { // Under pressure a call takes half a tenth of a second without ringing.
		f := forecast{capacity: 5000}
		if got := f.next(&period{length: 100 * time.Millisecond, begun: 10_000, done: 5000, ringing: ringing, most: 1}); (got != 0) != want {
			t.Errorf("with %v calls in progress a bound of %d", ringing, got)
		}
	}
}

// TestBound: with a bound on shares what is beyond is refused without any pressure, from datagrams and streams, and what is within or known
// goes on.
func TestBound(t *testing.T) {
	c := newCrowd(t)
	from := source("127.0.0.7")
	if got := c.send(from, "INVITE", ""); got != -1 {
		t.Fatalf("got %d", got)
	}
	known := c.n
	c.shares.bound.Store(1000)
	for _, proto := range []transport.Proto{transport.UDP, transport.TCP} {
		loud, calm := source("127.0.0.9"), source("127.0.0.5")
		if loud.Proto = proto; proto == transport.TCP {
			loud, calm = source("127.0.0.10"), source("127.0.0.6")
			loud.Proto, calm.Proto = proto, proto
		}
		before := c.dropped(dropPressure)
		most := int(1000 * meterSlack / int64(time.Second))
		if got := c.tally(500, loud, "INVITE", ""); got[-1] != most || got[503] != 500-most {
			t.Errorf("%v: the loud one: %v", proto, got)
		}
		if got := c.tally(10, calm, "INVITE", ""); got[-1] != 10 {
			t.Errorf("%v: the calm one: %v", proto, got)
		}
		if n := c.dropped(dropPressure) - before; n != float64(500-most) || c.shares.refusals.Swap(0) != int64(n) {
			t.Errorf("%v: %v counted", proto, n)
		}
		if got := c.send(loud, "BYE", "uas"); got != 481 {
			t.Errorf("%v: BYE got %d", proto, got)
		}
	}
	if got := c.tally(100, from, "INVITE", ""); got[503] == 0 {
		t.Errorf("beyond the share: %v", got)
	}
	if got := c.sendAs(known, from, "INVITE", ""); got == 503 {
		t.Error("a copy of a call in progress was refused")
	}
	if c.w.press.taken != 0 {
		t.Errorf("%d are taken for what a backlog is made of", c.w.press.taken)
	}
	c.shares.bound.Store(0)
	if got := c.tally(500, source("127.0.0.9"), "INVITE", ""); got[-1] != 500 {
		t.Errorf("without a bound: %v", got)
	}
}

// TestBoundAck: the ACK of a 503 is no stray, while there is a bound and later.
func TestBoundAck(t *testing.T) {
	for _, later := range []int64{500, 0} {
		c := newCrowd(t)
		from := source("127.0.0.9")
		c.shares.bound.Store(500)
		if got := c.tally(100, from, "INVITE", ""); got[503] == 0 {
			t.Fatalf("beyond the share: %v", got)
		}
		var m message.Message
		if err := m.Parse(c.queue[0].data); err != nil {
			t.Fatal(err)
		}
		_, tag, fault := m.Address(message.To)
		if fault != nil {
			t.Fatal(fault)
		}
		c.shares.bound.Store(later)
		c.queue = c.queue[:0]
		b := c.request(nil, "ACK", c.n, "sip:15551234567@127.0.0.1:5060", nil, string(tag), "")
		c.w.Receive(c.now, from, bytes.Replace(b, []byte("z9hG4bKACK"), []byte("z9hG4bKINVITE"), 1))
		if len(c.queue) != 0 || c.dropped(dropStray) != 0 {
			t.Errorf("with a bound of %d then: %d sent, %v strays", later, len(c.queue), c.dropped(dropStray))
		}
	}
}

// TestBoundShare: the share is the bound, and under pressure what is found then, if that is less.
func TestBoundShare(t *testing.T) {
	for _, tt := range []struct{ rate, bound, pressed, want int64 }{
		{0, 0, 0, firstShare},
		{0, 0, 1, firstShare},
		{10, 0, 1, 10},
		{10, 400, 0, 400},
		{10, 400, 1, 10},
		{10_000, 400, 1, 400},
		{0, 400, 1, 400},
		{0, 4000, 1, firstShare},
	} {
		var s shares
		s.rate.Store(tt.rate)
		s.bound.Store(tt.bound)
		s.pressed.Store(int32(tt.pressed))
		if got := s.current(); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
		if got := s.scarce(); got != (tt.bound != 0 || tt.pressed != 0) {
			t.Errorf("%+v: scarce %v", tt, got)
		}
	}
}

// TestForesee: what is measured is what goes on.
func TestForesee(t *testing.T) {
	c := newCrowd(t)
	from := source("127.0.0.9")
	c.foresee(c.now)
	second := func(calls int) { // Nobody answers them.
		for range 10 {
			c.tally(calls/10, from, "INVITE", "")
			c.now += int64(time.Second / 10)
			c.foresee(c.now)
		}
	}
	second(2000)
	if f := &c.foresight.forecast; f.capacity != 0 || f.bound != 0 {
		t.Fatalf("without pressure: %+v", *f)
	}
	c.shares.rate.Store(1000)
	c.behind(50)
	second(2000)
	f := &c.foresight.forecast
	if f.capacity < 250 || f.capacity > 350 { // 500 INVITEs a second, 0.4 of the work of a call each, and 1500 refusals.
		t.Errorf("under pressure a capacity of %.0f", f.capacity)
	}
	c.w.Backlog(c.now, 0)
	second(4000)
	if got := c.shares.bound.Load(); got < leastBound || got > 1500 {
		t.Errorf("then a bound of %d", got)
	}
	if got := c.tally(1000, from, "INVITE", ""); got[503] < 800 {
		t.Errorf("no refusals: %v", got)
	}
}

// TestTurnForesees: it is done as timers go on, at each beat when it may matter.
func TestTurnForesees(t *testing.T) {
	c := newCrowd(t)
	v := &c.foresight
	for _, capacity := range []float64{0, 1000} {
		v.forecast = forecast{capacity: capacity}
		c.w.turn(c.now)
		then := v.then
		c.now += brief
		c.w.turn(c.now)
		if got := v.then == c.now; got != (capacity != 0) {
			t.Errorf("with a capacity of %v it looked after a beat: %v", capacity, got)
		}
		c.now = then + whole
		c.w.turn(c.now)
		if v.then != c.now {
			t.Errorf("with a capacity of %v it did not look after three", capacity)
		}
	}
}

// TestThreadTime reads what Linux tells of threads.
func TestThreadTime(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"10": "1000 200 3\n", "11": "40 5 6\n", "12": "", "13": "x y z\n"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "schedstat"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "14"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := threadTime(dir); got != 1245 {
		t.Errorf("got %d", got)
	}
	if got := threadTime(filepath.Join(dir, "none")); got != 0 {
		t.Errorf("of nothing %d", got)
	}
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Logf("this system does not tell: %v", err)
	} else if got := threadTime("/proc/self/task"); got <= 0 {
		t.Errorf("of this program %v", got)
	}
}

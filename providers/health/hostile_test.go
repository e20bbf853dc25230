package health_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

// trunk plays calls to a provider beside another one that is always well: a hundred a second, each with its result a
// tenth of a second later, as the router does it.
type trunk struct {
	state   health.State
	pending []int64 // When the calls that are on the way began.
	tried   int
	lost    int
}

// run has calls from one time to another, up says when the provider works.
func (c *trunk) run(from, to float64, up func(now int64) bool) {
	for now := at(from); now < at(to); now += int64(10 * time.Millisecond) {
		for len(c.pending) > 0 && now-c.pending[0] >= int64(100*time.Millisecond) {
			start := c.pending[0]
			c.pending = c.pending[1:]
			if up(start) {
				c.state.Heard(now, start)
				c.state.Served(now, start)
			} else {
				c.state.Failed(now, health.Silent, limit)
				c.lost++
			}
		}
		if !c.state.Down(now) || c.state.Try(now) {
			c.pending = append(c.pending, now)
			c.tried++
		}
	}
}

func always(int64) bool { return true }

// TestFlapping has a provider that comes and goes. It costs few calls, and a minute after it is steady again nothing is
// left of it: it has all its calls, and the next failure finds the breaker as new.
func TestFlapping(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	var turns []int64 // Irregular, about a second apart.
	for now := at(0); now < at(700); now += second/2 + rng.Int64N(second) {
		turns = append(turns, now)
	}
	for name, up := range map[string]func(now int64) bool{
		"each second": func(now int64) bool { return (now-at(0))/second%2 == 0 },
		"irregularly": func(now int64) bool { i, _ := slices.BinarySearch(turns, now); return i%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			var c trunk
			c.run(0, 10, always)
			if c.tried != 1000 || c.lost != 0 {
				t.Fatalf("%d calls of a good provider, %d lost", c.tried, c.lost)
			}
			c.run(10, 610, up)
			t.Logf("ten minutes of flapping lost %d of 60,000 calls", c.lost)
			if c.lost > 200 {
				t.Errorf("%d calls lost", c.lost)
			}
			c.run(610, 645, always)
			c.tried, c.lost = 0, 0
			c.run(645, 671, always)
			if c.tried != 2600 || c.lost != 0 {
				t.Errorf("it has %d calls of 2600 when steady again, %d lost", c.tried, c.lost)
			}
			if s := c.state.Status(at(671)); s.Health != providers.HealthHealthy || s.Reason != "" {
				t.Errorf("its status a minute later is %+v", s)
			}
			fail(&c.state, at(671), limit)
			if !c.state.Due(at(673)) || c.state.Due(at(672.9)) {
				t.Error("its past still makes the next opening longer")
			}
		})
	}
}

// TestProbesAgainstCalls has a provider that answers each probe and no call: once it was brought back by a probe and
// failed again, only calls bring it back.
func TestProbesAgainstCalls(t *testing.T) {
	var c trunk
	for sec := range 600 {
		if sec%30 == 0 {
			c.state.Probed(at(float64(sec)), true)
		}
		c.run(float64(sec), float64(sec+1), func(int64) bool { return false })
	}
	if c.lost > 100 { // Two bursts of a tenth of a second, and then one each half minute.
		t.Errorf("%d of 60,000 calls lost", c.lost)
	}
	c.run(600, 631, always)
	if c.state.Down(at(631)) {
		t.Error("it is down though it takes calls")
	}

	// Without calls, probes do bring it back.
	fail(&c.state, at(631), limit)
	c.state.Served(at(632), at(631.5))
	fail(&c.state, at(633), limit)
	c.state.Probed(at(634), true)
	if !c.state.Down(at(634)) {
		t.Error("a probe brought it back at once, soon after it had failed")
	}
	c.state.Probed(at(694), true)
	if c.state.Down(at(694)) {
		t.Error("a probe does not bring it back after a minute in which no call failed")
	}
}

// TestClockJumps does anything at any time, as if the clock jumped both ways: a minute of steady time and good calls
// later all is well, and nothing was stuck in the future.
func TestClockJumps(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for round := range 300 {
		var c trunk
		s := &c.state
		for range 200 {
			now := at(rng.Float64() * 1e6)
			switch rng.IntN(8) {
			case 0, 1, 2:
				s.Failed(now, health.Failure(rng.IntN(3)), limit)
			case 3:
				s.Heard(now, now-rng.Int64N(second))
			case 4:
				s.Served(now, now-rng.Int64N(second))
			case 5:
				s.Probed(now, rng.IntN(2) == 0)
			case 6:
				s.Try(now)
			case 7:
				s.Rest(now, time.Duration(rng.Int64N(int64(time.Minute))))
			}
		}
		begin := rng.Float64() * 1e6
		c.run(begin, begin+61, always)
		if now := at(begin + 61); s.Down(now) || s.Resting(now) > health.MaxRest {
			t.Fatalf("round %d: down %v, resting %v", round, s.Down(now), s.Resting(now))
		}
	}
}

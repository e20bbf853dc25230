package health_test

import (
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

// limit is how many failures open the breaker in these tests.
const limit = 3

// at is a time of the router's clock, some seconds after its start.
func at(seconds float64) int64 { return int64(time.Hour) + int64(seconds*float64(time.Second)) }

func fail(s *health.State, now int64, times int) {
	for range times {
		s.Failed(now, health.Silent, limit)
	}
}

func wantDown(t *testing.T, s *health.State, now int64, want bool) {
	t.Helper()
	if got := s.Down(now); got != want {
		t.Fatalf("at %v: down is %v, want %v", time.Duration(now-at(0)), got, want)
	}
}

func TestBreakerOpens(t *testing.T) {
	tests := []struct {
		name string
		play func(s *health.State)
		want bool
	}{
		{"nothing", func(*health.State) {}, false},
		{"one less", func(s *health.State) { fail(s, at(0), limit-1) }, false},
		{"silences", func(s *health.State) { fail(s, at(0), limit) }, true},
		{"all kinds", func(s *health.State) {
			s.Failed(at(0), health.Unreachable, limit)
			s.Failed(at(0), health.Silent, limit)
			s.Failed(at(0), health.Refused, limit)
		}, true},
		{"served between", func(s *health.State) {
			fail(s, at(0), limit-1)
			s.Served(at(0), at(0))
			fail(s, at(0), limit-1)
		}, false},
		{"a 100 ends a row of silences", func(s *health.State) {
			fail(s, at(0), limit-1)
			s.Heard(at(0), at(0))
			fail(s, at(0), limit-1)
		}, false},
		{"a 100 before each refusal ends nothing", func(s *health.State) {
			for range limit {
				s.Heard(at(0), at(0))
				s.Failed(at(0), health.Refused, limit)
			}
		}, true},
		{"turned off", func(s *health.State) {
			for range 100 {
				s.Failed(at(0), health.Silent, 0)
			}
		}, false},
		{"probes", func(s *health.State) { s.Probed(at(0), false) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s health.State
			tt.play(&s)
			wantDown(t, &s, at(0), tt.want)
		})
	}
}

func TestBreakerCloses(t *testing.T) {
	tests := []struct {
		name string
		play func(s *health.State) // Of a provider whose breaker opened at 10.
		down bool
	}{
		{"time alone changes nothing", func(*health.State) {}, true},
		{"a call that began since is served", func(s *health.State) { s.Served(at(13), at(12)) }, false},
		{"a call that began before is served", func(s *health.State) { s.Served(at(13), at(9)) }, true},
		{"a 100 to a call that began since", func(s *health.State) { s.Heard(at(13), at(12)) }, false},
		{"a 100 to a call that began before", func(s *health.State) { s.Heard(at(13), at(9)) }, true},
		{"probes say up", func(s *health.State) { s.Probed(at(13), true) }, false},
		{"probes say down, a call is served", func(s *health.State) {
			s.Probed(at(13), false)
			s.Served(at(15), at(14))
		}, false},
		{"probes say down, a 100 comes", func(s *health.State) {
			s.Probed(at(13), false)
			s.Heard(at(15), at(14))
		}, true},
		{"forgotten", func(s *health.State) { s.Forget() }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s health.State
			fail(&s, at(10), limit)
			wantDown(t, &s, at(10), true)
			tt.play(&s)
			wantDown(t, &s, at(100), tt.down)
		})
	}
	for _, why := range []health.Failure{health.Refused, health.Stalled} {
		t.Run("a 100 proves nothing where the last call "+why.String(), func(t *testing.T) {
			var s health.State
			for range limit {
				s.Heard(at(10), at(10))
				s.Failed(at(10), why, limit)
			}
			wantDown(t, &s, at(10), true)
			s.Heard(at(13), at(12))
			wantDown(t, &s, at(13), true)
			s.Served(at(13), at(12))
			wantDown(t, &s, at(13), false)
		})
	}
}

// TestCanaries checks that an open breaker lets one call through at 2, 4, 8, 16 and then each 30 seconds.
func TestCanaries(t *testing.T) {
	var s health.State
	fail(&s, at(0), limit)
	var tries []int
	for tenth := range 1500 {
		now := at(float64(tenth) / 10)
		for range 3 { // More calls at the same time find it taken.
			due := s.Due(now)
			if got := s.Try(now); got != due {
				t.Fatalf("at %v: tried %v, though due is %v", now, got, due)
			} else if got {
				tries = append(tries, tenth/10)
			}
		}
	}
	want := []int{2, 6, 14, 30, 60, 90, 120}
	if len(tries) != len(want) {
		t.Fatalf("canaries at %v, want %v", tries, want)
	}
	for i := range want {
		if tries[i] != want[i] {
			t.Errorf("canaries at %v, want %v", tries, want)
		}
	}
}

func TestStatus(t *testing.T) {
	var s health.State
	check := func(want health.Status) {
		t.Helper()
		if got := s.Status(at(50)); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	check(health.Status{Health: providers.HealthUnknown})
	s.Failed(at(1), health.Silent, limit)
	check(health.Status{Health: providers.HealthUnknown, At: at(1)})
	s.Served(at(3), at(2))
	s.Served(at(3.5), at(2))
	check(health.Status{Health: providers.HealthHealthy, At: at(3)})
	s.Rest(at(50), 20*time.Second)
	check(health.Status{Health: providers.HealthHealthy, At: at(3), Reason: "it asked to be left alone for 20s more"})
	fail(&s, at(6), limit)
	check(health.Status{Health: providers.HealthUnhealthy, At: at(6), Reason: "3 calls in a row failed, the last got no reply"})
	s.Served(at(8), at(7))
	s.Probed(at(9), false)
	check(health.Status{Health: providers.HealthUnhealthy, At: at(9), Reason: "probes get no good answer"})
	s.Forget()
	check(health.Status{Health: providers.HealthUnknown})
}

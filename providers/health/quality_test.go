package health

import (
	"math"
	"testing"
	"time"
)

// TestWilson compares with intervals of the literature.
func TestWilson(t *testing.T) {
	for _, tt := range []struct {
		good, n   uint64
		low, high float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, 0.2775},
		{10, 10, 0.7225, 1},
		{1, 10, 0.0179, 0.4042},
		{50, 100, 0.4038, 0.5962},
		{95, 100, 0.8882, 0.9785},
		{999_000, 1_000_000, 0.9989, 0.9991},
	} {
		low, high := wilson(tt.good, tt.n)
		if math.Abs(low-tt.low) > 1e-4 || math.Abs(high-tt.high) > 1e-4 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", tt.good, tt.n, low, high, tt.low, tt.high)
		}
	}
}

func TestBehind(t *testing.T) {
	q := Quality{Margin: 0.05}
	for _, tt := range []struct {
		s, best Score
		want    bool
	}{
		{Score{0.9, 0.95}, Score{0.9, 0.95}, false},
		{Score{0.5, 0.85}, Score{0.95, 1}, true},
		{Score{0.5, 0.91}, Score{0.95, 1}, false},   // Within the margin.
		{Score{0, 1}, Score{0.99, 1}, false},        // Nothing is known for certain.
		{Score{0.95, 1}, Score{0.5, 0.85}, false},   // It is the better one.
		{Score{0.1, 0.899}, Score{0.95, 1}, true},   // Just below.
		{Score{0.1, 0.9001}, Score{0.95, 1}, false}, // Just above.
	} {
		if got := q.Behind(tt.s, tt.best); got != tt.want {
			t.Errorf("%v behind %v: %v", tt.s, tt.best, got)
		}
	}
}

func TestScore(t *testing.T) {
	var s Series
	q := Quality{MinSamples: 10, Margin: 0.05}
	now := int64(time.Hour)
	count := func(o Outcome, n int) {
		for range n {
			s.Count(now, o, 0)
		}
		now += scoreEvery
	}
	if _, ok := s.Score(now, q); ok {
		t.Error("a score of nothing")
	}
	count(Answered, 9)
	count(NotFound, 9) // Blames nobody, and is no sample.
	if _, ok := s.Score(now, q); ok {
		t.Error("a score of too few")
	}
	count(Busy, 1)
	score, ok := s.Score(now, q)
	if !ok || score.High != 1 || math.Abs(float64(score.Low)-0.7225) > 1e-4 {
		t.Errorf("the score of ten of ten is %v %v", score, ok)
	}
	s.Count(now, Ailing, 0)
	if again, _ := s.Score(now+scoreEvery-1, q); again != score {
		t.Error("it was worked out again at once")
	}
	if later, _ := s.Score(now+scoreEvery, q); later == score {
		t.Error("it was not worked out again")
	}
	if _, ok := s.Score(now+int64(10*time.Minute), q); ok {
		t.Error("a score of long ago")
	}
	if _, ok := s.Score(now, q); !ok {
		t.Error("no score after the clock went back")
	}
}

func TestTests(t *testing.T) {
	for samples, want := range map[int]int{1: 60, 50: 62, 1000: 1250} {
		var s Series
		q := Quality{MinSamples: samples}
		got := 0
		for ms := range int64(300_000) {
			now := int64(time.Hour) + ms*int64(time.Millisecond)
			due := s.TestDue(now)
			if s.Test(now, q) != due {
				t.Fatal("a test that is due is not done")
			} else if due {
				got++
			}
		}
		if got < want || got > want+2 {
			t.Errorf("%d samples: %d tests in five minutes, want %d", samples, got, want)
		}
	}
}

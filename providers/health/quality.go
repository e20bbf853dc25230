package health

import (
	"math"
	"sync/atomic"
	"time"
)

// Quality says when more of a provider's calls fail than of another's, so that it goes behind that one.
type Quality struct {
	MinSamples int     // Calls in five minutes, of each of the two; zero compares nobody.
	Margin     float64 // It must be worse by this for certain.
}

// Score is what the calls of five minutes say of the share of calls that come to the callee (the NER): with 95 %
// confidence it lies between the bounds.
type Score struct {
	Low, High float32
}

// Behind says whether s is worse than the best one by the margin for certain: where even its upper bound is below the
// other's lower bound.
func (q Quality) Behind(s, best Score) bool { return float64(s.High)+q.Margin < float64(best.Low) }

// wilson is the 95 % confidence interval of a share, of which good of n were seen (Wilson's score interval: unlike the
// usual one it is right for few samples and near 0 and 1, too).
func wilson(good, n uint64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.959964
	p, c := float64(good)/float64(n), float64(n)
	middle := p + z*z/(2*c)
	half := z * math.Sqrt(p*(1-p)/c+z*z/(4*c*c))
	whole := 1 + z*z/c
	return max(0, (middle-half)/whole), min(1, (middle+half)/whole)
}

// scoreEvery bounds how often a score is worked out again.
const scoreEvery = int64(2 * time.Second)

// judgement keeps a series' score between two times that it is worked out.
type judgement struct {
	score atomic.Uint64 // Both bounds; 0 where there are too few samples.
	at    atomic.Int64
	test  atomic.Int64 // When the next call may test the provider though it goes behind.
}

// Score returns the score, false while there are too few samples.
func (s *Series) Score(now int64, q Quality) (Score, bool) {
	j := &s.judgement
	at := j.at.Load()
	if (at == 0 || now-at >= scoreEvery || now < at) && j.at.CompareAndSwap(at, now) {
		j.score.Store(s.judge(now, q))
	}
	packed := j.score.Load()
	return Score{Low: math.Float32frombits(uint32(packed >> 32)), High: math.Float32frombits(uint32(packed))}, packed != 0
}

func (s *Series) judge(now int64, q Quality) uint64 {
	f := s.Read(now, Minutes5)
	n := f.Effective() + f.Outcomes[Ailing]
	if n == 0 || n < uint64(max(0, q.MinSamples)) {
		return 0
	}
	low, high := wilson(f.Effective(), n)
	return uint64(math.Float32bits(float32(low)))<<32 | uint64(math.Float32bits(float32(high)))
}

// TestDue says whether the next call may test a provider that goes behind: often enough that its samples do not run
// out, which would put it in front again, and at least each five seconds.
func (s *Series) TestDue(now int64) bool {
	at := s.judgement.test.Load()
	return now >= at || at-now > int64(maxTestEvery) // The latter only if the clock went back.
}

// Test is TestDue for the call that is the test.
func (s *Series) Test(now int64, q Quality) bool {
	at := s.judgement.test.Load()
	return s.TestDue(now) && s.judgement.test.CompareAndSwap(at, now+int64(q.testEvery()))
}

const maxTestEvery = 5 * time.Second

// testEvery leaves a quarter more samples in five minutes than are needed.
func (q Quality) testEvery() time.Duration {
	return min(maxTestEvery, Minutes5*4/5/time.Duration(max(q.MinSamples, 1)))
}

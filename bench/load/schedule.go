//go:build linux

package load

import (
	"math/rand/v2"
	"time"
)

// schedule says when calls start: one in each interval of 1/rate, at a random place in it, so that the load does
// not run in step with the kernel's timer tick.
type schedule struct {
	begin int64
	rate  int
	rnd   *rand.Rand
}

// due returns the start of call i. It is asked once per call, in order.
func (s *schedule) due(i int) int64 {
	return s.begin + int64((float64(i)+s.rnd.Float64())*float64(time.Second)/float64(s.rate))
}

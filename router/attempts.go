package router

import "sync"

// attemptSlab is how many attempts are made at once: one by one each would be an object for the garbage collector.
const attemptSlab = 64

// attempts are lent to calls that have more than one, and come back with their slots. Were they kept there, each slot
// would have some sooner or later, though only few need them at a time.
type attempts struct {
	mu   sync.Mutex
	free []*attempt
}

// get lends an empty attempt.
func (s *attempts) get() *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		slab := new([attemptSlab]attempt)
		for i := range slab {
			s.free = append(s.free, &slab[i])
		}
	}
	last := len(s.free) - 1
	a := s.free[last]
	s.free = s.free[:last]
	return a
}

// put takes an attempt back that was emptied.
func (s *attempts) put(a *attempt) {
	s.mu.Lock()
	s.free = append(s.free, a)
	s.mu.Unlock()
}

package router

import "sync"

// roomAttempts is how many attempts a room has. Calls with more are rare, and what they need is left to the garbage
// collector.
const roomAttempts = 4

// rooms are lent to calls that have a second attempt, and come back with their slots. Were they kept there, each slot
// would have one sooner or later, though only few are in use at a time.
type rooms struct {
	mu   sync.Mutex
	free [][]attempt
}

// get lends an empty room.
func (r *rooms) get() []attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.free)
	if n == 0 {
		return make([]attempt, 0, roomAttempts)
	}
	room := r.free[n-1]
	r.free = r.free[:n-1]
	return room
}

// put takes a room back, whose attempts were cleared.
func (r *rooms) put(room []attempt) {
	if cap(room) != roomAttempts {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, room[:0])
}

//go:build linux

package load

import "time"

const (
	// tick is the width of a slot in nanoseconds: retransmissions need no finer clock.
	tick = int64(10 * time.Millisecond)
	// slots times tick is the horizon, 164 s. What is due later waits in the last slot and is put back.
	slots = 1 << 14
)

// wheel holds tokens until their time comes. A token cannot be taken out: whoever gets it looks whether it still
// matters, which costs less than finding it.
//
//	position ---> slot, slot, slot ...  each a list of tokens, 10 ms wide
//
// Lists whose slot has passed serve again, so a wheel at work allocates nothing.
type wheel struct {
	slots    [slots][]uint32
	free     [][]uint32
	origin   int64
	position int64 // Slots passed since the origin.
}

// add puts a token into the slot that passes first at or after due.
func (w *wheel) add(token uint32, due int64) {
	at := (due - w.origin + tick - 1) / tick
	at = min(max(at, w.position+1), w.position+slots-1)
	s := &w.slots[at%slots]
	if *s == nil && len(w.free) > 0 {
		*s = w.free[len(w.free)-1]
		w.free = w.free[:len(w.free)-1]
	}
	*s = append(*s, token)
}

// advance passes all slots up to now and hands their tokens to fire, which may add tokens.
func (w *wheel) advance(now int64, fire func(token uint32)) {
	for w.next() <= now {
		w.position++
		s := &w.slots[w.position%slots]
		if *s == nil {
			continue
		}
		due := *s
		*s = nil // What fire adds may land in this slot, one turn on.
		for _, token := range due {
			fire(token)
		}
		w.free = append(w.free, due[:0])
	}
}

// next returns when the next slot passes.
func (w *wheel) next() int64 { return w.origin + (w.position+1)*tick }

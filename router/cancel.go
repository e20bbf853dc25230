package router

import (
	"github.com/voipbin/dialrouter/router/transport"
)

// cancel takes a CANCEL (RFC 3261 section 16.10): 200 at once, and every pending attempt is cancelled. The caller
// gets 487 whatever the provider says later, unless a 2xx comes first.
func (w *worker) cancel(from transport.Flow) {
	m, rq := &w.msg, &w.rq
	slot, ok := w.r.table.Find(w.keyFor(m, rq, []byte("INVITE")))
	if !ok || !w.cancelCall(slot, w.keyFor(m, rq, []byte("INVITE"))) {
		w.refuse(m, rq, from, 481, "", noExtra)
		return
	}
	w.refuse(m, rq, from, 200, "", noExtra)
}

// cancelCall is false when the call ended in the meantime.
func (w *worker) cancelCall(slot uint32, key [2]uint64) bool {
	c := w.r.calls.Get(slot)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role == free || c.key != key {
		return false
	}
	if c.server.Final() || c.cancelled {
		return true // It has no effect (RFC 3261 section 9.2).
	}
	c.cancelled = true
	c.tryingAt = 0
	waiting := false
	for _, a := range c.attempts {
		if !a.client.Pending() {
			continue
		}
		waiting = waiting || !a.abandoned
		w.stopLocked(c, a)
	}
	if !waiting {
		w.finishLocked(c, 487, "")
	}
	w.settleLocked(c)
	return true
}

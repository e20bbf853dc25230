package router

import "testing"

// TestRooms adds attempts to a call: the first stands in the call itself, four in a room that comes back, more in
// memory of their own.
func TestRooms(t *testing.T) {
	var r rooms
	for range 2 {
		for count := 1; count <= 2*roomAttempts; count++ {
			c := &call{}
			c.attempts = c.firstAttempt[:0]
			for i := range count {
				c.addAttempt(&r).status = 100 + i
			}
			for i := range c.attempts {
				if got := c.attempts[i].status; got != 100+i {
					t.Errorf("%d attempts: number %d is %d", count, i, got)
				}
				c.attempts[i] = attempt{}
			}
			c.leaveRoom(&r)
			if c.firstAttempt[0].status != 0 {
				t.Errorf("%d attempts: the call still holds the first", count)
			}
			if cap(c.attempts) != 1 || len(c.attempts) != 0 || &c.attempts[:1][0] != &c.firstAttempt[0] {
				t.Errorf("%d attempts: room for %d afterwards", count, cap(c.attempts))
			}
			// Calls with two to four attempts use the same room one after the other.
			if count > 1 && count <= roomAttempts && len(r.free) != 1 {
				t.Errorf("%d attempts: %d rooms", count, len(r.free))
			}
		}
	}
}

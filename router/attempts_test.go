package router

import "testing"

// TestAttempts adds attempts to a call: the first stands in the call itself, the others come from the pool and go back
// there empty.
func TestAttempts(t *testing.T) {
	var spare attempts
	c := &call{}
	c.attempts = c.shortAttempts[:0]
	for count := range 2*len(c.shortAttempts) + 1 {
		for i := range count {
			a := c.addAttempt(&spare)
			if a.status != 0 {
				t.Errorf("%d attempts: number %d was used before", count, i)
			}
			a.status = 100 + i
		}
		for i, a := range c.attempts {
			if a.status != 100+i || (a == &c.firstAttempt) != (i == 0) {
				t.Errorf("%d attempts: number %d is %d", count, i, a.status)
			}
		}
		for range count {
			c.dropAttempt(&spare)
		}
		if len(c.attempts) != 0 || c.firstAttempt.status != 0 {
			t.Errorf("%d attempts: the call still holds some", count)
		}
		if count > 1 && len(spare.free) != attemptSlab {
			t.Errorf("%d attempts: %d of %d came back", count, len(spare.free), attemptSlab)
		}
	}
}

package transaction

// Client is a client transaction: RFC 3261 section 17.1 with RFC 6026's Accepted state. The zero value is idle.
type Client struct {
	resendAt int64 // Timers A and E.
	endAt    int64 // Timers B, D, F, K, M.
	interval int64
	state    State
	invite   bool
	reliable bool
	quiet    bool
}

// Start begins the transaction of a request that was just sent.
func (c *Client) Start(t *Timing, now int64, invite, reliable bool) {
	*c = Client{invite: invite, reliable: reliable, state: Trying, endAt: now + t.life()}
	if invite {
		c.state = Calling
	}
	if !reliable {
		c.interval = int64(t.T1)
		c.resendAt = now + c.interval
	}
}

// State tells where the transaction stands.
func (c *Client) State() State { return c.state }

// Pending says whether a final response is still to come.
func (c *Client) Pending() bool {
	return c.state == Calling || c.state == Trying || c.state == Proceeding
}

// Response takes a response with its status code. The answer is Deliver, DeliverAck, Ack or Drop.
func (c *Client) Response(t *Timing, now int64, code int) Action {
	switch {
	case c.Pending() && code < 200:
		if c.invite {
			// Timer C, the owner's, takes over from Timer B; but who gave up waiting is not drawn back in.
			c.resendAt = 0
			if !c.quiet {
				c.endAt = 0
			}
		} else if c.state == Trying && c.resendAt != 0 {
			c.interval = int64(t.T2)
			c.resendAt = now + c.interval
		}
		c.state = Proceeding
		return Deliver
	case c.Pending() && c.invite && code < 300:
		c.state, c.resendAt, c.endAt = Accepted, 0, now+t.life()
		return Deliver
	case c.Pending() && c.invite:
		c.state, c.resendAt, c.endAt = Completed, 0, now+t.life()
		if c.reliable {
			c.endAt = now
		}
		return DeliverAck
	case c.Pending():
		c.state, c.resendAt, c.endAt = Completed, 0, now+int64(t.T4)
		if c.reliable {
			c.endAt = now
		}
		return Deliver
	case c.state == Accepted && code/100 == 2:
		return Deliver
	case c.state == Completed && c.invite && code >= 300:
		return Ack
	}
	return Drop
}

// Quiet stops the repetition of a request whose answer is no longer wanted, and ends the wait for it at the given
// time: the owner gave this branch up, and stays here only to clean up what may still come.
func (c *Client) Quiet(at int64) {
	if c.Pending() {
		c.quiet, c.resendAt, c.endAt = true, 0, at
	}
}

// Tick carries out what is due: Resend, Timeout, End or None. It is to be called again until it answers None.
func (c *Client) Tick(t *Timing, now int64) Action {
	if c.endAt != 0 && now >= c.endAt {
		pending := c.Pending()
		c.state, c.endAt, c.resendAt = Terminated, 0, 0
		if pending {
			return Timeout
		}
		return End
	}
	if c.resendAt != 0 && now >= c.resendAt {
		c.interval *= 2
		if !c.invite {
			c.interval = min(c.interval, int64(t.T2))
			if c.state == Proceeding {
				c.interval = int64(t.T2)
			}
		}
		c.resendAt = now + c.interval
		return Resend
	}
	return None
}

// Fail ends the transaction at once, after a transport error (RFC 3261 section 17.1.4).
func (c *Client) Fail() { c.state, c.resendAt, c.endAt = Terminated, 0, 0 }

// Deadline is when Tick has to be called next; zero for never.
func (c *Client) Deadline() int64 { return earliest(c.resendAt, c.endAt) }

// Shorten ends the time for which a finished transaction absorbs copies at the given time, if that is earlier.
func (c *Client) Shorten(at int64) {
	if !c.Pending() && c.endAt > at {
		c.endAt = at
	}
}

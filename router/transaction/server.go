package transaction

// Server is a server transaction: RFC 3261 section 17.2 with RFC 6026's Accepted state. The zero value is idle.
type Server struct {
	resendAt int64 // Timer G.
	endAt    int64 // Timers H, I, J, L.
	interval int64
	state    State
	invite   bool
	reliable bool
}

// Start begins the transaction of a request that was just received.
func (s *Server) Start(invite, reliable bool) {
	*s = Server{invite: invite, reliable: reliable, state: Trying}
	if invite {
		s.state = Proceeding
	}
}

// State tells where the transaction stands.
func (s *Server) State() State { return s.state }

// Final says whether a final response was sent.
func (s *Server) Final() bool { return s.state >= Completed }

// Copy takes a retransmission of the request. The answer is Resend (the last response, if there is one), or Absorb.
func (s *Server) Copy() Action {
	switch s.state {
	case Proceeding, Completed:
		return Resend
	case Idle, Trying, Calling, Confirmed, Accepted, Terminated:
		// RFC 6026 section 7.1: in Accepted a copy of the INVITE means that the 2xx, which the callee repeats until
		// its ACK comes, is still under way.
	}
	return Absorb
}

// Acknowledge takes an ACK. The answer is Absorb for one that ends a final response's repetition or copies it, Deliver
// for one that belongs to a 2xx.
func (s *Server) Acknowledge(t *Timing, now int64) Action {
	switch s.state {
	case Completed:
		s.state, s.resendAt = Confirmed, 0
		s.endAt = now + int64(t.T4)
		if s.reliable {
			s.endAt = now
		}
	case Accepted:
		return Deliver
	case Idle, Trying, Calling, Proceeding, Confirmed, Terminated:
	}
	return Absorb
}

// Respond takes a response that is about to be sent: Send it, or Drop it.
func (s *Server) Respond(t *Timing, now int64, code int) Action {
	switch {
	case s.invite && s.state == Accepted && code/100 == 2:
		return Send
	case s.state != Trying && s.state != Proceeding:
		return Drop
	case code < 200:
		s.state = Proceeding
	case s.invite && code < 300:
		s.state, s.endAt = Accepted, now+t.life()
	case s.invite:
		s.state, s.endAt = Completed, now+t.life()
		if !s.reliable {
			s.interval = int64(t.T1)
			s.resendAt = now + s.interval
		}
	default:
		s.state, s.endAt = Completed, now+t.life()
		if s.reliable {
			s.endAt = now
		}
	}
	return Send
}

// Forget ends the transaction at the given time without a response; copies until then are absorbed.
func (s *Server) Forget(at int64) {
	s.state, s.resendAt, s.endAt = Confirmed, 0, at
}

// Tick carries out what is due: Resend, GiveUp, End or None. It is to be called again until it answers None.
func (s *Server) Tick(t *Timing, now int64) Action {
	if s.endAt != 0 && now >= s.endAt {
		lost := s.invite && s.state == Completed
		s.state, s.endAt, s.resendAt = Terminated, 0, 0
		if lost {
			return GiveUp
		}
		return End
	}
	if s.resendAt != 0 && now >= s.resendAt {
		s.interval = min(2*s.interval, int64(t.T2))
		s.resendAt = now + s.interval
		return Resend
	}
	return None
}

// Deadline is when Tick has to be called next; zero for never.
func (s *Server) Deadline() int64 { return earliest(s.resendAt, s.endAt) }

// Lingers says whether all that is left to do is to absorb copies until the deadline.
func (s *Server) Lingers() bool { return s.state >= Completed && s.resendAt == 0 }

// Shorten ends the time for which a finished transaction absorbs copies at the given time, if that is earlier.
func (s *Server) Shorten(at int64) {
	if s.state >= Completed && s.endAt > at {
		s.endAt = at
	}
}

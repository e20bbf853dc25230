// Package transaction holds SIP transactions: the state machines of RFC 3261 section 17 as corrected by RFC 6026,
// and the tables, slots, buffers and timer wheel that keep hundreds of thousands of them without a goroutine or a
// runtime timer each.
//
// The machines are plain values without clock, lock or socket. Each takes an event and the time, and answers with
// the Action that its owner has to carry out:
//
//	              request copy, ACK                         response
//	upstream  ------------------->  Server  ... owner ...   Client  <--------------  downstream
//	          <-------------------  (RFC 3261 17.2)  (17.1) ------------------------>
//	              Send, Resend                              Resend, Ack
//
// Times are nanoseconds of a monotonic clock; zero means never.
package transaction

import "time"

// Action is what a machine asks its owner to do.
type Action uint8

// The actions.
const (
	None       Action = iota
	Absorb            // A copy that needs no answer.
	Send              // Send this response, keep it for copies of the request.
	Resend            // Send what was sent last once more.
	Drop              // Not allowed in this state: do not send, do not pass on.
	Deliver           // Pass the response on.
	DeliverAck        // Pass the final response on and acknowledge it hop by hop (17.1.1.3).
	Ack               // Acknowledge again; do not pass on.
	Timeout           // No final response came (Timer B or F).
	GiveUp            // No ACK came for a final response (Timer H).
	End               // The transaction is over, its memory may go.
)

// State is where a machine stands; the names are those of RFC 3261 figures 5 to 8 and RFC 6026.
type State uint8

// The states.
const (
	Idle State = iota
	Trying
	Calling
	Proceeding
	Completed
	Confirmed
	Accepted
	Terminated
)

// Timing has the base values of all timers (RFC 3261 table 4).
type Timing struct {
	T1, T2, T4 time.Duration
}

// DefaultTiming has the values of RFC 3261.
func DefaultTiming() Timing {
	return Timing{T1: 500 * time.Millisecond, T2: 4 * time.Second, T4: 5 * time.Second}
}

func (t *Timing) life() int64 { return 64 * int64(t.T1) }

// earliest is the smaller of two times of which zero means never.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

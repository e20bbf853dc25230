//go:build linux

package load

import "github.com/voipbin/dialrouter/bench/mmsg"

// state is where the caller stands in a call.
type state uint8

const (
	idle       state = iota
	invited          // INVITE sent, nothing heard.
	proceeding       // A provisional reply was heard.
	holding          // Answered, re-INVITE or BYE to come.
	renewing         // Re-INVITE sent.
	leaving          // BYE sent.
	done
	failed
)

// call is one call as both its ends see it. Times are nanoseconds since 1970, 0 for not yet.
type call struct {
	state state
	tries uint8 // Retransmissions of what is out.

	due      int64 // When the caller must act next.
	deadline int64 // When it gives up.

	sent  int64 // The INVITE left.
	heard int64 // The first 180 reached this host again.
	early bool  // It was there before the 200.

	refused int64 // A 503 reached this host.

	saved []byte       // ACK, BYE, re-INVITE and its ACK, one after the other.
	ends  [kept]uint16 // Where each of them ends.
	hop   mmsg.Addr    // Where they go.

	legs [2]leg
}

// What is kept of an answered call: the requests that the caller may send.
const (
	keptACK = iota
	keptBYE
	keptRenew
	keptRenewACK
	kept
)

// leg is a provider's side of a call.
type leg struct {
	arrived int64 // The INVITE reached this host.
	rang    int64 // The 180 left.
	byed    bool
	acked   bool
	sent    bool // The final reply left.
	tries   uint8

	reply    []byte // The final reply, until its ACK.
	from     *line
	to       mmsg.Addr
	due      int64
	deadline int64
}

// The legs of a call: the provider of the first choice, and of the second. A silent one needs no leg.
const (
	legFirst = iota
	legSecond
)

// A token in the wheel is the number of a call and whose turn it is.
const (
	tokenCaller = 0 // 1 + index of a leg otherwise.
	tokenBits   = 2
)

func token(id uint32, who int) uint32 { return id<<tokenBits | uint32(who) }

// buffers lends byte slices that keep their room when they come back.
type buffers [][]byte

const bufferRoom = 2048

func (f *buffers) get() []byte {
	if n := len(*f); n > 0 {
		b := (*f)[n-1]
		*f = (*f)[:n-1]
		return b
	}
	return make([]byte, 0, bufferRoom)
}

func (f *buffers) put(b []byte) {
	if b != nil {
		*f = append(*f, b[:0])
	}
}

//go:build linux

package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// Network is what becomes of the datagrams between the proxy and the generator, in each direction: each share is that
// of the datagrams it happens to, from 0 to 1. As all peers of the proxy are here, that is the share on each hop. The
// zero value is a network without faults.
type Network struct {
	Loss      float64       `json:"loss"`
	Duplicate float64       `json:"duplicate"` // Come twice.
	Reorder   float64       `json:"reorder"`   // Come late, so that others overtake them.
	Delay     time.Duration `json:"delay"`     // By which they are late at most.
}

func (n Network) validate() error {
	for _, share := range []float64{n.Loss, n.Duplicate, n.Reorder} {
		if share < 0 || share >= 1 {
			return fmt.Errorf("network %+v: want shares from 0 to less than 1", n)
		}
	}
	if n.Reorder > 0 && (n.Delay <= 0 || n.Delay > time.Second) {
		return errors.New("network: reordering needs a delay of at most 1s")
	}
	return nil
}

// network carries out what a Network says.
type network struct {
	Network
	rnd   *rand.Rand
	late  []late
	spare []late
	lost  int
}

// late is a datagram that is held back.
type late struct {
	due   int64
	from  *line     // Who sent it, nil for one that came in.
	to    *line     // Who gets it, nil for one that goes out.
	other mmsg.Addr // The other end.
	bytes []byte
}

// newNetwork returns nil for a network without faults, so that it costs a comparison.
func newNetwork(n Network) *network {
	if n == (Network{}) {
		return nil
	}
	return &network{Network: n, rnd: rand.New(rand.NewPCG(2, 2))}
}

// fate draws what becomes of a datagram: how often it arrives, and how many nanoseconds late.
func (n *network) fate() (copies int, delay int64) {
	if n.rnd.Float64() < n.Loss {
		n.lost++
		return 0, 0
	}
	copies = 1
	if n.rnd.Float64() < n.Duplicate {
		copies = 2
	}
	if n.rnd.Float64() < n.Reorder {
		delay = 1 + n.rnd.Int64N(int64(n.Delay))
	}
	return copies, delay
}

// deliver hands on what was held back long enough. What comes of it may be held back in its turn.
func (n *network) deliver(e *Engine) {
	waiting := n.late
	n.late = n.spare[:0]
	for _, l := range waiting {
		switch {
		case l.due > e.now:
			n.late = append(n.late, l)
		case l.from != nil:
			l.from.port.Queue(append(l.from.Slot(), l.bytes...), l.other, nil)
		default:
			e.handle(l.to, l.bytes, l.other, e.now)
		}
	}
	n.spare = waiting
}

// line is a socket, or a stream, behind a network.
type line struct {
	port
	net *network
}

// Queue is the port's Queue through the network.
func (l *line) Queue(b []byte, to mmsg.Addr, stamp *int64) {
	if l.net == nil {
		l.port.Queue(b, to, stamp)
		return
	}
	now := time.Now().UnixNano()
	if stamp != nil && *stamp == 0 {
		*stamp = now
	}
	copies, delay := l.net.fate()
	if delay > 0 {
		for range copies {
			l.net.late = append(l.net.late, late{due: now + delay, from: l, other: to, bytes: append([]byte(nil), b...)})
		}
		return
	}
	for i := range copies {
		if i > 0 {
			b = append(l.Slot(), b...)
		}
		l.port.Queue(b, to, nil)
	}
}

// arrive takes a datagram out of the network.
func (e *Engine) arrive(l *line, b []byte, from mmsg.Addr, stamp int64) {
	if l.net == nil {
		e.handle(l, b, from, stamp)
		return
	}
	copies, delay := l.net.fate()
	for range copies {
		if delay > 0 {
			l.net.late = append(l.net.late, late{due: e.now + delay, to: l, other: from, bytes: append([]byte(nil), b...)})
			continue
		}
		e.handle(l, b, from, stamp)
	}
}

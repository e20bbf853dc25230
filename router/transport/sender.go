package transport

import (
	"errors"
	"runtime"
	"syscall"
)

// Errors given to Handler.Failed besides those of system calls.
var (
	// ErrNoListener says that a Flow names no listener that can send it.
	ErrNoListener = errors.New("no such listener")
	// ErrQueueFull says that Config.WriteQueue bytes wait already.
	ErrQueueFull = errors.New("write queue full")
	// ErrConnLimit says that Config.MaxConns connections are dialled already.
	ErrConnLimit = errors.New("too many connections")
	// ErrClosed says that the connection was closed before the message left.
	ErrClosed = errors.New("connection closed")
)

// Sender queues messages and sends them in batches. One goroutine uses it at a
// time.
type Sender struct {
	t *Transport
	// own is the socket that the Sender's goroutine reads, if any, and fd its
	// descriptor, which is valid while that goroutine is in its callback.
	own *udpSocket
	fd  uintptr
	// udp holds a queue for each UDP listener sent to so far, by listener.
	udp []*udpQueue
	// dirty are the connections with messages of this batch.
	dirty []*conn
	// failed is what could not be sent and is not reported yet.
	failed failures
	// errs reads error queues, once there was an error.
	errs *errorQueue
	// orphan: no worker reports what failed, so the transport does.
	orphan bool
}

// maxDirty bounds the list of connections to flush.
const maxDirty = 64

// Send copies a message into the queue of its flow. It never waits, and never
// reports a failure itself: that is Handler.Failed, later. Messages to one
// destination leave in the order of Send. When a queue is full, Send empties
// it first.
func (s *Sender) Send(to Flow, data []byte) {
	switch to.Proto {
	case UDP:
		if q := s.queueFor(to, data); q != nil {
			q.add(to, data)
		}
	case TCP, TLS:
		s.sendStream(to, data, false)
	default:
		s.fail(to, data, ErrNoListener)
	}
}

// SendUnordered is Send for a message that may leave before others to the same
// destination that were sent earlier. Many of them with the same length take
// less time than by Send.
func (s *Sender) SendUnordered(to Flow, data []byte) {
	if to.Proto != UDP {
		s.Send(to, data)
		return
	}
	if q := s.queueFor(to, data); q != nil {
		q.addUnordered(to, data)
	}
}

// Flush sends everything in the queues. The transport does so by itself for
// the Sender of a Handler.
func (s *Sender) Flush(now int64) {
	s.push()
	if s.orphan && s.failed.len() > 0 {
		s.t.orphans.put(now, &s.failed)
	}
}

// push sends everything in the queues and keeps what failed.
func (s *Sender) push() {
	for _, q := range s.udp {
		if q != nil {
			q.flush()
		}
	}
	s.pushStreams()
}

// queueFor returns the queue that a datagram leaves by, nil when it cannot be sent.
func (s *Sender) queueFor(to Flow, data []byte) *udpQueue {
	if int(to.Listener) >= len(s.udp) || len(s.t.sockets[to.Listener]) == 0 {
		s.fail(to, data, ErrNoListener)
		return nil
	}
	if !to.Remote.IsValid() {
		s.fail(to, data, syscall.EDESTADDRREQ)
		return nil
	}
	q := s.udp[to.Listener]
	if q == nil {
		q = s.openQueue(to.Listener)
	}
	return q
}

// openQueue makes the queue for a listener at its first use: a worker's own
// socket for its own listener, the first one of any other.
func (s *Sender) openQueue(listener uint16) *udpQueue {
	own := s.own != nil && s.own.listener == listener
	sock := s.own
	if !own {
		sock = s.t.sockets[listener][0]
	}
	s.udp[listener] = newUDPQueue(s, sock, own)
	return s.udp[listener]
}

// sendStream queues a message on the connection of its flow. Again says that
// the message was lost with one connection already, and needs a dialled one.
func (s *Sender) sendStream(to Flow, data []byte, again bool) {
	for {
		c, err := s.t.streamFor(to, again)
		if err != nil {
			s.fail(to, data, err)
			return
		}
		switch c.enqueue(to, data, again) {
		case enqueued:
			s.touch(c)
			return
		case enqueueFull:
			s.t.cfg.Dropped(DropWriteQueue)
			s.fail(to, data, ErrQueueFull)
			return
		case enqueueClosed:
			runtime.Gosched() // it is about to leave the table
		}
	}
}

// touch notes a connection for the next flush.
func (s *Sender) touch(c *conn) {
	if n := len(s.dirty); n > 0 && s.dirty[n-1] == c {
		return
	}
	if len(s.dirty) == maxDirty {
		s.pushStreams()
	}
	s.dirty = append(s.dirty, c)
}

func (s *Sender) pushStreams() {
	for i, c := range s.dirty {
		c.flush()
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
}

// fail keeps a message that cannot be sent until it can be reported.
func (s *Sender) fail(to Flow, data []byte, err error) {
	s.failed.add(to, data, err)
}

package transport

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A peer that has gone without a word takes what is written to it next, and
// only then resets the connection. So a connection keeps what it has written
// until the peer's kernel has acknowledged it. What is not, when the peer is
// found to be gone, goes to another connection, once: a peer that has seen it
// after all takes it for a retransmission.

// isLost reports whether a connection ended because of its peer or the way to
// it, and not because we wanted it to.
func isLost(cause error) bool {
	for _, own := range []error{ErrClosed, errMessageTimeout, errNotSIP, errHeaderLimit, errLength, errBodyLimit} {
		if errors.Is(cause, own) {
			return false
		}
	}
	return cause != nil
}

// isStale reports whether the peer has given up a connection, such that it may
// well take another.
func isStale(cause error) bool {
	return errors.Is(cause, io.EOF) || errors.Is(cause, syscall.ECONNRESET) || errors.Is(cause, syscall.EPIPE)
}

// outstandingLocked returns how many bytes the peer has not acknowledged. It
// is 0 for a connection that was never open.
func (c *conn) outstandingLocked() int {
	c.outq = 0
	if c.raw != nil {
		_ = c.raw.Control(c.tellOutq)
	}
	return int(c.outq)
}

// readOutq is the callback of outstandingLocked.
func (c *conn) readOutq(fd uintptr) {
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, fd, unix.SIOCOUTQ, uintptr(unsafe.Pointer(&c.outq)))
	if errno != 0 {
		c.outq = 0
	}
}

// keepWritten is from what size on acknowledged messages are cut off while
// others are not acknowledged yet.
const keepWritten = 64 << 10

// forgetLocked drops what the peer has acknowledged of what was written. On a
// connection that is never quiet, messages may be dropped unacknowledged
// rather than kept without end.
func (c *conn) forgetLocked() {
	if c.written.empty() {
		return
	}
	n := c.outstandingLocked()
	if n > 0 && c.plain && len(c.written.buf) > keepWritten {
		c.written.cut(c.taken - min(c.taken, uint64(n)))
	}
	if n == 0 || len(c.written.buf) > c.t.cfg.WriteQueue {
		c.written.reset()
	}
}

// retireLocked keeps what was just written.
func (c *conn) retireLocked() {
	if c.written.empty() {
		c.written, c.writing = c.writing, c.written
		return
	}
	c.written.append(&c.writing)
	c.writing.reset()
}

// ackedAt returns how much of the stream the peer has acknowledged. With TLS,
// whose bytes on the wire are others, that is all or nothing of what is kept.
func (c *conn) ackedAt() uint64 {
	sent := c.taken
	if !c.writing.empty() {
		sent = c.writing.at + uint64(c.writing.sent)
	}
	switch {
	case c.unacked == 0:
		return sent
	case c.plain:
		return sent - min(sent, uint64(c.unacked))
	case c.written.empty():
		return c.writing.at
	}
	return c.written.at
}

// rescue sees to the messages of a connection that has ended which its peer
// does not have: those that wait, and those that were lost on the way. It
// sends them over another connection or reports them.
//
// What is sent meanwhile must not overtake them. So the connection stays in
// the table and takes messages until the last has been moved, and only then
// gives its place to the other one.
func (c *conn) rescue() {
	if c.t.closing.Load() {
		c.t.conns.remove(c)
		return
	}
	var w *worker
	var next *conn // to the same peer, when this one was dialled
	now := c.t.cfg.Now()
	for lost := c.takeLost(); len(lost) > 0; lost = c.takeLost() {
		if w == nil {
			w = <-c.t.idle
		}
		for _, s := range lost {
			for _, m := range s.marks {
				next = c.rescueOne(w, now, next, m, s.buf[m.begin:m.end:m.end])
			}
		}
	}
	if next == nil {
		c.t.conns.remove(c)
	} else if err := c.t.conns.replace(c, next); err == nil {
		go next.run(next.dial)
	} // else the transport is closed, and nobody is told any more
	if w != nil {
		w.settle(now)
		c.t.idle <- w
	}
}

// rescueOne sees to one message. It returns the connection that takes the place
// of this one, if there is one by now.
func (c *conn) rescueOne(w *worker, now int64, next *conn, m mark, data []byte) *conn {
	if !m.late && (m.again || c.nc == nil || !isStale(c.cause)) {
		w.handler.Failed(now, m.to, data, c.failure())
		return next
	}
	key := keyOf(m.to)
	if !c.dialled || key != c.key {
		w.sender.sendStream(m.to, data, true)
		return next
	}
	if next == nil {
		next = newDialled(c.t, key)
	}
	if next.enqueue(m.to, data, !m.late) != enqueued {
		c.t.cfg.Dropped(DropWriteQueue)
		w.sender.fail(m.to, data, ErrQueueFull)
	}
	return next
}

// failure returns the error that a message is reported with.
func (c *conn) failure() error {
	cause := c.cause
	if cause == nil || errors.Is(cause, io.EOF) {
		cause = ErrClosed
	}
	return fmt.Errorf("stream to %s: %w", c.flow.Remote, cause)
}

// takeLost returns the messages that the peer does not have. When there are
// none, the connection takes no more of them.
func (c *conn) takeLost() []stretch {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.writer == writerFlusher {
		c.quiet.Wait()
	}
	acked := c.ackedAt()
	c.waiting.at = c.taken
	c.taken = c.waiting.end()
	var lost []stretch
	for _, s := range []stretch{c.written, c.writing, c.waiting} {
		s.cut(acked)
		if len(s.marks) > 0 {
			lost = append(lost, s)
		}
	}
	c.written, c.writing, c.waiting, c.queued, c.unacked = stretch{}, stretch{}, stretch{}, 0, 0
	if len(lost) == 0 {
		c.state = connClosed
	}
	return lost
}

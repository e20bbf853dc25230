package transport

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enqueueResult is what became of a message given to a connection.
type enqueueResult uint8

const (
	enqueued enqueueResult = iota
	enqueueFull
	enqueueClosed
)

// enqueue copies a message into the connection's queue. It never waits for
// the network.
func (c *conn) enqueue(to Flow, data []byte, again bool) enqueueResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == connClosed {
		return enqueueClosed
	}
	if len(data) > c.t.cfg.WriteQueue-c.queued {
		return enqueueFull
	}
	c.waiting.add(data, mark{to: to, again: again, late: c.state == connLost})
	c.queued += len(data)
	return enqueued
}

// pong answers pings with a CRLF each (RFC 5626 section 4.4.1). Who does not
// read them gets no more.
func (c *conn) pong(pings int) {
	c.mu.Lock()
	for range pings {
		if c.state == connOpen && c.queued+2 <= c.t.cfg.WriteQueue {
			c.waiting.buf = append(c.waiting.buf, "\r\n"...)
			c.queued += 2
		}
	}
	c.mu.Unlock()
	c.flush()
}

// flush writes what is queued, as far as the kernel takes it without waiting.
// The rest is left to the writing goroutine. When somebody writes already, it
// is theirs.
func (c *conn) flush() {
	c.mu.Lock()
	ready := c.writer == writerNone && c.takeLocked()
	if ready {
		c.writer = writerFlusher
	}
	c.mu.Unlock()
	for ready {
		if err := c.writeSome(); err != nil {
			c.close(err) // before anybody else may write
			c.handOver(writerNone)
			return
		}
		if c.writing.sent < len(c.writing.buf) {
			c.handOver(writerRoutine)
			c.kick <- struct{}{} // has room: it was taken before the last hand-over ended
			return
		}
		c.mu.Lock()
		ready = c.nextLocked()
		c.mu.Unlock()
	}
}

// handOver lets go of the stretch that is being written.
func (c *conn) handOver(to writerKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writer = to
	c.quiet.Broadcast()
}

// writeSome writes without waiting. With TLS it writes nothing: a record that
// is not written whole cannot be written again.
func (c *conn) writeSome() error {
	if !c.plain {
		return nil
	}
	c.wrote, c.writeErr = 0, nil
	if err := c.raw.Control(c.tryWrite); err != nil {
		return err
	}
	if c.wrote > 0 {
		c.writing.sent += c.wrote
		c.lastWrite.Store(time.Now().UnixNano())
	}
	return c.writeErr
}

// writeNow is the callback of writeSome. It calls the kernel as vector's
// calls do, and for the same reason.
func (c *conn) writeNow(fd uintptr) {
	rest := c.writing.buf[c.writing.sent:]
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(rest))),
		uintptr(len(rest)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	switch errno {
	case 0:
		c.wrote = int(n)
	case unix.EAGAIN, unix.EINTR: // left to the writing goroutine
	default:
		c.writeErr = errno
	}
}

// writeLoop writes what a flush could not, until the connection is closed.
func (c *conn) writeLoop() {
	for {
		select {
		case <-c.dead:
			return
		case <-c.kick:
		}
		if err := c.writeAll(); err != nil {
			c.close(err)
			return
		}
	}
}

// writeChunk is how much a peer must take within WriteTimeout.
const writeChunk = 64 << 10

// writeAll writes everything queued, and waits for the peer to take it.
func (c *conn) writeAll() error {
	for more := true; more; {
		for c.writing.sent < len(c.writing.buf) {
			rest := c.writing.buf[c.writing.sent:]
			now := time.Now()
			if err := c.nc.SetWriteDeadline(now.Add(c.t.cfg.WriteTimeout)); err != nil {
				return err
			}
			n, err := c.nc.Write(rest[:min(len(rest), writeChunk)])
			c.writing.sent += n
			c.lastWrite.Store(now.UnixNano())
			if err != nil {
				return err
			}
		}
		c.mu.Lock()
		more = c.nextLocked()
		c.mu.Unlock()
	}
	return nil
}

// nextLocked ends a stretch that is written and takes the next. Without one it
// lets go of the writing and reports false.
func (c *conn) nextLocked() bool {
	c.queued -= len(c.writing.buf)
	c.retireLocked()
	if c.takeLocked() {
		return true
	}
	c.writer = writerNone
	c.quiet.Broadcast()
	return false
}

// takeLocked makes what waits the stretch to write, if there is any.
func (c *conn) takeLocked() bool {
	if c.state != connOpen || c.waiting.empty() {
		return false
	}
	c.forgetLocked()
	c.waiting, c.writing = c.writing, c.waiting
	c.writing.at = c.taken
	c.taken += uint64(len(c.writing.buf))
	return true
}

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is one stream connection. Its life is one goroutine, run, which opens
// it, reads it, and reports what it could not send.
type conn struct {
	t       *Transport
	flow    Flow // as Receive gives it
	key     dialKey
	dialled bool
	counted bool // among the accepted ones, guarded by the table's lock
	served  bool // a message came, used by run only

	// tcp is the socket. nc is what messages are read from and written to: tcp
	// or a TLS connection over it.
	tcp *net.TCPConn
	nc  net.Conn
	// dead is closed when the connection is.
	dead chan struct{}

	mu    sync.Mutex
	state connState
	cause error // why it is closed
	// waiting is what no one writes yet. writing belongs to the writer, and so
	// does written, which the kernel has and the peer may not have yet.
	waiting, writing, written stretch
	queued                    int    // bytes in waiting and writing
	taken                     uint64 // bytes of the stream before waiting
	unacked                   int    // bytes that a lost peer has not acknowledged
	writer                    writerKind
	// quiet tells those who wait that nothing is being written.
	quiet sync.Cond

	// raw is tcp, for what package net cannot do, and plain whether messages
	// go to it without TLS.
	raw      syscall.RawConn
	plain    bool
	tryWrite func(fd uintptr) // writeNow, made once
	tellOutq func(fd uintptr) // readOutq, made once
	outq     int32
	wrote    int
	writeErr error
	// kick wakes the writing goroutine.
	kick chan struct{}
	// lastWrite is when something was last written, in nanoseconds of Unix time.
	lastWrite atomic.Int64
}

type connState uint8

const (
	connOpening connState = iota // queues, and writes nothing
	connOpen
	connLost   // queues, for another connection
	connClosed // takes nothing any more
)

// writerKind says who writes at the moment.
type writerKind uint8

const (
	writerNone    writerKind = iota
	writerFlusher            // whoever called flush; it does not wait
	writerRoutine            // the connection's writing goroutine
)

func newConn(t *Transport, flow Flow) *conn {
	c := &conn{t: t, flow: flow, dead: make(chan struct{}), kick: make(chan struct{}, 1)}
	c.quiet.L = &c.mu
	return c
}

// run is the life of a connection. open returns what to read and write.
func (c *conn) run(open func(context.Context) (net.Conn, error)) {
	defer c.t.running.Done()
	nc, err := open(c.t.ctx)
	if err == nil {
		err = c.serve(nc)
	}
	c.close(err)
	c.rescue()
}

// serve reads and writes an open connection until it ends.
func (c *conn) serve(nc net.Conn) error {
	var writing sync.WaitGroup
	defer writing.Wait()
	if err := c.opened(nc); err != nil {
		return err
	}
	writing.Go(c.writeLoop)
	c.flush()
	r := newReader(c)
	err := r.loop()
	switch {
	case errors.Is(err, errLength), errors.Is(err, errBodyLimit):
		c.farewell()
	case errors.Is(err, io.EOF) && c.served && c.t.conns.leave(c):
		err = c.outlast()
	}
	c.close(err)
	return err
}

// opened lets messages be written.
func (c *conn) opened(nc net.Conn) error {
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return err
	}
	c.lastWrite.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != connOpening {
		return c.cause
	}
	c.nc, c.plain, c.raw = nc, nc == c.tcp, raw
	c.tryWrite, c.tellOutq = c.writeNow, c.readOutq
	c.state = connOpen
	return nil
}

// close ends the connection at once. The first cause counts. What becomes of
// its messages is left to rescue.
func (c *conn) close(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= connLost {
		return
	}
	c.state = connLost
	c.cause = cause
	if isLost(cause) {
		c.unacked = c.outstandingLocked()
	}
	close(c.dead)
	c.quiet.Broadcast()
	if c.tcp != nil {
		_ = c.tcp.Close()
	}
}

// farewellTime and farewellBytes bound what is read from a peer that is to
// see an answer before its connection goes.
const (
	farewellTime  = time.Second
	farewellBytes = 1 << 20
)

// farewell closes a connection such that the peer gets what was sent to it
// last. A socket closed with unread data would be reset, and the answer with
// it; so the rest is read and thrown away.
func (c *conn) farewell() {
	c.t.conns.remove(c)
	c.mu.Lock()
	for c.state == connOpen && c.queued > 0 {
		c.quiet.Wait()
	}
	c.mu.Unlock()
	_ = c.nc.SetDeadline(time.Now().Add(farewellTime))
	if s, ok := c.nc.(*tls.Conn); ok {
		_ = s.CloseWrite()
	}
	_ = c.tcp.CloseWrite()
	_, _ = io.CopyN(io.Discard, c.tcp, farewellBytes)
}

// outlast keeps a connection whose peer has stopped sending, for the replies
// to what it asked before. A peer that is gone altogether looks the same until
// something is sent to it; then it resets the connection.
func (c *conn) outlast() error {
	if err := c.tcp.SetReadDeadline(time.Now().Add(c.t.cfg.HalfClosedTimeout)); err != nil {
		return err
	}
	var reset error
	err := c.raw.Read(func(fd uintptr) bool {
		// Reading tells nothing any more: it returns the end of the stream.
		errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			reset = err
		} else if errno != 0 {
			reset = syscall.Errno(errno)
		}
		return reset != nil
	})
	return errors.Join(reset, err)
}

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
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
	// waiting is what no one writes yet; writing belongs to the writer.
	waiting, writing stretch
	queued           int // bytes in both
	writer           writerKind
	// quiet tells those who wait that nothing is being written.
	quiet sync.Cond

	// raw is tcp for writing without waiting, nil with TLS.
	raw      syscall.RawConn
	tryWrite func(fd uintptr)
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
	connClosed
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
	c.reportUnsent()
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
		c.outlast()
	}
	c.close(err)
	return err
}

// opened lets messages be written.
func (c *conn) opened(nc net.Conn) error {
	if _, secure := nc.(*tls.Conn); !secure {
		raw, err := c.tcp.SyscallConn()
		if err != nil {
			return err
		}
		c.raw = raw
		c.tryWrite = c.writeNow
	}
	c.lastWrite.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == connClosed {
		return c.cause
	}
	c.nc = nc
	c.state = connOpen
	return nil
}

// close ends the connection at once. The first cause counts.
func (c *conn) close(cause error) {
	// Out of the table first: who finds it closed must not find it again.
	c.t.conns.remove(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == connClosed {
		return
	}
	c.state = connClosed
	c.cause = cause
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
// something is sent to it.
func (c *conn) outlast() {
	timer := time.NewTimer(c.t.cfg.HalfClosedTimeout)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.dead:
	}
}

// reportUnsent reports the messages that were queued and did not leave.
func (c *conn) reportUnsent() {
	c.mu.Lock()
	for c.writer == writerFlusher {
		c.quiet.Wait()
	}
	unsent := [2]stretch{c.writing, c.waiting}
	cause := c.cause
	c.writing, c.waiting, c.queued = stretch{}, stretch{}, 0
	c.mu.Unlock()
	if c.t.closing.Load() || unsent[0].empty() && unsent[1].empty() {
		return
	}
	if cause == nil || errors.Is(cause, io.EOF) {
		cause = ErrClosed
	} else {
		cause = fmt.Errorf("stream to %s: %w", c.flow.Remote, cause)
	}
	w := <-c.t.idle
	now := c.t.cfg.Now()
	for i := range unsent {
		unsent[i].report(now, w.handler, cause)
	}
	w.settle(now)
	c.t.idle <- w
}

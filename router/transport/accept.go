package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// streamListener accepts connections.
type streamListener struct {
	listener uint16
	proto    Proto
	ln       *net.TCPListener
}

func openStream(ctx context.Context, cfg *Config, listener uint16) (*streamListener, error) {
	addr := cfg.Listeners[listener].Addr
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		// Accepted sockets inherit it.
		return control(raw, func(fd int) error { return setUserTimeout(fd, cfg.WriteTimeout) })
	}}
	lc.SetMultipathTCP(false)
	network := "tcp4"
	if addr.Addr().Is6() {
		network = "tcp6" // with this name package net sets IPV6_V6ONLY
	}
	ln, err := lc.Listen(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	return &streamListener{listener: listener, proto: cfg.Listeners[listener].Proto, ln: ln.(*net.TCPListener)}, nil
}

// The pause after a failed accept, such as for want of descriptors, doubles
// from the one to the other.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// accept takes connections until the transport is closed.
func (t *Transport) accept(l *streamListener) {
	defer t.running.Done()
	var pause time.Duration
	for {
		tcp, err := l.ln.AcceptTCP()
		switch {
		case err == nil:
			pause = 0
			t.take(l, tcp)
		case t.closing.Load(), errors.Is(err, net.ErrClosed):
			return
		default:
			pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
			t.log.warn("cannot accept", "listener", t.bound[l.listener].String(), "error", err)
			t.pause(pause)
		}
	}
}

// take makes a connection of an accepted socket, within the limits.
func (t *Transport) take(l *streamListener, tcp *net.TCPConn) {
	remote := unmapped(tcp.RemoteAddr().(*net.TCPAddr).AddrPort())
	c := newConn(t, Flow{Proto: l.proto, Listener: l.listener, Remote: remote})
	c.tcp = tcp
	if err := t.conns.addAccepted(c); err != nil {
		// A reset leaves nothing behind, not even a socket in TIME_WAIT.
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
		if errors.Is(err, ErrConnLimit) {
			t.cfg.Dropped(DropConnLimit)
			t.log.warn("refusing a stream", "reason", DropConnLimit, "source", remote, "transport", l.proto.String(), "error", err)
		}
		return
	}
	go c.run(c.welcome)
}

// welcome readies an accepted connection.
func (c *conn) welcome(ctx context.Context) (net.Conn, error) {
	if c.flow.Proto != TLS {
		return c.tcp, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.t.cfg.MessageTimeout)
	defer cancel()
	s := tls.Server(c.tcp, c.t.cfg.TLS)
	err := s.HandshakeContext(ctx)
	if err == nil {
		return s, nil
	}
	reason := DropStreamFraming
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		reason = DropStreamTimeout
	}
	if !c.t.closing.Load() {
		c.t.cfg.Dropped(reason)
		c.t.log.warn("tls handshake failed", "reason", reason, "source", c.flow.Remote, "error", err)
	}
	return nil, err
}

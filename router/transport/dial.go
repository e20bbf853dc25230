package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// streamFor returns the connection that carries a flow: the one it names while
// that is alive, else one dialled to its remote address, before or now. With
// again, the one it names does not count.
func (t *Transport) streamFor(to Flow, again bool) (*conn, error) {
	if to.Conn != 0 && !again {
		if c := t.conns.byID(to.Conn); c != nil {
			return c, nil
		}
	}
	if int(to.Listener) >= len(t.bound) {
		return nil, ErrNoListener
	}
	if !to.Remote.IsValid() || to.Remote.Port() == 0 {
		return nil, syscall.EDESTADDRREQ
	}
	key := keyOf(to)
	if c := t.conns.byRemote(key); c != nil {
		return c, nil
	}
	c := newDialled(t, key)
	added, err := t.conns.addDialled(c)
	if err != nil {
		t.cfg.Dropped(DropConnLimit)
		return nil, err
	}
	if added == c {
		go c.run(c.dial)
	}
	return added, nil
}

// newDialled returns a connection that is not dialled yet.
func newDialled(t *Transport, key dialKey) *conn {
	c := newConn(t, Flow{Proto: key.proto, Listener: key.listener, Peer: key.peer, Remote: key.remote})
	c.key, c.dialled = key, true
	return c
}

// dial opens the connection from the address of its listener, with another
// port.
func (c *conn) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.t.cfg.DialTimeout)
	defer cancel()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			// The port need only be free towards this peer, not towards all.
			_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			return setUserTimeout(fd, c.t.cfg.WriteTimeout)
		})
	}}
	var local netip.AddrPort
	addr := c.t.bound[c.flow.Listener].Addr.Addr()
	if !addr.IsUnspecified() {
		local = netip.AddrPortFrom(addr, 0)
	}
	tcp, err := d.DialTCP(ctx, "tcp", local, c.flow.Remote)
	if err != nil {
		return nil, err
	}
	if !c.setSocket(tcp) {
		return nil, ErrClosed
	}
	if c.flow.Proto != TLS {
		return tcp, nil
	}
	s := tls.Client(tcp, c.t.clientTLS(c.flow))
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, &HandshakeError{err}
	}
	return s, nil
}

// HandshakeError says why a TLS connection that we opened came to nothing,
// though the peer took the TCP connection.
type HandshakeError struct{ Err error }

// Error names the handshake and the reason.
func (e *HandshakeError) Error() string { return "tls handshake: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *HandshakeError) Unwrap() error { return e.Err }

// setSocket makes a socket the connection's own, and closes it instead when
// the connection was closed in the meantime.
func (c *conn) setSocket(tcp *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != connOpening {
		_ = tcp.Close()
		return false
	}
	c.tcp = tcp
	return true
}

// clientTLS returns the configuration to verify a peer with.
func (t *Transport) clientTLS(to Flow) *tls.Config {
	if t.cfg.TLSClient != nil {
		if cfg := t.cfg.TLSClient(to.Remote, to.Peer); cfg != nil {
			return cfg
		}
	}
	return &tls.Config{ServerName: to.Remote.Addr().WithZone("").String(), MinVersion: tls.VersionTLS12}
}

// setUserTimeout makes the kernel give up a connection whose peer does not
// acknowledge data, instead of repeating it for a quarter of an hour while
// call after call is sent into it.
func setUserTimeout(fd int, timeout time.Duration) error {
	return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_USER_TIMEOUT, int(timeout.Milliseconds()))
}

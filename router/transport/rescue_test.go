package transport

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// vanish closes a connection such that the other side does not hear of it, as
// when a host crashes and comes back. That takes a privilege; without it the other side hears of it, though it may
// have something on its way already, and the same has to come of it.
func vanish(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_REPAIR, 1)
		})
	}
	if errors.Is(err, unix.EPERM) {
		t.Log("not permitted to let a connection vanish: it is reset")
		err = c.SetLinger(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestRescue: what is sent to a peer that has forgotten the connection goes
// over another one, in order, and what it has acknowledged does not.
func TestRescue(t *testing.T) {
	ca := newAuthority(t)
	for _, proto := range []Proto{TCP, TLS} {
		t.Run(proto.String(), func(t *testing.T) {
			r := newRig().start(t, Config{
				Listeners: []Listener{loopback(TCP)},
				TLSClient: func(netip.AddrPort, uint16) *tls.Config { return &tls.Config{RootCAs: ca.pool, ServerName: "a"} },
			})
			ln := tcpPeer(t)
			to := Flow{Proto: proto, Remote: addrOf(ln.Addr())}
			server := ca.server(t, "a")
			meet := func() (*net.TCPConn, net.Conn) {
				c := accept(t, ln)
				if proto == TLS {
					return c, tls.Server(c, server)
				}
				return c, c
			}
			s := r.NewSender()
			s.Send(to, []byte("first"))
			s.Flush(r.Now())
			tcp, nc := meet()
			read(t, nc, "first")
			write(t, nc, request("heard", ""))
			r.next(t)
			for i := range 10 {
				vanish(t, tcp)
				to.Conn = uint32(i) // none of ours, which makes no difference
				s.Send(to, []byte("second"))
				s.Send(to, []byte("third"))
				s.Flush(r.Now())
				s.Send(to, []byte("fourth"))
				s.Flush(r.Now())
				tcp, nc = meet()
				read(t, nc, "secondthirdfourth")
				write(t, nc, request("heard", ""))
				r.next(t)
			}
			r.noFailure(t)

			// With nobody there to take it, it is known at once.
			vanish(t, tcp)
			ln.Close()
			s.Send(to, []byte("last"))
			s.Flush(r.Now())
			if f := r.nextFailure(t); f.to != to || f.data != "last" || !errors.Is(f.err, syscall.ECONNREFUSED) {
				t.Errorf("failed: %q to %v: %v", f.data, f.to, f.err)
			}
			r.noFailure(t)
		})
	}
}

// TestRescueOnce: a message that is lost with two connections is reported.
func TestRescueOnce(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	ln := tcpPeer(t)
	to := Flow{Proto: TCP, Remote: addrOf(ln.Addr())}
	s := r.NewSender()
	s.Send(to, []byte("hello"))
	s.Flush(r.Now())
	c := accept(t, ln)
	read(t, c, "hello")
	write(t, c, request("heard", ""))
	r.next(t)
	big := padding(900_000) // more than the kernel takes at once
	s.Send(to, []byte(big))
	s.Flush(r.Now())
	for range 2 {
		read(t, c, "x")
		if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
			t.Fatal(err)
		}
		if err := ln.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		next, err := ln.AcceptTCP()
		if err != nil {
			break // only the first round gets another connection
		}
		r.noFailure(t)
		c = next
	}
	if f := r.nextFailure(t); f.data != big || !errors.Is(f.err, syscall.ECONNRESET) && !errors.Is(f.err, syscall.EPIPE) {
		t.Errorf("failed: %d bytes: %v", len(f.data), f.err)
	}
}

// TestRescueReply: replies to a peer that has closed its connection reach the
// address that they name besides it (RFC 3261 section 18.2.2).
func TestRescueReply(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	reset := func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }
	for _, how := range []struct {
		name string
		end  func(*net.TCPConn) error
		wait bool // for the first reply before the second is sent
	}{
		{"closed", (*net.TCPConn).Close, true},
		{"closed, two replies", (*net.TCPConn).Close, false},
		{"reset", reset, true},
		{"reset, two replies", reset, false},
	} {
		t.Run(how.name, func(t *testing.T) {
			via := tcpPeer(t) // where the peer's Via says
			c := r.dialTCP(t, 0)
			write(t, c, request("a", ""))
			flow := r.next(t).from
			flow.Remote = addrOf(via.Addr())
			s := r.NewSender()
			s.Send(flow, []byte("SIP/2.0 100 Trying\r\n\r\n"))
			s.Flush(r.Now())
			read(t, c, "SIP/2.0 100 Trying\r\n\r\n")
			if err := how.end(c); err != nil {
				t.Fatal(err)
			}
			s.Send(flow, []byte("SIP/2.0 180 Ringing\r\n\r\n"))
			s.Flush(r.Now())
			var other *net.TCPConn
			if how.wait {
				other = accept(t, via)
				read(t, other, "SIP/2.0 180 Ringing\r\n\r\n")
			}
			s.Send(flow, []byte("SIP/2.0 200 OK\r\n\r\n"))
			s.Flush(r.Now())
			if !how.wait {
				other = accept(t, via)
				read(t, other, "SIP/2.0 180 Ringing\r\n\r\n")
			}
			read(t, other, "SIP/2.0 200 OK\r\n\r\n")
			if err := other.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, other); n > 0 {
				t.Errorf("%d more bytes: %v", n, err)
			}
		})
	}
	r.noFailure(t)
}

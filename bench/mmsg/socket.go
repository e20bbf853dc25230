//go:build linux

// Package mmsg moves UDP datagrams in batches: one recvmmsg brings up to 64 in, one sendmmsg takes up to 64 out.
//
//	Receive -> Datagram(0..n-1)      reused slots: valid until the next Receive
//	Slot -> append to it -> Queue    reused slots: leave at the next Flush, or when 64 are queued
//
// A socket belongs to one goroutine. Nothing here allocates after Listen.
package mmsg

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// Batch is how many datagrams one system call moves at most.
	Batch = 64
	// MaxDatagram is the longest datagram in bytes that is received or sent.
	MaxDatagram = 4096
	// bufferSize is what is asked of the kernel for its own queue, in bytes: a burst must wait, not vanish.
	bufferSize = 4 << 20
	// controlSize holds the one control message that is asked for, the time stamp, in bytes.
	controlSize = 64
)

// header is struct mmsghdr; Go pads it as C does.
type header struct {
	hdr unix.Msghdr
	n   uint32
}

// direction is the set of slots for one direction.
type direction struct {
	buf  [Batch][MaxDatagram]byte
	hdr  [Batch]header
	iov  [Batch]unix.Iovec
	addr [Batch]Addr
}

// Options says how a socket is opened.
type Options struct {
	// Stamps asks the kernel for the time at which each datagram arrived.
	Stamps bool
}

// Socket is a UDP socket with its batches. It must not be copied.
type Socket struct {
	conn    *net.UDPConn
	raw     syscall.RawConn
	fd      int
	stamps  bool
	in, out direction
	control [Batch][controlSize]byte
	stampTo [Batch]*int64
	queued  int
	sendErr uint64

	// What the functions below exchange with the raw connection: fixed closures, so that a call allocates nothing.
	receiveFn, sendFn func(uintptr)
	waitFn            func(uintptr) bool
	first, count, n   int // The range to send; how many the last receive brought.
	sent              int
	errno             unix.Errno
}

// Listen opens a UDP socket on an IPv4 address; port 0 takes a free one.
func Listen(ctx context.Context, at netip.AddrPort, o Options) (*Socket, error) {
	if !at.Addr().Is4() {
		return nil, fmt.Errorf("listening on %v: only IPv4", at)
	}
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp4", at.String())
	if err != nil {
		return nil, fmt.Errorf("listening on %v: %w", at, err)
	}
	conn, ok := pc.(*net.UDPConn)
	if !ok {
		_ = pc.Close()
		return nil, fmt.Errorf("listening on %v: got a %T", at, pc)
	}
	s := &Socket{conn: conn, stamps: o.Stamps}
	if err := s.setUp(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listening on %v: %w", at, err)
	}
	return s, nil
}

func (s *Socket) setUp() error {
	if err := s.conn.SetReadBuffer(bufferSize); err != nil {
		return err
	}
	if err := s.conn.SetWriteBuffer(bufferSize); err != nil {
		return err
	}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	s.raw = raw
	var optErr error
	err = raw.Control(func(fd uintptr) {
		s.fd = int(fd)
		if s.stamps {
			optErr = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}
	})
	if err == nil {
		err = optErr
	}
	if err != nil {
		return err
	}
	s.n = Batch // All headers need what prepare sets.
	for i := range Batch {
		for _, d := range []*direction{&s.in, &s.out} {
			d.iov[i].Base = &d.buf[i][0]
			h := &d.hdr[i].hdr
			h.Name = (*byte)(unsafe.Pointer(&d.addr[i]))
			h.Namelen = unix.SizeofSockaddrInet4
			h.Iov = &d.iov[i]
			h.SetIovlen(1)
		}
		s.in.iov[i].SetLen(MaxDatagram)
		if s.stamps {
			s.in.hdr[i].hdr.Control = &s.control[i][0]
		}
	}
	s.receiveFn, s.sendFn, s.waitFn = s.receive, s.send, s.receiveOrWait
	return nil
}

// LocalAddr returns where the socket listens.
func (s *Socket) LocalAddr() netip.AddrPort {
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// FD returns the descriptor for a Poller; it stays the socket's own.
func (s *Socket) FD() int { return s.fd }

// SendErrors returns how many datagrams the kernel refused to send.
func (s *Socket) SendErrors() uint64 { return s.sendErr }

// Close closes the socket. What is queued is lost.
func (s *Socket) Close() { _ = s.conn.Close() }

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// udpSocket is one socket of a UDP listener. It is in blocking mode and unknown
// to Go's poller; who does not want to wait says so in each call.
type udpSocket struct {
	listener uint16
	wildcard bool // bound to all of the host's addresses
	bound    netip.AddrPort
	file     *os.File
	raw      syscall.RawConn
	fd       int // of file, for who holds it open
	// whole: the kernel does not take several datagrams as one (see udp_group.go).
	whole atomic.Bool
	// events is what the poller watches in place of the socket (see udpWait).
	events *os.File
	ready  syscall.RawConn
}

// readWait is how long a blocking read of a UDP socket waits at most, so that
// its worker sees a transport that is closed. With any such limit a signal ends
// the read too (signal(7)), and the runtime gets its processor back.
const readWait = 20 * time.Millisecond

// openUDP binds n sockets to one address.
func openUDP(cfg *Config, listener uint16, n int) ([]*udpSocket, error) {
	addr := cfg.Listeners[listener].Addr
	sockets := make([]*udpSocket, 0, n)
	for i := range n {
		s, err := openUDPSocket(cfg, addr, i > 0)
		if err != nil {
			closeUDP(sockets)
			return nil, err
		}
		s.listener, s.wildcard = listener, addr.Addr().IsUnspecified()
		sockets = append(sockets, s)
		addr = s.bound
	}
	return sockets, nil
}

// openUDPSocket binds one socket. The first of a listener is bound alone and
// shares its port only afterwards: with SO_REUSEPORT from the start, a second
// router started by mistake would bind as well and take half of the calls.
func openUDPSocket(cfg *Config, addr netip.AddrPort, shared bool) (*udpSocket, error) {
	var optErr error
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) { optErr = setUDPOptions(int(fd), addr.Addr(), cfg, shared) })
		return errors.Join(err, optErr)
	}}
	network := "udp4"
	if addr.Addr().Is6() {
		network = "udp6" // with this name package net sets IPV6_V6ONLY
	}
	pc, err := lc.ListenPacket(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	s, err := newUDPSocket(pc.(*net.UDPConn))
	if err != nil || shared {
		return s, err
	}
	err = control(s.raw, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newUDPSocket takes a socket from package net, and out of the poller, which
// only a descriptor of its own can leave.
func newUDPSocket(conn *net.UDPConn) (*udpSocket, error) {
	s := &udpSocket{bound: unmapped(conn.LocalAddr().(*net.UDPAddr).AddrPort())}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error {
			own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("taking a socket: %w", err)
			}
			err = unix.SetNonblock(own, false) // os.NewFile hands others to the poller.
			s.fd, s.file = own, os.NewFile(uintptr(own), s.bound.String())
			s.whole.Store(!grouping(own))
			return err
		})
	}
	err = errors.Join(err, conn.Close())
	if err == nil {
		s.raw, err = s.file.SyscallConn()
	}
	if err == nil {
		err = s.openEvents()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// setUDPOptions prepares a socket that is not bound yet.
func setUDPOptions(fd int, addr netip.Addr, cfg *Config, shared bool) error {
	type option struct{ level, name, value int }
	options := []option{
		// No request of a stranger shall make us send to a whole network.
		{unix.SOL_SOCKET, unix.SO_BROADCAST, 0},
	}
	if addr.Is4() {
		options = append(
			options,
			// ICMP errors come to an error queue, each with its destination.
			option{unix.SOL_IP, unix.IP_RECVERR, 1},
			// An INVITE longer than a link's MTU leaves in fragments instead
			// of being lost until the path is known.
			option{unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT},
		)
	} else {
		options = append(options, option{unix.SOL_IPV6, unix.IPV6_RECVERR, 1})
	}
	if addr.IsUnspecified() {
		level, name := sourceOption(addr)
		options = append(options, option{level, name, 1})
	}
	if shared {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("setting option %d of level %d: %w", o.name, o.level, err)
		}
	}
	limit := unix.NsecToTimeval(int64(readWait))
	return errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, cfg.ReadBuffer),
		setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, cfg.WriteBuffer),
	)
}

// setBuffer asks for a buffer beyond the system's limit, and where that is not
// permitted for as much as the limit allows.
func setBuffer(fd, force, plain, size int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) == nil {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, size)
}

// receiveDrops returns how many datagrams the kernel threw away because the
// receive buffer was full.
func (s *udpSocket) receiveDrops() (drops uint32) {
	_ = s.raw.Control(func(fd uintptr) { drops = memInfo(fd)[memDrops] })
	return drops
}

// control runs f on a descriptor and returns the error of either.
func control(raw syscall.RawConn, f func(fd int) error) error {
	var err error
	return errors.Join(raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
}

func (s *udpSocket) close() {
	_ = s.events.Close() // Of nil too, which is an error like others.
	_ = s.file.Close()
}

func closeUDP(sockets []*udpSocket) {
	for _, s := range sockets {
		s.close()
	}
}

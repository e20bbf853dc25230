package router

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/router/transport"
)

// listenerFor finds the socket by which a remote address is reached: of the right transport and family, and by
// preference the one whose address the system would choose as source.
func (r *Router) listenerFor(proto transport.Proto, remote netip.Addr) (uint16, bool) {
	return r.listenerBy(nil, proto, remote)
}

// listenerBy is listenerFor for many addresses, which share what was found.
func (r *Router) listenerBy(s sources, proto transport.Proto, remote netip.Addr) (uint16, bool) {
	found, count := 0, 0
	for i := range r.local {
		if l := &r.local[i]; l.proto == proto && l.addr.Addr().Is4() == remote.Is4() {
			if count++; count == 1 {
				found = i
			}
		}
	}
	if count < 2 {
		return uint16(found), count == 1 // There is nothing to choose, so the system is not asked.
	}
	source := s.find(remote)
	for i := range r.local {
		if l := &r.local[i]; l.proto == proto && l.addr.Addr() == source {
			return uint16(i), true
		}
	}
	return uint16(found), true
}

// sources remembers which addresses the system would send from, while many are asked for. Nil remembers nothing.
type sources map[netip.Addr]netip.Addr

// find returns the address that the system would send from to reach a remote one; zero when it cannot tell.
func (s sources) find(remote netip.Addr) netip.Addr {
	source, known := s[remote]
	if !known {
		source = sourceFor(remote)
		if s != nil {
			s[remote] = source
		}
	}
	return source
}

// sourceFor asks the system. It is for catalogs of any size, so it does without what net does for a connection.
func sourceFor(remote netip.Addr) netip.Addr {
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: defaultPort, Addr: remote.As16()})
	if remote.Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: defaultPort, Addr: remote.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = unix.Close(fd) }()
	// Connecting a datagram socket sends nothing; it only looks up the route.
	if unix.Connect(fd, to) != nil {
		return netip.Addr{}
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).Unmap()
	default:
		return netip.Addr{}
	}
}

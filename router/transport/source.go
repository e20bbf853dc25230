package transport

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A listener on a wildcard address is told with each datagram to which of the host's addresses it was sent, and tells
// with each answer from which it is to leave (RFC 3581 section 4). Only these listeners pay for it.

// sources numbers the host's addresses that datagrams came to, so that a Flow can say which. Reading takes no lock.
type sources struct {
	mu   sync.Mutex
	list atomic.Pointer[[]netip.Addr] // By number, from 1.
}

// maxSources bounds the list: a host may answer to whole networks. Beyond it the kernel chooses.
const maxSources = 256

// number returns the number of an address, 0 when there are too many.
func (s *sources) number(addr netip.Addr) uint16 {
	if n := s.find(addr); n != 0 || !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.find(addr); n != 0 {
		return n
	}
	var list []netip.Addr
	if old := s.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if len(list) == maxSources {
		return 0
	}
	list = append(list, addr)
	s.list.Store(&list)
	return uint16(len(list))
}

func (s *sources) find(addr netip.Addr) uint16 {
	if list := s.list.Load(); list != nil {
		return uint16(slices.Index(*list, addr) + 1)
	}
	return 0
}

// addr returns the address with a number, the zero Addr for 0.
func (s *sources) addr(n uint16) netip.Addr {
	list := s.list.Load()
	if n == 0 || list == nil || int(n) > len(*list) {
		return netip.Addr{}
	}
	return (*list)[n-1]
}

// sourceRoom is how many bytes of control data one datagram needs, for either family: a multiple of what cmsghdr has to
// be aligned to.
func sourceRoom() int {
	return max(unix.CmsgSpace(unix.SizeofInet4Pktinfo), unix.CmsgSpace(unix.SizeofInet6Pktinfo))
}

// getSource reads from control data to which address a datagram was sent.
func getSource(control []byte) netip.Addr {
	for len(control) > 0 {
		hdr, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		control = rest
		switch {
		case hdr.Level == unix.SOL_IP && hdr.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(unsafe.SliceData(data))).Spec_dst)
		case hdr.Level == unix.SOL_IPV6 && hdr.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16((*unix.Inet6Pktinfo)(unsafe.Pointer(unsafe.SliceData(data))).Addr)
		}
	}
	return netip.Addr{}
}

// putSource writes control data that make a datagram leave from an address, and returns its length.
func putSource(control []byte, addr netip.Addr) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(control)))
	data := unsafe.Pointer(&control[unix.CmsgLen(0)])
	if addr.Is4() {
		h.Level, h.Type = unix.SOL_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		*(*unix.Inet4Pktinfo)(data) = unix.Inet4Pktinfo{Spec_dst: addr.As4()}
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	h.Level, h.Type = unix.SOL_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	*(*unix.Inet6Pktinfo)(data) = unix.Inet6Pktinfo{Addr: addr.As16()}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}

// sourceOption is what has a socket tell to which address each datagram was sent.
func sourceOption(addr netip.Addr) (level, name int) {
	if addr.Is4() {
		return unix.SOL_IP, unix.IP_PKTINFO
	}
	return unix.SOL_IPV6, unix.IPV6_RECVPKTINFO
}

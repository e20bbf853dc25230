package transport

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr is room for the kernel's form of an IPv4 or IPv6 address. Both
// begin with the family in the machine's order and the port in network order.
type sockaddr = unix.RawSockaddrInet6

// putAddr writes an address in the kernel's form and returns its length.
func putAddr(sa *sockaddr, ap netip.AddrPort) uint32 {
	addr := ap.Addr()
	if addr.Is4() {
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		in4.Family = unix.AF_INET
		putPort(&in4.Port, ap.Port())
		in4.Addr = addr.As4()
		return unix.SizeofSockaddrInet4
	}
	*sa = sockaddr{Family: unix.AF_INET6, Addr: addr.As16()}
	putPort(&sa.Port, ap.Port())
	if zone := addr.Zone(); zone != "" {
		sa.Scope_id = scopeOf(zone)
	}
	return unix.SizeofSockaddrInet6
}

// getAddr reads an address in the kernel's form. An unknown family gives the
// zero AddrPort.
func getAddr(sa *sockaddr) netip.AddrPort {
	switch sa.Family {
	case unix.AF_INET:
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), getPort(&in4.Port))
	case unix.AF_INET6:
		addr := netip.AddrFrom16(sa.Addr).Unmap()
		// Only a link-local address needs its link to be answered.
		if sa.Scope_id != 0 && addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(strconv.FormatUint(uint64(sa.Scope_id), 10))
		}
		return netip.AddrPortFrom(addr, getPort(&sa.Port))
	}
	return netip.AddrPort{}
}

func putPort(field *uint16, port uint16) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(field))[:], port)
}

func getPort(field *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(field))[:])
}

// scopeOf returns the index of the link that a zone names, or 0, which the
// kernel refuses for a link-local address.
func scopeOf(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	return 0
}

// unmapped returns an address of package net as a Flow holds it.
func unmapped(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

//go:build linux

package mmsg

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Addr is an IPv4 address and port in the kernel's layout. Two are equal when == says so.
type Addr struct {
	sa unix.RawSockaddrInet4
}

// AddrOf converts an IPv4 address.
func AddrOf(ap netip.AddrPort) Addr {
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], ap.Port())
	return Addr{unix.RawSockaddrInet4{
		Family: unix.AF_INET,
		Port:   binary.NativeEndian.Uint16(port[:]),
		Addr:   ap.Addr().Unmap().As4(),
	}}
}

// AddrPort converts back.
func (a Addr) AddrPort() netip.AddrPort {
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], a.sa.Port)
	return netip.AddrPortFrom(netip.AddrFrom4(a.sa.Addr), binary.BigEndian.Uint16(port[:]))
}

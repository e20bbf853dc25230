package transport

import (
	"net/netip"
	"strings"
)

// Proto is a transport protocol of SIP.
type Proto uint8

// The protocols, in the order of RFC 3261 section 18. The zero Proto is none.
const (
	UDP Proto = iota + 1
	TCP
	TLS
)

// String returns the name as it stands in a Via header field.
func (p Proto) String() string {
	switch p {
	case UDP:
		return "UDP"
	case TCP:
		return "TCP"
	case TLS:
		return "TLS"
	}
	return "NONE"
}

// Reliable reports whether the protocol itself repeats what gets lost, so that
// a transaction must not (RFC 3261 section 17).
func (p Proto) Reliable() bool { return p == TCP || p == TLS }

// Flow names where a message came from or goes to. It is a plain value that
// can be compared and copied freely.
type Flow struct {
	// Proto is the protocol of the message.
	Proto Proto
	// Listener is an index into Config.Listeners. It is where the message came
	// in, or the local address to send from: for UDP its socket, for a stream
	// that is dialled its address with another port.
	Listener uint16
	// Peer says who has to be at the other end of a TLS connection that we
	// open: a number that Config.TLSClient understands. Connections are not
	// shared between peers, even at one address.
	Peer uint16
	// Local says to which of the host's addresses a datagram came that a
	// listener on a wildcard address took, and from which one leaves there: a
	// number of the Transport's own, or 0 to let the kernel choose.
	Local uint16
	// Conn is the id of a stream connection, or 0 for none known: Send then
	// finds a dialled connection to Remote, or opens one.
	Conn uint32
	// Remote is the peer. It is never an IPv4 address mapped into IPv6.
	Remote netip.AddrPort
}

// Listener is a local address that takes messages.
type Listener struct {
	// Proto is the protocol spoken there.
	Proto Proto
	// Addr is the address to bind. Port 0 lets the kernel choose.
	Addr netip.AddrPort
}

// String returns the listener as it is written in a configuration, such as
// udp://127.0.0.1:5060.
func (l Listener) String() string {
	return strings.ToLower(l.Proto.String()) + "://" + l.Addr.String()
}

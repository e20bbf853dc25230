package router

import (
	"net/netip"
	"strings"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// names are the addresses by which others know us: those of our sockets, and the advertised one.
type names struct {
	list []name
}

type name struct {
	host string // In lower case, without brackets.
	addr netip.Addr
	port uint16
}

// local has the texts that begin with the address of one of our sockets.
type local struct {
	proto   transport.Proto
	addr    netip.AddrPort
	via     []byte // "Via: SIP/2.0/UDP host:port;branch=".
	viaTail []byte // What follows the branch, with the line end.
	route   []byte // "Record-Route: <sip:host:port;lr;dr=": up to the cookie.
	text    string // "udp://host:port", for logs.
	sentBy  config.HostPort
}

// The ports that a URI or Via without one means (RFC 3261 section 19.1.2).
const (
	defaultPort    = 5060
	defaultPortTLS = 5061
)

// portOf is the default port of a transport.
func portOf(p transport.Proto) uint16 {
	if p == transport.TLS {
		return defaultPortTLS
	}
	return defaultPort
}

// name makes the texts for the bound sockets, which the configuration names in the same order.
func (r *Router) name(listeners []transport.Listener, cfg *config.SIP) {
	for i, l := range listeners {
		hostport, sentBy := l.Addr.String(), config.HostPort{Host: l.Addr.Addr().String(), Port: l.Addr.Port()}
		if known := cfg.Advertised(i); !known.IsZero() {
			if known.Port == 0 {
				known.Port = l.Addr.Port()
			}
			hostport, sentBy = known.String(), known
			r.names.add(known.Host, known.Port)
		}
		r.names.add(l.Addr.Addr().String(), l.Addr.Port())
		param, tail := "", "\r\n"
		switch l.Proto {
		case transport.UDP:
			tail = ";rport\r\n"
		case transport.TCP:
			param = ";transport=tcp"
		case transport.TLS:
			param = ";transport=tls"
		}
		r.local = append(r.local, local{
			proto:   l.Proto,
			addr:    l.Addr,
			via:     []byte("Via: SIP/2.0/" + l.Proto.String() + " " + hostport + ";branch="),
			viaTail: []byte(tail),
			route:   []byte("Record-Route: <sip:" + hostport + param + ";lr;" + cookieParam + "="),
			text:    strings.ToLower(l.Proto.String()) + "://" + l.Addr.String(),
			sentBy:  sentBy,
		})
	}
}

func (n *names) add(host string, port uint16) {
	addr, _ := netip.ParseAddr(host)
	n.list = append(n.list, name{strings.ToLower(host), addr, port})
}

// has says whether a host and port are ours; port 0 is the default one.
func (n *names) has(host []byte, port uint16, v6 bool) bool {
	if port == 0 {
		port = defaultPort
	}
	for i := range n.list {
		l := &n.list[i]
		if l.port != port {
			continue
		}
		if equalFold(host, l.host) {
			return true
		}
		// An IPv6 address has many spellings.
		if v6 && l.addr.Is6() {
			if a, ok := message.ParseAddr(host); ok && a == l.addr {
				return true
			}
		}
	}
	return false
}

// hasURI says whether a URI names us; without a port it means the default one of its transport.
func (n *names) hasURI(u *message.URI) bool {
	port := u.Port
	if port == 0 {
		port = portOf(protoOfURI(u))
	}
	return n.has(u.Host, port, u.V6)
}

func equalFold(b []byte, lower string) bool { return message.EqualFold(b, lower) }

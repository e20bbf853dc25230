package router

import (
	"net/netip"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transport"
)

// direct is where a URI with a numeric host leads; ok is false when the host is a name.
func (r *Router) direct(u *message.URI, listener uint16) (to transport.Flow, ok bool) {
	host := u.Host
	if maddr, has := message.Param(u.Params, "maddr"); has {
		host = maddr
		if len(host) > 2 && host[0] == '[' {
			host = host[1 : len(host)-1]
		}
	}
	addr, numeric := message.ParseAddr(host)
	if !numeric {
		return to, false
	}
	proto := protoOfURI(u)
	port := u.Port
	if port == 0 {
		port = portOf(proto)
	}
	return r.flowTo(proto, netip.AddrPortFrom(addr, port), listener)
}

// flowTo completes a flow with the socket to use: the given one if it fits.
func (r *Router) flowTo(proto transport.Proto, remote netip.AddrPort, listener uint16) (transport.Flow, bool) {
	to := transport.Flow{Proto: proto, Listener: listener, Remote: remote}
	if proto == transport.TLS {
		to.Peer = r.current.Load().tlsPeers[remote]
	}
	if int(listener) < len(r.local) {
		if l := &r.local[listener]; l.proto == proto && l.addr.Addr().Is4() == remote.Addr().Is4() {
			return to, true
		}
	}
	l, ok := r.listenerFor(proto, remote.Addr())
	to.Listener = l
	return to, ok
}

// protoOfURI is the transport that a URI asks for (RFC 3263 section 4.1, without DNS).
func protoOfURI(u *message.URI) transport.Proto {
	if u.Scheme == message.SchemeSIPS {
		return transport.TLS
	}
	t, _ := message.Param(u.Params, "transport")
	switch {
	case equalFold(t, "tcp"):
		return transport.TCP
	case equalFold(t, "tls"):
		return transport.TLS
	default:
		return transport.UDP
	}
}

// queryFor is what a URI with a name for a host is looked up by.
func queryFor(u *message.URI) resolve.Query {
	q := resolve.Query{Host: string(u.Host), Port: u.Port}
	if t, ok := message.Param(u.Params, "transport"); ok {
		q.Transport = string(appendLower(nil, t))
	}
	if u.Scheme == message.SchemeSIPS {
		q.Transport = "tls"
	}
	return q
}

package router

import (
	"net/netip"
	"testing"

	"github.com/voipbin/dialrouter/router/transport"
)

// TestListenerFor chooses among sockets of ours: what fits is taken, and of several the one that the system would send
// from.
func TestListenerFor(t *testing.T) {
	t.Parallel()
	at := func(proto transport.Proto, addr string) local {
		return local{proto: proto, addr: netip.MustParseAddrPort(addr)}
	}
	r := &Router{local: []local{
		at(transport.UDP, "192.0.2.1:5060"), at(transport.UDP, "127.0.0.1:5060"), at(transport.TCP, "192.0.2.1:5060"),
		at(transport.UDP, "[2001:db8::1]:5060"), at(transport.UDP, "[::1]:5060"),
	}}
	for _, c := range []struct {
		proto  transport.Proto
		remote string
		want   uint16
		ok     bool
	}{
		{transport.UDP, "127.0.0.1", 1, true},
		{transport.UDP, "::1", 4, true},
		{transport.TCP, "127.0.0.1", 2, true}, // The only one, whatever the system would say.
		{transport.TCP, "::1", 0, false},
		{transport.TLS, "127.0.0.1", 0, false},
		{transport.UDP, "255.255.255.255", 0, true}, // The system cannot tell.
	} {
		remote := netip.MustParseAddr(c.remote)
		asked := make(sources)
		for _, s := range []sources{nil, asked, asked} {
			if got, ok := r.listenerBy(s, c.proto, remote); got != c.want || ok != c.ok {
				t.Errorf("%v to %s: socket %d, %v; want %d, %v", c.proto, c.remote, got, ok, c.want, c.ok)
			}
		}
	}
}

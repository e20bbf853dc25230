package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"
)

// dialUDP opens a socket that takes datagrams from one address only; from may be
// left to the kernel.
func dialUDP(t *testing.T, from, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
	return lent(t, c, err)
}

// TestUDPWildcard: what a wildcard listener answers leaves from the address
// that the question came to, at once and later, in one batch with others.
func TestUDPWildcard(t *testing.T) {
	for _, tt := range []struct {
		listen string
		at     []string
	}{
		{"0.0.0.0:0", []string{"127.0.0.1", "127.0.0.2", "127.1.2.3", "127.0.0.1"}},
		{"[::]:0", []string{"::1"}},
	} {
		t.Run(tt.listen, func(t *testing.T) {
			r := newRig()
			r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
			r.start(t, Config{Listeners: []Listener{{UDP, netip.MustParseAddrPort(tt.listen)}}, Workers: 2})
			s := r.NewSender()
			var conns []*net.UDPConn
			for _, addr := range tt.at {
				c := dialUDP(t, netip.AddrPort{}, netip.AddrPortFrom(netip.MustParseAddr(addr), r.addr(0).Port()))
				conns = append(conns, c)
				write(t, c, addr)
				m := r.next(t)
				if got := r.sources.addr(m.from.Local).String(); got != addr || m.data != addr {
					t.Errorf("%q sent to %s came to %s", m.data, addr, got)
				}
				read(t, c, addr)
				s.Send(m.from, []byte("later "+addr))
			}
			s.Flush(r.Now())
			for i, c := range conns {
				read(t, c, "later "+tt.at[i])
			}

			// A flow that came from nowhere leaves from where the kernel likes, also behind one that did not.
			peer := udpPeer(t)
			if r.addr(0).Addr().Is6() {
				return
			}
			m := Flow{Proto: UDP, Local: r.sources.number(netip.MustParseAddr("127.1.2.3")), Remote: addrOf(peer.LocalAddr())}
			for _, local := range []uint16{m.Local, 0, m.Local, 99} {
				m.Local = local
				s.Send(m, []byte("out"))
			}
			s.Flush(r.Now())
			if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			var from []string
			for range 4 {
				_, addr, err := peer.ReadFromUDPAddrPort(make([]byte, 10))
				if err != nil {
					t.Fatal(err)
				}
				from = append(from, addr.Addr().String())
			}
			if want := []string{"127.1.2.3", "127.0.0.1", "127.1.2.3", "127.0.0.1"}; !slices.Equal(from, want) {
				t.Errorf("sent from %v, want %v", from, want)
			}
			r.noFailure(t)
		})
	}
}

// TestUDPWildcardClosedPort: ICMP errors are told by a wildcard socket too,
// whose error queue holds more control data.
func TestUDPWildcardClosedPort(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{{UDP, netip.MustParseAddrPort("0.0.0.0:0")}}})
	to := Flow{Proto: UDP, Remote: closedPort(t, UDP)}
	s := r.NewSender()
	s.Send(to, []byte(request("a", "")))
	s.Flush(r.Now())
	if f := r.nextFailure(t); f.to != to || !errors.Is(f.err, syscall.ECONNREFUSED) {
		t.Errorf("failed: to %v: %v", f.to, f.err)
	}
}

// TestSources: numbers are few and stay.
func TestSources(t *testing.T) {
	var s sources
	for _, in := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.IPv6Unspecified(), netip.MustParseAddr("ff02::1")} {
		if n := s.number(in); n != 0 {
			t.Errorf("%v has number %d", in, n)
		}
	}
	for round := range 2 {
		for i := range 2 * maxSources {
			addr := netip.MustParseAddr(fmt.Sprintf("127.0.%d.%d", i/200, i%200+1))
			n, want := s.number(addr), uint16(i+1)
			if i >= maxSources {
				want = 0
			}
			if n != want || n != 0 && s.addr(n) != addr {
				t.Errorf("round %d: %v has number %d, want %d", round, addr, n, want)
			}
		}
	}
	if a := s.addr(maxSources + 1); a.IsValid() {
		t.Errorf("a number that is none is %v", a)
	}
}

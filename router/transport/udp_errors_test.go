package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUDPClosedPort sends to two destinations by turns, one of which is closed.
// Each message to the closed one must be reported, and none to the other lost,
// though its errors wait on the socket that both share.
func TestUDPClosedPort(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		for _, how := range []string{"handler", "outside"} {
			t.Run(addr+"/"+how, func(t *testing.T) { testUDPClosedPort(t, netip.MustParseAddr(addr), how == "handler") })
		}
	}
}

func testUDPClosedPort(t *testing.T, addr netip.Addr, inHandler bool) {
	t.Helper()
	const each = 2000
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	dead := listen()
	closed := addrOf(dead.LocalAddr())
	dead.Close()
	open := listen()
	defer open.Close()
	if err := open.SetReadBuffer(8 << 20); err != nil {
		t.Fatal(err)
	}

	sendAll := func(s *Sender) {
		for i := range each {
			s.Send(Flow{Proto: UDP, Remote: closed}, fmt.Appendf(nil, "closed %d", i))
			s.Send(Flow{Proto: UDP, Remote: addrOf(open.LocalAddr())}, fmt.Appendf(nil, "open %d", i))
		}
	}
	r := newRig()
	r.onReceive = func(s *Sender, _ Flow, _ []byte) { sendAll(s) }
	r.start(t, Config{Listeners: []Listener{{UDP, netip.AddrPortFrom(addr, 0)}}, Workers: 2})
	start := time.Now()
	if inHandler {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.addr(0)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		write(t, c, "go")
	} else {
		s := r.NewSender()
		sendAll(s)
		s.Flush(r.Now())
	}

	if err := open.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for i := range each {
		n, err := open.Read(buf)
		if want := fmt.Sprintf("open %d", i); err != nil || string(buf[:n]) != want {
			t.Fatalf("got %q, want %q: %v", buf[:n], want, err)
		}
	}
	// The kernel sends at most a few ICMP errors a second beyond a burst, save
	// on loopback; there each one comes.
	seen := make(map[string]int)
	for i := range each {
		f := r.nextFailure(t)
		if i == 0 {
			t.Logf("first failure after %v", time.Since(start))
		}
		if f.to != (Flow{Proto: UDP, Remote: closed}) || !errors.Is(f.err, syscall.ECONNREFUSED) {
			t.Fatalf("failed: %q to %v: %v", f.data, f.to, f.err)
		}
		seen[f.data]++
	}
	for i := range each {
		if n := seen[fmt.Sprintf("closed %d", i)]; n != 1 {
			t.Fatalf("message %d was reported %d times", i, n)
		}
	}
	r.noFailure(t)
}

// TestUDPPendingError flushes after each datagram, so that the error of one is
// waiting when the next is sent. That one must leave all the same, and the
// error must not be held against it.
func TestUDPPendingError(t *testing.T) {
	const each = 100
	peer := udpPeer(t)
	closed := Flow{Proto: UDP, Remote: closedPort(t, UDP)}
	r := newRig()
	r.onReceive = func(s *Sender, _ Flow, _ []byte) {
		for range each {
			s.Send(closed, []byte("closed"))
			s.Flush(0)
			s.Send(Flow{Proto: UDP, Remote: addrOf(peer.LocalAddr())}, []byte("open"))
			s.Flush(0)
		}
	}
	r.start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	if _, err := peer.WriteToUDPAddrPort([]byte("go"), r.addr(0)); err != nil {
		t.Fatal(err)
	}
	if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for range each {
		read(t, peer, "open")
		if f := r.nextFailure(t); f.to != closed || f.data != "closed" || !errors.Is(f.err, syscall.ECONNREFUSED) {
			t.Errorf("failed: %q to %v: %v", f.data, f.to, f.err)
		}
	}
	r.noFailure(t)
}

// TestUDPFailedSoon measures what a caller waits for when the provider's port
// is closed.
func TestUDPFailedSoon(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	closed := closedPort(t, UDP)
	s := r.NewSender()
	best := time.Hour
	for range 20 {
		start := time.Now()
		s.Send(Flow{Proto: UDP, Remote: closed}, []byte("INVITE"))
		s.Flush(r.Now())
		r.nextFailure(t)
		best = min(best, time.Since(start))
	}
	if best > 5*time.Millisecond {
		t.Errorf("the fastest of 20 failures took %v", best)
	}
}

// TestUDPFailedHead: an ICMP error quotes the beginning of a long datagram.
func TestUDPFailedHead(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	long := "INVITE " + padding(3000)
	s := r.NewSender()
	s.Send(Flow{Proto: UDP, Remote: closedPort(t, UDP)}, []byte(long))
	s.Flush(r.Now())
	if f := r.nextFailure(t); len(f.data) < 500 || !strings.HasPrefix(long, f.data) {
		t.Errorf("failed with %d bytes: %.20q", len(f.data), f.data)
	}
}

// TestUDPFailover answers each failure by sending to the next provider, while
// holding a lock that Receive holds when it sends.
func TestUDPFailover(t *testing.T) {
	peer := udpPeer(t)
	next := make(map[netip.AddrPort]netip.AddrPort)
	first := closedPort(t, UDP)
	at := first
	for range 4 {
		next[at] = closedPort(t, UDP)
		at = next[at]
	}
	next[at] = netip.MustParseAddrPort("255.255.255.255:5060")
	next[next[at]] = addrOf(peer.LocalAddr())

	r := newRig()
	busy := false
	enter := func() {
		if busy {
			t.Error("a handler was called while it was sending")
		}
		busy = true
	}
	r.onReceive = func(s *Sender, _ Flow, _ []byte) {
		enter()
		for range 3 * batchSize { // more than one flush inside Send
			s.Send(Flow{Proto: UDP, Remote: first}, []byte("INVITE"))
		}
		busy = false
	}
	r.onFailed = func(s *Sender, to Flow, data []byte, _ error) {
		enter()
		s.Send(Flow{Proto: UDP, Remote: next[to.Remote]}, data)
		busy = false
	}
	r.start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	c := udpPeer(t)
	if _, err := c.WriteToUDPAddrPort([]byte("go"), r.addr(0)); err != nil {
		t.Fatal(err)
	}
	if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for range 3 * batchSize {
		read(t, peer, "INVITE")
	}
}

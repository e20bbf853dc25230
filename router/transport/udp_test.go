package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func TestUDPEcho(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			r := newRig()
			r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
			r.start(t, Config{Listeners: []Listener{{UDP, netip.MustParseAddrPort(addr)}}, Workers: 2})
			c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.addr(0)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			write(t, c, "hello")
			m := r.next(t)
			want := Flow{Proto: UDP, Remote: addrOf(c.LocalAddr())}
			if m.data != "hello" || m.from != want {
				t.Errorf("got %q from %v, want %v", m.data, m.from, want)
			}
			if m.now <= 0 || m.now > r.Now() {
				t.Errorf("received at %d, now is %d", m.now, r.Now())
			}
			read(t, c, "hello")
		})
	}
}

// TestUDPOrder sends 100,000 datagrams through an echo, a window at a time so
// that no socket overflows, and expects each back once and in order.
func TestUDPOrder(t *testing.T) {
	const total, window = 100_000, 500
	r := newRig()
	r.quiet = true
	r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
	r.start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 2})
	c := udpPeer(t)
	to := r.addr(0)
	out, in := make([]byte, 700), make([]byte, 1000)
	for seen, sent := uint64(0), uint64(0); seen < total; seen++ {
		for ; sent < total && sent-seen < window; sent++ {
			binary.BigEndian.PutUint64(out, sent)
			if _, err := c.WriteToUDPAddrPort(out, to); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(in)
		if err != nil {
			t.Fatalf("after %d: %v, kernel dropped %d", seen, err, r.ReceiveDrops())
		}
		if got := binary.BigEndian.Uint64(in); n != len(out) || got != seen {
			t.Fatalf("got datagram %d of %d bytes, want %d", got, n, seen)
		}
	}
}

// TestUDPSendOrder interleaves two destinations over several flushes.
func TestUDPSendOrder(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	peers := []*net.UDPConn{udpPeer(t), udpPeer(t)}
	const each = 1000
	s := r.NewSender()
	for i := range each {
		for j, p := range peers {
			s.Send(Flow{Proto: UDP, Remote: addrOf(p.LocalAddr())}, fmt.Appendf(nil, "%d/%d", j, i))
		}
	}
	s.Flush(r.Now())
	for j, p := range peers {
		if err := p.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for i := range each {
			read(t, p, fmt.Sprintf("%d/%d", j, i))
		}
	}
	r.noFailure(t)
}

func TestUDPLargest(t *testing.T) {
	const largest = 65507
	r := newRig()
	r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
	r.start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	c := udpPeer(t)
	msg := []byte(padding(largest))
	msg[largest-1] = '!'
	const copies = 10 // more than one arena
	for range copies {
		if _, err := c.WriteToUDPAddrPort(msg, r.addr(0)); err != nil {
			t.Fatal(err)
		}
	}
	for range copies {
		if m := r.next(t); m.data != string(msg) {
			t.Fatalf("got %d bytes", len(m.data))
		}
	}
	buf := make([]byte, 1<<17)
	for range copies {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != string(msg) {
			t.Fatalf("echo has %d bytes: %v", n, err)
		}
	}
}

// TestUDPRefusedDatagrams sends what the kernel will not, between datagrams
// that must leave.
func TestUDPRefusedDatagrams(t *testing.T) {
	peer := udpPeer(t)
	good := Flow{Proto: UDP, Remote: addrOf(peer.LocalAddr())}
	flow := func(s string) Flow { return Flow{Proto: UDP, Remote: netip.MustParseAddrPort(s)} }
	tests := []struct {
		name string
		to   Flow
		data string
		want error
	}{
		{"too long", good, padding(65508), syscall.EMSGSIZE},
		{"longer than the arena", good, padding(arenaSize + 1), syscall.EMSGSIZE},
		{"port 0", flow("127.0.0.1:0"), "m", syscall.EINVAL},
		{"broadcast", flow("255.255.255.255:5060"), "m", syscall.EACCES},
		{"other family", flow("[::1]:5060"), "m", syscall.EAFNOSUPPORT},
		{"no address", Flow{Proto: UDP}, "m", syscall.EDESTADDRREQ},
		{"no listener", Flow{Proto: UDP, Listener: 7, Remote: good.Remote}, "m", ErrNoListener},
		{"stream listener", Flow{Proto: UDP, Listener: 1, Remote: good.Remote}, "m", ErrNoListener},
		{"no transport", Flow{Remote: good.Remote}, "m", ErrNoListener},
	}
	r := newRig().start(t, Config{Listeners: []Listener{loopback(UDP), loopback(TCP)}, Workers: 1})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := r.NewSender()
			s.Send(good, []byte("before"))
			s.Send(tt.to, []byte(tt.data))
			s.Send(good, []byte("after"))
			s.Flush(r.Now())
			f := r.nextFailure(t)
			if f.to != tt.to || f.data != tt.data || !errors.Is(f.err, tt.want) {
				t.Errorf("failed: %d bytes to %v: %v, want %v", len(f.data), f.to, f.err, tt.want)
			}
			if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			read(t, peer, "before")
			read(t, peer, "after")
			r.noFailure(t)
		})
	}
}

// TestUDPBacklog: more than one batch waits when the worker begins, and no
// further datagram comes to wake it.
func TestUDPBacklog(t *testing.T) {
	const waiting = 3*batchSize + 1
	r := newRig()
	tr, err := Listen(Config{
		Listeners: []Listener{loopback(UDP)}, Workers: 1,
		NewHandler: func(s *Sender) Handler { return &script{sender: s, rig: r} },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	c := udpPeer(t)
	for range waiting {
		if _, err := c.WriteToUDPAddrPort([]byte("m"), tr.Listeners()[0].Addr); err != nil {
			t.Fatal(err)
		}
	}
	tr.Start()
	for range waiting {
		r.next(t)
	}
}

// TestUDPOtherListener sends from a handler of one listener through another,
// and expects the address of that one.
func TestUDPOtherListener(t *testing.T) {
	r := newRig()
	r.onReceive = func(s *Sender, from Flow, data []byte) {
		from.Listener = 1 - from.Listener
		s.Send(from, data)
	}
	r.start(t, Config{Listeners: []Listener{loopback(UDP), loopback(UDP)}, Workers: 2})
	c := udpPeer(t)
	for i := range 2 {
		if _, err := c.WriteToUDPAddrPort([]byte("m"), r.addr(i)); err != nil {
			t.Fatal(err)
		}
		if m := r.next(t); m.from.Listener != uint16(i) {
			t.Errorf("came to listener %d, want %d", m.from.Listener, i)
		}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, from, err := c.ReadFromUDPAddrPort(make([]byte, 10))
		if want := r.addr(1 - i); err != nil || unmapped(from) != want {
			t.Errorf("answer from %v, want %v: %v", from, want, err)
		}
	}
}

// TestUDPEmpty: an empty datagram is nobody's message, and does not stop the
// batch.
func TestUDPEmpty(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	c := udpPeer(t)
	for _, s := range []string{"", "a", "", "b"} {
		if _, err := c.WriteToUDPAddrPort([]byte(s), r.addr(0)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := r.next(t).data, r.next(t).data; a != "a" || b != "b" {
		t.Errorf("got %q and %q", a, b)
	}
}

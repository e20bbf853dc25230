package transport

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestProto(t *testing.T) {
	for p, want := range map[Proto]struct {
		name     string
		reliable bool
	}{UDP: {"UDP", false}, TCP: {"TCP", true}, TLS: {"TLS", true}, 0: {"NONE", false}} {
		if p.String() != want.name || p.Reliable() != want.reliable {
			t.Errorf("%d is %s, reliable: %v", p, p, p.Reliable())
		}
	}
}

func TestListenRefused(t *testing.T) {
	handler := func(*Sender) Handler { return nil }
	none := Listener{Proto: UDP}
	far := Listener{Proto: TCP, Addr: netip.MustParseAddrPort("192.0.2.1:5060")}
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"no handler", Config{Listeners: []Listener{loopback(UDP)}}, "no handler"},
		{"no listener", Config{NewHandler: handler}, "0 listeners"},
		{"no address", Config{NewHandler: handler, Listeners: []Listener{none}}, "invalid AddrPort"},
		{"no transport", Config{NewHandler: handler, Listeners: []Listener{loopback(0)}}, "none://127.0.0.1:0"},
		{"no certificate", Config{NewHandler: handler, Listeners: []Listener{loopback(TLS)}}, "tls://127.0.0.1:0: no certificate"},
		{"not our address", Config{NewHandler: handler, Listeners: []Listener{loopback(UDP), far}}, "tcp://192.0.2.1:5060"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			tr, err := Listen(tt.cfg)
			if err == nil {
				tr.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// TestListenTaken: a port that somebody has is refused, even by another
// router that shares its ports between its own workers, and nothing stays
// bound.
func TestListenTaken(t *testing.T) {
	for _, p := range []Proto{UDP, TCP} {
		t.Run(p.String(), func(t *testing.T) {
			first := newRig().start(t, Config{Listeners: []Listener{loopback(p)}, Workers: 2})
			free := Listener{UDP, closedPort(t, UDP)}
			cfg := Config{
				Listeners:  []Listener{free, {p, first.addr(0)}},
				NewHandler: func(*Sender) Handler { return nil },
			}
			tr, err := Listen(cfg)
			if err == nil {
				tr.Close()
				t.Fatal("bound twice")
			}
			if !strings.Contains(err.Error(), first.addr(0).String()) {
				t.Errorf("error %q does not name the address", err)
			}
			cfg.Listeners = cfg.Listeners[:1]
			if tr, err = Listen(cfg); err != nil {
				t.Fatalf("still bound: %v", err)
			}
			tr.Close()
		})
	}
}

// TestListenersBound: UDP and TCP choose their free ports independently, and
// all sockets of a UDP listener have the same.
func TestListenersBound(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(UDP), loopback(TCP)}, Workers: 3})
	for i, l := range r.Listeners() {
		if l.Addr.Port() == 0 || l.Addr.Addr() != netip.MustParseAddr("127.0.0.1") || l.Proto != []Proto{UDP, TCP}[i] {
			t.Errorf("listener %d is %v", i, l)
		}
	}
	for _, s := range r.sockets[0] {
		if s.bound != r.addr(0) {
			t.Errorf("a socket has %v, want %v", s.bound, r.addr(0))
		}
	}
	if want := fmt.Sprintf("udp://127.0.0.1:%d", r.addr(0).Port()); r.Listeners()[0].String() != want {
		t.Errorf("listener 0 is %s", r.Listeners()[0])
	}
}

func TestCloseTwiceWithoutStart(t *testing.T) {
	defer goleak.VerifyNone(t)
	tr, err := Listen(Config{
		Listeners:  []Listener{loopback(UDP), loopback(TCP)},
		NewHandler: func(*Sender) Handler { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := tr.NewSender()
	for range 2 {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
	// Whoever comes late does no harm.
	s.Send(Flow{Proto: UDP, Remote: netip.MustParseAddrPort("127.0.0.1:9")}, []byte("m"))
	s.Send(Flow{Proto: TCP, Remote: netip.MustParseAddrPort("127.0.0.1:9")}, []byte("m"))
	s.Flush(0)
}

// TestCloseInFlight closes a transport while messages arrive, wait, and leave
// in every way there is.
func TestCloseInFlight(t *testing.T) {
	ca := newAuthority(t)
	silent := tcpPeer(t) // accepts in the kernel, never answers a handshake
	for range 6 {
		r := newRig()
		r.quiet = true
		dead := Flow{Proto: TCP, Remote: closedPort(t, TCP)}
		var closed atomic.Bool
		r.onReceive = func(s *Sender, from Flow, data []byte) {
			if closed.Load() {
				t.Error("a handler was called after Close")
			}
			s.Send(from, data)
			s.Send(dead, data)
		}
		r.failures = make(chan failed, 1<<20)
		r.start(t, Config{
			Listeners: []Listener{loopback(UDP), loopback(TCP), loopback(TLS)},
			TLS:       ca.server(t, "a"),
			Workers:   2,
		})
		var others sync.WaitGroup
		stop := make(chan struct{})
		flood := func(c net.Conn) {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := io.WriteString(c, invite); err != nil && strings.Contains(err.Error(), "closed") {
						return
					}
				}
			}
		}
		udp, err := net.Dial("udp", r.addr(0).String())
		if err != nil {
			t.Fatal(err)
		}
		others.Go(func() { flood(udp) })
		tcp, secure := r.dialTCP(t, 1), tls.Client(r.dialTCP(t, 2), &tls.Config{RootCAs: ca.pool, ServerName: "a"})
		others.Go(func() { flood(tcp) })
		others.Go(func() { flood(secure) })
		half := r.dialTCP(t, 1)
		write(t, half, "OPTIONS")
		s := r.NewSender()
		s.Send(Flow{Proto: TLS, Remote: addrOf(silent.Addr())}, []byte("m"))
		for range 10 {
			s.Send(Flow{Proto: UDP, Remote: dead.Remote}, []byte("m"))
			s.Flush(r.Now())
			time.Sleep(200 * time.Microsecond)
		}
		begin := time.Now()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		closed.Store(true)
		if d := time.Since(begin); d > patience {
			t.Errorf("closing took %v", d)
		}
		close(stop)
		others.Wait()
	}
}

// TestStress opens, uses and breaks connections from all sides at once, for
// the race detector.
func TestStress(t *testing.T) {
	r := newRig()
	r.quiet = true
	r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
	r.failures = make(chan failed, 1<<20)
	r.start(t, Config{Listeners: []Listener{loopback(UDP), loopback(TCP)}, Workers: 2, MaxConns: 8})
	ln := tcpPeer(t)
	var peers sync.WaitGroup
	defer peers.Wait()
	peers.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			peers.Go(func() {
				defer c.Close()
				_, _ = io.CopyN(c, c, int64(100+n%7*1000)) // echo some, then break off
			})
		}
	})
	defer ln.Close()
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			s := r.NewSender()
			for range 100 {
				s.Send(Flow{Proto: TCP, Listener: 1, Remote: addrOf(ln.Addr())}, []byte(invite))
				s.Flush(r.Now())
				c, err := net.Dial("tcp", r.addr(1).String())
				if err != nil {
					continue
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, invite+invite[:100])
				_, _ = io.ReadFull(c, make([]byte, len(invite)))
				c.Close()
			}
		})
	}
	clients.Wait()
}

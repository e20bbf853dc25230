package transport

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func loopback(p Proto) Listener {
	return Listener{Proto: p, Addr: netip.MustParseAddrPort("127.0.0.1:0")}
}

// received is a message as a handler got it.
type received struct {
	now  int64
	from Flow
	data string
}

// failed is a failure as a handler got it.
type failed struct {
	to   Flow
	data string
	err  error
}

// script is a Handler that notes what comes and then does what a test says.
type script struct {
	sender *Sender
	rig    *rig
}

func (s *script) Receive(now int64, from Flow, data []byte) {
	if f := s.rig.onReceive; f != nil {
		f(s.sender, from, data)
	}
	if s.rig.quiet {
		return
	}
	s.rig.got <- received{now: now, from: from, data: string(data)}
}

func (s *script) Failed(_ int64, to Flow, data []byte, err error) {
	if f := s.rig.onFailed; f != nil {
		f(s.sender, to, data, err)
	}
	s.rig.failures <- failed{to: to, data: string(data), err: err}
}

// rig is a transport under test with what its handlers saw.
type rig struct {
	*Transport
	got      chan received
	failures chan failed
	// onReceive and onFailed act inside the handler; set before start.
	onReceive func(s *Sender, from Flow, data []byte)
	onFailed  func(s *Sender, to Flow, data []byte, err error)
	// inner is a rig beside another, whose check for leaks is enough.
	inner bool
	// quiet leaves out the notes of what was received.
	quiet bool

	mu    sync.Mutex
	drops map[string]int
}

func newRig() *rig {
	return &rig{
		got:      make(chan received, 1<<17),
		failures: make(chan failed, 1<<12),
		drops:    make(map[string]int),
	}
}

// start brings the transport up and takes it down with the test.
func (r *rig) start(tb testing.TB, cfg Config) *rig {
	tb.Helper()
	if !r.inner {
		tb.Cleanup(func() { goleak.VerifyNone(tb) })
	}
	cfg.NewHandler = func(s *Sender) Handler { return &script{sender: s, rig: r} }
	cfg.Dropped = func(reason string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.drops[reason]++
	}
	if cfg.Spare == 0 {
		cfg.Spare = 1 // Busy workers wait in both ways by turns.
	}
	tr, err := Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := tr.Close(); err != nil {
			tb.Error(err)
		}
	})
	r.Transport = tr
	tr.Start()
	return r
}

func (r *rig) dropped(reason string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drops[reason]
}

func (r *rig) addr(i int) netip.AddrPort { return r.Listeners()[i].Addr }

// next waits for the next message.
func (r *rig) next(t *testing.T) received {
	t.Helper()
	select {
	case m := <-r.got:
		return m
	case <-time.After(patience):
		t.Fatal("nothing was received")
	}
	return received{}
}

// nextFailure waits for the next failure.
func (r *rig) nextFailure(t *testing.T) failed {
	t.Helper()
	select {
	case f := <-r.failures:
		return f
	case <-time.After(patience):
		t.Fatal("nothing has failed")
	}
	return failed{}
}

// noFailure fails the test when a failure was reported.
func (r *rig) noFailure(t *testing.T) {
	t.Helper()
	select {
	case f := <-r.failures:
		t.Fatalf("failed: %q to %v: %v", f.data, f.to, f.err)
	default:
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// udpPeer is a plain UDP socket on loopback.
func udpPeer(tb testing.TB) *net.UDPConn {
	tb.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadBuffer(8 << 20); err != nil {
		tb.Fatal(err)
	}
	return c
}

func addrOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		return unmapped(a.AddrPort())
	case *net.TCPAddr:
		return unmapped(a.AddrPort())
	}
	return netip.AddrPort{}
}

// closedPort returns an address of loopback where nothing listens.
func closedPort(t *testing.T, p Proto) netip.AddrPort {
	t.Helper()
	if p == UDP {
		c := udpPeer(t)
		defer c.Close()
		return addrOf(c.LocalAddr())
	}
	ln := tcpPeer(t)
	defer ln.Close()
	return addrOf(ln.Addr())
}

// tcpPeer is a plain TCP listener on loopback.
func tcpPeer(t *testing.T) *net.TCPListener {
	t.Helper()
	ln, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// lent closes a connection with the test, which waits at most for so long.
func lent[C net.Conn](t *testing.T, c C, err error) C {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// dialTCP connects a plain TCP client to a listener of the rig.
func (r *rig) dialTCP(t *testing.T, listener int) *net.TCPConn {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(r.addr(listener)))
	return lent(t, c, err)
}

// accept takes the next connection to a plain listener.
func accept(t *testing.T, ln *net.TCPListener) *net.TCPConn {
	t.Helper()
	if err := ln.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c, err := ln.AcceptTCP()
	return lent(t, c, err)
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

// read reads as many bytes as expected and compares them.
func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	n := 0
	for n < len(buf) {
		m, err := c.Read(buf[n:])
		n += m
		if err != nil {
			t.Fatalf("read %q: %v", buf[:n], err)
		}
	}
	if string(buf) != want {
		t.Fatalf("read %q, want %q", buf, want)
	}
}

// request is a small SIP message with a body.
func request(callID string, body string) string {
	return "OPTIONS sip:a@example.com SIP/2.0\r\nCall-ID: " + callID +
		fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(body)) + body
}

// padding is a body of n bytes.
func padding(n int) string { return strings.Repeat("x", n) }

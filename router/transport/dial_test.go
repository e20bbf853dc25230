package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDial opens a connection for the first of several messages, reuses it,
// and receives on it.
func TestDial(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{
		loopback(UDP),
		{TCP, netip.MustParseAddrPort("127.0.0.2:0")},
	}})
	ln := tcpPeer(t)
	to := Flow{Proto: TCP, Listener: 1, Remote: addrOf(ln.Addr())}
	s := r.NewSender()
	for i := range 3 {
		s.Send(to, []byte(request(fmt.Sprint(i), "body")))
	}
	s.Flush(r.Now())
	c := accept(t, ln)
	if from := addrOf(c.RemoteAddr()); from.Addr() != r.addr(1).Addr() || from.Port() == r.addr(1).Port() {
		t.Errorf("dialled from %v", from)
	}
	for i := range 3 {
		read(t, c, request(fmt.Sprint(i), "body"))
	}
	s.Send(to, []byte(request("again", "")))
	s.Flush(r.Now())
	read(t, c, request("again", ""))

	write(t, c, "\r\n\r\n"+request("back", ""))
	m := r.next(t)
	if want := (Flow{Proto: TCP, Listener: 1, Conn: m.from.Conn, Remote: to.Remote}); m.from.Conn == 0 || m.from != want {
		t.Errorf("received from %v, want %v", m.from, want)
	}
	s.Send(m.from, []byte(request("answer", "")))
	s.Flush(r.Now())
	read(t, c, request("answer", "")) // and no answer to a ping: we are the client here
	r.noFailure(t)

	// From another listener it is another connection.
	to.Listener = 0
	s.Send(to, []byte(request("other", "")))
	s.Flush(r.Now())
	other := accept(t, ln)
	read(t, other, request("other", ""))
	if from := addrOf(other.RemoteAddr()); from.Addr() != r.addr(0).Addr() {
		t.Errorf("dialled from %v", from)
	}
}

// TestDialRefused: a closed port is known at once, for each message that waits,
// and is tried again for the next.
func TestDialRefused(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	port := bindTCP(t)
	to := Flow{Proto: TCP, Remote: port.addr}
	s := r.NewSender()
	for round := range 3 {
		start := time.Now()
		for i := range 3 {
			s.Send(to, []byte(request(fmt.Sprint(i), "")))
		}
		s.Flush(r.Now())
		for range 3 {
			f := r.nextFailure(t)
			if f.to != to || !errors.Is(f.err, syscall.ECONNREFUSED) {
				t.Errorf("round %d: to %v: %v", round, f.to, f.err)
			}
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v", d)
		}
	}
	ln := port.listen(t)
	s.Send(to, []byte(request("up", "")))
	s.Flush(r.Now())
	read(t, accept(t, ln), request("up", ""))
}

// boundPort is a TCP port that is ours and closed: connections to it are refused until it listens.
type boundPort struct {
	file *os.File
	addr netip.AddrPort
}

func bindTCP(t *testing.T) *boundPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &boundPort{file: os.NewFile(uintptr(fd), "port")}
	t.Cleanup(func() { _ = p.file.Close() })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	p.addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*unix.SockaddrInet4).Port))
	return p
}

// listen opens the port.
func (p *boundPort) listen(t *testing.T) *net.TCPListener {
	t.Helper()
	if err := unix.Listen(int(p.file.Fd()), 8); err != nil {
		t.Fatal(err)
	}
	ln, err := net.FileListener(p.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.(*net.TCPListener)
}

// TestDialTimeout dials a listener whose backlog is full.
func TestDialTimeout(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	remote := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*unix.SockaddrInet4).Port))
	filler, err := net.Dial("tcp", remote.String())
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()

	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, DialTimeout: 150 * time.Millisecond, WriteQueue: 1000})
	s := r.NewSender()
	to := Flow{Proto: TCP, Remote: remote}
	s.Send(to, []byte("first"))
	s.Send(to, []byte(padding(1000))) // no room while the other waits
	s.Flush(r.Now())
	if f := r.nextFailure(t); len(f.data) != 1000 || !errors.Is(f.err, ErrQueueFull) {
		t.Errorf("failed: %d bytes: %v", len(f.data), f.err)
	}
	if f := r.nextFailure(t); f.data != "first" || !errors.Is(f.err, os.ErrDeadlineExceeded) && !isTimeout(f.err) {
		t.Errorf("failed: %q: %v", f.data, f.err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// TestDialLimit: accepted connections do not use up what may be dialled.
func TestDialLimit(t *testing.T) {
	r := echoRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, MaxConns: 1})
	in := r.dialTCP(t, 0)
	write(t, in, request("in", ""))
	read(t, in, request("in", ""))
	one, two := tcpPeer(t), tcpPeer(t)
	s := r.NewSender()
	s.Send(Flow{Proto: TCP, Remote: addrOf(one.Addr())}, []byte("one"))
	s.Send(Flow{Proto: TCP, Remote: addrOf(two.Addr())}, []byte("two"))
	s.Flush(r.Now())
	read(t, accept(t, one), "one")
	if f := r.nextFailure(t); f.data != "two" || !errors.Is(f.err, ErrConnLimit) {
		t.Errorf("failed: %q: %v", f.data, f.err)
	}
}

// TestDialAgain: after the peer has closed, the next message opens another
// connection, and nothing is lost.
func TestDialAgain(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	ln := tcpPeer(t)
	to := Flow{Proto: TCP, Remote: addrOf(ln.Addr())}
	s := r.NewSender()
	for i := range 20 {
		msg := request(fmt.Sprint(i), "")
		s.Send(to, []byte(msg))
		s.Flush(r.Now())
		c := accept(t, ln)
		read(t, c, msg)
		write(t, c, msg)
		to.Conn = r.next(t).from.Conn // which is soon no more
		c.Close()
		eventually(t, "the connection is gone", func() bool { return r.Conns() == 0 })
	}
	r.noFailure(t)
}

// TestAcceptedNotFoundByRemote: an accepted connection carries messages to its
// id only. Its peer's port is not where that peer listens.
func TestAcceptedNotFoundByRemote(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	c := r.dialTCP(t, 0)
	write(t, c, request("a", ""))
	flow := r.next(t).from
	flow.Conn = 0
	s := r.NewSender()
	s.Send(flow, []byte("m"))
	s.Flush(r.Now())
	if f := r.nextFailure(t); !errors.Is(f.err, syscall.ECONNREFUSED) {
		t.Errorf("failed: %v", f.err)
	}
}

// TestStreamRefused is about flows that name no one.
func TestStreamRefused(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	tests := []struct {
		to   Flow
		want error
	}{
		{Flow{Proto: TCP}, syscall.EDESTADDRREQ},
		{Flow{Proto: TCP, Conn: 77}, syscall.EDESTADDRREQ},
		{Flow{Proto: TCP, Remote: netip.MustParseAddrPort("127.0.0.1:0")}, syscall.EDESTADDRREQ},
		{Flow{Proto: TCP, Listener: 9, Remote: netip.MustParseAddrPort("127.0.0.1:9")}, ErrNoListener},
	}
	s := r.NewSender()
	for _, tt := range tests {
		s.Send(tt.to, []byte("m"))
		s.Flush(r.Now())
		if f := r.nextFailure(t); f.to != tt.to || !errors.Is(f.err, tt.want) {
			t.Errorf("%v: %v, want %v", f.to, f.err, tt.want)
		}
	}
}

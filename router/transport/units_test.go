package transport

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSockaddr(t *testing.T) {
	for _, s := range []string{
		"192.0.2.1:5060", "127.0.0.1:0", "255.255.255.255:65535", "[2001:db8::1]:5060", "[::1]:1", "[fe80::1%3]:5060",
	} {
		var sa sockaddr
		// What was there before must not shine through.
		putAddr(&sa, netip.MustParseAddrPort("[fe80::ffff:ffff%9]:9"))
		want := netip.MustParseAddrPort(s)
		size := putAddr(&sa, want)
		if got := getAddr(&sa); got != want {
			t.Errorf("%v became %v", want, got)
		}
		if want.Addr().Is4() != (size == unix.SizeofSockaddrInet4) {
			t.Errorf("%v takes %d bytes", want, size)
		}
	}
	if got := getAddr(&sockaddr{Family: unix.AF_UNIX}); got.IsValid() {
		t.Errorf("a unix socket became %v", got)
	}
	mapped := sockaddr{Family: unix.AF_INET6}
	mapped.Addr = netip.MustParseAddr("::ffff:192.0.2.1").As16()
	if got := getAddr(&mapped).Addr(); got != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("a mapped address became %v", got)
	}
	if scopeOf("lo") != 1 || scopeOf("7") != 7 || scopeOf("no such link") != 0 {
		t.Error("a zone has the wrong index")
	}
}

// TestConnTable: an old id finds nothing, and none is 0, even when the
// generations have come round.
func TestConnTable(t *testing.T) {
	tr := &Transport{}
	table := newConnTable(1, 1)
	table.open()
	remote := netip.MustParseAddrPort("192.0.2.1:5060")
	add := func() *conn {
		c := newConn(tr, Flow{Proto: TCP, Remote: remote})
		if err := table.addAccepted(c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := add()
	if err := table.addAccepted(newConn(tr, first.flow)); !errors.Is(err, ErrConnLimit) {
		t.Errorf("one too many: %v", err)
	}
	if table.byID(first.flow.Conn) != first || table.byID(0) != nil || table.len() != 1 {
		t.Error("the connection is not where it should be")
	}
	table.remove(first)
	table.remove(first)
	second := add()
	if table.byID(first.flow.Conn) != nil || table.byID(second.flow.Conn) != second {
		t.Errorf("id %d after %d", second.flow.Conn, first.flow.Conn)
	}
	table.remove(second)
	for i := range table.generations {
		table.generations[i] = math.MaxUint32 >> table.slotBits
	}
	third := add()
	if id := third.flow.Conn; id == 0 || table.byID(id) != third {
		t.Errorf("id %d after the last generation", id)
	}
	table.remove(third)
	if len(table.perSource) != 0 || table.accepted != 0 || table.len() != 0 {
		t.Errorf("still counted: %v, %d, %d", table.perSource, table.accepted, table.len())
	}
	table.close()
	if err := table.addAccepted(newConn(tr, first.flow)); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestSourceOf(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8:0:1:a::1": "2001:db8:0:1::", "fe80::1%lo": "fe80::",
	} {
		if got := sourceOf(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s is counted as %v, want %s", in, got, want)
		}
	}
}

func TestLimitedLog(t *testing.T) {
	var out bytes.Buffer
	l := newLimitedLog(slog.New(slog.NewTextHandler(&out, nil)))
	for range 100 {
		l.warn("noise", "source", "a")
	}
	// The hundred may fall into two seconds, not into three.
	if n := strings.Count(out.String(), "noise"); n < linesPerSecond || n > 2*linesPerSecond {
		t.Errorf("%d lines", n)
	}
	l = newLimitedLog(slog.New(slog.DiscardHandler))
	now := time.Now()
	var got []bool
	for i := range linesPerSecond + 2 {
		_, ok := l.admit(now.Add(time.Duration(i) * time.Millisecond))
		got = append(got, ok)
	}
	if !got[linesPerSecond-1] || got[linesPerSecond] {
		t.Errorf("admitted %v", got)
	}
	if n, ok := l.admit(now.Add(time.Second)); !ok || n != 2 {
		t.Errorf("a second later: %v, %d suppressed", ok, n)
	}
}

// TestSendBufferFull uses a pair of unix sockets, because loopback takes every
// datagram: when the kernel has no room, the rest of the batch is counted, the
// sender does not hang, and the next batch is tried again.
func TestSendBufferFull(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	drops := 0
	tr := &Transport{cfg: Config{Dropped: func(reason string) {
		if reason != DropSendBuffer {
			t.Errorf("dropped for %s", reason)
		}
		drops++
	}}}
	q := newUDPQueue(&Sender{t: tr}, &udpSocket{}, true)
	q.sender.fd = uintptr(fds[0])
	fill := func() {
		for range batchSize {
			q.add(Flow{Proto: UDP, Remote: netip.MustParseAddrPort("192.0.2.1:5060")}, []byte("m"))
			q.vec.hdr[q.n-1].Hdr.Namelen = 0
		}
	}
	drain := func() (n int) {
		for ; ; n++ {
			if _, err := unix.Read(fds[1], make([]byte, 10)); err != nil {
				return n
			}
		}
	}
	sent := 0
	for drops == 0 {
		fill()
		q.flush()
		sent += batchSize
	}
	if got := drain(); got+drops != sent || drops == batchSize {
		t.Errorf("of %d, %d arrived and %d were counted", sent, got, drops)
	}
	drops = 0
	fill()
	q.flush()
	if got := drain(); got == 0 || got+drops != batchSize {
		t.Errorf("then %d arrived and %d were counted", got, drops)
	}
}

// TestReceiveDrops: what the kernel throws away before Start is told.
func TestReceiveDrops(t *testing.T) {
	tr, err := Listen(Config{
		Listeners: []Listener{loopback(UDP)}, Workers: 2, ReadBuffer: 1,
		NewHandler: func(*Sender) Handler { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	c := udpPeer(t)
	for range 100 {
		if _, err := c.WriteToUDPAddrPort([]byte(padding(1000)), tr.Listeners()[0].Addr); err != nil {
			t.Fatal(err)
		}
	}
	if n := tr.ReceiveDrops(); n < 50 || n > 100 {
		t.Errorf("%d drops", n)
	}
}

// TestOrphansBounded: failures that nobody fetches are counted, not kept.
func TestOrphansBounded(t *testing.T) {
	drops := 0
	o := newOrphans(func(string) { drops++ })
	var f failures
	for range maxOrphans + 5 {
		f.add(Flow{}, []byte("m"), ErrClosed)
	}
	o.put(1, &f)
	if drops != 5 || f.len() != 0 || o.waiting.len() != maxOrphans {
		t.Errorf("%d dropped, %d waiting", drops, o.waiting.len())
	}
	if now := o.take(&f); now != 1 || f.len() != maxOrphans || o.waiting.len() != 0 {
		t.Errorf("took %d", f.len())
	}
}

// TestSettleBounded: a handler that sends what failed back into failure does
// not hold its goroutine for ever.
func TestSettleBounded(t *testing.T) {
	tr := &Transport{cfg: Config{Dropped: func(string) {}}, orphans: newOrphans(func(string) {})}
	s := &Sender{t: tr}
	h := &stubborn{sender: s}
	w := worker{handler: h, sender: s}
	s.Send(Flow{}, []byte("m"))
	w.settle(1)
	if h.failures != maxRounds || tr.orphans.waiting.len() != 1 {
		t.Errorf("%d failures, %d left", h.failures, tr.orphans.waiting.len())
	}
}

// stubborn sends again what failed.
type stubborn struct {
	sender   *Sender
	failures int
}

func (s *stubborn) Receive(int64, Flow, []byte) {}

func (s *stubborn) Failed(_ int64, to Flow, data []byte, _ error) {
	s.failures++
	s.sender.Send(to, data)
}

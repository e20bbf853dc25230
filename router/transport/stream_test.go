package transport

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// echoRig answers each message with its own bytes.
func echoRig() *rig {
	r := newRig()
	r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
	return r
}

// TestX06 delivers a stream of messages, with keep-alives between them, in
// pieces of all kinds.
func TestX06(t *testing.T) {
	corpus := []string{
		request("plain", ""), request("body", "hello"), "\r\n", "\r\n\r\n", invite,
		"OPTIONS sip:a@b SIP/2.0\r\nL:\r\n 3\r\n\r\nabc", "\r\n",
		"SIP/2.0 200 OK\nl: 1\n\nx", request("big", padding(20_000)), request("bigger", padding(200_000)),
	}
	stream := strings.Join(corpus, "")
	messages := slices.DeleteFunc(corpus, func(s string) bool { return strings.TrimSpace(s) == "" })
	cuts := map[string]func() int{
		"byte by byte": func() int { return 1 },
		"at once":      func() int { return len(stream) },
		"at random":    func() int { return 1 + rand.IntN(3000) },
	}
	r := echoRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			c := r.dialTCP(t, 0)
			sent := make(chan error, 1)
			go func() {
				for rest := stream; rest != ""; {
					n := min(cut(), len(rest))
					if _, err := io.WriteString(c, rest[:n]); err != nil {
						sent <- err
						return
					}
					rest = rest[n:]
				}
				sent <- nil
			}()
			var id uint32
			for _, want := range messages {
				m := r.next(t)
				if m.data != want {
					t.Fatalf("got %.60q, want %.60q", m.data, want)
				}
				if id == 0 {
					id = m.from.Conn
				}
				if from := (Flow{Proto: TCP, Conn: id, Remote: addrOf(c.LocalAddr())}); id == 0 || m.from != from {
					t.Fatalf("from %v, want %v", m.from, from)
				}
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			// The answer to the one ping stands between two others, later than
			// the ping by what one read of the stream held.
			got := make([]byte, len(strings.Join(messages, ""))+len("\r\n"))
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			rest := string(got)
			for _, m := range messages {
				rest = strings.TrimPrefix(strings.TrimPrefix(rest, "\r\n"), m)
			}
			if rest != "" && rest != "\r\n" {
				t.Errorf("answers end in %.60q", rest)
			}
		})
	}
}

// TestStreamTorture sends each message of RFC 4475 and RFC 5118 that says
// clearly where it ends, with another behind it.
func TestStreamTorture(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	files, err := filepath.Glob("../testdata/torture/rfc*/*.dat")
	if err != nil || len(files) != 49+12 {
		t.Fatalf("%d messages: %v", len(files), err)
	}
	// Too short or too long for their Content-Length, or for having none.
	unclear := []string{"baddn.dat", "clerr.dat", "dblreq.dat", "inv2543.dat", "mcl01.dat", "ncl.dat"}
	marker := request("marker", "")
	c := r.dialTCP(t, 0)
	for _, name := range files {
		if slices.Contains(unclear, filepath.Base(name)) {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, string(data)+marker)
		if m := r.next(t); m.data != string(data) {
			t.Fatalf("%s: got %q", name, m.data)
		}
		if m := r.next(t); m.data != marker {
			t.Fatalf("after %s: got %q", name, m.data)
		}
	}
}

func TestStreamPing(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	c := r.dialTCP(t, 0)
	for range 3 {
		write(t, c, "\r\n\r\n")
		read(t, c, "\r\n")
	}
	write(t, c, request("after", ""))
	r.next(t)
}

// TestStreamUnusable: a message whose end is unknown is answered, and then its
// connection is closed, however much more comes on it.
func TestStreamUnusable(t *testing.T) {
	tests := []struct{ name, fields, reason string }{
		{"negative", "Content-Length: -999", DropStreamFraming},
		{"no number", "l: many", DropStreamFraming},
		{"two lengths", "l: 5\r\nl: 13", DropStreamFraming},
		{"too large", "l: 300000", DropOversize},
	}
	const answer = "SIP/2.0 400 Bad Request\r\nl: 0\r\n\r\n"
	r := newRig()
	r.onReceive = func(s *Sender, from Flow, _ []byte) { s.Send(from, []byte(answer)) }
	r.start(t, Config{Listeners: []Listener{loopback(TCP)}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := r.dropped(tt.reason)
			head := "OPTIONS sip:a@b SIP/2.0\r\n" + tt.fields + "\r\n\r\n"
			c := r.dialTCP(t, 0)
			write(t, c, head+padding(100_000))
			if m := r.next(t); m.data != head {
				t.Errorf("got %.100q", m.data)
			}
			if all, err := io.ReadAll(c); string(all) != answer || err != nil {
				t.Errorf("read %q: %v", all, err)
			}
			if n := r.dropped(tt.reason) - before; n != 1 {
				t.Errorf("counted %d", n)
			}
			c.Close()
			eventually(t, "the connection is gone", func() bool { return r.Conns() == 0 })
		})
	}
}

// TestStreamGarbage: what is no SIP is not read to its end.
func TestStreamGarbage(t *testing.T) {
	tests := []struct{ name, in, reason string }{
		{"http", "GET / HTTP/1.1\r\n", DropStreamFraming},
		{"tls", "\x16\x03\x01\x02\x00\x01", DropStreamFraming},
		{"one long word", padding(1000), DropStreamFraming},
		{"endless header", "OPTIONS sip:a@b SIP/2.0\r\nX: " + padding(70_000), DropOversize},
	}
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := r.dropped(tt.reason)
			c := r.dialTCP(t, 0)
			write(t, c, tt.in)
			if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read %d bytes: %v", n, err)
			}
			eventually(t, "counted", func() bool { return r.dropped(tt.reason) == before+1 })
			if len(r.got) != 0 {
				t.Errorf("received %q", (<-r.got).data)
			}
		})
	}
}

// TestStreamSlow: a message that comes too slowly ends its connection, at a
// time counted from its first byte. Others are not disturbed, and not those
// that only ping.
func TestStreamSlow(t *testing.T) {
	const timeout = 200 * time.Millisecond
	r := echoRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, MessageTimeout: timeout})
	slow, good := r.dialTCP(t, 0), r.dialTCP(t, 0)
	closed := make(chan time.Duration, 1)
	begin := time.Now()
	go func() {
		_, _ = slow.Read(make([]byte, 1))
		closed <- time.Since(begin)
	}()
	msg := request("slow", padding(1000))
	for i := 0; ; i++ {
		select {
		case d := <-closed:
			if d < timeout*9/10 || d > patience/2 {
				t.Errorf("closed after %v", d)
			}
			if n := r.dropped(DropStreamTimeout); n != 1 {
				t.Errorf("counted %d", n)
			}
			return
		case <-time.After(timeout / 20):
			_, _ = io.WriteString(slow, msg[i:i+1])
			write(t, good, "\r\n\r\n"+request("good", "x"))
			read(t, good, request("good", "x")+"\r\n")
		}
	}
}

// TestStreamSlowPipelined: the clock of a message does not run while the one
// before it is still coming.
func TestStreamSlowPipelined(t *testing.T) {
	const timeout = 300 * time.Millisecond
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, MessageTimeout: timeout})
	c := r.dialTCP(t, 0)
	msg := request("x", "body")
	write(t, c, msg[:10])
	for range 4 {
		time.Sleep(timeout * 2 / 3)
		write(t, c, msg[10:]+msg[:10])
		if m := r.next(t); m.data != msg {
			t.Fatalf("got %q", m.data)
		}
	}
}

func TestStreamIdle(t *testing.T) {
	const timeout = 200 * time.Millisecond
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, IdleTimeout: timeout})
	c := r.dialTCP(t, 0)
	write(t, c, request("a", ""))
	flow := r.next(t).from
	s := r.NewSender()
	for range 5 { // what we send keeps it open
		time.Sleep(timeout / 2)
		s.Send(flow, []byte("SIP/2.0 100 Trying\r\n\r\n"))
		s.Flush(r.Now())
		read(t, c, "SIP/2.0 100 Trying\r\n\r\n")
	}
	quiet := time.Now()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if d := time.Since(quiet); d < timeout*8/10 || d > patience/2 {
		t.Errorf("closed after %v", d)
	}
}

// TestStreamUnused: a connection on which nobody ever says anything goes early, one that was of use stays.
func TestStreamUnused(t *testing.T) {
	const timeout = 200 * time.Millisecond
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, FirstTimeout: timeout})
	silent, pinged, used := r.dialTCP(t, 0), r.dialTCP(t, 0), r.dialTCP(t, 0)
	opened := time.Now()
	write(t, pinged, "\r\n\r\n")
	read(t, pinged, "\r\n")
	write(t, used, request("a", ""))
	r.next(t)
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if d := time.Since(opened); d < timeout*8/10 || d > patience/2 {
		t.Errorf("closed after %v", d)
	}
	time.Sleep(timeout)
	write(t, pinged, "\r\n\r\n")
	read(t, pinged, "\r\n")
	write(t, used, request("b", ""))
	r.next(t)
	if n := r.dropped(DropStreamUnused); n != 1 {
		t.Errorf("%d counted", n)
	}
}

func TestStreamLimits(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
	}{
		{"in all", Config{MaxConns: 3}},
		{"from one source", Config{MaxConnsPerSource: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Listeners = []Listener{loopback(TCP)}
			r := echoRig().start(t, tt.cfg)
			var open []*net.TCPConn
			for range 3 {
				c := r.dialTCP(t, 0)
				write(t, c, request("a", ""))
				read(t, c, request("a", ""))
				open = append(open, c)
			}
			if extra, err := net.Dial("tcp", r.addr(0).String()); err == nil {
				_ = extra.SetDeadline(time.Now().Add(patience))
				if _, err := extra.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read: %v", err)
				}
				extra.Close()
			} // else it was reset before the dial returned
			eventually(t, "counted", func() bool { return r.dropped(DropConnLimit) == 1 })
			open[0].Close() // without a message behind a half-closed one
			write(t, open[1], request("b", ""))
			read(t, open[1], request("b", ""))
			eventually(t, "another one fits", func() bool {
				c, err := net.Dial("tcp", r.addr(0).String())
				if err != nil {
					return false
				}
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, request("c", ""))
				n, _ := c.Read(make([]byte, 1))
				return n == 1
			})
		})
	}
}

// TestStreamHalfClosed: who only stops sending still gets its replies; who is
// gone does not keep a connection for ever, nor counts against the limit.
func TestStreamHalfClosed(t *testing.T) {
	r := newRig().start(t, Config{Listeners: []Listener{loopback(TCP)}, HalfClosedTimeout: 300 * time.Millisecond, MaxConns: 1})
	c := r.dialTCP(t, 0)
	write(t, c, request("a", ""))
	flow := r.next(t).from
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another one fits", func() bool {
		other := r.dialTCP(t, 0)
		_, _ = io.WriteString(other, request("b", ""))
		select {
		case <-r.got:
			return other.SetLinger(0) == nil && other.Close() == nil
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
	s := r.NewSender()
	s.Send(flow, []byte("SIP/2.0 200 OK\r\n\r\n"))
	s.Flush(r.Now())
	read(t, c, "SIP/2.0 200 OK\r\n\r\n")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	eventually(t, "all connections are gone", func() bool { return r.Conns() == 0 })
	r.noFailure(t)
}

// TestStreamReset: a reset ends one connection and no other.
func TestStreamReset(t *testing.T) {
	r := echoRig().start(t, Config{Listeners: []Listener{loopback(TCP)}})
	good := r.dialTCP(t, 0)
	for range 20 {
		bad := r.dialTCP(t, 0)
		write(t, bad, request("bad", "")+"INVITE")
		if err := bad.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		bad.Close()
		write(t, good, request("good", ""))
		read(t, good, request("good", ""))
	}
	eventually(t, "the others are gone", func() bool { return r.Conns() == 1 })
}

// TestStreamStuck: a peer that reads nothing makes its queue fill up and then
// its connection end. Each message that did not leave is reported.
func TestStreamStuck(t *testing.T) {
	const queue = 64 << 10
	r := newRig().start(t, Config{
		Listeners: []Listener{loopback(TCP)}, WriteTimeout: 300 * time.Millisecond, WriteQueue: queue,
	})
	stuck, good := r.dialTCP(t, 0), r.dialTCP(t, 0)
	write(t, stuck, request("stuck", ""))
	stuckFlow := r.next(t).from
	write(t, good, request("good", ""))
	goodFlow := r.next(t).from

	s := r.NewSender()
	sent, full := 0, 0
	for ; full == 0 && sent < 10_000; sent++ {
		s.Send(stuckFlow, fmt.Appendf(nil, "%6d%s", sent, padding(5000)))
		s.Send(goodFlow, []byte("m"))
		s.Flush(r.Now())
		read(t, good, "m")
		full = r.dropped(DropWriteQueue)
	}
	unsent := 0
	for f := r.nextFailure(t); ; f = r.nextFailure(t) {
		if f.to != stuckFlow || len(f.data) != 5006 {
			t.Fatalf("failed: %.10q to %v", f.data, f.to)
		}
		var n int
		if _, err := fmt.Sscan(f.data[:6], &n); err != nil {
			t.Fatal(err)
		}
		if n == sent-1 != errors.Is(f.err, ErrQueueFull) {
			t.Errorf("message %d of %d: %v", n, sent, f.err)
		}
		if unsent++; unsent > 1 && n == sent-2 {
			break
		}
	}
	// Those in the queue, and what the kernel still had of those before.
	if unsent < queue/5006 || unsent > 2*queue/5006+2 {
		t.Errorf("%d messages were reported", unsent)
	}
	eventually(t, "only the good connection is left", func() bool { return r.Conns() == 1 })
}

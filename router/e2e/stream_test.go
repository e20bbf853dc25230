package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestX06_ByteByByte checks that a message may arrive in any pieces.
func TestX06_ByteByByte(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.tcpCaller(t)
	inv := a.invite("+15551234567").offering(wideOffer())
	text := inv.text()
	conn := a.stream(t, n.tcp)
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	got := b.expect(t, request("INVITE"))
	checkUntouched(t, inv, got)
	b.answer(t, got, 486)
	a.expect(t, status(486))
}

// TestX06_Pipelined checks that several messages may arrive in one piece, with keep-alives between them.
func TestX06_Pipelined(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.tcpCaller(t)
	var text strings.Builder
	var calls []*draft
	for i := range 20 {
		inv := a.invite("+15551234567").with("text/plain", strings.Repeat("x", i*37))
		calls = append(calls, inv)
		text.WriteString(inv.text())
		text.WriteString(strings.Repeat("\r\n", i%3))
	}
	a.send(t, raw(text.String()))
	for _, inv := range calls {
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		checkUntouched(t, inv, got)
		b.answer(t, got, 486)
		a.expect(t, status(486).of(inv.get("Call-ID")))
	}
}

// TestX06_KeepAlive checks that a double CRLF is answered by a single one (RFC 5626 section 4.4.1).
func TestX06_KeepAlive(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.tcpCaller(t)
	for range 3 {
		a.send(t, raw("\r\n\r\n"))
	}
	a.until(t, "three keep-alive answers", soon, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.pings >= 3
	})
	a.send(t, a.invite("+15551234567"))
	b.expect(t, request("INVITE"))
}

// closedWithin checks that the router ends a connection in time.
func closedWithin(t *testing.T, conn net.Conn, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	if err := conn.SetReadDeadline(began.Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Fatalf("the connection is open after %v", within)
	}
	return time.Since(began)
}

func dial(t *testing.T, n *node) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", n.tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestX06_SlowMessage checks that a message has to be whole within ten seconds of its first byte, however steadily it
// trickles.
func TestX06_SlowMessage(t *testing.T) {
	t.Parallel()
	n := startRouter(t, setup{providers: catalog()})
	conn := dial(t, n)
	stop := make(chan struct{})
	trickled := make(chan struct{})
	go func() {
		defer close(trickled)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for text := (&peer{addr: n.tcp, transport: "tcp"}).invite("+1").text(); text != ""; text = text[1:] {
			if _, err := io.WriteString(conn, text[:1]); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	took := closedWithin(t, conn, 13*time.Second)
	close(stop)
	<-trickled
	if took < 9*time.Second {
		t.Errorf("closed after %v, want 10 s", took)
	}
}

// TestX06_Oversize checks the bounds of what a stream may hold: 64 KiB of headers, 256 KiB of message.
func TestX06_Oversize(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tcp"))})
	a := n.tcpCaller(t)

	fits := a.invite("+15551234567").add("X-Long: "+strings.Repeat("y", 60<<10)).with("text/plain", strings.Repeat("z", 150<<10))
	a.send(t, fits)
	checkUntouched(t, fits, b.expect(t, request("INVITE")))

	for name, text := range map[string]string{
		"headers": a.invite("+15551234567").add("X-Long: " + strings.Repeat("y", 70<<10)).text(),
		"endless": "INVITE sip:x@y SIP/2.0\r\nX: " + strings.Repeat("y", 100<<10),
		"length":  strings.Replace(a.invite("+15551234567").text(), "Content-Length: 0", "Content-Length: 300000", 1),
		"huge":    strings.Replace(a.invite("+15551234567").text(), "Content-Length: 0", "Content-Length: 99999999999999999999", 1),
		"minus":   strings.Replace(a.invite("+15551234567").text(), "Content-Length: 0", "Content-Length: -1", 1),
		"no SIP":  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"noise":   strings.Repeat("\x00\xff\r\n", 1000) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, n)
			if _, err := io.WriteString(conn, text); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
				t.Fatal(err)
			}
			closedWithin(t, conn, 2*time.Second)
		})
	}
}

// TestX06_NoLengthOnStream checks that a message without Content-Length on a stream is taken as one without a body, or
// refused, and never swallows the next one as its body.
func TestX06_NoLengthOnStream(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.tcpCaller(t)
	first := a.invite("+15551234567")
	first.noLength = true
	second := a.invite("+15551234567")
	a.send(t, raw(first.text()+second.text()))
	got := b.next(t, request("INVITE").of(first.get("Call-ID")), time.Second)
	if got != nil && got.body != "" {
		t.Errorf("its body is %q", got.body)
	}
}

// TestReplyWhenTheConnectionIsGone checks that a reply whose connection was closed reaches the caller over a new one,
// to where its Via says (RFC 3261 section 18.2.2).
func TestReplyWhenTheConnectionIsGone(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*net.TCPConn) error{
		"closed": (*net.TCPConn).Close,
		"reset": func(c *net.TCPConn) error {
			if err := c.SetLinger(0); err != nil {
				return err
			}
			return c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: trunks(b)})
			a := n.tcpCaller(t)
			a.send(t, a.invite("+15551234567"))
			got := b.expect(t, request("INVITE"))
			a.expect(t, status(100))
			if err := end(a.stream(t, n.tcp).(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(quiet)
			b.answer(t, got, 180)
			if rep := a.expect(t, status(180)); rep.conn == nil {
				t.Error("the 180 came over UDP")
			}
		})
	}
}

// TestConnectionsAreUsedAgain checks that calls to a provider share one connection.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tcp"))})
	a := n.caller(t)
	from := map[string]bool{}
	for range 5 {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		from[fmt.Sprint(got.from)] = true
		b.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
	}
	if len(from) != 1 {
		t.Errorf("5 calls came over %d connections", len(from))
	}
}

// TestProviderReconnects checks that a connection which the provider closed is made again for the next call.
func TestProviderReconnects(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tcp"))})
	a := n.caller(t)
	for range 3 {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		b.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
		b.expect(t, request("ACK").of(inv.get("Call-ID")))
		got.conn.Close()
		time.Sleep(2 * quiet) // A message that crosses the end of its connection is lost, as ever with TCP.
	}
}

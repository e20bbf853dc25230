package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// dialFrom connects from an address to another. The connection is closed when the test ends.
func dialFrom(t *testing.T, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	conn, err := d.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn, nil
}

// TestStreamFlood has strangers do to the real program all that can be done to it over TCP, on 200 connections at once:
// headers and messages without an end, bytes one by one, requests without a pause whose replies nobody reads. Meanwhile
// calls of others over TCP and UDP all succeed, and memory stays within bounds. No other test runs beside it.
func TestStreamFlood(t *testing.T) {
	b := sturdy(t)
	d := startDaemon(t, trunks(b))
	overTCP, overUDP := newPeer(t), newPeer(t)
	overTCP.transport, overTCP.router = "tcp", d.sip
	overUDP.transport, overUDP.router = "udp", d.sip
	for range 5 {
		overTCP.persistent(t)
		overUDP.persistent(t)
	}
	before := d.memory(t)

	const took, longest = 4 * time.Second, 40 * time.Second // The longest on a machine with other work.
	began := time.Now()
	stop := make(chan struct{})
	var strangers sync.WaitGroup
	var conns []net.Conn
	begin := func(n int, what func(conn net.Conn) error) {
		from := newIP()
		for range n {
			conn, err := dialFrom(t, from, d.sip)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
			strangers.Go(func() {
				_ = conn.SetDeadline(began.Add(longest)) // Whatever is not read or closed by then ends.
				for {
					select {
					case <-stop:
						return
					default:
					}
					if what(conn) != nil {
						return
					}
					time.Sleep(5 * time.Millisecond) // The peers of the calls live in this process, too.
				}
			})
		}
	}
	text := func(s string) func(net.Conn) error {
		return func(conn net.Conn) error { _, err := io.WriteString(conn, s); return err }
	}
	const start = "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n"
	begin(40, text(start+strings.Repeat("a: b\r\n", 9000)))
	begin(40, func(conn net.Conn) error {
		if err := text(start + "Content-Length: 250000\r\n\r\n" + strings.Repeat("x", 240_000))(conn); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1)) // Until it ends.
		return err
	})
	begin(40, func(conn net.Conn) error {
		time.Sleep(5 * time.Millisecond)
		return text("I")(conn)
	})
	begin(40, text(strings.Repeat(start+"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n", 50)))
	begin(20, text(start+"X: "+strings.Repeat("y", 60_000)+"\r\n\r\n"))
	begin(20, text(strings.Repeat("\r\n\r\n", 5000)))

	missing := func() (reasons []string) {
		page := d.get(t, "/metrics")
		for _, reason := range []string{"oversize", "stream_framing"} {
			if sample(page, fmt.Sprintf("dialrouter_messages_dropped_total{reason=%q}", reason)) == 0 {
				reasons = append(reasons, reason)
			}
		}
		return reasons
	}
	calls, most := 0, 0
	for time.Since(began) < took || time.Since(began) < longest && (calls < 5 || len(missing()) > 0) {
		overTCP.persistent(t)
		overUDP.persistent(t)
		calls++
		most = max(most, d.memory(t)-before)
	}
	close(stop)
	for _, conn := range conns {
		_ = conn.SetDeadline(time.Now())
	}
	strangers.Wait()
	if calls < 5 {
		t.Errorf("%d calls in %v", calls, time.Since(began))
	}
	// 256 KiB to read and 1 MiB to write is what a connection may hold; most of these hold less.
	if most > 256<<20 {
		t.Errorf("the program grew by %d MiB", most>>20)
	}
	t.Logf("%d calls each way; the program grew by %d MiB", calls, most>>20)
	for _, reason := range missing() {
		t.Errorf("no drop was counted as %s", reason)
	}
	d.stop(t)
	checkLog(t, d.err.String(), time.Since(began)+soon)
}

// TestTLSHandshakeFlood opens as many connections for TLS as one source may have, and more, and ends no handshake: the
// surplus is refused at once, the others after ten seconds, and calls of another source pass all the while.
func TestTLSHandshakeFlood(t *testing.T) {
	const limit, surplus = 256, 44
	ca := newAuthority(t)
	b := newPeer(t)
	n := startRouter(t, ca.secured(t, setup{providers: trunks(b)}))
	from := newIP()
	var open []net.Conn
	began := time.Now()
	for i := range limit + surplus {
		conn, err := dialFrom(t, from, n.tls)
		if err != nil {
			continue // Refused before we knew that it was open.
		}
		open = append(open, conn)
		// Nothing at all, the first bytes of a record, or a record that promises more than comes.
		_, _ = io.WriteString(conn, []string{"", "\x16\x03\x01", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("r", 100)}[i%3])
	}
	n.expectMetric(t, surplus, "dialrouter_messages_dropped_total", "reason", "conn_limit")
	for time.Since(began) < 8*time.Second {
		a := ca.peer(t).speaks(n, "tls") // With a handshake of its own.
		inv := a.invite("+15551234567")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
		a.send(t, ackFor(inv, a.expect(t, status(486))))
		time.Sleep(200 * time.Millisecond)
	}
	for _, conn := range open {
		closedWithin(t, conn, time.Until(began.Add(20*time.Second)))
	}
	n.expectMetric(t, limit, "dialrouter_messages_dropped_total", "reason", "stream_timeout")
	eventually(t, "the source may connect again", func() bool {
		conn, err := dialFrom(t, from, n.tls)
		if err != nil {
			return false
		}
		_, err = io.WriteString(conn, "no TLS")
		return err == nil
	})
	n.expectMetric(t, 1, "dialrouter_messages_dropped_total", "reason", "stream_framing")
}

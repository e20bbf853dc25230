package e2e

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestHeaderFlood checks that messages which are as large as they can be, of headers that cost a parser most, are carried
// or refused, at a bounded price.
func TestHeaderFlood(t *testing.T) {
	t.Parallel()
	b := sturdy(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU", "transport: tcp")), budgets: calm, t1: 10 * time.Second})
	canary := n.caller(t)
	a := n.caller(t)
	const room = 60000
	fill := func(unit string) string { return strings.Repeat(unit, room/len(unit)) }
	shapes := map[string]func() wire{
		"short headers":    func() wire { return raw(flooded(a, fill("a:b\r\n"), "")) },
		"headers for us":   func() wire { return raw(flooded(a, fill("VB-X:\r\n"), "")) },
		"Vias":             func() wire { return raw(flooded(a, fill("v:SIP/2.0/UDP a;branch=z9hG4bK1\r\n"), "")) },
		"one line of Vias": func() wire { return raw(flooded(a, "v:"+fill("SIP/2.0/UDP a,")+"SIP/2.0/UDP a\r\n", "")) },
		"Routes to us":     func() wire { return raw(flooded(a, fill("Route:<sip:"+n.udp.String()+";lr>\r\n"), "")) },
		"one line of Routes": func() wire {
			return raw(flooded(a, "Route:"+fill("<sip:"+n.udp.String()+";lr>,")+"<sip:"+n.udp.String()+";lr>\r\n", ""))
		},
		"Record-Routes":  func() wire { return raw(flooded(a, "Record-Route:"+fill("<sip:a;lr>,")+"<sip:b;lr>\r\n", "")) },
		"folds":          func() wire { return raw(flooded(a, "X-Folded:"+fill("\r\n a")+"\r\n", "")) },
		"one long value": func() wire { return raw(flooded(a, "X-Long:"+fill("x")+"\r\n", "")) },
		"parameters":     func() wire { return raw(flooded(a, "Contact:<sip:a@b>"+fill(";a=b")+"\r\n", "")) },
		"quotes":         func() wire { return raw(flooded(a, "Contact:\""+fill("\\\"")+"\"<sip:a@b>\r\n", "")) },
		"Privacy": func() wire {
			return raw(flooded(a, "P-Asserted-Identity:<sip:a@b>\r\nPrivacy:"+fill("x;")+"id\r\n", ""))
		},
		"Proxy-Require":      func() wire { return raw(flooded(a, "Proxy-Require:"+fill("a,")+"b\r\n", "")) },
		"an offer of lines":  func() wire { return raw(flooded(a, "", wideOffer()+fill("m=audio 4000 RTP/AVP 0 8\r\n"))) },
		"an offer of codecs": func() wire { return raw(flooded(a, "", "v=0\r\nm=audio 4000 RTP/AVP"+fill(" 8")+"\r\n")) },
		"an offer of maps":   func() wire { return raw(flooded(a, "", wideOffer()+fill("a=rtpmap:8 PCMA/8000\r\n"))) },
		"multipart": func() wire {
			return raw(strings.Replace(flooded(a, "", fill("--b\r\n\r\n")), "application/sdp", "multipart/mixed;boundary=b", 1))
		},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			const copies = 30
			began := time.Now()
			for range copies {
				a.send(t, shape())
				time.Sleep(time.Millisecond)
			}
			canary.persistent(t)
			if took := time.Since(began); took > 10*time.Second { // A tenth of a second, unless the machine is busy.
				t.Errorf("%d messages took %v", copies, took)
			}
		})
	}
	if strings.Contains(n.log.String(), "panic") {
		t.Error("the router panicked")
	}
}

// flooded is an INVITE with more headers, or with another body.
func flooded(a *peer, headers, body string) string {
	inv := a.invite("+15551234567")
	if body != "" {
		inv.offering(body)
	}
	return strings.Replace(inv.text(), "\r\nCSeq", "\r\n"+headers+"CSeq", 1)
}

// TestLargestDatagram checks a request that is as large as a datagram can be. With what we add it fits into no other: a
// provider that is reached by UDP alone is left at once, and one that may be reached by TCP gets it whole.
func TestLargestDatagram(t *testing.T) {
	t.Parallel()
	const largest = 65507
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp"), trunk("c", c, "priority: 2")), budgets: calm})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	inv.with("text/plain", "")
	inv.body = strings.Repeat("x", largest-len(inv.text())-len("65507")+1)
	if size := len(inv.text()); size != largest {
		t.Fatalf("the request has %d bytes", size)
	}
	a.send(t, inv)
	got := c.expect(t, request("INVITE"))
	if got.transport() != "tcp" {
		t.Errorf("it came over %s", got.transport())
	}
	checkUntouched(t, inv, got)
	c.answer(t, got, 486)
	a.expect(t, status(486))
	b.expectNone(t, anything(), 0)
}

// TestLengthsThatLie checks what a Content-Length that is not the body's makes of a stream: never a message that mixes
// two senders' bytes, never a wait that holds others up.
func TestLengthsThatLie(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp"))})
	canary := n.tcpCaller(t)
	const carried, refused, closed = "carried", "refused", "closed"
	tests := map[string]struct {
		lengths []string
		want    string // What becomes of the message; after the first two, the one that follows it is carried.
	}{
		"right":                  {[]string{"Content-Length: 5"}, carried},
		"with zeros":             {[]string{"Content-Length: 0000000005"}, carried},
		"in its short form":      {[]string{"l : 5"}, carried},
		"of another header":      {[]string{"X-Content-Length: 500", "Content-Length: 5"}, carried},
		"twice the same":         {[]string{"Content-Length: 5", "l: 5"}, refused},
		"twice":                  {[]string{"Content-Length: 5", "l: 500"}, closed},
		"twice in one":           {[]string{"Content-Length: 5, 5"}, closed},
		"with a sign":            {[]string{"Content-Length: +5"}, closed},
		"negative":               {[]string{"Content-Length: -5"}, closed},
		"in hexadecimal":         {[]string{"Content-Length: 0x5"}, closed},
		"empty":                  {[]string{"Content-Length:"}, closed},
		"a fraction":             {[]string{"Content-Length: 5.0"}, closed},
		"beyond 32 bits":         {[]string{"Content-Length: 4294967301"}, closed},
		"beyond 64 bits":         {[]string{"Content-Length: 18446744073709551621"}, closed},
		"with a zero byte":       {[]string{"Content-Length: 5\x00"}, closed},
		"with a folded number":   {[]string{"Content-Length: 5\r\n 0"}, closed},
		"with a number in words": {[]string{"Content-Length: five"}, closed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := n.tcpCaller(t)
			inv := a.invite("+15551234567").with("text/plain", "hello").add(test.lengths...)
			inv.noLength = true
			second := a.invite("+15551234567")
			a.send(t, raw(inv.text()+second.text()))
			if test.want == carried {
				got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
				if got.body != "hello" {
					t.Errorf("the body became %q", got.body)
				}
				b.answer(t, got, 486)
				a.expect(t, status(486).of(inv.get("Call-ID")))
			} else {
				a.expect(t, status(400).of(inv.get("Call-ID")))
			}
			if test.want != closed {
				b.answer(t, b.expect(t, request("INVITE").of(second.get("Call-ID"))), 486)
				a.expect(t, status(486).of(second.get("Call-ID")))
				return
			}
			a.until(t, "the end of the connection", soon, func() bool {
				a.mu.Lock()
				defer a.mu.Unlock()
				return len(a.conns) == 0
			})
			if got := b.next(t, request("INVITE").of(second.get("Call-ID")), 0); got != nil {
				t.Errorf("what followed was carried:\n%s", got.raw)
			}
		})
	}
	t.Run("too short", func(t *testing.T) {
		a := n.tcpCaller(t)
		inv := a.invite("+15551234567").with("text/plain", "hello").add("Content-Length: 3")
		inv.noLength = true
		second := a.invite("+15551234567") // What is left of the body makes it a method that it is not.
		a.send(t, raw(inv.text()+second.text()))
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		if got.body != "hel" {
			t.Errorf("the body became %q", got.body)
		}
		b.answer(t, got, 486)
		a.expect(t, status(400).of(second.get("Call-ID")))
	})
	t.Run("too long", func(t *testing.T) {
		a := n.tcpCaller(t)
		inv := a.invite("+15551234567").with("text/plain", "hello").add("Content-Length: 1000")
		inv.noLength = true
		a.send(t, inv)
		other := canary.invite("+15551234567")
		canary.send(t, other)
		b.answer(t, b.expect(t, request("INVITE").of(other.get("Call-ID"))), 486)
		canary.expect(t, status(486).of(other.get("Call-ID")))
		b.expectNone(t, request("INVITE").of(inv.get("Call-ID")), quiet)
	})
}

// TestMessagesThatNeverEnd checks that many connections, each in the middle of a message, hold nobody up, and are closed
// when their time is over.
func TestMessagesThatNeverEnd(t *testing.T) {
	t.Parallel()
	const streams = 60
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp"))})
	began := time.Now()
	var open []net.Conn
	for i := range streams {
		conn := dial(t, n)
		open = append(open, conn)
		text := []string{
			"INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n",
			"INVITE",
			"INVITE sip:x@y SIP/2.0\r\nContent-Length: 250000\r\n\r\n" + strings.Repeat("x", 200000),
			strings.Repeat("\r\n", 100) + "O",
		}[i%4]
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		for _, a := range []*peer{n.caller(t), n.tcpCaller(t)} {
			inv := a.invite("+15551234567")
			a.send(t, inv)
			b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
			a.expect(t, status(486).of(inv.get("Call-ID")))
		}
	}
	for _, conn := range open {
		closedWithin(t, conn, time.Until(began.Add(20*time.Second)))
	}
	if took := time.Since(began); took < 9*time.Second {
		t.Errorf("they were closed after %v, want 10 s", took)
	}
	n.expectMetric(t, streams, "dialrouter_messages_dropped_total", "reason", "stream_timeout")
}

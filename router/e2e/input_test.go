package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestNoise checks that datagrams which are no SIP are dropped, counted and answered by nothing, and that calls go on.
func TestNoise(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	random := rand.New(rand.NewPCG(1, 2))
	noise := []string{
		"", "\r\n\r\n", "\x00", "hello", "GET / HTTP/1.1\r\n\r\n", "INVITE", "INVITE sip:x", "SIP/2.0", "SIP/2.0 200",
		"INVITE sip:+1@x SIP/2.0", "INVITE sip:+1@x SIP/2.0\r\n", "\r\n\r\nINVITE\r\n", strings.Repeat("A", 60000), strings.Repeat("\r\n", 2000),
		"SIP/2.0 200 OK\r\n\r\n", "ACK sip:x SIP/2.0\r\n\r\n",
	}
	for range 200 {
		bytes := make([]byte, random.IntN(600))
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		noise = append(noise, string(bytes))
	}
	before := n.metric(t, "dialrouter_messages_dropped_total")
	for _, text := range noise {
		a.send(t, raw(text))
	}
	a.expectNone(t, anything().and("but 400", func(m *msg) bool { return m.code() != 400 }), quiet)
	b.expectNone(t, anything(), 0)
	if dropped := n.metric(t, "dialrouter_messages_dropped_total") - before; dropped < 100 {
		t.Errorf("%v of %d were counted as dropped", dropped, len(noise))
	}
	if size := len(n.log.String()); size > 20000 {
		t.Errorf("they made %d bytes of log", size)
	}
	establish(t, a, b, a.invite("+15551234567"))
}

// TestMutations sends calls with bytes changed anywhere: whatever becomes of them, the router lives, and the next call
// passes.
func TestMutations(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	b.on(func(m *msg) bool { return m.get("X-Canary") == "" })
	a.on(func(m *msg) bool {
		return m.get("X-Canary") == "" && m.code() != 0 && !strings.Contains(m.get("Call-ID"), "canary")
	})
	random := rand.New(rand.NewPCG(3, 4))
	for range 1500 {
		text := []byte(a.invite("+15551234567").offering(wideOffer()).text())
		for range 1 + random.IntN(4) {
			at := random.IntN(len(text))
			switch random.IntN(4) {
			case 0:
				text[at] = byte(random.Uint32())
			case 1:
				text = append(text[:at], text[min(len(text), at+random.IntN(20)):]...)
			case 2:
				text = append(text[:at:at], append([]byte(";,<>\"\r\n: \x00@"[random.IntN(11):]), text[at:]...)...)
			case 3:
				text = text[:at]
			}
			if len(text) == 0 {
				text = []byte{0}
			}
		}
		a.send(t, raw(text))
	}
	canary := a.invite("+15551234567").set("Call-ID", newToken("canary")).add("X-Canary: 1")
	a.send(t, canary)
	b.answer(t, b.expect(t, request("INVITE").of(canary.get("Call-ID"))), 486)
	a.expect(t, status(486).of(canary.get("Call-ID")))
	if strings.Contains(n.log.String(), "panic") {
		t.Error("the router panicked")
	}
}

// TestMalformedRequests checks that a request which lacks what we need is answered 400 and goes nowhere.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	tests := map[string]func(d *draft) wire{
		"no Call-ID":           func(d *draft) wire { return d.del("Call-ID") },
		"no From":              func(d *draft) wire { return d.del("From") },
		"no To":                func(d *draft) wire { return d.del("To") },
		"no CSeq":              func(d *draft) wire { return d.del("CSeq") },
		"CSeq of another":      func(d *draft) wire { return d.set("CSeq", "1 BYE") },
		"CSeq is no number":    func(d *draft) wire { return d.set("CSeq", "one INVITE") },
		"CSeq too large":       func(d *draft) wire { return d.set("CSeq", "4294967296 INVITE") },
		"two Call-IDs":         func(d *draft) wire { return d.add("Call-ID: other") },
		"two Froms":            func(d *draft) wire { return d.add("f: <sip:x@y>;tag=z") },
		"two lengths":          func(d *draft) wire { return d.add("l: 5") },
		"length is no number":  func(d *draft) wire { d.noLength = true; return d.add("Content-Length: many") },
		"length beyond":        func(d *draft) wire { d.noLength = true; return d.add("Content-Length: 9999") },
		"max-forwards garbage": func(d *draft) wire { return d.set("Max-Forwards", "many") },
		"space in URI":         func(d *draft) wire { return d.to("sip:+1 555@x") },
		"two spaces":           func(d *draft) wire { d.start = strings.Replace(d.start, " ", "  ", 1); return d },
		"empty To":             func(d *draft) wire { return d.set("To", "") },
		"open quote":           func(d *draft) wire { return d.set("To", "\"Mr. J. User <sip:j.user@example.com>") },
	}
	for name, spoil := range tests {
		req := a.invite("+15551234567")
		branch := param(req.get("Via"), "branch")
		a.send(t, spoil(req))
		within := soon
		if name == "no CSeq" {
			within = quiet
		}
		rep := a.next(t, final().and("to it", func(m *msg) bool { return strings.Contains(m.get("Via"), branch) }), within)
		switch {
		case rep == nil && name == "no CSeq": // A reply could not be matched without it.
		case rep == nil:
			t.Errorf("%s: no answer, want 400", name)
		case rep.code() != 400:
			t.Errorf("%s: got %s, want 400", name, rep.start)
		}
	}
	b.expectNone(t, anything(), quiet)
}

// TestTooManyHeaders checks that a request of a thousand header lines is carried, and one of more than 1,024 refused, as a
// datagram and on a stream, which goes on.
func TestTooManyHeaders(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp"))})
	for _, a := range []*peer{n.caller(t), n.tcpCaller(t)} {
		for lines, want := range map[int]int{1000: 486, 1025: 400, 5000: 400} {
			inv := a.invite("+15551234567")
			for range lines {
				inv.add("X: y")
			}
			a.send(t, inv)
			if want == 486 {
				got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
				checkUntouched(t, inv, got)
				b.answer(t, got, 486)
			}
			rep := a.expect(t, final().of(inv.get("Call-ID")))
			if rep.code() != want || want == 400 && rep.start != "SIP/2.0 400 Too Many Headers" {
				t.Errorf("%d lines over %s: got %s, want %d", lines, a.transport, rep.start, want)
			}
			if want == 486 {
				a.send(t, ackFor(inv, rep))
			}
		}
	}
	b.expectNone(t, request("INVITE"), 0)
}

// TestRefusalIsRepeatedAlike checks that each copy of a request which we refuse gets the same reply, To tag included.
func TestRefusalIsRepeatedAlike(t *testing.T) {
	t.Parallel()
	n := startRouter(t, setup{providers: catalog()})
	a := n.caller(t)
	for _, method := range []string{"INVITE", "MESSAGE", "REGISTER"} {
		req := a.request(method, "+15551234567")
		var first *msg
		for range 3 {
			a.send(t, req)
			rep := a.expect(t, final().of(req.get("Call-ID")))
			if first == nil {
				first = rep
			}
			if rep.raw != first.raw {
				t.Errorf("%s: a copy got\n%s, the first\n%s", method, rep.raw, first.raw)
			}
		}
	}
}

// TestReplyGoesToTheSource checks that whatever a Via claims, a reply goes to where the packet came from.
func TestReplyGoesToTheSource(t *testing.T) {
	t.Parallel()
	b, victim := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, via := range []string{
		victim.addr.String(),
		victim.addr.String() + ";received=" + victim.addr.Addr().String(),
		fmt.Sprintf("%s;rport=%d;received=%s", victim.addr, victim.addr.Port(), victim.addr.Addr()),
		victim.addr.String() + ";maddr=" + victim.addr.Addr().String(),
	} {
		for _, number := range []string{"+15551234567", ""} { // One that is carried, one that we refuse ourselves.
			req := a.request("MESSAGE", number).set("Via", "SIP/2.0/UDP "+via+";branch="+newBranch())
			if number == "" {
				req.to("sip:carrier.example")
			}
			a.send(t, req)
			if number != "" {
				b.answer(t, b.expect(t, request("MESSAGE").of(req.get("Call-ID"))), 200)
			}
			a.expect(t, final().of(req.get("Call-ID")))
		}
	}
	victim.expectNone(t, anything(), quiet)
}

// TestMaxCalls checks that beyond the bound a call gets 503 with Retry-After, and that the place is free afterwards.
func TestMaxCalls(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), sip: []string{"max_calls: 8"}, budgets: calm, t1: 10 * time.Millisecond})
	a := n.caller(t)
	var calls []*draft
	for range 30 {
		inv := a.invite("+15551234567")
		calls = append(calls, inv)
		a.send(t, inv)
	}
	refused := a.expect(t, status(503))
	if !refused.has("Retry-After") {
		t.Error("503 without Retry-After")
	}
	for _, inv := range calls {
		for _, rep := range a.received(final().of(inv.get("Call-ID"))) {
			a.send(t, ackFor(inv, rep))
		}
	}
	b.until(t, "a call", soon, func() bool { return b.count(request("INVITE")) > 0 })
	time.Sleep(quiet)
	taken := map[string]*msg{}
	for _, got := range b.received(request("INVITE")) {
		taken[got.get("Call-ID")] = got
	}
	if len(taken) == 0 || len(taken) > 8 {
		t.Errorf("%d calls were taken, want 8 at most", len(taken))
	}
	for _, got := range taken {
		b.answer(t, got, 486)
	}
	eventually(t, "a place for another call", func() bool {
		for _, inv := range calls {
			for _, rep := range a.received(final().of(inv.get("Call-ID"))) {
				a.send(t, ackFor(inv, rep))
			}
		}
		inv := a.invite("+15551234567")
		a.send(t, inv)
		return b.next(t, request("INVITE").of(inv.get("Call-ID")), 100*time.Millisecond) != nil
	})
}

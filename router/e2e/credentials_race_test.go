package e2e

import (
	"strings"
	"testing"
)

// TestCredentialsCancel checks a caller that hangs up at each moment of a challenge.
func TestCredentialsCancel(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (a, b *peer, g *guard, inv *draft, first *msg) {
		t.Helper()
		b, g = newPeer(t), gate()
		c := newPeer(t)
		n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"), trunk("c", c, "priority: 2"))})
		a = n.caller(t)
		t.Cleanup(func() { c.expectNone(t, anything(), 0) })
		inv = a.invite("+15551234567")
		a.send(t, inv)
		return a, b, g, inv, b.expectNew(t, request("INVITE"))
	}
	hangUp := func(t *testing.T, a *peer, inv *draft) {
		t.Helper()
		a.send(t, cancelFor(inv))
		expectCSeq(t, a.expect(t, status(200).to("CANCEL")), 100)
	}
	over := func(t *testing.T, a *peer, inv *draft) {
		t.Helper()
		rep := a.expect(t, status(487))
		expectCSeq(t, rep, 100)
		a.send(t, ackFor(inv, rep))
	}
	cancelled := func(t *testing.T, b *peer, at *msg, want int) {
		t.Helper()
		cancel := b.expectNew(t, request("CANCEL"))
		expectCSeq(t, cancel, want)
		if cancel.list("Via")[0] != at.list("Via")[0] || cancel.uri() != at.uri() {
			t.Errorf("the CANCEL of\n%s is\n%s", at.raw, cancel.raw)
		}
		b.answer(t, cancel, 200)
	}

	t.Run("before the challenge", func(t *testing.T) {
		t.Parallel()
		a, b, g, inv, first := begin(t)
		hangUp(t, a, inv)
		g.ask(t, b, first, "n")
		over(t, a, inv)
		b.expectNone(t, request("INVITE").and("again", func(m *msg) bool { return m.raw != first.raw }), quiet)
	})
	t.Run("after 100, before the challenge", func(t *testing.T) {
		t.Parallel()
		a, b, g, inv, first := begin(t)
		b.answer(t, first, 100)
		hangUp(t, a, inv)
		cancelled(t, b, first, 100)
		g.ask(t, b, first, "n")
		over(t, a, inv)
		b.expectNone(t, request("INVITE").and("again", func(m *msg) bool { return m.raw != first.raw }), quiet)
	})
	t.Run("before a sign of life of the second", func(t *testing.T) {
		t.Parallel()
		a, b, g, inv, first := begin(t)
		b.answer(t, first, 100)
		g.ask(t, b, first, "n")
		second := b.expectNew(t, request("INVITE"))
		hangUp(t, a, inv)
		b.expectNone(t, request("CANCEL"), quiet)
		b.answer(t, second, 100)
		cancelled(t, b, second, 101)
		b.answer(t, second, 487)
		over(t, a, inv)
	})
	t.Run("while it rings", func(t *testing.T) {
		t.Parallel()
		a, b, g, inv, first := begin(t)
		g.ask(t, b, first, "n")
		second := b.expectNew(t, request("INVITE"))
		b.answer(t, second, 180)
		expectCSeq(t, a.expect(t, status(180)), 100)
		hangUp(t, a, inv)
		cancelled(t, b, second, 101)
		b.answer(t, second, 487)
		over(t, a, inv)
		ack := b.expectNew(t, request("ACK").and("to the second", func(m *msg) bool { return m.list("Via")[0] == second.list("Via")[0] }))
		expectCSeq(t, ack, 101)
	})
	t.Run("crossing the answer", func(t *testing.T) {
		t.Parallel()
		a, b, g, inv, first := begin(t)
		g.ask(t, b, first, "n")
		second := b.expectNew(t, request("INVITE"))
		b.answer(t, second, 180)
		a.expect(t, status(180))
		hangUp(t, a, inv)
		cancelled(t, b, second, 101)
		b.answer(t, second, 200)
		rep := a.expect(t, status(200).to("INVITE"))
		expectCSeq(t, rep, 100)
		call := a.callerDialog(inv, rep)
		call.send(t, call.ack(rep))
		ack := b.expectNew(t, request("ACK").and("to the second", func(m *msg) bool { return m.uri() != second.uri() }))
		expectCSeq(t, ack, 101)
		call.send(t, call.request("BYE"))
		bye := b.expectNew(t, request("BYE"))
		expectCSeq(t, bye, 109)
		b.answer(t, bye, 200)
		a.expect(t, status(200).to("BYE"))
	})
}

// TestCredentialsLateAnswer checks that a leg which was answered after we left it is ended by us with the numbers that its
// provider knows, though it asks for credentials for the BYE too.
func TestCredentialsLateAnswer(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(
		g.guarded("b", b, "priority: 1", "budgets: {no_reply: 400ms, no_ringing: 600ms}"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	g.ask(t, b, b.expectNew(t, request("INVITE")), "n")
	lost := b.expectNew(t, request("INVITE"))
	won := c.expectNew(t, request("INVITE"))
	expectCSeq(t, won, 100)
	c.answer(t, won, 200)
	rep := a.expect(t, status(200))
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	expectCSeq(t, c.expectNew(t, request("ACK")), 100)

	ok := b.answer(t, lost, 200)
	target := inBrackets(ok.get("Contact"))
	ack := b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { return m.uri() == target }))
	expectCSeq(t, ack, 101)
	bye := b.expectNew(t, request("BYE"))
	expectCSeq(t, bye, 102)
	g.check(t, bye, "n", 2)
	g.ask(t, b, bye, "m")
	again := b.expectNew(t, request("BYE"))
	expectCSeq(t, again, 103)
	g.check(t, again, "m", 1)
	if again.uri() != target || again.list("Via")[0] == bye.list("Via")[0] || len(again.all("Proxy-Authorization")) != 1 {
		t.Errorf("the BYE\n%s, once more\n%s", bye.raw, again.raw)
	}
	g.ask(t, b, again, "k") // It refuses us: that is that.
	b.expectNone(t, request("BYE").and("a third time", func(m *msg) bool { n, _ := m.cseq(); return n > 103 }), quiet)
	a.expectNone(t, status(407).or(status(408)), 0)
	call.hangUp(t, c)
	n.expectMetric(t, 1, "dialrouter_orphaned_answers_total")
}

// TestCredentialsSilence checks that a provider which asks and then says nothing costs no more than its budget, and that
// the time counts from the first INVITE.
func TestCredentialsSilence(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "budgets: {no_reply: 600ms}"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	first := b.expectNew(t, request("INVITE"))
	g.ask(t, b, first, "n")
	b.expectNew(t, request("INVITE"))
	at := c.expectNew(t, request("INVITE"))
	if d := at.at.Sub(first.at).Milliseconds(); d < 250 || d > 3000 {
		t.Errorf("the next provider is tried after %d ms, want some 600", d)
	}
	c.answer(t, at, 486)
	a.expect(t, status(486))
	n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b", "cause", "no_reply")
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b")
}

// TestCredentialsChallengeRepeated checks that a challenge which comes again, because our ACK was lost, is acknowledged again
// and nothing else: neither the caller nor the second INVITE hears of it.
func TestCredentialsChallengeRepeated(t *testing.T) {
	t.Parallel()
	b := newUDPPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	first := b.expectNew(t, request("INVITE"))
	rep := b.reply(first, 407).add(g.line("n"))
	for range 4 {
		b.respond(t, first, rep)
	}
	second := b.expectNew(t, request("INVITE"))
	b.answer(t, second, 180)
	a.expect(t, status(180))
	b.respond(t, first, rep)
	b.expectCount(t, request("ACK"), 5)
	for _, ack := range b.received(request("ACK")) {
		expectCSeq(t, ack, 100)
		if ack.list("Via")[0] != first.list("Via")[0] {
			t.Errorf("ACK with Via %q", ack.list("Via")[0])
		}
	}
	b.answer(t, second, 486)
	up := a.expect(t, final())
	if up.code() != 486 {
		t.Errorf("the caller got %s", up.start)
	}
	if again := b.count(request("INVITE").and("with another number", func(m *msg) bool { n, _ := m.cseq(); return n > 101 })); again != 0 {
		t.Errorf("%d more INVITEs", again)
	}
}

// TestCredentialsAfterProvisional checks a provider that is heard of before it asks.
func TestCredentialsAfterProvisional(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	first := b.expectNew(t, request("INVITE"))
	for _, code := range []int{100, 183, 180} {
		b.answer(t, first, code)
	}
	expectCSeq(t, a.expect(t, status(180)), 100)
	g.ask(t, b, first, "n")
	second := b.expectNew(t, request("INVITE"))
	g.check(t, second, "n", 1)
	b.answer(t, second, 183)
	b.answer(t, second, 200)
	rep := a.expect(t, status(200))
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { n, _ := m.cseq(); return n == 101 }))
	n.expectMetric(t, 1, "dialrouter_setup_seconds", "provider", "b")
	rec, ok := n.Call(inv.get("Call-ID"))
	if !ok || len(rec.Attempts) != 1 || rec.Attempts[0].Status != 200 || rec.Attempts[0].Ringing == 0 {
		t.Errorf("the record of the call is %+v", rec)
	}
}

// TestCredentialsLarge checks that what credentials add to a request is counted: one that no longer fits a datagram goes by
// TCP, unless the provider takes UDP only, because it says so or because TCP fails.
func TestCredentialsLarge(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		open            func(*testing.T) *peer
		transport, want string
	}{
		"fits TCP":      {newPeer, "", "tcp"},
		"UDP by choice": {newPeer, "udp", "udp"},
		"TCP fails":     {newUDPPeer, "", "udp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := tt.open(t)
			g := gate()
			n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "transport: \""+tt.transport+"\""))})
			a := n.caller(t)
			inv := a.invite("+15551234567").offering(wideOffer())
			a.send(t, inv.add("X-Long: "+strings.Repeat("x", 1000-len(inv.text()))))
			first := b.expectNew(t, request("INVITE"))
			if first.transport() != "udp" || len(first.raw) > 1300 {
				t.Fatalf("the first INVITE came by %s with %d bytes", first.transport(), len(first.raw))
			}
			g.ask(t, b, first, "n")
			second := b.expectNew(t, request("INVITE"))
			// What went by TCP and never arrived had used the nonce once.
			g.check(t, second, "n", map[string]int{"fits TCP": 1, "UDP by choice": 1, "TCP fails": 2}[name])
			expectCSeq(t, second, 101)
			if second.transport() != tt.want || len(second.raw) < 1300 {
				t.Errorf("the second INVITE came by %s with %d bytes, want %s", second.transport(), len(second.raw), tt.want)
			}
			b.answer(t, second, 486)
			a.expect(t, status(486))
		})
	}
}

// TestCredentialsRedirected checks that where a provider redirects us to gets our credentials only for a realm that was named
// in advance.
func TestCredentialsRedirected(t *testing.T) {
	t.Parallel()
	for _, realm := range []string{"", "b.example"} {
		t.Run("realm "+realm, func(t *testing.T) {
			t.Parallel()
			b, other := newPeer(t), newPeer(t)
			g := gate()
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "follow_redirects: true",
				"credentials: {username: dial, password: secret, realm: \""+realm+"\"}"))})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			first := b.expectNew(t, request("INVITE"))
			b.respond(t, first, b.reply(first, 302).add("Contact: "+other.contact("udp")))
			at := other.expectNew(t, request("INVITE"))
			g.ask(t, other, at, "n")
			if realm == "" {
				a.expect(t, status(407))
				other.expectNone(t, request("INVITE").and("again", func(m *msg) bool { return m.raw != at.raw }), quiet)
				return
			}
			second := other.expectNew(t, request("INVITE"))
			g.check(t, second, "n", 1)
			expectCSeq(t, second, 101)
			other.answer(t, second, 486)
			a.expect(t, status(486))
		})
	}
}

// TestCredentialsUnderALimit checks that a call which is asked for credentials takes one place of the provider's, and gives
// it back.
func TestCredentialsUnderALimit(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "limits: {calls: 1}"))})
	a := n.caller(t)
	for _, code := range []int{486, 200} {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		at := b.expectNew(t, request("INVITE"))
		if g.proof(at) == nil {
			g.ask(t, b, at, "n")
			at = b.expectNew(t, request("INVITE"))
		}
		n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
		ok := b.answer(t, at, code)
		rep := a.expect(t, status(code))
		if code == 486 {
			a.send(t, ackFor(inv, rep))
			n.expectMetric(t, 0, "dialrouter_provider_calls", "provider", "b")
			continue
		}
		e := &established{a: a.callerDialog(inv, rep), b: b.calleeDialog(at, ok)}
		e.a.send(t, e.a.ack(rep))
		b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { return m.uri() != at.uri() }))
		n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
		e.passes(t, e.a.request("BYE"), 108)
		n.expectMetric(t, 0, "dialrouter_provider_calls", "provider", "b")
	}
}

// TestCredentialsLoop checks that a loop is seen though each turn of it has other credentials and, where they were asked for,
// another number.
func TestCredentialsLoop(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	g.ask(t, b, b.expectNew(t, request("INVITE")), "n1")
	sendBack := func(m *msg) {
		b.sendTo(t, "udp", n.udp, (&draft{start: m.start, lines: m.lines("Content-Length")}).top("Via: "+b.via("udp")))
	}
	sendBack(b.expectNew(t, request("INVITE")))
	// The Request-URI has changed: that is no loop yet.
	turned := b.expectNew(t, request("INVITE").and("from b", func(m *msg) bool { return len(m.list("Via")) == 4 }))
	g.check(t, turned, "n1", 2)
	g.ask(t, b, turned, "n2")
	again := b.expectNew(t, request("INVITE").and("with n2", func(m *msg) bool { return g.proof(m)["nonce"] == "n2" }))
	expectCSeq(t, again, 102)
	sendBack(again)
	b.expect(t, status(482))
}

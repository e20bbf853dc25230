package e2e

import (
	"testing"
)

// goesTo places a call, has the peer refuse it, and checks that nobody else was asked before.
func goesTo(t *testing.T, a, p *peer) {
	t.Helper()
	of, _ := a.place(t)
	p.turnDown(t, of, 486)
	a.expect(t, status(486).of(of))
}

// TestLimitAfterReload takes a provider's limit away and sets it again while a call is up: once the call has ended
// there is room, though nobody counted while there was no limit.
func TestLimitAfterReload(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	entries := func(keys ...string) string {
		return catalog(trunk("b", b, append([]string{"priority: 1", "id: " + idOf("b")}, keys...)...), trunk("c", c, "priority: 2"))
	}
	n := startRouter(t, setup{providers: entries("limits: {calls: 1}")})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	for _, text := range []string{entries(), entries("limits: {calls: 1}")} {
		n.writeFile(t, "providers.yaml", text)
		if err := n.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if call != nil {
			call.a.hangUp(t, b)
			call = nil
		}
	}
	goesTo(t, a, b)

	// A reload that leaves the limit alone forgets no call.
	call = establish(t, a, b, a.invite("+15551234567"))
	n.writeFile(t, "providers.yaml", entries("limits: {calls: 1, cps: 100}"))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	goesTo(t, a, c)
	call.a.hangUp(t, b)
	goesTo(t, a, b)
}

// TestLateAnswerTakesAPlace has a provider answer after it was given up: its call counts, until it ends.
func TestLateAnswerTakesAPlace(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{
		providers: catalog(trunk("b", b, "priority: 1", "limits: {calls: 1}", "budgets: {no_reply: 300ms}"), trunk("c", c, "priority: 2")),
	})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	of := inv.get("Call-ID")
	a.send(t, inv)
	late := b.expect(t, request("INVITE").of(of))
	other := c.expect(t, request("INVITE").of(of))
	c.answer(t, other, 180)
	b.answer(t, late, 200)
	a.send(t, ackFor(inv, a.expect(t, status(200).of(of))))
	n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
	goesTo(t, a, c)
}

// TestRedirectedCallKeepsItsPlace checks that a call which its provider redirects is one of the provider's calls, before it
// is answered and after.
func TestRedirectedCallKeepsItsPlace(t *testing.T) {
	t.Parallel()
	b, c, there := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, "priority: 1", "follow_redirects: true", "limits: {calls: 1}"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	for _, code := range []int{486, 200} {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(of))
		b.respond(t, got, b.reply(got, 302).add("Contact: "+there.contact("udp")))
		at := there.expect(t, request("INVITE").of(of))
		there.answer(t, at, 180)
		a.expect(t, status(180).of(of))
		n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
		goesTo(t, a, c)
		there.answer(t, at, code)
		if code == 200 {
			a.send(t, ackFor(inv, a.expect(t, status(200).of(of))))
			n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
			goesTo(t, a, c)
			continue
		}
		a.expect(t, final().of(of))
		n.expectMetric(t, 0, "dialrouter_provider_calls", "provider", "b")
	}
}

// TestRateOfCallsThatAreSent has calls that a provider's codecs do not fit: they are never sent, and take nothing of its
// calls per second.
func TestRateOfCallsThatAreSent(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, "priority: 1", "codecs: AMR-WB", "limits: {cps: 1, calls: 1}"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	for range 5 {
		inv := a.invite("+15551234567").offering(sdp("0", "0 PCMU/8000"))
		a.send(t, inv)
		c.turnDown(t, inv.get("Call-ID"), 486)
		a.expect(t, status(486).of(inv.get("Call-ID")))
	}
	n.expectMetric(t, 0, "dialrouter_attempts_total", "provider", "b", "cause", "limit")
	goesTo(t, a, b)
}

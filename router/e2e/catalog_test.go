package e2e

import (
	"testing"
	"time"
)

// TestReload checks that a changed catalog is used for the next call, while a call in progress keeps the plan it began
// with.
func TestReload(t *testing.T) {
	t.Parallel()
	b, c, d := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	first := a.invite("+15551234567")
	a.send(t, first)
	got := b.expect(t, request("INVITE"))

	n.writeFile(t, "providers.yaml", trunks(d))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := a.invite("+15551234567")
	a.send(t, second)
	d.answer(t, d.expect(t, request("INVITE").of(second.get("Call-ID"))), 486)
	a.expect(t, status(486).of(second.get("Call-ID")))

	b.answer(t, got, 503)
	c.answer(t, c.expect(t, request("INVITE").of(first.get("Call-ID"))), 486)
	a.expect(t, status(486).of(first.get("Call-ID")))
	d.expectNone(t, anything().of(first.get("Call-ID")), quiet)
}

// TestBadReload checks that a bad edit leaves the old catalog in force and is said and counted.
func TestBadReload(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, bad := range []string{"", "providers: [", "providers: [{name: x}]\n", "providers: []\nunknown: 1\n"} {
		n.writeFile(t, "providers.yaml", bad)
		if err := n.Reload(t.Context()); err == nil {
			t.Errorf("%q was taken", bad)
		}
		inv := a.invite("+15551234567")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
	}
	if n.metric(t, "dialrouter_catalog_reload_failures_total") < 4 {
		t.Errorf("counted %v failures, want 4 at least", n.metric(t, "dialrouter_catalog_reload_failures_total"))
	}
	n.writeFile(t, "providers.yaml", catalog())
	if err := n.Reload(t.Context()); err != nil {
		t.Fatalf("no providers is no mistake: %v", err)
	}
	inv := a.invite("+15551234567")
	a.send(t, inv)
	a.expect(t, status(404).of(inv.get("Call-ID")))
}

// TestEditIsNoticed checks that a changed file is read without being told.
func TestEditIsNoticed(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	n.writeFile(t, "providers.yaml", trunks(c))
	eventually(t, "a call to the new provider", func() bool {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		if got := c.next(t, request("INVITE").of(inv.get("Call-ID")), 50*time.Millisecond); got != nil {
			c.answer(t, got, 486)
			return true
		}
		if got := b.next(t, request("INVITE").of(inv.get("Call-ID")), 50*time.Millisecond); got != nil {
			b.answer(t, got, 486)
		}
		return false
	})
}

// TestCallLimit checks that a provider at its limit is passed over, until a call ends by BYE or fails.
func TestCallLimit(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, "priority: 1", "limits: {calls: 1}"),
		trunk("c", c, "priority: 2", "limits: {calls: 1}"),
	)})
	a := n.caller(t)
	first := establish(t, a, b, a.invite("+15551234567"))
	n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
	second := establish(t, a, c, a.invite("+15551234567"))

	full := a.invite("+15551234567")
	a.send(t, full)
	rep := a.expect(t, final().of(full.get("Call-ID")))
	if rep.code() != 480 {
		t.Errorf("all are at their limit: got %s, want 480", rep.start)
	}
	a.send(t, ackFor(full, rep))

	first.b.hangUp(t, a)
	n.expectMetric(t, 0, "dialrouter_provider_calls", "provider", "b")
	for range 3 { // A call that fails gives its place back at once.
		inv := a.invite("+15551234567")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
	}
	second.a.hangUp(t, c)
}

// TestRateLimit checks that a provider gets no more new calls in a second than it takes.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "limits: {cps: 2}"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	const calls = 10
	for range calls {
		a.send(t, a.invite("+15551234567"))
	}
	calledB, calledC := map[string]bool{}, map[string]bool{}
	eventually(t, "ten calls at the providers", func() bool {
		for _, got := range b.received(request("INVITE")) {
			calledB[got.get("Call-ID")] = true
		}
		for _, got := range c.received(request("INVITE")) {
			calledC[got.get("Call-ID")] = true
		}
		return len(calledB)+len(calledC) == calls
	})
	if len(calledB) < 1 || len(calledB) > 4 {
		t.Errorf("b got %d of %d calls at once, want about 2", len(calledB), calls)
	}
}

package e2e

import (
	"slices"
	"testing"
	"time"
)

// ringing places a call up to its 180 and returns both sides' INVITE.
func ringing(t *testing.T, a, b *peer, inv *draft) *msg {
	t.Helper()
	a.send(t, inv)
	got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
	b.answer(t, got, 180)
	a.expect(t, status(180).of(inv.get("Call-ID")))
	return got
}

func TestC01_CancelOfARingingCall(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{providers: trunks(b, c)})
			a := newPeer(t).speaks(n, transport)
			inv := a.invite("+15551234567")
			got := ringing(t, a, b, inv)
			a.send(t, cancelFor(inv))
			a.expect(t, status(200).to("CANCEL"))
			b.answer(t, b.expect(t, request("CANCEL")), 200)
			b.answer(t, got, 487)
			b.expect(t, request("ACK"))
			rep := a.expect(t, final().to("INVITE"))
			if rep.code() != 487 {
				t.Errorf("the caller got %s, want 487", rep.start)
			}
			a.send(t, ackFor(inv, rep))
			c.expectNone(t, anything(), quiet)
			n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "cancelled")
			n.expectMetric(t, 0, "dialrouter_failovers_total")
		})
	}
}

// TestC01_CancelWinsOverLaterReplies checks that the caller gets 487 whatever the branch says after the CANCEL.
func TestC01_CancelWinsOverLaterReplies(t *testing.T) {
	t.Parallel()
	for _, code := range []int{404, 486, 500, 503, 603} {
		b, c := newPeer(t), newPeer(t)
		n := startRouter(t, setup{providers: trunks(b, c)})
		a := n.caller(t)
		inv := a.invite("+15551234567")
		got := ringing(t, a, b, inv)
		a.send(t, cancelFor(inv))
		b.answer(t, b.expect(t, request("CANCEL")), 200)
		b.answer(t, got, code)
		rep := a.expect(t, final().to("INVITE"))
		if rep.code() != 487 {
			t.Errorf("%d after the CANCEL: the caller got %s, want 487", code, rep.start)
		}
		a.send(t, ackFor(inv, rep))
		c.expectNone(t, anything(), quiet)
	}
}

func TestC02_CancelWaitsForTheFirstProvisional(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), budgets: "{no_reply: 3s, no_ringing: 5s, answer: 5s, setup: 10s}"})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	a.send(t, cancelFor(inv))
	a.expect(t, status(200).to("CANCEL"))
	b.expectNone(t, request("CANCEL"), 2*quiet)
	b.answer(t, got, 100)
	b.answer(t, b.expect(t, request("CANCEL")), 200)
	b.answer(t, got, 487)
	a.expect(t, status(487).to("INVITE"))
	c.expectNone(t, anything(), quiet)
}

func TestC03_CancelWithoutMatch(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, cancelFor(a.invite("+15551234567")))
	a.expect(t, status(481).to("CANCEL"))
	b.expectNone(t, anything(), quiet)
}

func TestC04_CancelAfterAnswer(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	a.send(t, cancelFor(call.sent))
	a.expect(t, status(200).to("CANCEL"))
	b.expectNone(t, request("CANCEL"), quiet)
	a.expectNone(t, final().to("INVITE"), 0)
	call.a.hangUp(t, b)
}

func TestC05_AnswerCrossesCancel(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	got := ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	a.expect(t, status(200).to("CANCEL"))
	cancel := b.expect(t, request("CANCEL"))
	ok := b.answer(t, got, 200)
	b.answer(t, cancel, 481)
	rep := a.expect(t, final().to("INVITE"))
	if rep.code() != 200 {
		t.Fatalf("the caller got %s, want the 200 that crossed its CANCEL", rep.start)
	}
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	b.expect(t, request("ACK"))
	call.hangUp(t, b)
	c.expectNone(t, anything(), 0)
	a.expectNone(t, status(487), 0)
	if ok.get("To") != rep.get("To") {
		t.Errorf("To changed from %q to %q", ok.get("To"), rep.get("To"))
	}
}

// TestC06_CancelDuringFailover cancels while the first trunk is silent, and while the second one is asked.
func TestC06_CancelDuringFailover(t *testing.T) {
	t.Parallel()
	t.Run("first silent", func(t *testing.T) {
		t.Parallel()
		b, c := newPeer(t), newPeer(t)
		n := startRouter(t, setup{providers: trunks(b, c), budgets: "{no_reply: 700ms, no_ringing: 2s, answer: 5s, setup: 10s}"})
		a := n.caller(t)
		inv := a.invite("+15551234567")
		a.send(t, inv)
		b.expect(t, request("INVITE"))
		a.send(t, cancelFor(inv))
		a.expect(t, status(200).to("CANCEL"))
		rep := a.expect(t, final().to("INVITE"))
		if rep.code() != 487 {
			t.Errorf("the caller got %s, want 487", rep.start)
		}
		c.expectNone(t, anything(), time.Second)
		n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "cancelled")
	})
	t.Run("second asked", func(t *testing.T) {
		t.Parallel()
		b, c, d := newPeer(t), newPeer(t), newPeer(t)
		n := startRouter(t, setup{providers: trunks(b, c, d)})
		a := n.caller(t)
		inv := a.invite("+15551234567")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE")), 503)
		got := c.expect(t, request("INVITE"))
		c.answer(t, got, 100)
		a.send(t, cancelFor(inv))
		c.answer(t, c.expect(t, request("CANCEL")), 200)
		c.answer(t, got, 503) // Would lead to the next one, were it not for the CANCEL.
		if rep := a.expect(t, final().to("INVITE")); rep.code() != 487 {
			t.Errorf("the caller got %s, want 487", rep.start)
		}
		d.expectNone(t, anything(), quiet)
		b.expectNone(t, request("CANCEL"), 0)
	})
}

func TestC07_CancelIsBuiltFromTheInvite(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", `tech_prefix: "9#"`))})
	a := n.caller(t)
	inv := a.invite("+15551234567").add("Require: timer", "Supported: timer").offering(wideOffer())
	got := ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	checkCancel(t, b.expect(t, request("CANCEL")), got)
}

// checkCancel checks that a CANCEL is that of an INVITE at the same hop (RFC 3261 section 9.1).
func checkCancel(t *testing.T, cancel, inv *msg) {
	t.Helper()
	if cancel.uri() != inv.uri() {
		t.Errorf("Request-URI %q, want the INVITE's %q", cancel.uri(), inv.uri())
	}
	for _, name := range []string{"Call-ID", "From", "To"} {
		if cancel.get(name) != inv.get(name) {
			t.Errorf("%s is %q, want the INVITE's %q", name, cancel.get(name), inv.get(name))
		}
	}
	if got, want := cancel.list("Route"), inv.list("Route"); !slices.Equal(got, want) {
		t.Errorf("Route is %q, want the INVITE's %q", got, want)
	}
	number, method := cancel.cseq()
	if want, _ := inv.cseq(); number != want || method != "CANCEL" {
		t.Errorf("CSeq is %d %s, want %d CANCEL", number, method, want)
	}
	if vias := cancel.list("Via"); len(vias) != 1 || vias[0] != inv.list("Via")[0] {
		t.Errorf("Via is %q, want one, the INVITE's %q", vias, inv.list("Via")[0])
	}
	for _, name := range []string{"Require", "Proxy-Require", "Content-Type"} {
		if cancel.has(name) {
			t.Errorf("it carries %s", name)
		}
	}
	if cancel.body != "" {
		t.Errorf("it carries a body: %q", cancel.body)
	}
	if cancel.get("Max-Forwards") == "" {
		t.Error("it has no Max-Forwards")
	}
}

// TestC08_CancelIsNeverChallenged checks that a CANCEL is answered 200 or 481, with credentials in force or not.
func TestC08_CancelIsNeverChallenged(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", `credentials: {username: u, password: p}`))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	a.expect(t, status(200).to("CANCEL"))
	if b.expect(t, request("CANCEL")).has("Proxy-Authorization") {
		t.Error("the CANCEL carries credentials")
	}
}

func TestC09_NoFinalAfterCancel(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: 20 * time.Millisecond})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	cancel := b.expect(t, request("CANCEL"))
	b.answer(t, cancel, 200)
	rep := a.expect(t, final().to("INVITE"))
	if rep.code() != 487 {
		t.Errorf("the caller got %s, want 487", rep.start)
	}
	if got := rep.at.Sub(cancel.at); got > 64*20*time.Millisecond+time.Second {
		t.Errorf("487 came after %v, want 64 T1 at most", got)
	}
	n.expectMetric(t, 0, "dialrouter_calls_in_progress")
}

// TestCancelIsRepeatedUntilAnswered checks that our CANCEL is a transaction of its own (RFC 3261 section 17.1.2).
func TestCancelIsRepeatedUntilAnswered(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	got := ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	for range 3 {
		b.expect(t, request("CANCEL"))
	}
	b.answer(t, got, 487)
	a.expect(t, status(487))
}

// TestRepeatedCancel checks that copies of a CANCEL get its 200 again and go no further.
func TestRepeatedCancel(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: time.Second})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	got := ringing(t, a, b, inv)
	for range 3 {
		a.send(t, cancelFor(inv))
		a.expect(t, status(200).to("CANCEL"))
	}
	b.answer(t, b.expect(t, request("CANCEL")), 200)
	b.expectNone(t, request("CANCEL"), quiet)
	b.answer(t, got, 487)
	a.expect(t, status(487))
}

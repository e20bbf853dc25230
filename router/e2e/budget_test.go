package e2e

import (
	"testing"
	"time"
)

// checkDelay checks that something came when a budget ended: not before, and not long after. It counts from before the
// message was sent that began the budget, so that a busy machine cannot make it look early.
func checkDelay(t *testing.T, what string, from, to time.Time, want time.Duration) {
	t.Helper()
	const early, late = 20 * time.Millisecond, 2500 * time.Millisecond
	if got := to.Sub(from); got < want-early || got > want+late {
		t.Errorf("%s came after %v, want %v", what, got, want)
	}
}

// TestNoReply checks that a provider which says nothing at all is left after no_reply, without a CANCEL.
func TestNoReply(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), budgets: "{no_reply: 600ms, no_ringing: 5s, answer: 5s, setup: 10s}"})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	b.expect(t, request("INVITE"))
	second := c.expect(t, request("INVITE"))
	checkDelay(t, "c's INVITE", sent, second.at, 600*time.Millisecond)
	c.answer(t, second, 486)
	a.expect(t, status(486))
	if b.count(request("CANCEL")) > 0 {
		t.Error("b got a CANCEL before it gave a provisional reply (RFC 3261 section 9.1)")
	}
	copies := b.count(request("INVITE"))
	time.Sleep(8 * shortT1)
	if now := b.count(request("INVITE")); now != copies {
		t.Errorf("b's INVITE was sent again after it was given up: %d, then %d", copies, now)
	}
	n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b")
}

// TestNoRinging checks that a provider which only says 100 is cancelled and left after no_ringing.
func TestNoRinging(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), budgets: "{no_reply: 400ms, no_ringing: 800ms, answer: 5s, setup: 10s}"})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	first := b.expect(t, request("INVITE"))
	b.answer(t, first, 100)
	cancel := b.expect(t, request("CANCEL"))
	checkDelay(t, "b's CANCEL", sent, cancel.at, 800*time.Millisecond)
	second := c.expect(t, request("INVITE"))
	b.answer(t, cancel, 200)
	b.answer(t, first, 487)
	b.expect(t, request("ACK"))
	c.answer(t, second, 180)
	a.expect(t, status(180))
	c.answer(t, second, 200)
	a.expect(t, status(200))
	a.expectNone(t, status(487), quiet)
}

// TestAnswerBudget checks the end of a call that rings for ever: the branch is cancelled, nobody else is tried, the
// caller gets 408, and the outcome is timeout.
func TestAnswerBudget(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"", "failover: {after_ringing: true}"} {
		t.Run(keys, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{
				providers: catalog(trunk("b", b, "priority: 1", keys), trunk("c", c, "priority: 2")),
				budgets:   "{no_reply: 400ms, no_ringing: 600ms, answer: 900ms, setup: 10s}",
			})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			first := b.expect(t, request("INVITE"))
			rang := time.Now()
			b.answer(t, first, 180)
			a.expect(t, status(180))
			cancel := b.expect(t, request("CANCEL"))
			checkDelay(t, "b's CANCEL", rang, cancel.at, 900*time.Millisecond)
			b.answer(t, cancel, 200)
			b.answer(t, first, 487)
			a.expect(t, status(408))
			c.expectNone(t, anything(), quiet)
			a.expectNone(t, status(487), 0)
			n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "timeout")
		})
	}
}

// TestSetupBudget checks that the whole call ends in time, whichever provider is being tried.
func TestSetupBudget(t *testing.T) {
	t.Parallel()
	b, c, d := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c, d), budgets: "{no_reply: 500ms, no_ringing: 5s, answer: 5s, setup: 800ms}"})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	b.expect(t, request("INVITE"))
	c.expect(t, request("INVITE"))
	rep := a.expect(t, final())
	if rep.code() != 408 {
		t.Errorf("the caller got %s, want 408", rep.start)
	}
	checkDelay(t, "408", sent, rep.at, 800*time.Millisecond)
	d.expectNone(t, anything(), 600*time.Millisecond)
	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "timeout")
}

// TestSetupBudgetWhileRinging checks that a call which rings is cancelled when the call's time is over.
func TestSetupBudgetWhileRinging(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: "{no_reply: 500ms, no_ringing: 5s, answer: 5s, setup: 800ms}"})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	b.answer(t, got, 180)
	cancel := b.expect(t, request("CANCEL"))
	checkDelay(t, "CANCEL", sent, cancel.at, 800*time.Millisecond)
	b.answer(t, cancel, 200)
	b.answer(t, got, 487)
	a.expect(t, status(408))
}

// TestMaxAttempts checks that no more providers are tried than allowed.
func TestMaxAttempts(t *testing.T) {
	t.Parallel()
	b, c, d := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c, d), budgets: "{no_reply: 5s, no_ringing: 5s, answer: 5s, setup: 10s, max_attempts: 2}"})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	b.answer(t, b.expect(t, request("INVITE")), 503)
	c.answer(t, c.expect(t, request("INVITE")), 504)
	a.expect(t, status(504))
	d.expectNone(t, anything(), quiet)
}

// TestMaxAttemptsDefault checks that five providers are tried when nothing is said.
func TestMaxAttemptsDefault(t *testing.T) {
	t.Parallel()
	peers := make([]*peer, 6)
	for i := range peers {
		peers[i] = newPeer(t)
	}
	n := startRouter(t, setup{providers: trunks(peers...), budgets: "{setup: 10s}"})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	for _, p := range peers[:5] {
		p.answer(t, p.expect(t, request("INVITE")), 500)
	}
	a.expect(t, status(500))
	peers[5].expectNone(t, anything(), quiet)
}

// TestProviderBudgets checks that a provider's own budgets replace the daemon's.
func TestProviderBudgets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, own string
		say       int // What b says, 0 for nothing.
		after     time.Duration
	}{
		{"no_reply", "budgets: {no_reply: 400ms}", 0, 400 * time.Millisecond},
		{"no_ringing", "budgets: {no_ringing: 500ms}", 100, 500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{
				providers: catalog(trunk("b", b, "priority: 1", test.own), trunk("c", c, "priority: 2")),
				budgets:   "{no_reply: 20s, no_ringing: 20s, answer: 20s, setup: 30s}",
			})
			a := n.caller(t)
			sent := time.Now()
			a.send(t, a.invite("+15551234567"))
			first := b.expect(t, request("INVITE"))
			if test.say != 0 {
				b.answer(t, first, test.say)
			}
			second := c.expect(t, request("INVITE"))
			checkDelay(t, "c's INVITE", sent, second.at, test.after)
		})
	}
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		b := newPeer(t)
		n := startRouter(t, setup{
			providers: catalog(trunk("b", b, "priority: 1", "budgets: {answer: 500ms}")),
			budgets:   "{no_reply: 20s, no_ringing: 20s, answer: 20s, setup: 30s}",
		})
		a := n.caller(t)
		a.send(t, a.invite("+15551234567"))
		got := b.expect(t, request("INVITE"))
		b.answer(t, got, 180)
		b.answer(t, b.expect(t, request("CANCEL")), 200)
		b.answer(t, got, 487)
		a.expect(t, status(408))
	})
}

// TestR07_AllSilent checks that a call which nobody says anything to ends with 408, as a timeout.
func TestR07_AllSilent(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), budgets: "{no_reply: 300ms, no_ringing: 5s, answer: 5s, setup: 10s}"})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	rep := a.expect(t, final())
	if rep.code() != 408 {
		t.Errorf("the caller got %s, want 408", rep.start)
	}
	if b.count(request("INVITE")) == 0 || c.count(request("INVITE")) == 0 {
		t.Error("not every provider was tried")
	}
	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "timeout")
}

// TestC10_AnswerBudgetIsTimerC checks that the answer budget begins anew with each provisional reply, up to the
// budget of the whole call.
func TestC10_AnswerBudgetIsTimerC(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: "{no_reply: 500ms, no_ringing: 700ms, answer: 700ms, setup: 2500ms}"})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	var last time.Time
	for i := range 4 { // 1.2 s, more than the budget; each one restarts it.
		last = time.Now()
		b.answer(t, got, 180+3*(i%2))
		b.expectNone(t, request("CANCEL"), 300*time.Millisecond)
	}
	cancel := b.expect(t, request("CANCEL"))
	checkDelay(t, "CANCEL", last, cancel.at, 700*time.Millisecond)
	b.answer(t, cancel, 200)
	b.answer(t, got, 487)
	a.expect(t, status(408))
}

// TestC10_SetupBudgetBoundsTimerC checks that provisional replies cannot keep a call ringing for ever.
func TestC10_SetupBudgetBoundsTimerC(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: "{no_reply: 500ms, no_ringing: 700ms, answer: 700ms, setup: 1500ms}"})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	var cancel *msg
	for range 12 {
		b.answer(t, got, 183)
		if cancel = b.next(t, request("CANCEL"), 300*time.Millisecond); cancel != nil {
			break
		}
	}
	if cancel == nil {
		t.Fatal("the call was never cancelled")
	}
	checkDelay(t, "CANCEL", sent, cancel.at, 1500*time.Millisecond)
}

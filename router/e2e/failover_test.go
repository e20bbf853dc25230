package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// nextByDefault is the default policy written out a second time: which final replies of a provider let the next
// one try.
func nextByDefault(code int) bool {
	return code >= 500 && code < 600 || slices.Contains([]int{401, 403, 404, 407, 408, 415, 488}, code)
}

// TestS01_FailoverTable drives every final reply code that is no 2xx through the default policy.
func TestS01_FailoverTable(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), budgets: "{no_reply: 20s, no_ringing: 20s, answer: 20s, setup: 20s}"})
	a := n.caller(t)
	for code := 300; code <= 699; code++ {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE").of(of)), code)
		if nextByDefault(code) {
			second := c.next(t, request("INVITE").of(of), soon)
			if second == nil {
				t.Fatalf("%d: the next provider was not tried", code)
			}
			c.answer(t, second, 486)
			// 486 is of a better class than 5xx, and the last one of its own.
			rep := a.expect(t, final().of(of))
			a.send(t, ackFor(inv, rep))
			if rep.code() != 486 && code >= 500 {
				t.Errorf("%d then 486: the caller got %s", code, rep.start)
			}
			continue
		}
		rep := a.expect(t, final().of(of))
		a.send(t, ackFor(inv, rep))
		if rep.code() != code {
			t.Errorf("%d: the caller got %s", code, rep.start)
		}
		if c.count(request("INVITE").of(of)) > 0 {
			t.Errorf("%d: the next provider was tried", code)
		}
	}
	// One look for stragglers instead of a pause for each code.
	time.Sleep(quiet)
	for _, got := range c.received(request("INVITE")) {
		for _, first := range a.received(final().of(got.get("Call-ID"))) {
			if code := first.code(); code != 486 && !nextByDefault(code) {
				t.Errorf("%d: the next provider was tried", code)
			}
		}
	}
}

// TestFailoverPerProvider checks that a provider's own list replaces the default, by code and by class.
func TestFailoverPerProvider(t *testing.T) {
	t.Parallel()
	tests := []struct {
		next string
		code int
		want bool
	}{
		{"[410]", 410, true},
		{"[410]", 503, false},
		{"[410]", 404, false},
		{"[4xx]", 410, true},
		{"[4xx]", 499, true},
		{"[3xx]", 302, true},
		{"[4xx]", 500, false},
		{"[]", 503, false},
		{"[]", 404, false},
		{"[500, 5xx]", 599, true},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %d", test.next, test.code), func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{providers: catalog(
				trunk("b", b, "priority: 1", "failover: {next: "+test.next+"}"),
				trunk("c", c, "priority: 2"),
			)})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			b.answer(t, b.expect(t, request("INVITE")), test.code)
			if test.want {
				c.expect(t, request("INVITE"))
				return
			}
			want := test.code
			if want == 503 {
				want = 500
			}
			if rep := a.expect(t, final()); rep.code() != want {
				t.Errorf("the caller got %s, want %d", rep.start, want)
			}
			c.expectNone(t, anything(), quiet)
		})
	}
}

// TestNeverNext checks that no list makes a reply by which the callee has spoken lead to the next provider.
func TestNeverNext(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), failover: "{next: [4xx, 5xx]}"})
	a := n.caller(t)
	for _, code := range []int{480, 484, 486, 487, 600, 603, 604, 606} {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE").of(of)), code)
		rep := a.expect(t, final().of(of))
		a.send(t, ackFor(inv, rep))
		if rep.code() != code {
			t.Errorf("%d: the caller got %s", code, rep.start)
		}
	}
	c.expectNone(t, anything(), quiet)
}

// TestFailoverByConfiguration checks that the daemon's list replaces the default for all.
func TestFailoverByConfiguration(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), failover: "{next: [410], after_ringing: false}"})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	b.answer(t, b.expect(t, request("INVITE")), 410)
	c.answer(t, c.expect(t, request("INVITE")), 404)
	a.expect(t, final().of(inv.get("Call-ID")))

	again := inv.again()
	a.send(t, again)
	b.answer(t, b.expect(t, request("INVITE").of(again.get("Call-ID"))), 404)
	if rep := a.expect(t, final().of(again.get("Call-ID"))); rep.code() != 404 {
		t.Errorf("the caller got %s, want 404", rep.start)
	}
	c.expectNone(t, request("INVITE").of(again.get("Call-ID")), quiet)
}

// TestAfterRinging checks that a provider which has rung is the last one, unless it is configured otherwise.
func TestAfterRinging(t *testing.T) {
	t.Parallel()
	for _, provisional := range []int{180, 183} {
		for _, test := range []struct {
			keys     []string
			failover string
			want     bool
		}{
			{nil, "", false},
			{[]string{"failover: {after_ringing: true}"}, "", true},
			{nil, "{after_ringing: true}", true},
			{[]string{"failover: {after_ringing: false}"}, "{after_ringing: true}", false},
		} {
			t.Run(fmt.Sprint(provisional, test.keys, test.failover), func(t *testing.T) {
				t.Parallel()
				b, c := newPeer(t), newPeer(t)
				n := startRouter(t, setup{
					providers: catalog(trunk("b", b, append(test.keys, "priority: 1")...), trunk("c", c, "priority: 2")),
					failover:  test.failover,
				})
				a := n.caller(t)
				a.send(t, a.invite("+15551234567"))
				got := b.expect(t, request("INVITE"))
				b.answer(t, got, provisional)
				a.expect(t, status(provisional))
				b.answer(t, got, 503)
				if test.want {
					c.answer(t, c.expect(t, request("INVITE")), 486)
					a.expect(t, status(486))
					return
				}
				a.expect(t, status(500))
				c.expectNone(t, anything(), quiet)
			})
		}
	}
}

// TestBestResponse checks which of the providers' replies the caller gets.
func TestBestResponse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		replies []int
		want    int
	}{
		{[]int{503}, 500}, // We can still serve other calls (RFC 3261 section 16.7, step 6).
		{[]int{503, 503}, 500},
		{[]int{500, 503}, 500},
		{[]int{503, 504}, 504},
		{[]int{503, 486}, 486},
		{[]int{503, 404}, 404},
		{[]int{404, 503}, 404},
		{[]int{404, 403}, 403},
		{[]int{403, 404}, 404},
		{[]int{404, 480}, 480},
		{[]int{404, 603}, 603},
		{[]int{503, 302}, 302},
		{[]int{404, 302}, 302},
		{[]int{407, 404}, 407}, // What the caller could do something about is preferred.
		{[]int{401, 503, 404}, 401},
		{[]int{415, 404}, 415},
		{[]int{488, 503, 500}, 488},
		{[]int{500, 501, 502}, 502},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.replies), func(t *testing.T) {
			t.Parallel()
			peers := make([]*peer, len(test.replies))
			for i := range peers {
				peers[i] = newPeer(t)
			}
			n := startRouter(t, setup{providers: trunks(peers...)})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			for i, code := range test.replies {
				peers[i].answer(t, peers[i].expect(t, request("INVITE")), code)
				peers[i].expect(t, request("ACK"))
			}
			if rep := a.expect(t, final()); rep.code() != test.want {
				t.Errorf("the caller got %s, want %d", rep.start, test.want)
			}
		})
	}
}

// TestS04_NoFailoverAfterAnswer checks that a 2xx ends the search, and that a failure is not counted as one.
func TestS04_NoFailoverAfterAnswer(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	b.answer(t, call.got, 503)
	c.expectNone(t, anything(), quiet)
	a.expectNone(t, final(), 0)
	call.a.hangUp(t, b)
	n.expectMetric(t, 0, "dialrouter_failovers_total")
}

// TestFailoverIsCounted checks that a failover counts only when a next provider was really tried.
func TestFailoverIsCounted(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	b.answer(t, b.expect(t, request("INVITE")), 503)
	c.answer(t, c.expect(t, request("INVITE")), 404)
	a.expect(t, final())
	n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b")
	n.expectMetric(t, 0, "dialrouter_failovers_total", "provider", "c")
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b")
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "c")
}

// TestOutcomes checks the outcome that a call is counted by.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{486: "busy", 603: "rejected", 500: "failed", 503: "failed"} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: trunks(b)})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			b.answer(t, b.expect(t, request("INVITE")), code)
			a.expect(t, final())
			n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", want)
			n.expectMetric(t, 1, "dialrouter_calls_total")
			n.expectMetric(t, 0, "dialrouter_calls_in_progress")
		})
	}
	t.Run("no route", func(t *testing.T) {
		t.Parallel()
		n := startRouter(t, setup{providers: catalog()})
		a := n.caller(t)
		a.send(t, a.invite("+15551234567"))
		a.expect(t, status(404))
		n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "no_route")
	})
}

// TestS02_RetryAfterRests checks that a 503 with Retry-After keeps calls away from that provider for as long.
func TestS02_RetryAfterRests(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	place := func() *draft {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		return inv
	}
	first := place()
	got := b.expect(t, request("INVITE").of(first.get("Call-ID")))
	rested := time.Now()
	b.respond(t, got, b.reply(got, 503).add("Retry-After: 2 (maintenance)"))
	c.answer(t, c.expect(t, request("INVITE").of(first.get("Call-ID"))), 486)
	for range 3 {
		inv := place()
		c.answer(t, c.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
		b.expectNone(t, request("INVITE").of(inv.get("Call-ID")), quiet)
	}
	time.Sleep(time.Until(rested.Add(2500 * time.Millisecond)))
	inv := place()
	b.expect(t, request("INVITE").of(inv.get("Call-ID")))
}

// TestNoRetryAfterNoRest checks that a bare 503 rests nobody.
func TestNoRetryAfterNoRest(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	for range 3 {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 503)
		c.answer(t, c.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
	}
}

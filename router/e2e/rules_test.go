package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// refuse answers a request with a status line and more headers.
func (p *peer) refuse(t *testing.T, got *msg, start string, lines ...string) {
	t.Helper()
	d := p.reply(got, 500).add(lines...)
	d.start = "SIP/2.0 " + start
	p.respond(t, got, d)
}

// expectWords checks what the record of a call says after each attempt.
func (n *node) expectWords(t *testing.T, callID string, want ...string) {
	t.Helper()
	eventually(t, "the record of the call", func() bool { _, ok := n.Call(callID); return ok })
	record, _ := n.Call(callID)
	got := make([]string, len(record.Attempts))
	for i := range record.Attempts {
		got[i] = record.Attempts[i].Next
	}
	if !slices.Equal(got, want) {
		t.Errorf("the record says %q, want %q", got, want)
	}
}

// TestPresetTelnyx checks that Telnyx's 403s are told apart, by way of the provider's and the configuration's preset.
func TestPresetTelnyx(t *testing.T) {
	t.Parallel()
	for start, cause := range map[string]string{
		"403 Channel limit exceeded D22":            "limit",
		"403 OB profile channel limit exceeded D2":  "limit",
		"403 Connection for caller not present D26": "auth",
		"403 Forbidden D36":                         "forbidden",
		"503 CPS Limit Reached":                     "limit",
	} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			s := setup{providers: catalog(trunk("b", b, "priority: 1", "failover: {preset: telnyx}"), trunk("c", c, "priority: 2"))}
			if cause == "auth" {
				s = setup{providers: trunks(b, c), failover: "{preset: telnyx}"}
			}
			n := startRouter(t, s)
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			b.refuse(t, b.expect(t, request("INVITE")), start)
			b.expect(t, request("ACK"))
			c.answer(t, c.expect(t, request("INVITE")), 486)
			if rep := a.expect(t, final()); rep.code() != 486 {
				t.Errorf("the caller got %s", rep.start)
			}
			n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b", "cause", cause)
			n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b", "cause", cause)
			b.expectNone(t, request("INVITE"), 0)
		})
	}
}

// TestRulesDecide checks codes, causes and texts, that the first rule that fits decides, and that what no rule is for is
// judged as ever.
func TestRulesDecide(t *testing.T) {
	t.Parallel()
	const rules = `failover: {next: [404], rules: [{code: 403, reason: D22, then: next}, {code: 403, then: final}, ` +
		`{code: 480, reason: "*no route*", then: next, as: not_found}, {code: 6xx, cause: 34, then: next}, ` +
		`{code: 404, header: X-Reason, reason: "unallocated", then: final}]}`
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", rules), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	for _, test := range []struct {
		start string
		lines []string
		next  bool
	}{
		{"403 Channel limit exceeded D22", nil, true},
		{"403 Forbidden D36", nil, false},
		{"480 Temporarily Unavailable", nil, false},
		{"480 No route to destination", nil, true},
		{"480 Temporarily Unavailable", []string{`Reason: Q.850;cause=3;text="NO ROUTE to destination"`}, true},
		{"603 Decline", nil, false},
		{"603 Decline", []string{"Reason: Q.850;cause=21"}, false},
		{"603 Decline", []string{"Reason: SIP;cause=603, Q.850 ;cause=34"}, true},
		{"404 Not Found", nil, true},
		{"404 Not Found", []string{"x-reason: Unallocated number"}, false},
		{"486 Busy Here", nil, false},
		{"503 Service Unavailable", nil, false},
	} {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(of))
		b.refuse(t, got, test.start, test.lines...)
		if test.next {
			second := c.next(t, request("INVITE").of(of), soon)
			if second == nil {
				t.Fatalf("%s %q: the next provider was not tried", test.start, test.lines)
			}
			c.answer(t, second, 404)
		}
		rep := a.expect(t, final().of(of))
		a.send(t, ackFor(inv, rep))
		if !test.next && c.count(request("INVITE").of(of)) > 0 {
			t.Errorf("%s %q: the next provider was tried", test.start, test.lines)
		}
	}
	n.expectMetric(t, 4, "dialrouter_attempts_total", "provider", "b", "cause", "not_found") // Two of them 480s.
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b", "cause", "unavailable")
}

// TestRuleAfterRinging checks that rules do not undo after_ringing, nor a CANCEL.
func TestRuleAfterRinging(t *testing.T) {
	t.Parallel()
	for after, want := range map[bool]bool{false: false, true: true} {
		b, c := newPeer(t), newPeer(t)
		n := startRouter(t, setup{
			providers: trunks(b, c),
			failover:  fmt.Sprintf("{after_ringing: %v, rules: [{code: 603, then: next}, {code: 487, then: retry after, for: 10ms}]}", after),
		})
		a := n.caller(t)
		a.send(t, a.invite("+15551234567"))
		got := b.expect(t, request("INVITE"))
		b.answer(t, got, 180)
		a.expect(t, status(180))
		b.answer(t, got, 603)
		if want {
			c.answer(t, c.expect(t, request("INVITE")), 486)
			a.expect(t, status(486))
		} else {
			a.expect(t, status(603))
		}
		c.expectNone(t, request("INVITE"), quiet)

		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		got = b.expect(t, request("INVITE").of(of))
		b.answer(t, got, 100)
		a.send(t, cancelFor(inv))
		b.answer(t, b.expect(t, request("CANCEL").of(of)), 200)
		b.answer(t, got, 487)
		a.expect(t, status(487).of(of))
		b.expectNone(t, request("INVITE").of(of), quiet)
		c.expectNone(t, request("INVITE").of(of), quiet)
	}
}

// TestNextAndRest checks that other calls keep away from a provider for as long as the rule says, and that it is tried
// all the same when there is no other.
func TestNextAndRest(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), failover: "{rules: [{code: 403, reason: limit, then: next and rest, for: 2s}]}"})
	a := n.caller(t)
	first := a.invite("+15551234567")
	a.send(t, first)
	b.refuse(t, b.expect(t, request("INVITE").of(first.get("Call-ID"))), "403 Channel limit exceeded")
	rested := time.Now()
	c.answer(t, c.expect(t, request("INVITE").of(first.get("Call-ID"))), 486)
	n.expectWords(t, first.get("Call-ID"), "403 by a rule: resting 2s; c next", "486: the callee has spoken")
	for range 3 {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		c.answer(t, c.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
		if b.count(request("INVITE").of(inv.get("Call-ID"))) > 0 {
			t.Error("a provider that rests was tried first")
		}
	}
	inv := a.invite("+15551234567")
	a.send(t, inv)
	c.answer(t, c.expect(t, request("INVITE").of(inv.get("Call-ID"))), 503)
	b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
	time.Sleep(time.Until(rested.Add(2500 * time.Millisecond)))
	inv = a.invite("+15551234567")
	a.send(t, inv)
	b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
}

// TestRetryAfter checks that the same provider is tried again: after the time of the rule or of the reply, with a
// branch of its own, twice at most, and then the next one.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		lines  []string
		atMost time.Duration // And no less than a fifth of it.
	}{
		{"rule", nil, 2 * time.Second},
		{"reply", []string{"Retry-After: 1"}, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{
				providers: trunks(b, c),
				failover:  "{rules: [{code: 503, then: retry after, for: 400ms, as: limit}]}",
				budgets:   "{no_reply: 6s, no_ringing: 8s, answer: 10s, setup: 20s, max_attempts: 2}",
			})
			a := n.caller(t)
			inv := a.invite("+15551234567")
			a.send(t, inv)
			branches := make(map[string]bool)
			for range 3 {
				got := b.expect(t, request("INVITE"))
				branches[param(got.list("Via")[0], "branch")] = true
				refused := time.Now()
				b.refuse(t, got, "503 Trunk CPS limit exceeded", test.lines...)
				b.expect(t, request("ACK"))
				if len(branches) == 3 {
					break
				}
				b.until(t, "another INVITE", soon, func() bool { return b.count(request("INVITE")) > len(branches) })
				if took := time.Since(refused); took < test.atMost/5 || took > test.atMost {
					t.Errorf("tried again after %v", took)
				}
				c.expectNone(t, anything(), 0)
			}
			if len(branches) != 3 {
				t.Errorf("%d branches", len(branches))
			}
			c.answer(t, c.expect(t, request("INVITE")), 486)
			a.expect(t, status(486))
			b.expectNone(t, request("INVITE"), 0)
			n.expectMetric(t, 3, "dialrouter_attempts_total", "provider", "b", "cause", "limit")
			n.expectMetric(t, 1, "dialrouter_failovers_total")
			n.expectMetric(t, 0, "dialrouter_calls_in_progress")
			means := "503 (limit) by a rule"
			if test.lines != nil {
				means += ": resting 1s"
			}
			n.expectWords(t, inv.get("Call-ID"), means+"; the same once more", means+"; the same once more", means+"; c next",
				"486: the callee has spoken")
		})
	}
}

// TestRetryAfterSucceeds checks that the second try may be the one, with the provider's place taken once.
func TestRetryAfterSucceeds(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "limits: {calls: 1}",
		"failover: {rules: [{code: 503, then: retry after, for: 200ms}]}"))})
	var refused *msg // Seen by the reader alone.
	b.on(func(m *msg) bool {
		switch {
		case m.method() == "INVITE" && refused == nil:
			refused = m
			b.answer(t, m, 503)
			return true
		case m.method() == "ACK" && refused != nil:
			return param(m.list("Via")[0], "branch") == param(refused.list("Via")[0], "branch")
		default:
			return false
		}
	})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	call := establish(t, a, b, inv)
	first, _ := refused.cseq()
	if second, _ := call.got.cseq(); second != first+1 {
		t.Errorf("CSeq %d after %d", second, first)
	}
	if n, _ := call.answeredAt.cseq(); fmt.Sprintf("%d INVITE", n) != inv.get("CSeq") {
		t.Errorf("the caller got CSeq %d", n)
	}
	n.expectMetric(t, 1, "dialrouter_provider_calls", "provider", "b")
	call.a.hangUp(t, b)
	n.expectMetric(t, 0, "dialrouter_provider_calls", "provider", "b")
}

// TestRetryAfterIsBounded checks that nobody is waited for who wants more time than the call has, or than a caller
// bears.
func TestRetryAfterIsBounded(t *testing.T) {
	t.Parallel()
	for lines, budgets := range map[string]string{
		"Retry-After: 11": longBudgets,
		"Retry-After: 3":  "{no_reply: 2s, no_ringing: 2s, answer: 2s, setup: 2s, max_attempts: 5}",
	} {
		b, c := newPeer(t), newPeer(t)
		n := startRouter(t, setup{providers: trunks(b, c), budgets: budgets, failover: "{rules: [{code: 500, then: retry after}]}"})
		a := n.caller(t)
		a.send(t, a.invite("+15551234567"))
		b.refuse(t, b.expect(t, request("INVITE")), "500 Server Internal Error", lines)
		c.answer(t, c.expectWithin(t, request("INVITE"), time.Second), 486)
		a.expect(t, status(486))
		b.expectNone(t, request("INVITE"), 0)
	}
}

// TestCancelWhileWaiting checks that a caller who hangs up while a provider is waited for is told so at once, and that
// the wait ends.
func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{
		providers: catalog(trunk("b", b, "priority: 1", "limits: {calls: 1}")),
		failover:  "{rules: [{code: 503, then: retry after, for: 500ms}]}",
	})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	b.answer(t, b.expect(t, request("INVITE")), 503)
	b.expect(t, request("ACK"))
	a.expect(t, status(100))
	a.send(t, cancelFor(inv))
	a.expect(t, status(200).to("CANCEL"))
	a.expectWithin(t, status(487), time.Second)
	b.expectNone(t, anything(), 700*time.Millisecond)
	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "cancelled")
	n.expectMetric(t, 0, "dialrouter_provider_calls", "provider", "b")
}

// TestRetryAfterOfOtherMethods checks that a request which is no INVITE is tried again too.
func TestRetryAfterOfOtherMethods(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), failover: "{rules: [{code: 503, then: retry after, for: 100ms}]}"})
	a := n.caller(t)
	a.send(t, a.request("MESSAGE", "+15551234567"))
	b.answer(t, b.expect(t, request("MESSAGE")), 503)
	b.answer(t, b.expect(t, request("MESSAGE")), 202)
	a.expect(t, status(202))
}

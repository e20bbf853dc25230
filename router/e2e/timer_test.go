package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// calm makes budgets that stay out of the way of the RFC's timers.
const calm = "{no_reply: 30s, no_ringing: 30s, answer: 30s, setup: 60s}"

// checkIntervals checks that copies of a message were sent at growing intervals. It counts from before the message was
// caused: a busy machine may show us a copy late, never early.
func checkIntervals(t *testing.T, from time.Time, copies []*msg, want ...time.Duration) {
	t.Helper()
	if len(copies) <= len(want) {
		t.Fatalf("got %d copies, want more than %d", len(copies), len(want))
	}
	var due time.Duration
	for i, w := range want {
		due += w
		if copies[i].raw != copies[i+1].raw {
			t.Errorf("copy %d is not the same:\n%s\n%s", i+1, copies[i].raw, copies[i+1].raw)
		}
		if got := copies[i+1].at.Sub(from); got < due-20*time.Millisecond || got > due+due/3+400*time.Millisecond {
			t.Errorf("copy %d came after %v, want %v", i+1, got, due)
		}
	}
}

func TestT01_TimerA(t *testing.T) {
	t.Parallel()
	t1 := 100 * time.Millisecond
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: calm, t1: t1})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	invite := request("INVITE")
	b.until(t, "five INVITEs", soon, func() bool { return b.count(invite) >= 5 })
	copies := b.received(invite)
	checkIntervals(t, sent, copies, t1, 2*t1, 4*t1, 8*t1)
	b.answer(t, copies[0], 100)
	time.Sleep(quiet)
	before := b.count(invite)
	time.Sleep(17 * t1)
	if now := b.count(invite); now != before {
		t.Errorf("the INVITE came %d times more after a 100", now-before)
	}
}

func TestT01_NoRetransmissionOverTCP(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tcp")), budgets: calm, t1: 20 * time.Millisecond})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	b.expect(t, request("INVITE"))
	b.expectNone(t, request("INVITE"), 10*20*time.Millisecond)
}

func TestT02_TimerBIsTheCeiling(t *testing.T) {
	t.Parallel()
	t1 := 15 * time.Millisecond
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c), budgets: calm, t1: t1})
	a := n.caller(t)
	sent := time.Now()
	a.send(t, a.invite("+15551234567"))
	b.expect(t, request("INVITE"))
	second := c.expect(t, request("INVITE"))
	checkDelay(t, "c's INVITE", sent, second.at, 64*t1)
}

func TestT03_HopAck(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: "+transport, `tech_prefix: "77"`))})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567").offering(wideOffer()))
			inv := b.expect(t, request("INVITE"))
			rep := b.answer(t, inv, 486)
			ack := b.expect(t, request("ACK"))
			if ack.uri() != inv.uri() {
				t.Errorf("Request-URI %q, want the INVITE's %q", ack.uri(), inv.uri())
			}
			if vias := ack.list("Via"); len(vias) != 1 || vias[0] != inv.list("Via")[0] {
				t.Errorf("Via is %q, want one, the INVITE's %q", vias, inv.list("Via")[0])
			}
			if ack.get("To") != rep.get("To") {
				t.Errorf("To is %q, want the reply's %q", ack.get("To"), rep.get("To"))
			}
			for _, name := range []string{"From", "Call-ID"} {
				if ack.get(name) != inv.get(name) {
					t.Errorf("%s is %q, want the INVITE's %q", name, ack.get(name), inv.get(name))
				}
			}
			if got, want := ack.list("Route"), inv.list("Route"); !slices.Equal(got, want) {
				t.Errorf("Route is %q, want the INVITE's %q", got, want)
			}
			number, method := ack.cseq()
			if want, _ := inv.cseq(); number != want || method != "ACK" {
				t.Errorf("CSeq is %d %s, want %d ACK", number, method, want)
			}
			if ack.body != "" || !ack.has("Max-Forwards") {
				t.Errorf("the ACK has a body or no Max-Forwards:\n%s", ack.raw)
			}
		})
	}
}

func TestT04_RepeatedFinalIsAckedAgain(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.answer(t, got, 486)
	a.send(t, ackFor(inv, a.expect(t, status(486))))
	time.Sleep(quiet)
	before := a.count(status(486))
	for range 5 {
		b.answer(t, got, 486)
	}
	b.expectCount(t, request("ACK"), 6)
	if after := a.count(status(486)); after != before {
		t.Errorf("the caller got %d more copies of the 486 after its ACK", after-before)
	}
}

func TestT05_AckToAFailureStopsHere(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	b.answer(t, b.expect(t, request("INVITE")), 486)
	rep := a.expect(t, status(486))
	for range 3 {
		a.send(t, ackFor(inv, rep))
	}
	b.expectCount(t, request("ACK"), 1)
}

func TestT06_TimersGAndH(t *testing.T) {
	t.Parallel()
	t1 := 40 * time.Millisecond
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: t1})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	refused := time.Now()
	b.answer(t, got, 486)
	first := a.expect(t, status(486))
	time.Sleep(time.Until(first.at.Add(64*t1 + quiet)))
	copies := a.received(status(486))
	checkIntervals(t, refused, copies, t1, 2*t1, 4*t1, 8*t1, 8*t1, 8*t1)
	a.expectNone(t, status(486).and("beyond Timer H", func(m *msg) bool { return m.at.After(first.at.Add(64*t1 + quiet)) }), 10*t1)
}

// TestT06_TimerI checks that an ACK ends the retransmission and that its copies go nowhere, over UDP and TCP.
func TestT06_TimerI(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: trunks(b)})
			a := newPeer(t).speaks(n, transport)
			inv := a.invite("+15551234567")
			a.send(t, inv)
			b.answer(t, b.expect(t, request("INVITE")), 486)
			b.expect(t, request("ACK"))
			rep := a.expect(t, status(486))
			a.send(t, ackFor(inv, rep))
			time.Sleep(quiet)
			before := a.count(anything())
			for range 3 {
				a.send(t, ackFor(inv, rep))
			}
			time.Sleep(4 * shortT1)
			if after := a.count(anything()); after != before {
				t.Errorf("the caller got %d messages after its ACK: %s", after-before, a.summary())
			}
			b.expectNone(t, request("ACK"), 0)
		})
	}
}

func TestT07_AckToAnAnswerIsEndToEnd(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	first := b.received(request("ACK"))[0]
	ack := call.a.ack(call.answeredAt).offering(sdp("0"))
	for range 2 {
		call.a.send(t, ack)
	}
	branches := map[string]bool{}
	for range 2 {
		got := b.expect(t, request("ACK"))
		branches[param(got.list("Via")[0], "branch")] = true
		checkUntouched(t, ack, got)
		if got.uri() != call.a.target || got.has("Route") {
			t.Errorf("the ACK arrived as\n%s", got.raw)
		}
		if got.get("Max-Forwards") != "69" {
			t.Errorf("Max-Forwards is %q, want 69", got.get("Max-Forwards"))
		}
	}
	if len(branches) != 1 {
		t.Errorf("copies of one ACK have the branches %v (RFC 3261 section 16.11)", branches)
	}
	if branch := param(first.list("Via")[0], "branch"); branch == param(call.got.list("Via")[0], "branch") {
		t.Errorf("the ACK has the INVITE's branch %q", branch)
	}
}

func TestT08_TimersEAndF(t *testing.T) {
	t.Parallel()
	t1 := 40 * time.Millisecond
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: t1})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	sent := time.Now()
	call.a.send(t, call.a.request("BYE"))
	first := b.expect(t, request("BYE"))
	time.Sleep(time.Until(first.at.Add(64*t1 + quiet)))
	copies := b.received(request("BYE"))
	checkIntervals(t, sent, copies, t1, 2*t1, 4*t1, 8*t1, 8*t1, 8*t1)
	b.expectNone(t, request("BYE").and("beyond Timer F", func(m *msg) bool { return m.at.After(first.at.Add(64*t1 + quiet)) }), 10*t1)
}

// TestT08_TimerK checks that a repeated final to a non-INVITE is absorbed.
func TestT08_TimerK(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.request("MESSAGE", "+15551234567"))
	got := b.expect(t, request("MESSAGE"))
	for range 4 {
		b.answer(t, got, 200)
	}
	a.expectCount(t, status(200), 1)
}

func TestT09_TimerJ(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	bye := call.a.request("BYE")
	call.a.send(t, bye)
	b.answer(t, b.expect(t, request("BYE")), 200)
	a.expect(t, status(200).to("BYE"))
	call.a.send(t, bye)
	a.expect(t, status(200).to("BYE"))
	b.expectNone(t, request("BYE"), quiet)
}

func TestT10_InviteCopiesAfterTheAnswer(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	for range 3 {
		a.send(t, call.sent)
	}
	b.expectNone(t, request("INVITE"), 2*quiet)
	a.expectNone(t, anything().and("but 100 and 200", func(m *msg) bool { return m.code() != 100 && m.code() != 200 }), 0)
}

func TestT11_SecondAnswerOfAFork(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	second := b.reply(call.got, 200).set("To", call.sent.get("To")+";tag=other")
	b.respond(t, call.got, second)
	rep := a.expect(t, status(200))
	if tag(rep.get("To")) != "other" {
		t.Errorf("To is %q, want the second tag", rep.get("To"))
	}
	other := a.callerDialog(call.sent, rep)
	other.send(t, other.ack(rep))
	b.expect(t, request("ACK"))
	other.hangUp(t, b)
	call.a.hangUp(t, b)
}

func TestT12_SentByIsPartOfTheKey(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a1, a2 := n.caller(t), n.caller(t)
	branch := newBranch()
	for _, a := range []*peer{a1, a2} {
		a.send(t, a.invite("+15551234567").set("Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=%s", a.addr, branch)))
	}
	// The same socket may be used for two elements: only the claimed host differs.
	a1.send(t, a1.invite("+15551234567").set("Via", "SIP/2.0/UDP other.example;branch="+branch))
	b.expectCount(t, request("INVITE").and("with a new branch of ours", newBranches()), 3)
}

// newBranches matches each top branch once.
func newBranches() func(m *msg) bool {
	var mu sync.Mutex
	first := make(map[string]*msg)
	return func(m *msg) bool {
		mu.Lock()
		defer mu.Unlock()
		branch := param(m.list("Via")[0], "branch")
		if first[branch] == nil {
			first[branch] = m
		}
		return first[branch] == m
	}
}

// TestT13_MatchingWithoutCookie checks RFC 2543's matching: no branch, or one without the cookie.
func TestT13_MatchingWithoutCookie(t *testing.T) {
	t.Parallel()
	for name, suffix := range map[string]string{"no branch": "", "old branch": ";branch=1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: trunks(b), budgets: calm})
			a := n.caller(t)
			inv := a.invite("+15551234567").set("Via", "SIP/2.0/UDP "+a.addr.String()+suffix).del("Max-Forwards")
			inv.set("From", "<sip:caller@example.com>")
			a.send(t, inv)
			got := b.expect(t, request("INVITE"))
			b.answer(t, got, 180)
			a.expect(t, status(180))
			a.send(t, inv)
			a.expect(t, status(180))
			b.expectNone(t, request("INVITE"), quiet)

			other := inv.clone().set("CSeq", "101 INVITE") // A call of its own in all but the branch.
			a.send(t, other)
			b.expect(t, request("INVITE"))

			b.answer(t, got, 486)
			rep := a.expect(t, status(486))
			a.send(t, ackFor(inv, rep))
			b.expect(t, request("ACK"))
			time.Sleep(quiet)
			before := a.count(status(486))
			time.Sleep(4 * shortT1)
			if after := a.count(status(486)); after != before {
				t.Errorf("the ACK was not matched: %d more copies of the 486", after-before)
			}
			b.expectNone(t, request("ACK"), 0)
		})
	}
}

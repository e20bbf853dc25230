package e2e

import (
	"fmt"
	"testing"
	"time"
)

// impatient is a providers.yaml that leaves its first provider soon, and gives the second one time.
func impatient(first, second *peer) string {
	return catalog(trunk("b", first, "priority: 1", "budgets: {no_reply: 400ms, no_ringing: 600ms}"), trunk("c", second, "priority: 2"))
}

// TestS04_LateAnswerOfALostBranch checks that a 2xx of a provider that was left, when another one has won, is ACKed and
// ended by us, and never seen by the caller.
func TestS04_LateAnswerOfALostBranch(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{true, false} {
		t.Run(fmt.Sprintf("silent %v", silent), func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{providers: impatient(b, c)})
			a := n.caller(t)
			inv := a.invite("+15551234567")
			a.send(t, inv)
			lost := b.expect(t, request("INVITE"))
			if !silent {
				b.answer(t, lost, 100)
			}
			won := c.expect(t, request("INVITE"))
			c.answer(t, won, 200)
			rep := a.expect(t, status(200))
			call := a.callerDialog(inv, rep)
			call.send(t, call.ack(rep))
			c.expect(t, request("ACK"))

			late := b.answer(t, lost, 200)
			checkAbandoned(t, b, lost, late)
			b.answer(t, lost, 200) // The ACK was lost: the 200 comes again and is ACKed again, without a second BYE.
			b.expect(t, request("ACK"))
			b.expectNone(t, request("BYE"), quiet)
			a.expectNone(t, status(200), 0)
			call.hangUp(t, c)
		})
	}
}

// checkAbandoned checks that a provider whose 200 nobody wants gets an ACK and then a BYE that it can place.
func checkAbandoned(t *testing.T, b *peer, inv *msg, ok *draft) {
	t.Helper()
	ack := b.expect(t, request("ACK"))
	bye := b.expect(t, request("BYE"))
	target := inBrackets(ok.get("Contact"))
	number, _ := inv.cseq()
	for _, got := range []*msg{ack, bye} {
		if got.uri() != target {
			t.Errorf("%s goes to %q, want the Contact %q", got.method(), got.uri(), target)
		}
		for _, name := range []string{"From", "To", "Call-ID"} {
			if got.get(name) != ok.get(name) {
				t.Errorf("%s of the %s is %q, want %q", name, got.method(), got.get(name), ok.get(name))
			}
		}
	}
	if n, _ := ack.cseq(); n != number {
		t.Errorf("CSeq of the ACK is %d, want the INVITE's %d", n, number)
	}
	if n, _ := bye.cseq(); n <= number {
		t.Errorf("CSeq of the BYE is %d, want more than the INVITE's %d", n, number)
	}
	b.answer(t, bye, 200)
}

// TestLateAnswerBeforeAnotherWins checks that the first 2xx wins, of whichever branch: the provider tried last is
// cancelled.
func TestLateAnswerBeforeAnotherWins(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: impatient(b, c)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	left := b.expect(t, request("INVITE"))
	b.answer(t, left, 100)
	second := c.expect(t, request("INVITE"))
	c.answer(t, second, 180)
	a.expect(t, status(180))
	b.answer(t, b.expect(t, request("CANCEL")), 200)
	b.answer(t, left, 200)

	rep := a.expect(t, status(200))
	if got := inBrackets(rep.get("Contact")); got != inBrackets(b.contact("udp")) {
		t.Errorf("the caller got the 200 of %s, want b's", got)
	}
	c.answer(t, c.expect(t, request("CANCEL")), 200)
	c.answer(t, second, 487)
	c.expect(t, request("ACK"))
	a.expectNone(t, final().to("INVITE").and("but 200", func(m *msg) bool { return m.code() != 200 }), quiet)
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	b.expect(t, request("ACK"))
	call.hangUp(t, b)
}

// TestLateAnswerAfterCancel checks that a 2xx which comes when the caller has its 487 already is ACKed and ended by us.
func TestLateAnswerAfterCancel(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: "{no_reply: 400ms, no_ringing: 5s, answer: 5s, setup: 10s}"})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	silent := b.expect(t, request("INVITE"))
	a.send(t, cancelFor(inv))
	a.expect(t, status(200).to("CANCEL"))
	a.send(t, ackFor(inv, a.expect(t, status(487).to("INVITE"))))
	checkAbandoned(t, b, silent, b.answer(t, silent, 200))
	a.expectNone(t, status(200).to("INVITE"), quiet)
}

// TestLateAnswerAfterTimeout checks that a 2xx which crosses the CANCEL of a call that was given up leaves nobody
// with half a call: the caller gets it, or we end it.
func TestLateAnswerAfterTimeout(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: "{no_reply: 400ms, no_ringing: 600ms, answer: 600ms, setup: 10s}"})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.answer(t, got, 180)
	b.answer(t, b.expect(t, request("CANCEL")), 200)
	rep := a.next(t, status(408), time.Second)
	if rep != nil {
		a.send(t, ackFor(inv, rep))
	}
	ok := b.answer(t, got, 200)
	if a.next(t, status(200).to("INVITE"), quiet) != nil {
		return
	}
	checkAbandoned(t, b, got, ok)
}

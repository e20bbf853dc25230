package e2e

import (
	"testing"
)

// TestX01_ReliableProvisionals checks that RFC 3262 works through us: the headers pass, a repeated 183 passes, and
// PRACK follows the route of the early dialog.
func TestX01_ReliableProvisionals(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add("Supported: 100rel", "Require: 100rel").offering(wideOffer())
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	checkUntouched(t, inv, got)
	rep := b.reply(got, 183).add("Require: 100rel", "RSeq: 813520").offering(sdp("0"))
	for range 3 {
		b.respond(t, got, rep)
		checkReply(t, rep, a.expect(t, status(183)))
	}
	early := a.callerDialog(inv, a.received(status(183))[0])
	prack := early.request("PRACK").add("RAck: 813520 100 INVITE")
	early.send(t, prack)
	atB := b.expect(t, request("PRACK"))
	checkUntouched(t, prack, atB)
	if atB.has("Route") || atB.uri() != early.target {
		t.Errorf("PRACK arrived as\n%s", atB.raw)
	}
	b.answer(t, atB, 200)
	a.expect(t, status(200).to("PRACK"))
	b.answer(t, got, 200)
	a.expect(t, status(200).to("INVITE"))
}

// TestX02_Update checks UPDATE in the early and the confirmed dialog, both ways.
func TestX02_Update(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	early := b.answer(t, got, 180)
	down, up := a.callerDialog(inv, a.expect(t, status(180))), b.calleeDialog(got, early)
	both := func() {
		t.Helper()
		for _, way := range []struct {
			from *dialog
			to   *peer
		}{{down, b}, {up, a}} {
			update := way.from.request("UPDATE").offering(wideOffer())
			way.from.send(t, update)
			at := way.to.expect(t, request("UPDATE").and("and no copy", func(m *msg) bool { return m.get("CSeq") == update.get("CSeq") }))
			checkUntouched(t, update, at)
			way.to.answer(t, at, 200)
			way.from.self.expect(t, status(200).to("UPDATE"))
		}
	}
	both()
	b.answer(t, got, 200)
	rep := a.expect(t, status(200).to("INVITE"))
	down.send(t, down.ack(rep))
	b.expect(t, request("ACK"))
	both()
	down.hangUp(t, b)
}

// TestX03_SessionTimer checks that session timers pass unchanged, and that a 422 does.
func TestX03_SessionTimer(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, lines := range [][]string{
		{"Session-Expires: 1800;refresher=uac", "Min-SE: 90", "Supported: timer"},
		{"x: 7200", "k: timer"},
		{"Session-Expires: 60", "Supported: timer"},
	} {
		inv := a.invite("+15551234567").add(lines...)
		of := inv.get("Call-ID")
		a.send(t, inv)
		if lines[0] == "Session-Expires: 60" {
			// RFC 4028 section 8.1 lets a proxy refuse it; one that passes it must not change it.
			if rep := a.next(t, final().of(of), quiet); rep != nil {
				if rep.code() != 422 || !rep.has("Min-SE") {
					t.Errorf("got\n%s", rep.raw)
				}
				continue
			}
		}
		got := b.expect(t, request("INVITE").of(of))
		checkUntouched(t, inv, got)
		ok := b.reply(got, 200).add("Session-Expires: 1800;refresher=uas", "Require: timer")
		b.respond(t, got, ok)
		checkReply(t, ok, a.expect(t, status(200).of(of)))
	}
	inv := a.invite("+15551234567").add("Session-Expires: 90", "Supported: timer")
	a.send(t, inv)
	got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
	small := b.reply(got, 422).add("Min-SE: 3600")
	b.respond(t, got, small)
	checkReply(t, small, a.expect(t, final().of(inv.get("Call-ID"))))
}

// TestX04_AssertedIdentity checks that P-Asserted-Identity is believed from allowed sources only, and does not leave
// the trust domain when the caller asked for privacy (RFC 3325 section 7).
func TestX04_AssertedIdentity(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	const identity = "P-Asserted-Identity: \"Caller\" <sip:+15550001@pbx.example>"
	open := a.invite("+15551234567").add(identity)
	a.send(t, open)
	checkUntouched(t, open, b.expect(t, request("INVITE").of(open.get("Call-ID"))))

	for _, privacy := range []string{"id", "header;id", "critical;id;user"} {
		hidden := a.invite("+15551234567").add(identity, "Privacy: "+privacy, identity)
		a.send(t, hidden)
		got := b.expect(t, request("INVITE").of(hidden.get("Call-ID")))
		if got.has("P-Asserted-Identity") {
			t.Errorf("Privacy: %s, and the identity went to the carrier: %q", privacy, got.get("P-Asserted-Identity"))
		}
	}
	none := a.invite("+15551234567").add(identity, "Privacy: none")
	a.send(t, none)
	checkUntouched(t, none, b.expect(t, request("INVITE").of(none.get("Call-ID"))))
}

// TestX04_AssertedIdentityInDialog is the same for later requests: the media server's privacy counts, and what a
// provider asserts is not believed.
func TestX04_AssertedIdentityInDialog(t *testing.T) {
	t.Parallel()
	b, a := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), sip: []string{"allow: [" + a.addr.Addr().String() + "/32]"}})
	a.speaks(n, "udp")
	call := establish(t, a, b, a.invite("+15551234567"))
	const identity = "P-Asserted-Identity: <sip:+15550001@pbx.example>"
	call.a.send(t, call.a.request("UPDATE").add(identity, "Privacy: id"))
	down := b.expect(t, request("UPDATE"))
	if down.has("P-Asserted-Identity") {
		t.Errorf("an identity that is private went to the carrier:\n%s", down.raw)
	}
	b.answer(t, down, 200)
	call.b.send(t, call.b.request("UPDATE").add(identity))
	up := a.expect(t, request("UPDATE"))
	if up.has("P-Asserted-Identity") {
		t.Errorf("an identity that a stranger asserts went to the media server:\n%s", up.raw)
	}
	a.answer(t, up, 200)
}

// TestX05_SipsIsNotDowngraded checks that a sips URI goes nowhere without TLS on every hop.
func TestX05_SipsIsNotDowngraded(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, method := range []string{"INVITE", "MESSAGE"} {
		req := a.requestTo(method, "sips:+15551234567@carrier.example")
		a.send(t, req)
		if rep := a.expect(t, final().of(req.get("Call-ID"))); rep.code() != 416 {
			t.Errorf("%s: got %s, want 416", method, rep.start)
		}
	}
	b.expectNone(t, anything(), quiet)
}

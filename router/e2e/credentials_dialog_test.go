package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// logIn places a call through a guard, which asks once, and has it answered.
func (g *guard) logIn(t *testing.T, a, b *peer, inv *draft) *established {
	t.Helper()
	a.send(t, inv)
	g.ask(t, b, b.expectNew(t, request("INVITE").of(inv.get("Call-ID"))), newToken("nonce"))
	e := &established{sent: inv, got: b.expectNew(t, request("INVITE").of(inv.get("Call-ID")))}
	was, _ := parse(inv.text()).cseq()
	expectCSeq(t, e.got, was+1)
	e.answered = b.answer(t, e.got, 200)
	e.answeredAt = a.expect(t, status(200).of(inv.get("Call-ID")))
	expectCSeq(t, e.answeredAt, was)
	e.a, e.b = a.callerDialog(inv, e.answeredAt), b.calleeDialog(e.got, e.answered)
	e.a.send(t, e.a.ack(e.answeredAt))
	expectCSeq(t, b.expectNew(t, request("ACK").of(inv.get("Call-ID"))), was+1)
	return e
}

// comes waits for a request of the caller within the call, checks that only its numbers have changed, and returns it.
func (e *established) comes(t *testing.T, sent *draft, want int) *msg {
	t.Helper()
	was := parse(sent.text())
	got := e.b.self.expectNew(t, request(was.method()).of(e.a.callID).and(fmt.Sprintf("with CSeq %d", want), func(m *msg) bool {
		n, _ := m.cseq()
		return n == want
	}))
	ours := []string{"Via", "Max-Forwards", "Route", "Content-Length", "CSeq", "RAck", "Event", "Proxy-Authorization", "Authorization"}
	if have, want := got.lines(ours...), was.lines(ours...); !slices.Equal(have, want) || got.body != was.body || got.has("Route") {
		t.Errorf("sent\n%s\ngot\n%s", was.raw, got.raw)
	}
	return got
}

// ends answers a request of the caller, and checks that the answer goes up with the caller's number.
func (e *established) ends(t *testing.T, sent *draft, got *msg, code int) *msg {
	t.Helper()
	rep := e.b.self.answer(t, got, code)
	up := e.a.self.expectNew(t, final().to(got.method()).of(e.a.callID))
	checkReply(t, rep.set("CSeq", sent.get("CSeq")), up)
	return up
}

// passes sends a request of the caller, which the provider gets with this number and answers.
func (e *established) passes(t *testing.T, sent *draft, want int) {
	t.Helper()
	e.a.send(t, sent)
	e.ends(t, sent, e.comes(t, sent, want), 200)
}

// TestCredentialsInDialog checks the numbers of all requests in a call that began with a challenge, both ways, on each
// pair of transports: the provider sees them go up, and the caller its own.
func TestCredentialsInDialog(t *testing.T) {
	t.Parallel()
	for _, ways := range transports() {
		t.Run(ways[0]+" to "+ways[1], func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			g := gate()
			n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "codecs: PCMU", "transport: "+ways[1]))})
			a := newPeer(t).speaks(n, ways[0])
			e := g.logIn(t, a, b, a.invite("+15551234567").offering(sdp("0", "0 PCMU/8000")))

			// The 200 and its ACK come again.
			b.respond(t, e.got, e.answered)
			rep := a.expect(t, status(200).to("INVITE"))
			expectCSeq(t, rep, 100)
			e.a.send(t, e.a.ack(rep))
			expectCSeq(t, b.expectNew(t, request("ACK")), 101)

			e.passes(t, e.a.request("UPDATE").add("Session-Expires: 90;refresher=uac"), 109)
			e.passes(t, e.a.request("INFO").with("text/plain", "x"), 117)

			// The provider numbers its own requests, and knows nothing of ours.
			up := side{"up", e.b, a}
			for _, method := range []string{"UPDATE", "INFO", "OPTIONS"} {
				up.pass(t, e.b.request(method), 200)
			}
			again := e.b.request("INVITE").add("Require: 100rel")
			e.b.send(t, again)
			got := a.expect(t, request("INVITE"))
			checkUntouched(t, again, got)
			progress := a.reply(got, 183).add("RSeq: 5", "Require: 100rel")
			a.respond(t, got, progress)
			checkReply(t, progress, b.expect(t, status(183)))
			up.pass(t, e.b.request("PRACK").add("RAck: 5 904 INVITE"), 200)
			a.answer(t, got, 200)
			ack := e.b.ack(b.expect(t, status(200).to("INVITE")))
			e.b.send(t, ack)
			checkUntouched(t, ack, a.expect(t, request("ACK")))

			// A re-INVITE of the caller with a reliable provisional.
			inv := e.a.request("INVITE").add("Supported: 100rel").offering(sdp("0", "0 PCMU/8000"))
			e.a.send(t, inv)
			at := e.comes(t, inv, 125)
			b.respond(t, at, b.reply(at, 183).add("RSeq: 7", "Require: 100rel"))
			expectCSeq(t, a.expect(t, status(183).to("INVITE")), 103)
			prack := e.a.request("PRACK").add("RAck: 7 103 INVITE")
			e.a.send(t, prack)
			pracked := e.comes(t, prack, 133)
			if got := pracked.get("RAck"); got != "7 125 INVITE" {
				t.Errorf("RAck is %q", got)
			}
			e.ends(t, prack, pracked, 200)
			rep = e.ends(t, inv, at, 200)
			e.a.send(t, e.a.ack(rep))
			expectCSeq(t, b.expectNew(t, request("ACK")), 125)

			// A transfer: the NOTIFY names the REFER by its number.
			refer := e.a.request("REFER").add("Refer-To: <sip:x@y>")
			e.passes(t, refer, 141)
			notify := e.b.request("NOTIFY").add("Event: refer;id=141", "Subscription-State: active")
			e.b.send(t, notify)
			told := a.expect(t, request("NOTIFY"))
			if got := told.get("Event"); got != "refer;id=105" || told.get("CSeq") != notify.get("CSeq") {
				t.Errorf("Event is %q, CSeq %q", got, told.get("CSeq"))
			}
			a.answer(t, told, 200)
			b.expect(t, status(200).to("NOTIFY"))
			subscribe := e.a.request("SUBSCRIBE").add("Event: refer;id=105", "Expires: 0")
			e.a.send(t, subscribe)
			at = e.comes(t, subscribe, 149)
			if got := at.get("Event"); got != "refer;id=141" {
				t.Errorf("Event is %q", got)
			}
			e.ends(t, subscribe, at, 200)

			// One that is cancelled.
			inv = e.a.request("INVITE")
			e.a.send(t, inv)
			at = e.comes(t, inv, 157)
			b.answer(t, at, 180)
			expectCSeq(t, a.expect(t, status(180)), 107)
			e.a.send(t, cancelFor(inv))
			cancel := b.expectNew(t, request("CANCEL"))
			expectCSeq(t, cancel, 157)
			b.answer(t, cancel, 200)
			expectCSeq(t, a.expect(t, status(200).to("CANCEL")), 107)
			rep = e.ends(t, inv, at, 487)
			e.a.send(t, ackFor(inv, rep))
			expectCSeq(t, b.expectNew(t, request("ACK")), 157)

			e.passes(t, e.a.request("BYE"), 165)
			// All of the caller's requests but ACK and CANCEL say who we are.
			for _, m := range b.received(anything()) {
				if n, method := m.cseq(); n > 101 && m.code() == 0 && (g.proof(m) != nil) != (method != "ACK" && method != "CANCEL") {
					t.Errorf("credentials are in the wrong requests:\n%s", m.raw)
				}
			}
		})
	}
}

// TestCredentialsInDialogAsked checks that a challenge to a request within a dialog is answered too, any of them and each
// again: the numbers stay right for what follows, for the ACK and for the PRACK.
func TestCredentialsInDialogAsked(t *testing.T) {
	t.Parallel()
	for _, ways := range transports() {
		t.Run(ways[0]+" to "+ways[1], func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			g := gate()
			n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "codecs: PCMU", "transport: "+ways[1]))})
			a := newPeer(t).speaks(n, ways[0])
			call := establish(t, a, b, a.invite("+15551234567")) // Nobody asked at its beginning.

			inv := call.a.request("INVITE").add("Supported: 100rel").offering(wideOffer())
			call.a.send(t, inv)
			g.ask(t, b, b.expectNew(t, request("INVITE")), "n1")
			second := b.expectNew(t, request("INVITE"))
			expectCSeq(t, second, 109)
			g.check(t, second, "n1", 1)
			if !sameFormats(second.body, "0", "101") {
				t.Errorf("the second offer is %q", formats(second.body))
			}
			b.respond(t, second, b.reply(second, 183).add("RSeq: 7", "Require: 100rel"))
			expectCSeq(t, a.expect(t, status(183)), 101)
			prack := call.a.request("PRACK").add("RAck: 7 101 INVITE")
			call.a.send(t, prack)
			first := call.comes(t, prack, 116)
			if first.get("RAck") != "7 109 INVITE" {
				t.Errorf("RAck is %q, want 109", first.get("RAck"))
			}
			g.more = ", stale=true"
			g.ask(t, b, first, "n2")
			again := call.comes(t, prack, 117)
			g.check(t, again, "n2", 1)
			if again.get("RAck") != "7 109 INVITE" {
				t.Errorf("RAck is %q, want 109", again.get("RAck"))
			}
			call.ends(t, prack, again, 200)
			b.answer(t, second, 200)
			rep := a.expect(t, status(200).to("INVITE").and("to the second", func(m *msg) bool { n, _ := m.cseq(); return n == 101 }))
			for range 2 {
				call.a.send(t, call.a.ack(rep))
				expectCSeq(t, b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { n, _ := m.cseq(); return n != 108 })), 109)
			}

			bye := call.a.request("BYE")
			call.a.send(t, bye)
			at := call.comes(t, bye, 124)
			g.check(t, at, "n2", 2)
			g.ask(t, b, at, "n3")
			at = call.comes(t, bye, 125)
			g.check(t, at, "n3", 1)
			g.ask(t, b, at, "n4")
			at = call.comes(t, bye, 126)
			g.check(t, at, "n4", 1)
			call.ends(t, bye, at, 200)
			if n := a.count(status(407)); n != 0 {
				t.Errorf("the caller got %d challenges", n)
			}
		})
	}
}

// TestCredentialsInDialogOfNoUse checks that a challenge within a dialog which we cannot answer goes to the caller, with its
// own number, and that the caller may answer it itself: because it is for another realm, because our answer was refused, or
// because the credentials are gone.
func TestCredentialsInDialogOfNoUse(t *testing.T) {
	t.Parallel()
	for _, why := range []string{"another realm", "refused", "gone", "provider gone"} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			g := gate()
			entry := func(realm string) string {
				return trunk("b", b, "priority: 1", "id: "+idOf("b"), fmt.Sprintf("credentials: {username: dial, password: secret, realm: %q}", realm))
			}
			n := startRouter(t, setup{providers: catalog(entry(g.realm))})
			a := n.caller(t)
			e := g.logIn(t, a, b, a.invite("+15551234567"))
			want := 109
			switch why {
			case "another realm":
				g.realm = "other.example"
			case "gone":
				n.writeFile(t, "providers.yaml", catalog(trunk("b", b, "priority: 1", "id: "+idOf("b"))))
			case "provider gone":
				n.writeFile(t, "providers.yaml", catalog())
			}
			if err := n.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			inv := e.a.request("INVITE")
			e.a.send(t, inv)
			at := e.comes(t, inv, want)
			if why == "refused" {
				g.ask(t, b, at, "n1")
				want++
				at = e.comes(t, inv, want)
			}
			rep := b.reply(at, 407).add(g.line("n9"))
			b.respond(t, at, rep)
			up := a.expect(t, status(407))
			checkReply(t, rep.set("CSeq", inv.get("CSeq")), up)
			e.a.send(t, ackFor(inv, up))
			expectCSeq(t, b.expectNew(t, request("ACK").and("to this one", func(m *msg) bool { return m.list("Via")[0] == at.list("Via")[0] })), want)

			mine := `Proxy-Authorization: Digest username="a", realm="` + g.realm + `", nonce="n9", uri="x", response="0"`
			inv = e.a.request("INVITE").add(mine)
			e.a.send(t, inv)
			at = e.comes(t, inv, 117)
			if all := at.all("Proxy-Authorization"); len(all) != 1 || "Proxy-Authorization: "+all[0] != mine {
				t.Errorf("the caller's own answer became %q", all)
			}
			ok := e.ends(t, inv, at, 200)
			e.a.send(t, e.a.ack(ok))
			expectCSeq(t, b.expectNew(t, request("ACK")), 117)
			bye := e.a.request("BYE")
			e.passes(t, bye, 125)
		})
	}
}

// TestCredentialsOutliveTheRouter checks that after a restart the numbers go on where they were: all that is needed is in
// the cookie.
func TestCredentialsOutliveTheRouter(t *testing.T) {
	t.Parallel()
	for _, over := range []string{"udp", "tcp"} {
		t.Run(over, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			g := gate()
			address := freePort(t)
			s := setup{
				listen: at(address), dir: t.TempDir(), sip: []string{"route_key_file: cookie.key"},
				providers: catalog(g.guarded("b", b, "priority: 1", "transport: "+over)),
			}
			n := startRouter(t, s)
			a := n.caller(t)
			e := g.logIn(t, a, b, a.invite("+15551234567"))
			e.passes(t, e.a.request("UPDATE"), 109)
			n.stop(t)
			startRouter(t, s)

			inv := e.a.request("INVITE")
			e.a.send(t, inv)
			first := e.comes(t, inv, 117)
			g.ask(t, b, first, "n2")
			second := e.comes(t, inv, 118)
			g.check(t, second, "n2", 1)
			rep := e.ends(t, inv, second, 200)
			e.a.send(t, e.a.ack(rep))
			expectCSeq(t, b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { n, _ := m.cseq(); return n != 117 })), 118)
			side{"up", e.b, a}.pass(t, e.b.request("INFO"), 200)
			e.passes(t, e.a.request("BYE"), 125)
		})
	}
}

// TestCredentialsEarlyDialog checks PRACK and UPDATE before the answer, and a fork behind the provider that answers twice.
func TestCredentialsEarlyDialog(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	inv := a.invite("+15551234567").add("Supported: 100rel")
	a.send(t, inv)
	g.ask(t, b, b.expectNew(t, request("INVITE")), "n")
	got := b.expectNew(t, request("INVITE"))
	var legs []*dialog
	for _, tag := range []string{"one", "two"} {
		fork := func(code int) *draft {
			return b.reply(got, code).set("To", strings.Split(got.get("To"), ";")[0]+";tag="+tag)
		}
		b.respond(t, got, fork(183).add("Require: 100rel", "RSeq: 9"))
		early := a.callerDialog(inv, a.expect(t, status(183)))
		prack := early.request("PRACK").add("RAck: 9 100 INVITE")
		early.send(t, prack)
		at := b.expectNew(t, request("PRACK"))
		expectCSeq(t, at, 109)
		if at.get("RAck") != "9 101 INVITE" {
			t.Errorf("RAck is %q", at.get("RAck"))
		}
		b.answer(t, at, 200)
		expectCSeq(t, a.expect(t, status(200).to("PRACK")), 101)
		early.send(t, early.request("UPDATE"))
		at = b.expectNew(t, request("UPDATE"))
		expectCSeq(t, at, 117)
		b.answer(t, at, 200)
		expectCSeq(t, a.expect(t, status(200).to("UPDATE")), 102)
		legs = append(legs, early)
	}
	for i, tag := range []string{"one", "two"} {
		b.respond(t, got, b.reply(got, 200).set("To", strings.Split(got.get("To"), ";")[0]+";tag="+tag))
		rep := a.expect(t, status(200).to("INVITE"))
		expectCSeq(t, rep, 100)
		legs[i].send(t, legs[i].ack(rep))
		expectCSeq(t, b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { return strings.Contains(m.get("To"), tag) })), 101)
		legs[i].send(t, legs[i].request("BYE"))
		bye := b.expectNew(t, request("BYE"))
		expectCSeq(t, bye, 125)
		b.answer(t, bye, 200)
		expectCSeq(t, a.expect(t, status(200).to("BYE")), 103)
	}
}

// TestCredentialsHighNumbers checks callers that count from anywhere: no number that the provider gets reaches 2^31, and the
// caller sees its own.
func TestCredentialsHighNumbers(t *testing.T) {
	t.Parallel()
	for _, first := range []int{0, 1<<30 - 1, 1 << 30, 1<<31 - 20} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			g := gate()
			n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
			a := n.caller(t)
			inv := a.invite("+15551234567").set("CSeq", fmt.Sprintf("%d INVITE", first))
			a.send(t, inv)
			base := first % (1 << 30)
			at := b.expectNew(t, request("INVITE"))
			expectCSeq(t, at, base)
			g.ask(t, b, at, "n")
			at = b.expectNew(t, request("INVITE"))
			expectCSeq(t, at, base+1)
			ok := b.answer(t, at, 200)
			rep := a.expect(t, status(200))
			expectCSeq(t, rep, first)
			e := &established{a: a.callerDialog(inv, rep), b: b.calleeDialog(at, ok)}
			e.a.send(t, e.a.ack(rep))
			expectCSeq(t, b.expectNew(t, request("ACK").and("to the 2xx", func(m *msg) bool { return m.list("Via")[0] != at.list("Via")[0] })), base+1)
			e.passes(t, e.a.request("INFO"), base+9)
			e.passes(t, e.a.request("BYE"), base+17)
		})
	}
}

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// side is one direction of requests within a dialog.
type side struct {
	name string
	from *dialog
	to   *peer
}

// sides are both directions of a call.
func (e *established) sides() []side {
	return []side{{"down", e.a, e.b.self}, {"up", e.b, e.a.self}}
}

// expectNew is expect for a message that is no copy of one which was taken before: within a dialog, a busy machine shows
// us INVITEs of earlier on once more.
func (p *peer) expectNew(t *testing.T, want matcher) *msg {
	t.Helper()
	return p.expect(t, want.and("and no copy", func(m *msg) bool {
		for _, earlier := range p.received(anything()) {
			if earlier.taken && earlier.raw == m.raw {
				return false
			}
		}
		return true
	}))
}

// pass sends a request within a dialog, checks that it arrives as it was sent, without Route or Record-Route of ours,
// has it answered with a status and more lines, and checks that this arrives as it was sent too.
func (s side) pass(t *testing.T, req *draft, code int, lines ...string) {
	t.Helper()
	_, method := parse(req.text()).cseq()
	this := func(m *msg) bool { return m.get("CSeq") == req.get("CSeq") }
	s.from.send(t, req)
	got := s.to.expect(t, request(method).of(s.from.callID).and("and no copy", this))
	checkUntouched(t, req, got)
	if got.has("Route") || got.has("Record-Route") || got.uri() != s.from.target {
		t.Errorf("%s %s arrived as\n%s", s.name, method, got.raw)
	}
	rep := s.to.reply(got, code).add(lines...)
	s.to.respond(t, got, rep)
	checkReply(t, rep, s.from.self.expect(t, final().to(method).of(s.from.callID).and("to this one", this)))
}

// transports are those of the two sides of a call, each pair once.
func transports() [][2]string {
	return [][2]string{{"udp", "udp"}, {"udp", "tcp"}, {"tcp", "udp"}, {"tcp", "tcp"}}
}

// inside runs a test in a call of its own over each pair of transports.
func inside(t *testing.T, test func(t *testing.T, n *node, call *established)) {
	t.Helper()
	for _, ways := range transports() {
		t.Run(ways[0]+" to "+ways[1], func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", `codecs: "PCMU"`, "transport: "+ways[1]))})
			a := newPeer(t).speaks(n, ways[0])
			call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
			test(t, n, call)
			call.a.hangUp(t, b)
		})
	}
}

// TestInDialogMethods checks that INFO, MESSAGE, and methods that nobody knows pass in a call, both ways, whatever their
// bodies are, and whatever they are answered.
func TestInDialogMethods(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, n *node, call *established) {
		for _, s := range call.sides() {
			s.pass(t, s.from.request("INFO").with("application/dtmf-relay", "Signal=*\r\nDuration=250\r\n"), 200)
			s.pass(t, s.from.request("INFO").add("Info-Package: dtmf").with("multipart/mixed;boundary=x", "--x\r\n\r\n\x00\xff\r\n--x--"), 469, "Recv-Info: foo")
			// A description in a method that makes no offer is none.
			s.pass(t, s.from.request("INFO").offering(wideOffer()), 415, "Accept: text/plain")
			s.pass(t, s.from.request("MESSAGE").with("text/plain", "caf\xc3\xa9"), 202)
			s.pass(t, s.from.request("OPTIONS"), 200, "Allow: INVITE", "Accept: application/sdp")
			s.pass(t, s.from.request("FOO").add("X-Foo: 1, 2"), 299)
			s.pass(t, s.from.request("INFO"), 500, "Retry-After: 3")
		}
		n.expectMetric(t, 0, "dialrouter_failovers_total")
	})
}

// TestInDialogRefer checks a call transfer, asked for by either side: REFER, 202, and the NOTIFYs of the subscription that
// it makes (RFC 3515), and what is refused.
func TestInDialogRefer(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, _ *node, call *established) {
		sides := call.sides()
		for i, s := range sides {
			back := sides[1-i]
			s.pass(t, s.from.request("REFER").add(
				"Refer-To: <sip:+15557654321@pbx.example?Replaces=1%40x%3Bto-tag%3D2%3Bfrom-tag%3D3&Require=replaces>",
				"Referred-By: <sip:alice@pbx.example>;cid=\"2UWQFN309shb3@pbx.example\"", "Refer-Sub: true", "Supported: replaces, norefersub",
			), 202, "Refer-Sub: true")
			for _, state := range []string{"active;expires=60", "active;expires=59", "terminated;reason=noresource"} {
				back.pass(t, back.from.request("NOTIFY").add("Event: refer", "Subscription-State: "+state).with("message/sipfrag;version=2.0", "SIP/2.0 100 Trying\r\n"), 200)
			}
			back.pass(t, back.from.request("NOTIFY").add("o: refer", "Subscription-State: terminated"), 481)
			s.pass(t, s.from.request("REFER").add("r: <sip:x@pbx.example>"), 603)
		}
	})
}

// TestReferMakesADialog checks that a REFER outside a dialog keeps us on the way of the NOTIFYs that follow it.
func TestReferMakesADialog(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	refer := a.request("REFER", "+15551234567").add("Refer-To: <sip:x@pbx.example>")
	a.send(t, refer)
	got := b.expect(t, request("REFER"))
	accepted := b.answer(t, got, 202)
	call := &established{a: a.callerDialog(refer, a.expect(t, status(202))), b: b.calleeDialog(got, accepted)}
	if len(call.b.routes) != 1 || len(call.a.routes) != 1 {
		t.Fatalf("routes are %q and %q, want us in both", call.a.routes, call.b.routes)
	}
	for _, s := range call.sides() {
		s.pass(t, s.from.request("NOTIFY").add("Event: refer", "Subscription-State: active"), 200)
	}
}

// TestX01_PrackBothWays checks reliable provisionals in a call: several of them in a row, each with its PRACK, to a
// re-INVITE of either side.
func TestX01_PrackBothWays(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, _ *node, call *established) {
		for _, s := range call.sides() {
			inv := s.from.request("INVITE").add("Require: 100rel").offering(wideOffer())
			s.from.send(t, inv)
			got := s.to.expectNew(t, request("INVITE").of(s.from.callID))
			number, _ := got.cseq()
			for i := range 3 {
				progress := s.to.reply(got, 183).add("Require: 100rel", fmt.Sprintf("RSeq: %d", 4294967290+i))
				s.to.respond(t, got, progress)
				checkReply(t, progress, s.from.self.expectNew(t, status(183).of(s.from.callID)))
				s.pass(t, s.from.request("PRACK").add(fmt.Sprintf("RAck: %d %d INVITE", 4294967290+i, number)), 200)
			}
			s.pass(t, s.from.request("PRACK").add(fmt.Sprintf("RAck: 1 %d INVITE", number)), 481)
			s.to.answer(t, got, 200)
			rep := s.from.self.expectNew(t, status(200).to("INVITE").of(s.from.callID))
			s.from.send(t, s.from.requestWith("ACK", number).del("Contact"))
			s.to.expectNew(t, request("ACK").of(s.from.callID))
			if rep.get("CSeq") != inv.get("CSeq") {
				t.Errorf("CSeq %q, want %q", rep.get("CSeq"), inv.get("CSeq"))
			}
		}
	})
}

// TestX01_RepeatedPrack checks that a copy of a PRACK is answered by us as the first was, and goes no further.
func TestX01_RepeatedPrack(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add("Supported: 100rel")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.respond(t, got, b.reply(got, 183).add("Require: 100rel", "RSeq: 1"))
	early := a.callerDialog(inv, a.expect(t, status(183)))
	prack := early.request("PRACK").add("RAck: 1 100 INVITE")
	early.send(t, prack)
	b.answer(t, b.expect(t, request("PRACK")), 200)
	first := a.expect(t, status(200).to("PRACK"))
	for range 2 {
		early.send(t, prack)
		if rep := a.expect(t, status(200).to("PRACK")); rep.raw != first.raw {
			t.Errorf("a copy is answered\n%s, the first was\n%s", rep.raw, first.raw)
		}
	}
	b.expectCount(t, request("PRACK"), 1)
}

// TestX02_UpdateRefused checks that what an UPDATE is refused with passes: two at once (491), too early (500 with
// Retry-After), and no such dialog.
func TestX02_UpdateRefused(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, _ *node, call *established) {
		for _, s := range call.sides() {
			s.pass(t, s.from.request("UPDATE"), 491)
			s.pass(t, s.from.request("UPDATE"), 500, "Retry-After: 7")
			s.pass(t, s.from.request("UPDATE"), 481)
			s.pass(t, s.from.request("UPDATE"), 504, "Warning: 399 x \"y\"")
		}
	})
}

// TestX03_Refresh checks that a session is refreshed by UPDATE and by re-INVITE, from either side, and that a refresh
// which is too short is refused by whom it is meant for and not by us.
func TestX03_Refresh(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, _ *node, call *established) {
		for _, s := range call.sides() {
			s.pass(t, s.from.request("UPDATE").add("Session-Expires: 1800;refresher=uac", "Min-SE: 90", "Supported: timer"),
				200, "Session-Expires: 1800;refresher=uac", "Require: timer")
			s.pass(t, s.from.request("UPDATE").add("x: 90;refresher=uas", "k: timer"), 422, "Min-SE: 600")
			s.pass(t, s.from.request("UPDATE").add("Session-Expires: 600", "Min-SE: 600"), 200, "x: 600;refresher=uas")

			again := s.from.request("INVITE").add("Session-Expires: 3600;refresher=uas", "Supported: timer")
			s.from.send(t, again)
			got := s.to.expectNew(t, request("INVITE").of(s.from.callID))
			checkUntouched(t, again, got)
			ok := s.to.reply(got, 200).add("Session-Expires: 3600;refresher=uas")
			s.to.respond(t, got, ok)
			rep := s.from.self.expectNew(t, status(200).to("INVITE").of(s.from.callID))
			checkReply(t, ok, rep)
			s.from.send(t, s.from.ack(rep))
			s.to.expectNew(t, request("ACK").of(s.from.callID))
		}
	})
}

// TestX03_TooShort checks that a 422 is no reason to try the next provider, and that the call which the caller places
// then, with the interval that it was told, passes.
func TestX03_TooShort(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add("Session-Expires: 90", "Supported: timer")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	short := b.reply(got, 422).add("Min-SE: 3600")
	b.respond(t, got, short)
	rep := a.expect(t, final())
	checkReply(t, short, rep)
	a.send(t, ackFor(inv, rep))

	second := inv.again().set("CSeq", "101 INVITE").set("Session-Expires", "3600").add("Min-SE: 3600")
	call := establishWith(t, a, b, second, func(ok *draft) { ok.add("Session-Expires: 3600;refresher=uac", "Require: timer") })
	checkUntouched(t, second, call.got)
	c.expectNone(t, anything(), 0)
	call.b.hangUp(t, a)
}

// TestD10_NothingLeft checks that an offer within a call which the policy leaves nothing of is refused by us, and that
// the call goes on.
func TestD10_NothingLeft(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, _ *node, call *established) {
		a, b := call.a.self, call.b.self
		for _, method := range []string{"INVITE", "UPDATE"} {
			bad := call.a.request(method).offering(sdp("18", "18 G729/8000"))
			call.a.send(t, bad)
			rep := a.expect(t, final().to(method).of(call.a.callID))
			if rep.code() != 488 {
				t.Errorf("%s: got %s, want 488", method, rep.start)
			}
			if method == "INVITE" {
				call.a.send(t, ackFor(bad, rep))
			}
			b.expectNone(t, request(method).of(call.a.callID), quiet)
		}
		reinvite(t, call.a, b, wideOffer(), "0", "101")
		reinvite(t, call.b, a, sdp("18", "18 G729/8000"), "18")
	})
}

// TestD10_PolicyStaysWithTheCall checks that a call keeps the codec list that it began with when the provider's list
// changes.
func TestD10_PolicyStaysWithTheCall(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "id: "+idOf("b"), `codecs: "PCMU"`))})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
	for _, providers := range []string{catalog(trunk("b", b, "priority: 1", "id: "+idOf("b"), `codecs: "G729,PCMA"`)), catalog()} {
		n.writeFile(t, "providers.yaml", providers)
		if err := n.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		reinvite(t, call.a, b, wideOffer(), "0", "101")
	}
	call.a.hangUp(t, b)
}

// TestD10_EachOfferIsFiltered checks that a long call with many offers, by UPDATE and re-INVITE, with new media lines
// added, gets the policy each time and for all audio in it.
func TestD10_EachOfferIsFiltered(t *testing.T) {
	t.Parallel()
	inside(t, func(t *testing.T, _ *node, call *established) {
		two := wideOffer() + wideOffer()[strings.Index(wideOffer(), "m=audio"):] + "m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"
		for range 3 {
			update := call.a.request("UPDATE").offering(two)
			call.a.send(t, update)
			got := call.b.self.expectNew(t, request("UPDATE").of(call.a.callID))
			if strings.Count(got.body, "m=audio 4000 RTP/AVP 0 101\r\n") != 2 || !strings.Contains(got.body, "m=video 4002 RTP/AVP 97\r\n") {
				t.Errorf("the offer is\n%s", got.body)
			}
			call.b.self.answer(t, got, 200)
			call.a.self.expectNew(t, status(200).to("UPDATE").of(call.a.callID))
			reinvite(t, call.a, call.b.self, wideOffer(), "0", "101")
		}
	})
}

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestR01_ProvisionalsPassAtOnce(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	for _, code := range []int{180, 181, 182, 183, 199, 101} {
		rep := b.reply(got, code).add("X-Extra: a,b;c").offering(sdp("0", "0 PCMU/8000"))
		b.respond(t, got, rep)
		checkReply(t, rep, a.expect(t, status(code)))
	}
}

// checkReply checks that a reply came up as it was sent, but for our Via.
func checkReply(t *testing.T, sent *draft, got *msg) {
	t.Helper()
	was := parse(sent.text())
	if got.start != was.start {
		t.Errorf("%q became %q", was.start, got.start)
	}
	want, have := was.lines("Via", "Content-Length"), got.lines("Via", "Content-Length")
	if strings.Join(want, "\n") != strings.Join(have, "\n") {
		t.Errorf("headers of %s changed\nsent %q\ngot  %q", was.start, want, have)
	}
	if got.body != was.body {
		t.Errorf("body of %s changed\nsent %q\ngot  %q", was.start, was.body, got.body)
	}
	wantVias, haveVias := was.list("Via")[1:], got.list("Via")
	if strings.Join(wantVias, "\n") != strings.Join(haveVias, "\n") {
		t.Errorf("Vias of %s are %q, want %q", was.start, haveVias, wantVias)
	}
}

func TestR02_TryingStopsHere(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	rep := b.reply(got, 100).add("X-From: b")
	for range 3 {
		b.respond(t, got, rep)
	}
	a.expectNone(t, status(100).and("of b", func(m *msg) bool { return m.has("X-From") }), 2*quiet)
	if a.count(status(100)) != 1 {
		t.Errorf("a got %d times 100, want ours only", a.count(status(100)))
	}
}

func TestR03_EveryAnswerPasses(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	for range 5 {
		b.answer(t, got, 200)
	}
	a.expectCount(t, status(200), 5)
	b.expectNone(t, request("ACK"), 0)
}

// TestR04_BestOfSerial is the serial case of best response; TestBestResponse has the table.
func TestR04_BestOfSerial(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	first := b.expect(t, request("INVITE"))
	b.answer(t, first, 404)
	second := c.expect(t, request("INVITE"))
	rep := c.answer(t, second, 603)
	checkReply(t, rep, a.expect(t, final()))
}

func TestR05_ChallengesAreMerged(t *testing.T) {
	t.Parallel()
	b, c, d := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c, d)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	challenge := func(p *peer, code int, name, realm string) {
		got := p.expect(t, request("INVITE"))
		p.respond(t, got, p.reply(got, code).add(fmt.Sprintf("%s: Digest realm=%q, nonce=\"n\"", name, realm)))
	}
	challenge(b, 407, "Proxy-Authenticate", "b.example")
	challenge(c, 401, "WWW-Authenticate", "c.example")
	challenge(d, 407, "Proxy-Authenticate", "d.example")
	rep := a.expect(t, final())
	if rep.code() != 401 && rep.code() != 407 {
		t.Errorf("got %s, want a challenge", rep.start)
	}
	have := strings.Join(append(rep.all("Proxy-Authenticate"), rep.all("WWW-Authenticate")...), "\n")
	for _, realm := range []string{"b.example", "c.example", "d.example"} {
		if strings.Count(have, realm) != 1 {
			t.Errorf("the challenge of %s is there %d times, want once:\n%s", realm, strings.Count(have, realm), have)
		}
	}
}

func TestR06_Lone503(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	b.answer(t, got, 503)
	rep := a.expect(t, final())
	if rep.code() != 500 {
		t.Errorf("got %s, want 500", rep.start)
	}
}

func TestR08_NoTimeoutForNonInvite(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	t1 := 10 * time.Millisecond
	n := startRouter(t, setup{providers: trunks(b), t1: t1})
	a := n.caller(t)
	req := a.request("OPTIONS", "+15551234567")
	a.send(t, req)
	got := b.expect(t, request("OPTIONS"))
	a.expectNone(t, final(), 2*64*t1+quiet)
	b.answer(t, got, 200)
	a.expectNone(t, final(), quiet)
}

func TestR09_SixHundredEndsIt(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	b.answer(t, b.expect(t, request("INVITE")), 603)
	a.expect(t, status(603))
	c.expectNone(t, anything(), quiet)
}

func TestR10_ToTagIsKept(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	for i, code := range []int{180, 183, 200} {
		rep := b.reply(got, code).set("To", fmt.Sprintf("<sip:x@y>;tag=b-%d;x=y", i))
		b.respond(t, got, rep)
		if to := a.expect(t, status(code)).get("To"); to != rep.get("To") {
			t.Errorf("To of the %d is %q, want %q", code, to, rep.get("To"))
		}
	}
}

func TestR11_ForeignTopVia(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	foreign := b.reply(got, 180)
	foreign.lines[0] = strings.Replace(foreign.lines[0], n.udp.String(), "192.0.2.1:5060", 1)
	b.respond(t, got, foreign)
	a.expectNone(t, status(180), quiet)
	b.answer(t, got, 180)
	a.expect(t, status(180))
}

func TestR12_StrayResponses(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a, witness := n.caller(t), newPeer(t)
	for _, branch := range []string{"z9hG4bK-nobody", "z9hG4bK", "", "z9hG4bK0000000000000000", strings.Repeat("x", 300)} {
		for _, code := range []int{100, 180, 200, 486} {
			b.sendTo(t, "udp", n.udp, raw(fmt.Sprintf("SIP/2.0 %d Stray\r\n"+
				"Via: SIP/2.0/UDP %s;branch=%s\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKw\r\n"+
				"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: stray\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
				code, n.udp, branch, witness.addr)))
		}
	}
	witness.expectNone(t, anything(), quiet)
	b.expectNone(t, anything(), 0)
	establish(t, a, b, a.invite("+15551234567"))
}

func TestR13_Redirect(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	rep := b.reply(got, 302).add("Contact: <sip:one@192.0.2.1>;q=0.9, <sip:two@192.0.2.2>")
	b.respond(t, got, rep)
	checkReply(t, rep, a.expect(t, final()))
	c.expectNone(t, anything(), quiet)
}

func TestR13_FollowRedirects(t *testing.T) {
	t.Parallel()
	b, c, d := newPeer(t), newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "follow_redirects: true"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	b.respond(t, got, b.reply(got, 302).add(fmt.Sprintf("Contact: <sip:2@%s>;q=0.5, <sip:1@%s>;q=0.9", d.addr, c.addr)))
	first := c.expect(t, request("INVITE"))
	if want := "sip:1@" + c.addr.String(); first.uri() != want {
		t.Errorf("Request-URI %q, want %q", first.uri(), want)
	}
	c.answer(t, first, 486)
	rep := a.expect(t, final())
	if strings.Contains(rep.raw, c.addr.String()) {
		t.Errorf("a Contact that was tried went up:\n%s", rep.raw)
	}
}

func TestR14_UnknownCodes(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, code := range []int{299, 399, 499, 599, 699} {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		b.answer(t, got, 199)
		a.expect(t, status(199).of(inv.get("Call-ID")))
		rep := b.answer(t, got, code)
		up := a.expect(t, final().of(inv.get("Call-ID")))
		checkReply(t, rep, up)
		if code > 299 {
			a.send(t, ackFor(inv, up))
		}
	}
}

func TestR15_ReplyBytesAreKept(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for i, code := range []int{180, 200, 486} {
		inv := a.invite("+15551234567")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		rep := b.reply(got, code).add(
			"Warning: 370 devnull \"Choose a bigger pipe\"",
			"Retry-After: 18000;duration=3600",
			"Reason: Q.850 ;cause=16 ;text=\"Terminated\"",
			"X-Folded: a\r\n\tb",
		)
		rep.start = fmt.Sprintf("SIP/2.0 %d = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe %d", code, i)
		b.respond(t, got, rep)
		checkReply(t, rep, a.expect(t, status(code).of(inv.get("Call-ID"))))
	}
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
	rep := b.reply(got, 180)
	rep.start = "SIP/2.0 180 " // An empty reason phrase.
	b.respond(t, got, rep)
	checkReply(t, rep, a.expect(t, status(180).of(inv.get("Call-ID"))))
}

// TestR16_ClosedPorts checks that a provider whose port is closed is left at once, not after no_reply.
func TestR16_ClosedPorts(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		for _, method := range []string{"INVITE", "MESSAGE"} {
			t.Run(transport+" "+method, func(t *testing.T) {
				t.Parallel()
				b, c := newPeer(t), newPeer(t)
				b.close()
				n := startRouter(t, setup{providers: catalog(
					trunk("b", b, "priority: 1", "transport: "+transport),
					trunk("c", c, "priority: 2"),
				)})
				a := n.caller(t)
				var delay time.Duration
				for range 20 { // A busy machine may delay some of them.
					req := a.request(method, "+15551234567")
					sent := time.Now()
					a.send(t, req)
					got := c.expect(t, request(method).of(req.get("Call-ID")))
					c.answer(t, got, 486)
					rep := a.expect(t, status(486).of(req.get("Call-ID")))
					if method == "INVITE" {
						a.send(t, ackFor(req, rep))
					}
					if delay = got.at.Sub(sent); delay < 100*time.Millisecond {
						break
					}
				}
				if delay >= 100*time.Millisecond {
					t.Errorf("c was tried after %v", delay)
				}
			})
		}
	}
	t.Run("nobody left", func(t *testing.T) {
		t.Parallel()
		b := newPeer(t)
		b.close()
		n := startRouter(t, setup{providers: trunks(b)})
		a := n.caller(t)
		a.send(t, a.invite("+15551234567"))
		if rep := a.expect(t, final()); rep.code() != 500 {
			t.Errorf("got %s, want 500 for a lone 503", rep.start)
		}
	})
}

// TestR17_CallerUnreachable checks that an error on the way up drops the reply and ends no branch.
func TestR17_CallerUnreachable(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	got := ringing(t, a, b, inv)
	a.close()
	for range 3 {
		b.answer(t, got, 183)
		time.Sleep(20 * time.Millisecond)
	}
	b.expectNone(t, request("CANCEL").or(request("BYE")), quiet)
	other := n.caller(t)
	establish(t, other, b, other.invite("+15551234567"))
}

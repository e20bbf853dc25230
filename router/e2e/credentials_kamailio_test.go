package e2e

import (
	"testing"
	"time"
)

// TestCredentialsKamailio checks calls to a real proxy that wants credentials for every request: for the first one, for a
// second that uses the nonce again, for requests within the call when that has expired, and with a wrong password.
func TestCredentialsKamailio(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			k := startKamailio(t, "digest.cfg", `$ru = "sip:" + $rU + "@`+b.addr.String()+`;transport=`+transport+`";`)
			border := &peer{addr: k.addr}
			n := startRouter(t, setup{providers: catalog(trunk("k", border, "priority: 1", "transport: "+transport,
				"credentials: {username: dial, password: secret, realm: carrier.example}"))})
			a := n.caller(t)

			call := establish(t, a, b, a.invite("+15551234567"))
			expectCSeq(t, call.got, 101)
			if call.got.has("Proxy-Authorization") {
				t.Errorf("Kamailio did not take our credentials:\n%s", call.got.raw)
			}
			// At once again: no second round trip, and so no other number. Not so when two seconds have gone by.
			second := establish(t, a, b, a.invite("+15551234567"))
			if got, _ := second.got.cseq(); got != 100 && second.got.at.Sub(call.got.at) < time.Second {
				t.Errorf("CSeq %d, want 100: the nonce was not used again", got)
			}
			call.crosses(t, call.a.request("INFO"), 109)
			time.Sleep(3 * time.Second) // The nonce expires, by Kamailio's clock.

			inv := call.a.request("INVITE")
			call.a.send(t, inv)
			at := call.comes(t, inv, 118)
			b.answer(t, at, 200)
			rep := a.expectNew(t, status(200).to("INVITE").of(call.a.callID))
			expectCSeq(t, rep, 102)
			call.a.send(t, call.a.ack(rep))
			// Kamailio passes the ACK to its own challenge on; it has no transaction for that.
			b.expectNew(t, request("ACK").of(call.a.callID).and("to the 2xx", func(m *msg) bool { n, _ := m.cseq(); return n == 118 }))
			call.crosses(t, call.a.request("UPDATE"), 125)
			side{"up", call.b, a}.passUp(t, "INFO")
			call.crosses(t, call.a.request("BYE"), 133)
			second.b.hangUp(t, a)
			if n := a.count(status(407)); n != 0 {
				t.Errorf("the caller got %d challenges", n)
			}
		})
	}
}

// crosses sends a request of the caller through whatever is between, and has it answered.
func (e *established) crosses(t *testing.T, sent *draft, want int) {
	t.Helper()
	e.a.send(t, sent)
	got := e.comes(t, sent, want)
	e.b.self.answer(t, got, 200)
	up := e.a.self.expectNew(t, status(200).to(got.method()).of(e.a.callID))
	if up.get("CSeq") != sent.get("CSeq") {
		t.Errorf("the answer has CSeq %q, want %q", up.get("CSeq"), sent.get("CSeq"))
	}
}

// passUp sends a request of the provider through whatever is between, and has it answered.
func (s side) passUp(t *testing.T, method string) {
	t.Helper()
	req := s.from.request(method)
	s.from.send(t, req)
	got := s.to.expectNew(t, request(method).of(s.from.callID))
	if got.get("CSeq") != req.get("CSeq") {
		t.Errorf("%s %s has CSeq %q, sent %q", s.name, method, got.get("CSeq"), req.get("CSeq"))
	}
	s.to.answer(t, got, 200)
	if rep := s.from.self.expectNew(t, status(200).to(method).of(s.from.callID)); rep.get("CSeq") != req.get("CSeq") {
		t.Errorf("its answer has CSeq %q", rep.get("CSeq"))
	}
}

// TestCredentialsKamailioRefuses checks that a wrong password is tried once and then is the provider's fault.
func TestCredentialsKamailioRefuses(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	k := startKamailio(t, "digest.cfg", `$ru = "sip:" + $rU + "@`+b.addr.String()+`";`)
	n := startRouter(t, setup{providers: catalog(
		trunk("k", &peer{addr: k.addr}, "priority: 1", "credentials: {username: dial, password: wrong}"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	at := c.expectNew(t, request("INVITE"))
	expectCSeq(t, at, 100)
	c.answer(t, at, 486)
	a.send(t, ackFor(inv, a.expect(t, status(486))))
	b.expectNone(t, anything(), 0)
	n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "k", "cause", "auth")
}

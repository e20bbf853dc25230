package e2e

import (
	"net/netip"
	"strings"
	"testing"
)

// direction is the attribute that says which way media flows.
func direction(body string) string {
	for _, d := range []string{"sendonly", "recvonly", "inactive", "sendrecv"} {
		if strings.Contains(body, "a="+d+"\r\n") {
			return d
		}
	}
	return ""
}

// TestPhoneCalls has a real phone call a provider through us, over each transport: the codec filter, hold and resume
// by re-INVITE, a key that is pressed, and a BYE from each side.
func TestPhoneCalls(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		for _, by := range []string{"phone", "provider"} {
			t.Run(transport+" ended by "+by, func(t *testing.T) {
				t.Parallel()
				ca := newAuthority(t)
				b := newPeer(t)
				heard := newMedia(t, b)
				n := startRouter(t, ca.secured(t, setup{providers: catalog(trunk("b", b, "priority: 1", `codecs: "PCMA"`, `tech_prefix: "9#"`))}))
				p := startPhone(t, ca, "alice", transport, map[string]netip.AddrPort{"udp": n.udp, "tcp": n.tcp, "tls": n.tls}[transport])

				p.dial(t, "+15551234567")
				inv := b.expect(t, request("INVITE"))
				if !sameFormats(inv.body, "8", "101") || !strings.Contains(inv.body, "a=rtpmap:101 telephone-event/8000") {
					t.Errorf("the phone's offer arrived as\n%s", inv.body)
				}
				if inv.has("Route") || !strings.HasPrefix(inv.uri(), "sip:9%23+15551234567@") {
					t.Errorf("the phone's INVITE arrived as\n%s", inv.raw)
				}
				b.answer(t, inv, 180)
				p.expect(t, "CALL_RINGING")
				answer := heard.describe("sendrecv", "8 101", "8 PCMA/8000", "101 telephone-event/8000")
				ok := b.reply(inv, 200).offering(answer)
				b.respond(t, inv, ok)
				b.expectNew(t, request("ACK"))
				p.expect(t, "CALL_ESTABLISHED")
				call := b.calleeDialog(inv, ok)

				for _, step := range []struct{ command, theirs, ours string }{{"hold", "sendonly", "recvonly"}, {"resume", "sendrecv", "sendrecv"}} {
					p.do(t, step.command, "")
					again := b.expectNew(t, request("INVITE"))
					if got := direction(again.body); got != step.theirs || !sameFormats(again.body, "8", "101") {
						t.Errorf("%s: the offer is %s with formats %q", step.command, got, formats(again.body))
					}
					b.respond(t, again, b.reply(again, 200).offering(strings.Replace(answer, "a=sendrecv", "a="+step.ours, 1)))
					b.expectNew(t, request("ACK"))
				}
				p.do(t, "sndcode", "5")
				heard.expectDigit(t, 101, 5)

				if by == "phone" {
					p.do(t, "hangup", "")
					b.answer(t, b.expect(t, request("BYE")), 200)
				} else {
					call.send(t, call.request("BYE"))
					b.expect(t, status(200).to("BYE"))
				}
				p.expect(t, "CALL_CLOSED")
				n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "answered")
			})
		}
	}
}

// TestPhoneAnswers has a real phone be the provider, over each transport: what it hears of the offer, hold from each
// side, a key that is pressed, and a BYE from each side.
func TestPhoneAnswers(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		for _, by := range []string{"caller", "phone"} {
			t.Run(transport+" ended by "+by, func(t *testing.T) {
				t.Parallel()
				ca := newAuthority(t)
				s := ca.secured(t, setup{})
				p := startPhone(t, ca, "+15551234567", transport, freePort(t))
				s.providers = catalog(p.entry("phone", transport, "priority: 1", `codecs: "PCMA,opus"`))
				n := startRouter(t, s)
				a := n.caller(t)
				heard := newMedia(t, a)
				offer := heard.describe("sendrecv", "0 8 9 101", "0 PCMU/8000", "8 PCMA/8000", "9 G722/8000", "101 telephone-event/8000")

				inv := a.invite("+15551234567").offering(offer)
				a.send(t, inv)
				a.expect(t, status(180))
				p.expect(t, "CALL_INCOMING")
				p.do(t, "accept", "")
				rep := a.expect(t, status(200))
				if !sameFormats(rep.body, "8", "101") {
					t.Errorf("the phone took %q of the offer, want 8 101", formats(rep.body))
				}
				call := a.callerDialog(inv, rep)
				call.send(t, call.ack(rep))
				p.expect(t, "CALL_ESTABLISHED")

				hold := strings.Replace(offer, "a=sendrecv", "a=sendonly", 1)
				for _, step := range []struct{ offer, want string }{{hold, "recvonly"}, {offer, "sendrecv"}} {
					call.send(t, call.request("INVITE").offering(step.offer))
					again := a.expectNew(t, status(200).to("INVITE"))
					if got := direction(again.body); got != step.want || !sameFormats(again.body, "8", "101") {
						t.Errorf("the phone answers %s with formats %q, want %s", got, formats(again.body), step.want)
					}
					call.send(t, call.ack(again))
				}
				p.do(t, "sndcode", "7")
				heard.expectDigit(t, 101, 7)
				p.do(t, "hold", "")
				held := a.expect(t, request("INVITE"))
				if got := direction(held.body); got != "sendonly" {
					t.Errorf("the phone holds with %s", got)
				}
				a.respond(t, held, a.reply(held, 200).offering(heard.describe("recvonly", "8 101", "8 PCMA/8000", "101 telephone-event/8000")))
				a.expectNew(t, request("ACK"))

				if by == "caller" {
					call.send(t, call.request("BYE"))
					a.expect(t, status(200).to("BYE"))
				} else {
					p.do(t, "hangup", "")
					a.answer(t, a.expect(t, request("BYE")), 200)
				}
				p.expect(t, "CALL_CLOSED")
			})
		}
	}
}

// TestPhoneIsBusy checks what becomes of calls that a real phone does not take: cancelled by the caller, refused by
// hand, or refused because the codec list left nothing that it knows.
func TestPhoneIsBusy(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	dead, c := newPeer(t), newPeer(t)
	dead.close()
	p := startPhone(t, ca, "+15551234567", "udp", freePort(t))
	n := startRouter(t, setup{providers: catalog(trunk("dead", dead, "priority: 1"), p.entry("phone", "udp", "priority: 2"), trunk("c", c, "priority: 3"))})
	a := n.caller(t)
	heard := newMedia(t, a)
	offer := heard.describe("sendrecv", "0", "0 PCMU/8000")

	cancelled := a.invite("+15551234567").offering(offer)
	a.send(t, cancelled)
	a.expect(t, status(180))
	p.expect(t, "CALL_INCOMING")
	a.send(t, cancelFor(cancelled))
	a.send(t, ackFor(cancelled, a.expect(t, status(487).to("INVITE"))))
	p.expect(t, "CALL_CLOSED")

	busy := a.invite("+15551234567").offering(offer)
	a.send(t, busy)
	a.expect(t, status(180).of(busy.get("Call-ID")))
	p.expect(t, "CALL_INCOMING")
	p.do(t, "hangup", "")
	a.send(t, ackFor(busy, a.expect(t, status(486).of(busy.get("Call-ID")))))
	p.expect(t, "CALL_CLOSED")
	c.expectNone(t, anything(), quiet)
	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "cancelled")
	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "busy")

	foreign := a.invite("+15551234567").offering(heard.describe("sendrecv", "18", "18 G729/8000"))
	a.send(t, foreign)
	got := c.next(t, request("INVITE").of(foreign.get("Call-ID")), soon)
	if got == nil {
		t.Fatal("after the phone's 488 the next provider was not tried")
	}
	c.answer(t, got, 486)
	a.expect(t, status(486).of(foreign.get("Call-ID")))
}

// TestPhoneToPhone has one real phone call another through us, with media between them: each hears the keys that are
// pressed at the other.
func TestPhoneToPhone(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := ca.secured(t, setup{})
	callee := startPhone(t, ca, "+15551234567", "tcp", freePort(t))
	s.providers = catalog(callee.entry("phone", "tcp", "priority: 1", `codecs: "G722,PCMU"`))
	n := startRouter(t, s)
	caller := startPhone(t, ca, "alice", "udp", n.udp)
	caller.dial(t, "+15551234567")
	callee.expect(t, "CALL_INCOMING")
	caller.expect(t, "CALL_RINGING")
	callee.do(t, "accept", "")
	for _, p := range []*phone{caller, callee} {
		p.expect(t, "CALL_ESTABLISHED")
		p.expect(t, "CALL_RTPESTAB")
	}
	for i, way := range [][2]*phone{{caller, callee}, {callee, caller}} {
		digit := string(rune('3' + i))
		way[0].do(t, "sndcode", digit)
		if e := way[1].expect(t, "CALL_DTMF_START"); e.Param != digit {
			t.Errorf("%s heard %q, want %q", way[1].user, e.Param, digit)
		}
	}
	caller.do(t, "hangup", "")
	for _, p := range []*phone{caller, callee} {
		p.expect(t, "CALL_CLOSED")
	}
}

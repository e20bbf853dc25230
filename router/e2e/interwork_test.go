package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// way is one way that calls take through real proxies: where the caller sends them, and where they come out.
type way struct {
	name string
	open func(t *testing.T, b *peer, more ...string) (*node, *peer)
}

// ways are those through Kamailio on either side of us, or on both.
func ways() []way {
	return []way{
		{"kamailio before us", func(t *testing.T, b *peer, more ...string) (*node, *peer) {
			t.Helper()
			n := startRouter(t, setup{providers: catalog(append(more, trunk("b", b, "priority: 5", "codecs: PCMU"))...)})
			return n, through(t, before(t, n, "udp"))
		}},
		{"kamailio before us by TCP", func(t *testing.T, b *peer, more ...string) (*node, *peer) {
			t.Helper()
			n := startRouter(t, setup{providers: catalog(append(more, trunk("b", b, "priority: 5", "codecs: PCMU"))...)})
			return n, through(t, before(t, n, "tcp"))
		}},
		{"kamailio behind us", func(t *testing.T, b *peer, more ...string) (*node, *peer) {
			t.Helper()
			k := behind(t, b, "udp")
			n := startRouter(t, setup{providers: catalog(append(more, trunkAt("b", k.addr, "priority: 5", "codecs: PCMU"))...)})
			return n, n.caller(t)
		}},
		{"kamailio behind us by TCP", func(t *testing.T, b *peer, more ...string) (*node, *peer) {
			t.Helper()
			k := behind(t, b, "tcp")
			n := startRouter(t, setup{providers: catalog(append(more, trunkAt("b", k.addr, "priority: 5", "codecs: PCMU", "transport: tcp"))...)})
			return n, n.caller(t)
		}},
		{"kamailio on both sides", func(t *testing.T, b *peer, more ...string) (*node, *peer) {
			t.Helper()
			k := behind(t, b, "udp")
			n := startRouter(t, setup{providers: catalog(append(more, trunkAt("b", k.addr, "priority: 5", "codecs: PCMU"))...)})
			return n, through(t, before(t, n, "tcp"))
		}},
	}
}

// through is a caller whose outbound proxy is Kamailio.
func through(t *testing.T, k *kamailio) *peer {
	t.Helper()
	a := newPeer(t)
	a.transport, a.router = "udp", k.addr
	return a
}

// TestKamailio has calls go through Kamailio: held and resumed, offers from both sides, hung up by either, cancelled,
// refused, and taken to the next provider.
func TestKamailio(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			dead, b := newPeer(t), newPeer(t)
			n, a := w.open(t, b, trunk("dead", dead, `targets: ["+44"]`))
			for _, by := range []string{"caller", "provider"} {
				t.Run("ended by "+by, func(t *testing.T) {
					call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
					checkHops(t, call)
					for range 2 { // Hold and resume.
						reinvite(t, call.a, b, wideOffer(), "0", "101")
					}
					reinvite(t, call.b, a, wideOffer(), formats(wideOffer())...)
					inform(t, call.a, b)
					inform(t, call.b, a)
					if by == "caller" {
						call.a.hangUp(t, b)
					} else {
						call.b.hangUp(t, a)
					}
				})
			}
			t.Run("cancel", func(t *testing.T) {
				inv := a.invite("+15551234567")
				got := ringing(t, a, b, inv)
				a.send(t, cancelFor(inv))
				a.expect(t, status(200).to("CANCEL").of(inv.get("Call-ID")))
				b.answer(t, b.expect(t, request("CANCEL").of(inv.get("Call-ID"))), 200)
				b.answer(t, got, 487)
				a.send(t, ackFor(inv, a.expect(t, status(487).of(inv.get("Call-ID")))))
				b.expect(t, request("ACK").of(inv.get("Call-ID")))
			})
			t.Run("busy", func(t *testing.T) {
				refused(t, a, b)
			})
			t.Run("failover", func(t *testing.T) {
				inv := a.invite("+441234567")
				a.send(t, inv)
				of := inv.get("Call-ID")
				dead.answer(t, dead.expect(t, request("INVITE").of(of)), 503)
				dead.expect(t, request("ACK").of(of))
				got := b.expect(t, request("INVITE").of(of))
				ok := b.answer(t, got, 200)
				rep := a.expect(t, status(200).of(of))
				down := a.callerDialog(inv, rep)
				down.send(t, down.ack(rep))
				b.expect(t, request("ACK").of(of))
				b.calleeDialog(got, ok).hangUp(t, a)
				n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "dead")
			})
			n.expectMetric(t, 3, "dialrouter_calls_total", "outcome", "answered")
			n.expectMetric(t, 0, "dialrouter_calls_in_progress")
		})
	}
}

// TestKamailioFailsOver checks that what Kamailio says of a carrier behind it, or its own end, takes a call to the next
// provider.
func TestKamailioFailsOver(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	k := behind(t, b, "udp")
	n := startRouter(t, setup{
		providers: catalog(trunkAt("b", k.addr, "priority: 1"), trunk("c", c, "priority: 2")),
		budgets:   "{no_reply: 6s, no_ringing: 1500ms, answer: 10s, setup: 20s}",
	})
	a := n.caller(t)
	carry := func(fail func(of string)) {
		t.Helper()
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		fail(of)
		c.answer(t, c.expect(t, request("INVITE").of(of)), 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(of))))
	}
	for _, code := range []int{503, 500, 404} {
		carry(func(of string) { b.answer(t, b.expect(t, request("INVITE").of(of)), code) })
	}
	b.close()
	carry(func(string) {}) // Kamailio says 100 and no more.
	k.end()
	carry(func(string) {}) // Its port is closed.
}

// checkHops checks that the route sets of both sides lead through the same proxies, in opposite order.
func checkHops(t *testing.T, call *established) {
	t.Helper()
	var down, up []string
	for _, route := range call.a.routes {
		down = append(down, fmt.Sprint(destinationOf(route)))
	}
	for _, v := range slices.Backward(call.b.routes) {
		up = append(up, fmt.Sprint(destinationOf(v)))
	}
	if len(down) < 2 || strings.Join(down, " ") != strings.Join(up, " ") {
		t.Errorf("the caller's route is %q, the provider's in reverse %q", down, up)
	}
}

func destinationOf(route string) string {
	transport, addr := destination(inBrackets(route))
	return transport + " " + addr.String()
}

// reinvite sends an offer within a dialog and has the other side answer it, after checking what has come of it.
func reinvite(t *testing.T, from *dialog, to *peer, offer string, want ...string) {
	t.Helper()
	from.send(t, from.request("INVITE").offering(offer))
	got := to.expectNew(t, request("INVITE").of(from.callID))
	if !sameFormats(got.body, want...) {
		t.Errorf("the offer has formats %q, want %q", formats(got.body), want)
	}
	to.respond(t, got, to.reply(got, 200).offering(sdp("0 101", "0 PCMU/8000", "101 telephone-event/8000")))
	from.send(t, from.ack(from.self.expectNew(t, status(200).to("INVITE").of(from.callID))))
	to.expectNew(t, request("ACK").of(from.callID))
}

// inform sends an INFO within a dialog.
func inform(t *testing.T, from *dialog, to *peer) {
	t.Helper()
	info := from.request("INFO").with("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")
	from.send(t, info)
	got := to.expectNew(t, request("INFO").of(from.callID))
	checkUntouched(t, info, got)
	to.answer(t, got, 200)
	from.self.expectNew(t, status(200).to("INFO").of(from.callID))
}

package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestF05_TwoInterfaces checks calls that come in on an address which they do not leave from: whichever Record-Routes
// the two sides see, requests and replies pass both ways.
func TestF05_TwoInterfaces(t *testing.T) {
	t.Parallel()
	first, second := freePort(t), freePort(t)
	b := newPeer(t)
	n := startRouter(t, setup{listen: []string{"udp://" + first.String(), "udp://" + second.String()}, providers: trunks(b)})
	for _, entry := range []netip.AddrPort{first, second} {
		a := newPeer(t).speaks(n, "udp")
		a.router = entry
		call := establish(t, a, b, a.invite("+15551234567"))
		if call.answeredAt.from != entry {
			t.Errorf("the reply came from %s, want %s", call.answeredAt.from, entry)
		}
		back := call.b.request("INFO")
		call.b.send(t, back)
		got := a.expect(t, request("INFO"))
		if got.from != entry {
			t.Errorf("the provider's request came from %s, want %s", got.from, entry)
		}
		a.answer(t, got, 200)
		b.expect(t, status(200).to("INFO"))
		call.a.hangUp(t, b)
	}
}

// TestF05_IPv6ToIPv4 checks a caller on IPv6 and a provider on IPv4.
func TestF05_IPv6ToIPv4(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{
		listen: []string{"udp://[::1]:0", "udp://" + newIP().String() + ":0"}, providers: trunks(b), sip: []string{`allow: ["::1/128"]`},
	})
	a := newPeerAt(t, netip.MustParseAddrPort("[::1]:0"))
	a.transport = "udp"
	for _, l := range n.Listeners() {
		if l.Addr.Addr().Is6() {
			a.router = l.Addr
		}
	}
	call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
	if routes := call.got.list("Record-Route"); len(routes) != 2 {
		t.Errorf("Record-Route is %q, want two", routes)
	}
	call.b.send(t, call.b.request("INFO"))
	a.answer(t, a.expect(t, request("INFO")), 200)
	b.expect(t, status(200).to("INFO"))
	call.a.hangUp(t, b)
}

// TestWildcardListener checks a router that listens on all addresses: each reply leaves from the one that its request
// came to, those of the provider too.
func TestWildcardListener(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{listen: []string{"udp://0.0.0.0:0", "tcp://0.0.0.0:0"}, sip: []string{"advertise: router.example"}, providers: trunks(b)})
	for _, transport := range []string{"udp", "tcp"} {
		for range 2 {
			a := newPeer(t).speaks(n, transport)
			entry := netip.AddrPortFrom(newIP(), a.router.Port())
			a.router = entry
			inv := a.invite("+15551234567")
			of := inv.get("Call-ID")
			a.send(t, inv)
			got := b.expect(t, request("INVITE").of(of))
			ok := b.reply(got, 200)
			for _, code := range []int{100, 180} {
				if code != 100 {
					b.answer(t, got, code)
				}
				if rep := a.expect(t, status(code).of(of)); rep.from != entry {
					t.Errorf("over %s: the %d came from %s, want %s", transport, code, rep.from, entry)
				}
			}
			b.respond(t, got, ok)
			rep := a.expect(t, status(200).of(of))
			if rep.from != entry {
				t.Errorf("over %s: the 200 came from %s, want %s", transport, rep.from, entry)
			}
			down := a.callerDialog(inv, rep)
			a.send(t, down.ack(rep))
			b.expect(t, request("ACK").of(of))
			a.send(t, down.request("BYE"))
			b.answer(t, b.expect(t, request("BYE").of(of)), 200)
			if rep := a.expect(t, status(200).to("BYE").of(of)); rep.from != entry {
				t.Errorf("over %s: the 200 to BYE came from %s, want %s", transport, rep.from, entry)
			}
		}
	}
}

// TestBurst checks that a burst of calls which arrives at once is carried whole.
func TestBurst(t *testing.T) {
	t.Parallel()
	const calls = 200
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: 500 * time.Millisecond, budgets: calm})
	a := n.caller(t)
	sent := map[string]*draft{}
	for range calls {
		inv := a.invite("+15551234567").offering(wideOffer())
		sent[inv.get("Call-ID")] = inv
		a.send(t, inv)
	}
	fresh := request("INVITE").and("and no copy", newBranches())
	for range calls {
		got := b.expect(t, fresh)
		inv := sent[got.get("Call-ID")]
		if inv == nil {
			t.Fatalf("b got %s twice, or one that nobody sent", got.get("Call-ID"))
		}
		delete(sent, got.get("Call-ID"))
		checkUntouched(t, inv, got)
		b.answer(t, got, 486)
	}
	a.until(t, fmt.Sprintf("%d replies", calls), soon, func() bool { return a.count(status(486)) >= calls })
}

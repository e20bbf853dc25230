package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"testing"
)

// freePort is an address that a router can be told of before it listens there. The address belongs to nobody else,
// so the port stays free.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(newIP(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// at makes listeners for UDP and TCP on one address.
func at(addr netip.AddrPort) []string {
	return []string{"udp://" + addr.String(), "tcp://" + addr.String()}
}

// at the place of a peer, for a provider that is a router.
func trunkAt(name string, addr netip.AddrPort, more ...string) string {
	return trunk(name, &peer{addr: addr}, more...)
}

func TestL01_Loop(t *testing.T) {
	t.Parallel()
	self := freePort(t)
	n := startRouter(t, setup{listen: at(self), providers: catalog(trunkAt("self", self, "priority: 1"))})
	a := n.caller(t)
	for _, method := range []string{"INVITE", "MESSAGE"} {
		req := a.request(method, "+15551234567")
		a.send(t, req)
		if rep := a.expect(t, final().of(req.get("Call-ID"))); rep.code() != 482 {
			t.Errorf("%s: got %s, want 482", method, rep.start)
		}
	}
}

func TestL02_Spiral(t *testing.T) {
	t.Parallel()
	self := freePort(t)
	b := newPeer(t)
	n := startRouter(t, setup{listen: at(self), providers: catalog(
		trunkAt("self", self, `targets: ["+1"]`, `tech_prefix: "99"`),
		trunk("b", b, "priority: 1"),
	)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	if want := "sip:99+15551234567@" + b.addr.String(); got.uri() != want {
		t.Errorf("Request-URI %q, want %q", got.uri(), want)
	}
	if vias := got.list("Via"); len(vias) != 3 {
		t.Errorf("got %d Vias, want the caller's and ours twice: %q", len(vias), vias)
	}
	b.answer(t, got, 180)
	a.expect(t, status(180))
	ok := b.answer(t, got, 200)
	rep := a.expect(t, status(200))
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	b.expect(t, request("ACK"))
	call.hangUp(t, b)
	back := b.calleeDialog(got, ok)
	back.send(t, back.request("INFO"))
	a.expect(t, request("INFO"))
}

// TestL03_MaxBreadth checks that a request which may not be forked passes, because we try one branch at a time, and that
// one which may take no branch at all does not.
func TestL03_MaxBreadth(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	for _, breadth := range []int{60, 10, 1} {
		inv := a.invite("+15551234567").add(fmt.Sprintf("Max-Breadth: %d", breadth))
		of := inv.get("Call-ID")
		a.send(t, inv)
		for _, p := range []*peer{b, c} {
			got := p.expect(t, request("INVITE").of(of))
			left, err := strconv.Atoi(got.get("Max-Breadth"))
			if err != nil || left > breadth || left < 1 {
				t.Errorf("Max-Breadth %d became %q", breadth, got.get("Max-Breadth"))
			}
			p.answer(t, got, 503)
		}
		a.send(t, ackFor(inv, a.expect(t, final().of(of))))
	}
	for method, want := range map[string]int{"INVITE": 440, "MESSAGE": 440, "OPTIONS": 200} {
		req := a.request(method, "+15551234567").add("Max-Breadth: 0")
		if method == "OPTIONS" { // It asks us, and no branch is needed.
			req = a.requestTo(method, "sip:"+n.udp.String()).add("Max-Breadth: 0")
		}
		a.send(t, req)
		if rep := a.expect(t, final().of(req.get("Call-ID"))); rep.code() != want {
			t.Errorf("%s with Max-Breadth 0: got %s, want %d", method, rep.start, want)
		}
	}
	b.expectNone(t, request("MESSAGE"), 0)
}

// TestL04_TwoRoutersEndByMaxForwards lets two routers send a call to each other, changing it each time, so that no
// loop can be seen.
func TestL04_TwoRoutersEndByMaxForwards(t *testing.T) {
	t.Parallel()
	one, two := freePort(t), freePort(t)
	first := startRouter(t, setup{listen: at(one), providers: catalog(trunkAt("two", two, "priority: 1", `tech_prefix: "1"`, "transport: udp"))})
	startRouter(t, setup{listen: at(two), providers: catalog(trunkAt("one", one, "priority: 1", `tech_prefix: "2"`, "transport: udp"))})
	a := first.caller(t)
	inv := a.invite("5551234567").set("Max-Forwards", "20")
	a.send(t, inv)
	rep := a.expect(t, final())
	if rep.code() != 483 {
		t.Errorf("got %s, want 483", rep.start)
	}
}

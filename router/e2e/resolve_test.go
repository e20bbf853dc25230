package e2e

import (
	"fmt"
	"testing"
	"time"
)

// hostTrunk is a provider that is known by name.
func hostTrunk(name, host string, more ...string) string {
	entry := fmt.Sprintf("  - name: %s\n    hostname: %q\n", name, host)
	for _, line := range more {
		entry += "    " + line + "\n"
	}
	return entry
}

// TestS03_SRVPriority checks that the target of the lower priority is asked first, the next one when it fails, each at
// the port of its record, and that the Request-URI keeps the name.
func TestS03_SRVPriority(t *testing.T) {
	t.Parallel()
	first, second := newPeer(t), newPeer(t)
	dns := startDNS(t)
	dns.add(t,
		fmt.Sprintf("_sip._udp.carrier.test. 60 IN SRV 10 5 %d one.carrier.test.", first.addr.Port()),
		fmt.Sprintf("_sip._udp.carrier.test. 60 IN SRV 20 5 %d two.carrier.test.", second.addr.Port()),
		"one.carrier.test. 60 IN A "+first.addr.Addr().String(),
		"two.carrier.test. 60 IN A "+second.addr.Addr().String(),
	)
	n := startRouter(t, setup{providers: catalog(hostTrunk("b", "carrier.test", "priority: 1")), dns: dns})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := first.expect(t, request("INVITE"))
	if want := "sip:+15551234567@carrier.test"; got.uri() != want {
		t.Errorf("Request-URI %q, want %q", got.uri(), want)
	}
	first.answer(t, got, 503)
	again := second.expect(t, request("INVITE"))
	if param(again.list("Via")[0], "branch") == param(got.list("Via")[0], "branch") {
		t.Error("both targets got the same branch")
	}
	second.answer(t, again, 486)
	a.expect(t, status(486))
}

// TestS03_NAPTR checks that the transport comes from NAPTR when the provider names none.
func TestS03_NAPTR(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	dns := startDNS(t)
	dns.add(t,
		`carrier.test. 60 IN NAPTR 20 50 "s" "SIP+D2U" "" _sip._udp.carrier.test.`,
		`carrier.test. 60 IN NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.carrier.test.`,
		fmt.Sprintf("_sip._tcp.carrier.test. 60 IN SRV 1 1 %d b.carrier.test.", b.addr.Port()),
		fmt.Sprintf("_sip._udp.carrier.test. 60 IN SRV 1 1 %d b.carrier.test.", b.addr.Port()),
		"b.carrier.test. 60 IN A "+b.addr.Addr().String(),
	)
	n := startRouter(t, setup{providers: catalog(hostTrunk("b", "carrier.test", "priority: 1")), dns: dns})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	if got := b.expect(t, request("INVITE")); got.transport() != "tcp" {
		t.Errorf("it came over %s, want tcp", got.transport())
	}
}

// TestS03_PortSkipsSRV checks that a name with a port is looked up as an address only.
func TestS03_PortSkipsSRV(t *testing.T) {
	t.Parallel()
	b, wrong := newPeer(t), newPeer(t)
	dns := startDNS(t)
	dns.add(t,
		fmt.Sprintf("_sip._udp.carrier.test. 60 IN SRV 1 1 %d wrong.carrier.test.", wrong.addr.Port()),
		"wrong.carrier.test. 60 IN A "+wrong.addr.Addr().String(),
		"carrier.test. 60 IN A "+b.addr.Addr().String(),
	)
	n := startRouter(t, setup{providers: catalog(hostTrunk("b", fmt.Sprintf("carrier.test:%d", b.addr.Port()), "priority: 1")), dns: dns})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	b.expect(t, request("INVITE"))
	wrong.expectNone(t, anything(), quiet)
}

// TestS03_UnknownHost checks that a provider whose name leads nowhere is passed over, and that a call which has nobody
// else gets an answer.
func TestS03_UnknownHost(t *testing.T) {
	t.Parallel()
	c := newPeer(t)
	dns := startDNS(t)
	n := startRouter(t, setup{providers: catalog(hostTrunk("b", "nowhere.test", `targets: ["+1", "+44"]`), trunk("c", c, `targets: ["+1"]`, "priority: 2")), dns: dns})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	sent := time.Now()
	a.send(t, inv)
	got := c.expect(t, request("INVITE"))
	if delay := got.at.Sub(sent); delay > 500*time.Millisecond {
		t.Errorf("c was tried after %v", delay)
	}
	c.answer(t, got, 486)
	a.expect(t, status(486))

	lost := a.invite("+441234567")
	a.send(t, lost)
	rep := a.expect(t, final().of(lost.get("Call-ID")))
	if rep.code() != 500 && rep.code() != 480 {
		t.Errorf("got %s, want 500 or 480", rep.start)
	}
}

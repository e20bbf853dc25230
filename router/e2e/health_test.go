package e2e

import (
	"testing"
)

// TestUnhealthyProvidersComeLast checks that a provider which answers no OPTIONS goes behind those that do, and is
// still tried when nothing else is left.
func TestUnhealthyProvidersComeLast(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	b.on(func(m *msg) bool { return m.method() == "OPTIONS" })
	c.on(func(m *msg) bool {
		if m.method() != "OPTIONS" {
			return false
		}
		c.answer(t, m, 200)
		return true
	})
	n := startRouter(t, setup{providers: trunks(b, c), health: "{interval: 300ms, timeout: 100ms, down_after: 2, up_after: 1}"})
	n.expectMetric(t, 0, "dialrouter_provider_up", "provider", "b")
	n.expectMetric(t, 1, "dialrouter_provider_up", "provider", "c")
	a := n.caller(t)
	eventually(t, "c is asked first", func() bool {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		first := b.next(t, request("INVITE").of(of), quiet)
		if first != nil {
			b.answer(t, first, 486)
			a.send(t, ackFor(inv, a.expect(t, status(486).of(of))))
			return false
		}
		c.answer(t, c.expect(t, request("INVITE").of(of)), 404)
		b.answer(t, b.expect(t, request("INVITE").of(of)), 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(of))))
		return true
	})
}

package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// TestT14_OrderIsKept sends many 180s and 200s back to back: no 200 may overtake its 180, and no BYE its ACK.
func TestT14_OrderIsKept(t *testing.T) {
	t.Parallel()
	const calls, window = 3000, 30
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), budgets: calm, t1: 500 * time.Millisecond})
	a := n.caller(t)

	var mu sync.Mutex
	overtaken := make(map[string]int)
	acked := make(map[string]bool)
	byes := make(chan string, calls)
	b.on(func(m *msg) bool {
		switch m.method() {
		case "INVITE":
			for _, code := range []int{180, 200} {
				b.answer(t, m, code)
			}
		case "ACK":
			mu.Lock()
			acked[m.get("Call-ID")] = true
			mu.Unlock()
		case "BYE":
			mu.Lock()
			if !acked[m.get("Call-ID")] {
				overtaken["an ACK by its BYE"]++
			}
			mu.Unlock()
			b.answer(t, m, 200)
		}
		return true
	})
	rang := make(map[string]bool)
	sent := make(map[string]*draft)
	a.on(func(m *msg) bool {
		of := m.get("Call-ID")
		mu.Lock()
		defer mu.Unlock()
		_, method := m.cseq()
		switch {
		case m.code() == 180:
			rang[of] = true
		case m.code() == 200 && method == "INVITE":
			if !rang[of] {
				overtaken["a 180 by its 200"]++
			}
			call := a.callerDialog(sent[of], m)
			call.send(t, call.ack(m))
			call.send(t, call.request("BYE"))
		case m.code() == 200 && method == "BYE":
			byes <- of
		}
		return true
	})
	done := make(map[string]bool)
	for i := range calls + window {
		if i < calls {
			inv := a.invite("+15551234567")
			mu.Lock()
			sent[inv.get("Call-ID")] = inv
			mu.Unlock()
			a.send(t, inv)
		}
		if i < window {
			continue
		}
		for len(done) <= i-window {
			select {
			case of := <-byes:
				done[of] = true
			case <-time.After(soon):
				t.Fatalf("%d of %d calls ended", len(done), calls)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(overtaken) > 0 {
		t.Errorf("overtaken in %d calls: %v", calls, overtaken)
	}
	if strings.Contains(n.log.String(), "panic") {
		t.Error("the router panicked")
	}
}

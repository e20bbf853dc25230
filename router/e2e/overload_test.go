package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// barrage sends 20,000 INVITEs a second, each of another call, until stop is closed, and says how many.
func barrage(p *peer, to netip.AddrPort, stop <-chan struct{}) (sent int) {
	inv := p.invite("+44123456789").offering(wideOffer())
	text, id := inv.text(), inv.get("Call-ID")
	_, branch, _ := strings.Cut(text, "branch=")
	branch = branch[:strings.IndexAny(branch, ";\r")]
	const rate, atMost = 20_000, 200 // At once, when the machine was busy.
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		select {
		case <-stop:
			return sent
		default:
		}
		due := min(int(time.Since(began).Seconds()*rate), sent+atMost)
		for ; sent < due; sent++ {
			again := strings.NewReplacer(id, fmt.Sprintf("barrage-%d", sent), branch, fmt.Sprintf("z9hG4bKbarrage%d", sent)).Replace(text)
			if _, err := p.udp.WriteToUDPAddrPort([]byte(again), to); err != nil {
				return sent
			}
		}
	}
}

// TestBarrage has one source send 20,000 INVITEs a second that nobody answers, while another places calls of which each
// gets through. What is refused, if the machine is too slow for all, gets 503 with Retry-After; when it is over, all is as
// before.
func TestBarrage(t *testing.T) {
	b, silent := sturdy(t), newUDPPeer(t)
	silent.on(func(*msg) bool { return true })
	d := startDaemon(t, catalog(trunk("b", b, `targets: ["+1"]`), trunk("c", silent, "transport: udp", `targets: ["+44"]`)))
	a, loud := newPeer(t), newPeer(t)
	a.transport, a.router = "udp", d.sip
	loud.transport, loud.router = "udp", d.sip
	var mu sync.Mutex
	refused, hinted := 0, 0
	loud.on(func(m *msg) bool {
		mu.Lock()
		defer mu.Unlock()
		if m.code() == 503 {
			refused++
			if m.has("Retry-After") {
				hinted++
			}
		}
		return true
	})
	for range 5 {
		a.persistent(t)
	}

	stop := make(chan struct{})
	counted := make(chan int, 1)
	go func() { counted <- barrage(loud, d.sip, stop) }()
	calls, began := 0, time.Now()
	for time.Since(began) < 3*time.Second {
		a.persistent(t)
		calls++
	}
	took := time.Since(began)
	close(stop)
	sent := <-counted
	if calls < 20 {
		t.Errorf("%d calls in %v beside %d INVITEs", calls, took, sent)
	}
	page := d.get(t, "/metrics")
	of := func(reason string) float64 {
		return sample(page, fmt.Sprintf("dialrouter_messages_dropped_total{reason=%q}", reason))
	}
	mu.Lock()
	t.Logf("%d calls beside %d INVITEs, of which %d heard 503; counted: pressure %v, unread %v, receive_buffer %v",
		calls, sent, refused, of("pressure"), of("unread"), of("receive_buffer"))
	if refused != hinted || float64(refused) > of("pressure")+of("overload") {
		t.Errorf("%d were refused, %d with Retry-After, %v counted", refused, hinted, of("pressure"))
	}
	mu.Unlock()

	began = time.Now()
	for range 20 {
		a.persistent(t)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("20 calls afterwards took %v", took)
	}
	eventually(t, "the end of the pressure", func() bool {
		return sample(d.get(t, "/metrics"), "dialrouter_workers_under_pressure") == 0
	})
	d.stop(t)
}

// TestIdleConnections has one source open all the connections that it may have, and more, and say nothing: those of
// another source are served.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	b := sturdy(t)
	n := startRouter(t, setup{providers: trunks(b), sip: []string{"source_connections: 8", "max_connections: 20"}})
	from := newIP()
	for range 30 {
		_, _ = dialFrom(t, from, n.tcp) // Some are refused before we know that they are open.
	}
	n.expectMetric(t, 22, "dialrouter_messages_dropped_total", "reason", "conn_limit")
	for range 5 {
		a := newPeer(t)
		a.transport, a.router = "tcp", n.tcp
		a.persistent(t)
	}
}

// TestSourceRate: who sends more new calls a second than it may gets 503, another source does not.
func TestSourceRate(t *testing.T) {
	t.Parallel()
	b := sturdy(t)
	n := startRouter(t, setup{providers: trunks(b), sip: []string{"source_rate: 1"}})
	loud, a := n.caller(t), n.caller(t)
	refusals := 0
	for range 30 {
		inv := loud.invite("+15551234567")
		loud.send(t, inv)
		rep := loud.expect(t, final().of(inv.get("Call-ID")))
		loud.send(t, ackFor(inv, rep))
		if rep.code() != 503 {
			continue
		}
		if refusals++; !rep.has("Retry-After") {
			t.Error("503 without Retry-After")
		}
	}
	if refusals == 0 {
		t.Error("none of 30 calls at once was refused")
	}
	n.expectMetric(t, float64(refusals), "dialrouter_messages_dropped_total", "reason", "source_rate")
	a.persistent(t)
}

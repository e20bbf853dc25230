package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// mischief is what a provider makes of a probe instead of answering it.
type mischief struct {
	name string
	do   func(b, stranger *peer, probe *msg)
	want providers.Health
}

// mischiefs are for datagrams. None of them but the last three is an answer.
func mischiefs() []mischief {
	branchOf := func(m *msg) string { return param(m.list("Via")[0], "branch") }
	with := func(old, text string) func(b, _ *peer, m *msg) {
		return func(b, _ *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), old, text, 1)))
		}
	}
	down := providers.HealthUnhealthy
	return []mischief{
		{"bytes", func(b, _ *peer, m *msg) { b.mutter(m, raw("\x00\xff\xfe evil \x00")) }, down},
		{"huge bytes", func(b, _ *peer, m *msg) { b.mutter(m, raw(strings.Repeat("evil", 15_000))) }, down},
		{"half a response", func(b, _ *peer, m *msg) { t := b.reply(m, 200).text(); b.mutter(m, raw(t[:len(t)/2])) }, down},
		{"no header", func(b, _ *peer, m *msg) { b.mutter(m, raw("SIP/2.0 200 evil\r\n\r\n")) }, down},
		{"status 999", with("200", "999"), down},
		{"status 0", with("200", "000"), down},
		{"status in words", with("200", "evil"), down},
		{"wrong branch", func(b, _ *peer, m *msg) {
			branch := branchOf(m)
			guess := branch[:15] + strings.Repeat("0", 16) + branch[31:]
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), branch, guess, 1)))
		}, down},
		{"another slot", func(b, _ *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), "fffffffe", "00000000", 1)))
		}, down},
		{"no branch", func(b, _ *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), ";branch="+branchOf(m), "", 1)))
		}, down},
		{"not to us", func(b, _ *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), "SIP/2.0/UDP 127.", "SIP/2.0/UDP 126.", 1)))
		}, down},
		{"wrong method", with("1 OPTIONS", "1 INVITE"), down},
		{"wrong source", func(b, stranger *peer, m *msg) { stranger.mutter(m, b.reply(m, 200)) }, down},
		{"a request", func(b, _ *peer, m *msg) { b.mutter(m, raw(m.raw)) }, down},
		{"only 100", func(b, _ *peer, m *msg) {
			for range 200 {
				b.mutter(m, b.reply(m, 100))
			}
		}, down},
		{"a flood of strays", func(b, _ *peer, m *msg) {
			for i := range 500 {
				branch := fmt.Sprintf("z9hG4bKfffffffe%016x%08x", i, 0)
				b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), branchOf(m), branch, 1)))
			}
		}, down},
		{"twice", func(b, _ *peer, m *msg) {
			for range 300 {
				b.mutter(m, b.reply(m, 200))
			}
		}, providers.HealthHealthy},
		{"contradictions", func(b, _ *peer, m *msg) {
			b.mutter(m, b.reply(m, 200))
			b.mutter(m, b.reply(m, 503))
			b.mutter(m, b.reply(m, 100))
		}, providers.HealthHealthy},
		{"huge", func(b, _ *peer, m *msg) {
			b.mutter(m, b.reply(m, 200).add("X-Evil: "+strings.Repeat("evil", 14_000)))
		}, providers.HealthHealthy},
	}
}

// series are all samples there are, each by its name and labels.
func series(t *testing.T, n *node) map[string]bool {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, family := range families {
		for _, sample := range family.GetMetric() {
			all[family.GetName()+fmt.Sprint(sample.GetLabel())] = true
		}
	}
	return all
}

// TestProbeHostileReplies has a provider do everything but answer: it counts as silent, others are not touched by it,
// it can come back, and nothing that it sent is a label or stays.
func TestProbeHostileReplies(t *testing.T) {
	t.Parallel()
	b, c, stranger := newUDPPeer(t), newUDPPeer(t), newUDPPeer(t)
	c.answersProbes(200)
	n := startRouter(t, setup{
		health:    "{interval: 100ms, timeout: 300ms, down_after: 1, up_after: 1}",
		providers: catalog(trunk("b", b, "transport: udp"), trunk("c", c, "transport: udp")),
	})
	var mu sync.Mutex
	act := func(m *msg) { b.mutter(m, b.reply(m, 200)) }
	b.on(func(m *msg) bool {
		mu.Lock()
		defer mu.Unlock()
		if isProbe(m) {
			act(m)
		}
		return true
	})
	become := func(f func(m *msg)) {
		mu.Lock()
		act = f
		mu.Unlock()
	}
	n.expectHealth(t, "b", providers.HealthHealthy, "")
	become(func(*msg) {})
	n.expectHealth(t, "b", providers.HealthUnhealthy, "")
	before := series(t, n)
	for _, one := range mischiefs() {
		become(func(m *msg) { b.mutter(m, b.reply(m, 200)) })
		n.expectHealth(t, "b", providers.HealthHealthy, "")
		become(func(m *msg) { one.do(b, stranger, m) })
		if one.want == providers.HealthHealthy {
			time.Sleep(2 * quiet)
		}
		n.expectHealth(t, "b", one.want, "")
		n.expectHealth(t, "c", providers.HealthHealthy, "")
	}
	for s := range series(t, n) {
		if !before[s] || strings.Contains(s, "evil") {
			t.Errorf("a new series: %s", s)
		}
	}
	if n.metric(t, "dialrouter_messages_dropped_total", "reason", "stray") == 0 {
		t.Error("no stray response counted")
	}
	n.expectMetric(t, 0, "dialrouter_transactions")
}

// TestProbeLateReply checks that an answer which comes after its time is none, and that the next probe is a new one.
func TestProbeLateReply(t *testing.T) {
	t.Parallel()
	b := newUDPPeer(t)
	n := startRouter(t, setup{
		health:    "{interval: 300ms, timeout: 100ms, down_after: 1, up_after: 1}",
		providers: catalog(trunk("b", b, "transport: udp")),
	})
	for range 3 {
		got := b.expect(t, request("OPTIONS"))
		time.Sleep(200*time.Millisecond - time.Since(got.at))
		b.answer(t, got, 200)
	}
	n.expectHealth(t, "b", providers.HealthUnhealthy, "no reply within 100ms")
	n.expectMetric(t, 0, "dialrouter_probes_total", "result", "up")
}

// TestProbeHostileStream does the like to a stream: a connection that cannot be read any more is given up, and the next
// probe opens another.
func TestProbeHostileStream(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(b *peer, m *msg){
		"bytes":          func(b *peer, m *msg) { b.mutter(m, raw("\x00\xff evil\r\n\r\n")) },
		"endless header": func(b *peer, m *msg) { b.mutter(m, raw("SIP/2.0 200 OK\r\nX: "+strings.Repeat("evil", 50_000))) },
		"bad length": func(b *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), "Content-Length: 0", "Content-Length: -1", 1)))
		},
		"huge body": func(b *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), "Content-Length: 0", "Content-Length: 999999999", 1)))
		},
		"hang up": func(_ *peer, m *msg) { _ = m.conn.Close() },
		"wrong branch": func(b *peer, m *msg) {
			b.mutter(m, raw(strings.Replace(b.reply(m, 200).text(), "fffffffe", "ffffffff", 1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			var mu sync.Mutex
			bad := true
			b.on(func(m *msg) bool {
				mu.Lock()
				defer mu.Unlock()
				if isProbe(m) && bad {
					do(b, m)
				} else if isProbe(m) {
					b.mutter(m, b.reply(m, 200))
				}
				return true
			})
			n := startRouter(t, setup{health: quickProbes, providers: catalog(trunk("b", b, "transport: tcp"))})
			n.expectHealth(t, "b", providers.HealthUnhealthy, "")
			mu.Lock()
			bad = false
			mu.Unlock()
			n.expectHealth(t, "b", providers.HealthHealthy, "")
		})
	}
}

// TestProbeReload takes a provider out of the catalog and brings it back at another host: it is asked no more, its
// samples go, and what was known of the old host says nothing of the new one.
func TestProbeReload(t *testing.T) {
	t.Parallel()
	b, c, d := newUDPPeer(t), newUDPPeer(t), newUDPPeer(t)
	b.answersProbes(0)
	c.answersProbes(200)
	d.answersProbes(200)
	n := startRouter(t, setup{health: quickProbes, providers: catalog(trunk("b", b, "transport: udp"), trunk("c", c, "transport: udp"))})
	load := func(text string) {
		n.writeFile(t, "providers.yaml", text)
		if err := n.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n.expectHealth(t, "b", providers.HealthUnhealthy, "")
	load(catalog(trunk("c", c, "transport: udp")))
	for s := range series(t, n) {
		if strings.Contains(s, `value:"b"`) {
			t.Errorf("left over: %s", s)
		}
	}
	time.Sleep(quiet) // What is on its way ends.
	asked := b.count(request("OPTIONS"))
	load(catalog(trunk("c", c, "transport: udp"), trunk("b", d, "transport: udp", "health: {interval: 1h}")))
	n.expectHealth(t, "b", providers.HealthHealthy, "")
	load(catalog(trunk("c", c, "transport: udp"), trunk("b", b, "transport: udp", "health: {interval: 1h}")))
	if health, _ := n.reach("b"); health != providers.HealthUnknown {
		t.Errorf("a new host is %s at once", health)
	}
	time.Sleep(2 * quiet)
	if more := b.count(request("OPTIONS")) - asked; more != 1 {
		t.Errorf("%d probes for a provider that was gone, and came back with an interval of 1 h", more)
	}
	n.expectHealth(t, "c", providers.HealthHealthy, "")
}

// TestProbeAddresses checks a provider with two addresses: it is well while one answers, and calls go there first.
func TestProbeAddresses(t *testing.T) {
	t.Parallel()
	dead, alive := newUDPPeer(t), newUDPPeer(t)
	dead.answersProbes(0)
	code := alive.answersProbes(200)
	dns := startDNS(t)
	for i, p := range []*peer{dead, alive} {
		dns.add(t, fmt.Sprintf("_sip._udp.carrier.test. 60 IN SRV 10 %d %d host%d.carrier.test.", 1000-900*i, p.addr.Port(), i),
			fmt.Sprintf("host%d.carrier.test. 60 IN A %s", i, p.addr.Addr()))
	}
	n := startRouter(t, setup{dns: dns, health: quickProbes, providers: catalog(hostTrunk("b", "carrier.test", "priority: 1", "transport: udp"))})
	n.expectHealth(t, "b", providers.HealthHealthy, "")
	id := providers.ProviderID("b")
	eventually(t, "one address unhealthy", func() bool {
		_, all := n.Reach(id)
		down := 0
		for _, at := range all {
			if at.Health == providers.HealthUnhealthy && at.Detail == "no reply within 400ms" && at.Address == "udp:"+dead.addr.String() {
				down++
			}
		}
		return down == 1 && len(all) == 2
	})
	a := n.caller(t)
	for range 10 {
		refused(t, a, alive)
	}
	dead.expectNone(t, request("INVITE"), 0)
	plan, err := n.Plan(&providers.PlanRequest{Number: "+15551234567"})
	if err != nil || len(plan.Attempts) != 1 || plan.Attempts[0].Destination != "udp:"+alive.addr.String() {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	code.Store(0)
	n.expectHealth(t, "b", providers.HealthUnhealthy, "none of 2 addresses answers")
}

package resolve

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
)

func srvTarget(host string, priority, weight uint16, ip string) Target {
	return Target{
		Transport: udp, Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 5060),
		Host: host, Priority: priority, Weight: weight,
	}
}

// TestOrderWeights counts who comes first over many seeds; bounds of six standard deviations, seeds fixed.
func TestOrderWeights(t *testing.T) {
	targets := []Target{
		srvTarget("a", 1, 60, "192.0.2.1"), // Three addresses, one share.
		srvTarget("a", 1, 60, "192.0.2.2"),
		srvTarget("a", 1, 60, "2001:db8::1"),
		srvTarget("b", 1, 30, "192.0.2.3"),
		srvTarget("c", 1, 9, "192.0.2.4"),
		srvTarget("d", 1, 0, "192.0.2.5"),
		srvTarget("e", 2, 65535, "192.0.2.6"),
		srvTarget("f", 3, 0, "192.0.2.7"),
		srvTarget("g", 3, 0, "192.0.2.8"),
	}
	const draws = 100_000
	counts := map[string]int{}
	dst := make([]Target, 0, 16)
	for seed := range uint64(draws) {
		dst = Order(dst[:0], targets, seed)
		counts["first "+dst[0].Host]++
		counts["last "+dst[8].Host]++
		if dst[5].Priority != 1 || dst[6].Host != "e" {
			t.Fatalf("seed %d: priorities are mixed: %v", seed, dst)
		}
		first := slices.IndexFunc(dst, func(t Target) bool { return t.Host == "a" })
		if dst[first+2].Host != "a" || dst[first+2].Addr.Addr().Is4() {
			t.Fatalf("seed %d: a's addresses are torn apart, or the families mixed: %v", seed, dst)
		}
		counts["address "+dst[first].Addr.Addr().String()]++
	}
	for what, p := range map[string]float64{
		"first a": 60. / 100, "first b": 30. / 100, "first c": 9. / 100, "first d": 1. / 100, // RFC 2782: 0 to 99, d has the 0.
		"last f": 1. / 2, "last g": 1. / 2, "address 192.0.2.1": 1. / 2, "address 192.0.2.2": 1. / 2,
	} {
		slack := 6 * math.Sqrt(draws*p*(1-p))
		if got := float64(counts[what]); math.Abs(got-draws*p) > slack {
			t.Errorf("%s: %.0f times of %d, want %.0f +- %.0f", what, got, draws, draws*p, slack)
		}
	}
}

func TestRecordSize(t *testing.T) {
	first := srvTarget("a", 1, 5, "192.0.2.1")
	for name, change := range map[string]func(*Target){
		"host":      func(t *Target) { t.Host = "b" },
		"port":      func(t *Target) { t.Addr = netip.AddrPortFrom(t.Addr.Addr(), 5061) },
		"weight":    func(t *Target) { t.Weight = 6 },
		"transport": func(t *Target) { t.Transport = tcp },
	} {
		second := first
		change(&second)
		if got := recordSize([]Target{first, first, second}); got != 2 {
			t.Errorf("another %s: %d, want 2", name, got)
		}
	}
	other := first
	other.Addr = netip.MustParseAddrPort("[2001:db8::1]:5060")
	if got := recordSize([]Target{first, other}); got != 2 {
		t.Errorf("another address: %d, want 2", got)
	}
}

func TestOrderIsAPermutation(t *testing.T) {
	var targets []Target
	for i := range 60 {
		ip := fmt.Sprintf("192.0.2.%d", i)
		if i%3 == 0 {
			ip = fmt.Sprintf("2001:db8::%d", i)
		}
		targets = append(targets, srvTarget(fmt.Sprint("h", i/4), uint16(i/20), uint16(i/4%5), ip))
	}
	before := slices.Clone(targets)
	key := func(a, b Target) int { return a.Addr.Compare(b.Addr) }
	for seed := range uint64(1000) {
		got := Order(targets[:1:1], targets, seed)
		if got[0] != targets[0] || !slices.Equal(got, Order(targets[:1:1], targets, seed)) {
			t.Fatalf("seed %d gives different orders", seed)
		}
		if !slices.IsSortedFunc(got[1:], func(a, b Target) int { return int(a.Priority) - int(b.Priority) }) {
			t.Fatalf("seed %d: not by priority", seed)
		}
		if !slices.Equal(slices.SortedFunc(slices.Values(got[1:]), key), slices.SortedFunc(slices.Values(before), key)) {
			t.Fatalf("seed %d lost something", seed)
		}
	}
	if !slices.Equal(before, targets) {
		t.Error("the targets were changed")
	}
	if got := Order(nil, nil, 1); len(got) != 0 {
		t.Errorf("nothing became %v", got)
	}
	dst := make([]Target, 0, len(targets))
	if n := testing.AllocsPerRun(100, func() { Order(dst, targets, 7) }); n != 0 {
		t.Errorf("Order allocates %v times", n)
	}
}

func BenchmarkOrder(b *testing.B) {
	targets := []Target{
		srvTarget("a", 1, 60, "192.0.2.1"), srvTarget("a", 1, 60, "192.0.2.2"),
		srvTarget("b", 1, 30, "192.0.2.3"), srvTarget("c", 2, 9, "192.0.2.4"),
	}
	dst := make([]Target, 0, len(targets))
	b.ReportAllocs()
	seed := uint64(0)
	for b.Loop() {
		dst = Order(dst[:0], targets, seed)
		seed++
	}
}

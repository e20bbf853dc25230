//go:build linux

package load_test

import (
	"math"
	"runtime"
	"testing"

	"github.com/voipbin/dialrouter/bench/load"
)

// TestGeneratorAllocatesNothingPerCall lets a test count what a router in the same process allocates per call: all
// of it is the router's.
func TestGeneratorAllocatesNothingPerCall(t *testing.T) {
	const calls = 4000
	e := direct(t, loopback(), answers)
	plan := load.Plan{Scenario: load.A, Rate: 8000, Calls: calls}
	list := numbers(t, plan.Scenario)
	if _, err := e.Run(t.Context(), plan, list, nil); err != nil { // Fills the pools.
		t.Fatal(err)
	}
	// Retransmissions take new buffers, and so do more calls at once than before; on a busy machine there are some: then
	// it is tried again, more slowly.
	per := math.Inf(1)
	for ; plan.Rate >= 500; plan.Rate /= 2 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := e.Run(t.Context(), plan, list, nil)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if r.Retransmits() > 0 {
			continue
		}
		if per = min(per, float64(after.Mallocs-before.Mallocs)/calls); per <= 0.1 {
			return
		}
	}
	t.Errorf("%.2f allocations per call, in the best run without retransmissions", per)
}

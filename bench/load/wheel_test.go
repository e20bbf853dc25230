//go:build linux

package load

import (
	"slices"
	"testing"
)

func TestWheelFiresInTime(t *testing.T) {
	w := &wheel{origin: 1000}
	due := map[uint32]int64{1: 1000, 2: 1000 + tick, 3: 1000 + tick + 1, 4: 1000 + 50*tick, 5: 500}
	for token, at := range due {
		w.add(token, at)
	}
	fired := map[uint32]int64{}
	for now := int64(1000); now < 1000+60*tick; now += tick / 4 {
		w.advance(now, func(token uint32) { fired[token] = now })
	}
	for token, at := range due {
		got, ok := fired[token]
		if !ok || got < at || got > max(at, 1000)+tick+tick/4 {
			t.Errorf("token %d was due at %d, fired at %d (%v)", token, at, got, ok)
		}
	}
}

func TestWheelTakesTokensWhileFiring(t *testing.T) {
	w := &wheel{}
	w.add(1, tick)
	var fired []uint32
	for now := int64(0); now < 5*tick; now += tick {
		w.advance(now, func(token uint32) {
			fired = append(fired, token)
			if token < 3 {
				w.add(token+1, now) // Overdue: must fire at the next slot, not never, not at once for ever.
			}
		})
	}
	if !slices.Equal(fired, []uint32{1, 2, 3}) {
		t.Errorf("fired %v", fired)
	}
}

func TestWheelBeyondItsHorizon(t *testing.T) {
	w := &wheel{}
	w.add(1, 2*slots*tick)
	count := 0
	w.advance(slots*tick, func(uint32) { count++ })
	if count != 1 {
		t.Errorf("fired %d times: what is due beyond the horizon must come back early, once", count)
	}
}

func TestWheelCatchesUp(t *testing.T) {
	w := &wheel{}
	for i := range uint32(100) {
		w.add(i, int64(i)*tick)
	}
	count := 0
	w.advance(200*tick, func(uint32) { count++ })
	if count != 100 {
		t.Errorf("%d of 100 fired after a stall", count)
	}
}

func TestWheelAtWorkAllocatesNothing(t *testing.T) {
	w := &wheel{}
	now := int64(0)
	turn := func() {
		for i := range uint32(80) {
			w.add(i, now+50*tick)
		}
		now += tick
		w.advance(now, func(uint32) {})
	}
	for range 200 {
		turn()
	}
	if allocs := testing.AllocsPerRun(1000, turn); allocs != 0 {
		t.Errorf("%v allocations per slot, want 0", allocs)
	}
}

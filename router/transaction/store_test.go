package transaction_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/router/transaction"
)

// TestTable runs random insertions and removals against a map.
func TestTable(t *testing.T) {
	var table transaction.Table
	model := make(map[transaction.Key]uint32)
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([]transaction.Key, 3000)
	for i := range keys {
		// Few different hashes, so that runs collide and wrap.
		keys[i] = transaction.Key{uint64(rng.IntN(4))<<58 | uint64(rng.IntN(200)), rng.Uint64()}
	}
	for range 200_000 {
		k := keys[rng.IntN(len(keys))]
		slot := uint32(rng.IntN(1000))
		switch rng.IntN(3) {
		case 0:
			old, known := model[k]
			got, inserted := table.Insert(k, slot)
			if inserted == known || known && got != old {
				t.Fatalf("insert: %d %v, model has %d %v", got, inserted, old, known)
			}
			if inserted {
				model[k] = slot
			}
		case 1:
			if old, known := model[k]; known && rng.IntN(4) > 0 {
				slot = old
			}
			table.Remove(k, slot)
			if old, known := model[k]; known && old == slot {
				delete(model, k)
			}
		default:
			old, known := model[k]
			if got, ok := table.Find(k); ok != known || known && got != old {
				t.Fatalf("find: %d %v, model has %d %v", got, ok, old, known)
			}
		}
	}
	if table.Len() != len(model) {
		t.Fatalf("%d keys, model has %d", table.Len(), len(model))
	}
	for k, slot := range model {
		if got, ok := table.Find(k); !ok || got != slot {
			t.Fatalf("lost key %v", k)
		}
	}
}

// TestWheel checks against a model that each slot is woken when it asked to be: never before, at most one tick after,
// and at its last word only.
func TestWheel(t *testing.T) {
	const start = int64(12345 * time.Millisecond)
	w := transaction.NewWheel(start)
	tick := int64(w.Tick())
	rng := rand.New(rand.NewPCG(3, 4))
	want := make(map[uint32]int64)
	now := start
	for now < start+int64(300*time.Second) {
		for range rng.IntN(8) {
			slot := uint32(rng.IntN(5000))
			switch rng.IntN(5) {
			case 0:
				delete(want, slot)
				w.Set(slot, 0)
			default:
				span := int64(100 * time.Second)
				if rng.IntN(2) == 0 {
					span /= 100
				}
				at := now - tick + rng.Int64N(span)
				w.Set(slot, at)
				want[slot] = max(at, now) // What is past is due at the next step.
			}
		}
		now += rng.Int64N(5 * tick)
		for _, s := range w.Expire(now, nil) {
			at, ok := want[s]
			if !ok {
				t.Fatalf("slot %d woken twice or without a deadline", s)
			}
			if at > now {
				t.Fatalf("slot %d woken %d early", s, at-now)
			}
			delete(want, s)
		}
		for s, at := range want {
			if at <= now-tick {
				t.Fatalf("slot %d is %d late", s, now-at)
			}
		}
	}
}

// TestWheelAfterPause checks that a pause of the whole process, longer than a turn, loses nothing and wakes nobody
// early.
func TestWheelAfterPause(t *testing.T) {
	w := transaction.NewWheel(0)
	later := int64(time.Hour + time.Minute)
	for i := range uint32(1000) {
		w.Set(i, 1+int64(i)*int64(40*time.Millisecond))
		w.Set(i+1000, later+int64(i)*int64(10*time.Millisecond))
	}
	got := w.Expire(int64(time.Hour), nil)
	slices.Sort(got)
	if len(slices.Compact(got)) != 1000 || got[999] != 999 {
		t.Fatalf("%d woken, want the first 1000", len(got))
	}
	tick := int64(w.Tick())
	for now := int64(time.Hour) + tick; now <= later+1000*tick; now += tick {
		for _, s := range w.Expire(now, nil) {
			if at := later + int64(s-1000)*tick; at > now || at < now-tick {
				t.Fatalf("slot %d woken at %d for %d", s, now, at)
			}
			got = append(got, s)
		}
	}
	if len(got) != 2000 {
		t.Fatalf("%d woken in all, want 2000", len(got))
	}
}

func TestSlots(t *testing.T) {
	s := transaction.NewSlots[int](500) // Rounded up to whole chunks.
	if s.Get(0) != nil || s.Get(1<<30) != nil {
		t.Error("a slot that was never given out has a value")
	}
	seen := make(map[uint32]*int)
	for i := range s.Cap() {
		slot, v, ok := s.Alloc(i)
		if !ok || v == nil || seen[slot] != nil || s.Get(slot) != v {
			t.Fatalf("slot %d of %d: %v", i, s.Cap(), ok)
		}
		seen[slot] = v
	}
	if _, _, ok := s.Alloc(0); ok {
		t.Error("one slot too many")
	}
	s.Free(77)
	if slot, v, ok := s.Alloc(9); !ok || slot != 77 || v != seen[77] {
		t.Errorf("freed slot did not come back: %d %v", slot, ok)
	}
	if s.Used() != s.Cap() {
		t.Errorf("%d used", s.Used())
	}
}

// TestSlotsFreedByAnother: the timer goroutine frees what others took; they must find it again before new memory is
// taken.
func TestSlotsFreedByAnother(t *testing.T) {
	s := transaction.NewSlots[int](1 << 20)
	var held []uint32
	for i := range 100_000 {
		slot, _, _ := s.Alloc(1 + i%2)
		if held = append(held, slot); len(held) == 100 {
			for _, slot := range held {
				s.Free(slot)
			}
			held = held[:0]
		}
	}
	if n := s.Known(); n > 1024 {
		t.Errorf("room for %d values was made, and 100 are in use at once", n)
	}
}

// TestSlotsBorrowed: shards that are busy by turns share what there is.
func TestSlotsBorrowed(t *testing.T) {
	s := transaction.NewSlots[int](1 << 20)
	for hint := range 8 {
		var held []uint32
		for range 10_000 {
			slot, _, _ := s.Alloc(hint)
			held = append(held, slot)
		}
		slices.Sort(held)
		if n := len(slices.Compact(held)); n != 10_000 {
			t.Fatalf("%d different of 10000", n)
		}
		for _, slot := range held {
			s.Free(slot)
		}
	}
	if n := s.Known(); n > 13_000 {
		t.Errorf("room for %d values was made, and 10000 are in use at once", n)
	}
}

func TestSlotsConcurrently(t *testing.T) {
	s := transaction.NewSlots[sync.Mutex](2000)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for range 20_000 {
				slot, mu, ok := s.Alloc(g)
				if !ok {
					t.Error("no slot")
					return
				}
				if !mu.TryLock() {
					t.Error("slot given out twice")
					return
				}
				mu.Unlock()
				s.Free(slot)
			}
		})
	}
	wg.Wait()
	if s.Used() != 0 {
		t.Errorf("%d slots lost", s.Used())
	}
}

func TestBuffers(t *testing.T) {
	var p transaction.Buffers
	for _, n := range []int{0, 1, 255, 256, 257, 384, 385, 512, 513, 768, 769, 1300, 4096, 4097, 49152, 49153, 65535, 65536, 65537, 300_000} {
		b := p.Get(n)
		if len(b) != 0 || cap(b) < n || n > 256 && 2*cap(b) > 3*n {
			t.Errorf("for %d bytes: len %d cap %d", n, len(b), cap(b))
		}
		p.Put(b)
		if again := p.Get(n); n <= 65536 && &again[:1][0] != &b[:1][0] {
			t.Errorf("for %d bytes: the buffer that was put back is not the one that comes next", n)
		} else {
			p.Put(again)
		}
	}
	p.Put(nil)
	p.Put(make([]byte, 300)) // Not ours.
	a, b := p.Copy([]byte("aaa")), p.Copy([]byte("bbb"))
	if string(a) != "aaa" || string(b) != "bbb" {
		t.Errorf("%q %q", a, b)
	}
	_ = append(a, make([]byte, 256-3)...)
	if string(b) != "bbb" {
		t.Error("two buffers share memory")
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	var table transaction.Table
	var bufs transaction.Buffers
	w := transaction.NewWheel(0)
	slots := transaction.NewSlots[[64]byte](1000)
	due := make([]uint32, 0, 64)
	msg := make([]byte, 1300)
	now := int64(0)
	one := func() {
		now += int64(w.Tick())
		slot, _, _ := slots.Alloc(0)
		k := transaction.Key{uint64(now) * 0x9e3779b97f4a7c15, uint64(now)}
		table.Insert(k, slot)
		b := bufs.Copy(msg)
		w.Set(slot, now+1)
		due = w.Expire(now+int64(w.Tick()), due[:0])
		bufs.Put(b)
		table.Remove(k, slot)
		slots.Free(slot)
	}
	for range 20_000 { // Each bucket of the wheel once.
		one()
	}
	if n := testing.AllocsPerRun(5000, one); n != 0 {
		t.Errorf("%v allocations a transaction", n)
	}
}

func BenchmarkTable(b *testing.B) {
	var table transaction.Table
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		k := transaction.Key{i * 0x9e3779b97f4a7c15, i}
		table.Insert(k, uint32(i))
		table.Find(k)
		table.Remove(k, uint32(i))
	}
}

func BenchmarkWheel(b *testing.B) {
	w := transaction.NewWheel(0)
	due := make([]uint32, 0, 1024)
	b.ReportAllocs()
	now := int64(0)
	for i := uint32(0); b.Loop(); i++ {
		// A transaction as they mostly go: due soon, then later, then much later.
		w.Set(i%100_000, now+int64(150*time.Millisecond))
		w.Set(i%100_000, now+int64(12*time.Second))
		w.Set(i%100_000, now+int64(32*time.Second))
		if i%30 == 0 {
			now += int64(w.Tick())
			due = w.Expire(now, due[:0])
		}
	}
}

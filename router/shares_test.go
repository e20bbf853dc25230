package router

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"testing"
	"time"
)

// TestMeter: a source has its rate and a small burst, whatever others do, and no source more.
func TestMeter(t *testing.T) {
	for _, rate := range []int64{1, 10, 1000, 50_000} {
		var m meter
		seed := maphash.MakeSeed()
		k := sourceKeyOf(seed, netip.MustParseAddr("192.0.2.1"))
		now, taken := int64(time.Hour), int64(0)
		const asked, seconds = 200_000, 10
		for range asked {
			now += seconds * int64(time.Second) / asked
			if m.take(now, k, rate) {
				taken++
			}
		}
		least := min(rate*seconds*99/100, asked*9/10)
		most := rate*seconds + max(meterBurst, rate*meterSlack/int64(time.Second)) + 1
		if taken < least || taken > most {
			t.Errorf("%d taken at %d a second, want %d to %d", taken, rate, least, most)
		}
	}
}

// TestMeterApart: in a crowd of sources that are all beyond their share, those that are within it are hardly hit.
func TestMeterApart(t *testing.T) {
	var m meter
	seed := maphash.MakeSeed()
	now := int64(time.Hour)
	flood := func() {
		for i := range 20 {
			k := sourceKeyOf(seed, netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
			for range 100 {
				m.take(now, k, 10)
			}
		}
	}
	refused := 0
	for i := range 1000 {
		now += int64(time.Second)
		flood()
		if !m.take(now, sourceKeyOf(seed, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})), 10) {
			refused++
		}
	}
	if refused > 10 { // (20/1024)^2 of them share both cells: less than one.
		t.Errorf("%d of 1000 were refused for others", refused)
	}
}

func TestSourceKey(t *testing.T) {
	seed := maphash.MakeSeed()
	key := func(s string) sourceKey { return sourceKeyOf(seed, netip.MustParseAddr(s)) }
	for _, same := range [][2]string{{"192.0.2.1", "192.0.2.1"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"2001:db8::1", "2001:db8::ffff:2"}, {"fe80::1%1", "fe80::2%2"}} {
		if key(same[0]) != key(same[1]) {
			t.Errorf("%s and %s are two", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8:0:1::1"}} {
		if key(other[0]) == key(other[1]) {
			t.Errorf("%s and %s are one", other[0], other[1])
		}
	}
	if n := testing.AllocsPerRun(100, func() { key("192.0.2.1") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestShares: the share comes down quickly, goes up steadily, stays within its bounds, and an old one is forgotten.
func TestShares(t *testing.T) {
	var s shares
	now := int64(time.Hour)
	turn := func(d time.Duration, by int) {
		for end := now + int64(d); now < end; {
			now += int64(time.Millisecond) / 4
			s.done.Add(mostShare)
			s.measure(now)
			s.adjust(now, by)
		}
	}
	turn(10*time.Millisecond, -1)
	if got := s.current(); got > firstShare/16 || got < firstShare/64 {
		t.Errorf("after 10 ms %d", got)
	}
	turn(time.Second, -1)
	if got := s.current(); got != leastShare {
		t.Errorf("at the bottom %d", got)
	}
	turn(100*time.Millisecond, 0)
	if got := s.current(); got != leastShare {
		t.Errorf("left alone %d", got)
	}
	turn(time.Second, 1)
	if got := s.current(); got < 1000 {
		t.Errorf("after a second's growth %d", got)
	}
	turn(20*time.Second, 1)
	if got := s.current(); got != mostShare {
		t.Errorf("at the top %d", got)
	}
	now += 2 * shareLife
	s.adjust(now, -1)
	if got := s.current(); got != firstShare/2 {
		t.Errorf("later %d", got)
	}
}

// TestSharesUnused: a share that limits nobody does not grow on, and when there is too much it begins with what there was
// time for before.
func TestSharesUnused(t *testing.T) {
	for _, rate := range []int64{100, 4000, 20_000} { // Calls done with in a second.
		var s shares
		now, owed := int64(time.Hour), 0.0
		turn := func(d time.Duration, by int) {
			for end := now + int64(d); now < end; {
				now += int64(time.Millisecond)
				owed += float64(rate) / 1000
				s.done.Add(int64(owed))
				owed -= float64(int64(owed))
				s.measure(now)
				s.adjust(now, by)
			}
		}
		near := func(when string, want int64) {
			if got := s.current(); got < want*95/100 || got > want*105/100 {
				t.Errorf("%d a second: %s a share of %d, want %d", rate, when, got, want)
			}
		}
		turn(20*time.Second, 1)
		near("after much time", max(rate*3/2, firstShare))
		s.begin()
		near("at first", max(rate, firstShare))
		turn(10*time.Millisecond, -1)
		if got := s.current(); got > max(rate, firstShare)/16 {
			t.Errorf("%d a second: after 10 ms %d", rate, got)
		}
		s.begin()
		if got := s.current(); got > max(rate, firstShare)/16 {
			t.Errorf("%d a second: another worker makes it %d", rate, got)
		}
	}
}

// TestSharesLimit: a share that limits somebody grows, however few calls are done with so far: callees may let it ring.
func TestSharesLimit(t *testing.T) {
	var s shares
	now := int64(time.Hour)
	for range 1000 {
		now += int64(time.Millisecond)
		s.measure(now)
		s.limits.Store(true)
		s.adjust(now, 1)
	}
	if got := s.current(); got < 100*firstShare {
		t.Errorf("after a second %d", got)
	}
}

// TestHolders: who holds how much is known, and given back.
func TestHolders(t *testing.T) {
	var h holders
	seed := maphash.MakeSeed()
	keys := make([]sourceKey, 50)
	for i := range keys {
		keys[i] = sourceKeyOf(seed, netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)))
		h.add(keys[i], int32(i))
	}
	for i, k := range keys {
		if got := h.of(k); got < int64(i) {
			t.Errorf("source %d holds %d", i, got)
		}
		h.add(k, -int32(i))
	}
	for i, k := range keys {
		if got := h.of(k); got != 0 {
			t.Errorf("source %d holds %d in the end", i, got)
		}
	}
}

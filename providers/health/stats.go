package health

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A Series counts what became of calls, over the last minutes and the last hour, in buckets of time:
//
//	recent  [ 30 s | 30 s | ... 12 ]      calls are counted here
//	                   | the bucket that a new one replaces
//	                   v
//	older   [ 5 min | 5 min | ... 13 ]    and kept here for the rest of the hour
//
// A bucket knows which time it is of, so what is old falls out of a window by itself, however long nothing was counted
// and however the clock jumped. Counting takes no lock: a bucket's numbers are atomic, and the first call of a new half
// minute puts a new bucket in place. A series is at most 25 buckets of 0.3 kB: 8 kB.
const (
	recentLen  = int64(30 * time.Second)
	numRecent  = 12
	perOlder   = 10 // Recent buckets in an older one.
	numOlder   = 13
	shortSpan  = 10 // The window of five minutes, in recent buckets, besides the one that is being filled.
	longSpan   = 120
	pddBuckets = 64
	pddRow     = 8 // Of these.
)

// The windows that Read knows.
const (
	Minutes5 = 5 * time.Minute
	Hour1    = time.Hour
)

// Outcome is what became of an attempt, as the statistics see it: who decided it.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota // By a 2xx.
	Busy                    // The callee: 486, 600.
	NoAnswer                // It rang, and nobody answered.
	Rejected                // The callee, or what stands for it: 480, 487, 603 and the other 6xx.
	HungUp                  // The caller, before anybody answered.
	NotFound                // Nobody has this number: 404, 410, 484, 485, 604.
	Moved                   // A 3xx: the call goes on elsewhere.
	Ailing                  // All else: the provider did not bring the call to the callee.
	numOutcomes
)

// Outcomes lists all outcomes, in order.
func Outcomes() []Outcome {
	return []Outcome{Answered, Busy, NoAnswer, Rejected, HungUp, NotFound, Moved, Ailing}
}

// String returns the outcome's name in the API.
func (o Outcome) String() string {
	return [...]string{
		Answered: "answered", Busy: "busy", NoAnswer: "no_answer", Rejected: "rejected", HungUp: "hung_up", NotFound: "not_found",
		Moved: "redirected", Ailing: "failed",
	}[o]
}

// Series counts for one provider, or one provider and destination. The zero value counts nothing yet. Its methods are
// safe for concurrent use.
type Series struct {
	recent [numRecent]atomic.Pointer[bucket]
	older  [numOlder]atomic.Pointer[bucket]

	judgement judgement
}

// bucket has the counts of one span of time.
type bucket struct {
	slot     int64 // Which span: its begin in units of its length.
	outcomes [numOutcomes]atomic.Uint32
	ended    atomic.Uint32 // Answered calls whose end was seen.
	talk     atomic.Int64  // Their length together, in milliseconds.
	// Post-dial delays, in rows that are made when something is counted in them: a provider's delays do not differ by
	// much, and there is a bucket for each span of time, provider and destination.
	pdd [pddBuckets / pddRow]atomic.Pointer[[pddRow]atomic.Uint32]
}

// countPDD counts n delays.
func (b *bucket) countPDD(i int, n uint32) {
	if n == 0 {
		return
	}
	p := &b.pdd[i/pddRow]
	if p.Load() == nil {
		p.CompareAndSwap(nil, new([pddRow]atomic.Uint32))
	}
	p.Load()[i%pddRow].Add(n)
}

// countedPDD is how many delays were counted.
func (b *bucket) countedPDD(i int) uint32 {
	if row := b.pdd[i/pddRow].Load(); row != nil {
		return row[i%pddRow].Load()
	}
	return 0
}

// Count counts the end of an attempt. pdd is the time from its INVITE to the first 18x in nanoseconds; zero is none.
func (s *Series) Count(now int64, o Outcome, pdd int64) {
	b := s.at(now)
	b.outcomes[o].Add(1)
	if pdd > 0 {
		b.countPDD(pddBucket(pdd), 1)
	}
}

// Amend corrects the last count of an attempt that was given up and then answered after all.
func (s *Series) Amend(now int64, was, is Outcome) {
	b := s.at(now)
	b.outcomes[was].Add(^uint32(0)) // May wrap; the sum over the window is right all the same.
	b.outcomes[is].Add(1)
}

// Ended counts the end of an answered call.
func (s *Series) Ended(now, length int64) {
	b := s.at(now)
	b.ended.Add(1)
	b.talk.Add(max(0, length) / int64(time.Millisecond))
}

// at is the bucket that counts now.
func (s *Series) at(now int64) *bucket {
	slot := now / recentLen
	p := &s.recent[slot%numRecent]
	if b := p.Load(); b != nil && b.slot == slot {
		return b
	}
	return s.turn(p, slot)
}

// turn puts a new bucket in place, and what was there among the older ones.
func (s *Series) turn(p *atomic.Pointer[bucket], slot int64) *bucket {
	fresh := &bucket{slot: slot}
	for {
		old := p.Load()
		switch {
		case old != nil && old.slot == slot:
			return old
		case !p.CompareAndSwap(old, fresh):
			continue
		case old != nil && old.slot < slot:
			s.keep(old)
		}
		return fresh
	}
}

// keep adds a recent bucket to the older one of its time, unless a newer one has taken that place.
func (s *Series) keep(recent *bucket) {
	slot := recent.slot / perOlder
	p := &s.older[slot%numOlder]
	var fresh *bucket
	for {
		b := p.Load()
		if b != nil && b.slot > slot {
			return
		}
		if b != nil && b.slot == slot {
			b.add(recent)
			return
		}
		if fresh == nil {
			fresh = &bucket{slot: slot}
			fresh.add(recent)
		}
		if p.CompareAndSwap(b, fresh) {
			return
		}
	}
}

func (b *bucket) add(o *bucket) {
	for i := range b.outcomes {
		b.outcomes[i].Add(o.outcomes[i].Load())
	}
	b.ended.Add(o.ended.Load())
	b.talk.Add(o.talk.Load())
	for i := range pddBuckets {
		b.countPDD(i, o.countedPDD(i))
	}
}

// Read adds up what was counted within a window that ends now: Minutes5 or Hour1, to the length of a bucket.
func (s *Series) Read(now int64, window time.Duration) Figures {
	var f Figures
	span := int64(shortSpan)
	if window >= Hour1 {
		span = longSpan
	}
	slot := now / recentLen
	for i := range s.recent {
		if b := s.recent[i].Load(); b != nil && b.slot >= slot-span && b.slot <= slot {
			f.add(b)
		}
	}
	for i := range s.older {
		if b := s.older[i].Load(); b != nil && b.slot*perOlder >= slot-span && b.slot*perOlder <= slot {
			f.add(b)
		}
	}
	for i, n := range f.Outcomes { // What was amended may be older than the window.
		f.Outcomes[i] = uint64(max(0, int64(n)))
	}
	return f
}

// last is the span of time in which something was counted last, -1 for never.
func (s *Series) last() int64 {
	last := int64(-1)
	for i := range s.recent {
		if b := s.recent[i].Load(); b != nil {
			last = max(last, b.slot)
		}
	}
	return last
}

// The histogram of post-dial delays has four buckets for each doubling, from one millisecond to two minutes: a value
// is known to an eighth.
func pddBucket(ns int64) int {
	ms := min(uint64(max(ns, 0)/int64(time.Millisecond)), 1<<17-1)
	if ms < 4 {
		return int(ms)
	}
	doubling := bits.Len64(ms) - 3
	return doubling*4 + int(ms>>doubling)
}

// pddBounds are the milliseconds from which on, and below which, a bucket counts.
func pddBounds(bucket int) (from, to float64) {
	low := func(i int) uint64 {
		if i < 8 {
			return uint64(i)
		}
		return uint64(i%4+4) << (i/4 - 1)
	}
	return float64(low(bucket)), float64(low(bucket + 1))
}

package router

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// sourceCells is how many cells a row of a table of sources has, and sourceRows how many rows: each source has a cell
// in each row, by a keyed hash, and the lighter one counts. So a source suffers from others only when each of its cells
// is shared with one that is beyond its share, and no number of sources takes more memory.
const (
	sourceCells = 1024
	sourceRows  = 2
)

// sourceKey is where a source's cells are: its hash. It is never zero.
type sourceKey uint32

func (k sourceKey) cell(row int) uint32 { return uint32(k) >> (16 * row) % sourceCells }

// sourceKeyOf hashes what sources are told apart by: an IPv4 address, or the /64 that an IPv6 host has to itself.
func sourceKeyOf(seed maphash.Seed, addr netip.Addr) sourceKey {
	b := addr.As16()
	part := b[:]
	if !addr.Is4() && !addr.Is4In6() {
		part = b[:8]
	}
	return sourceKey(maphash.Bytes(seed, part)) | 1<<31
}

// meter says which sources keep to a rate: a token bucket for each, kept as the time at which it will be full (the
// generic cell rate algorithm of ITU-T I.371).
type meter struct {
	full [sourceRows][sourceCells]atomic.Int64
}

// A source may be ahead of its rate by burst requests or by slack, whichever is more, but by no more than debt.
const (
	meterBurst = 16
	meterSlack = int64(50 * time.Millisecond)
	meterDebt  = int64(time.Second)
)

// take says whether one more request of a source keeps to a rate, in requests a second, and counts it when it does.
func (m *meter) take(now int64, k sourceKey, rate int64) bool {
	step := int64(time.Second) / rate
	ahead := min(max(meterBurst*step, meterSlack), meterDebt)
	kept := false
	for row := range m.full {
		cell := &m.full[row][k.cell(row)]
		for {
			at := cell.Load()
			if at-now >= ahead {
				break
			}
			if cell.CompareAndSwap(at, max(at, now)+step) {
				kept = true
				break
			}
		}
	}
	return kept
}

// Bounds of the share, in new requests a second and source.
const (
	firstShare = 1000
	leastShare = 1
	mostShare  = 1 << 20
)

// The share halves at most once each shrinkPause, and grows by an eighth each growPause: within 10 ms it comes down to
// an eighth, and within a second it is a thousand times more.
const (
	shrinkPause = int64(2 * time.Millisecond)
	growPause   = int64(20 * time.Millisecond)
	// shareLife is how long a share that was found says something of the next time.
	shareLife = int64(5 * time.Second)
)

// What calls are done with in a second tells how many new ones there is time for, roughly: it is measured over measured at
// least. A share begins with no more than that when workers come under pressure, and while it limits nobody, it grows to no more than
// mostUnused times that: else it would have to be halved many times before it limits anybody, and the receive buffer is full by then.
const (
	measured   = int64(200 * time.Millisecond)
	mostUnused = 1.5
)

// shares divides what is left for new requests among sources while workers are under pressure, or will be (see forecast): each may have as much
// as the greatest rate at which, when nobody has more, the backlog stays low. It is found by trying.
type shares struct {
	pressed atomic.Int32 // Workers under pressure.
	rate    atomic.Int64
	changed atomic.Int64
	used    atomic.Int64 // New requests that had their final response in a second of late.
	limits  atomic.Bool  // The share was refused to somebody since it grew last.
	bound   atomic.Int64 // What no share may exceed, for what calls will bring (see forecast); zero: there is no such bound.
	strain  atomic.Bool  // A worker was under pressure since strain was looked at last.
	meter   meter

	doneThen, then int64 // Of the goroutine that measures.

	_        [64]byte // Every worker writes what follows, and reads what stands before.
	done     atomic.Int64
	refusals atomic.Int64 // 503s to what was beyond a share.
	_        [64]byte
}

// adjust makes the share smaller (-1), larger (1) or neither, and says whether it did.
func (s *shares) adjust(now int64, by int) bool {
	pause := growPause
	if by < 0 {
		pause = shrinkPause
	}
	last := s.changed.Load()
	if by == 0 || now-last < pause || !s.changed.CompareAndSwap(last, now) {
		return false
	}
	rate := s.current()
	if now-last > shareLife {
		rate = firstShare
	}
	switch most := int64(mostUnused * float64(s.used.Load())); {
	case by < 0:
		rate = max(rate/2, leastShare)
	case s.limits.Swap(false):
		rate = min(rate+rate/8+1, mostShare)
	default:
		rate = min(rate+rate/8+1, max(rate, most, firstShare), mostShare)
	}
	s.rate.Store(rate)
	return true
}

// bounded says whether there is a bound.
func (s *shares) bounded() bool { return s.bound.Load() != 0 }

// scarce says whether new requests are weighed at all.
func (s *shares) scarce() bool { return s.pressed.Load() != 0 || s.bounded() }

// measure looks at how many calls are done with. One goroutine calls it, every now and then.
func (s *shares) measure(now int64) {
	if now-s.then < measured {
		return
	}
	done := s.done.Load()
	rate := int64(float64(done-s.doneThen) * float64(time.Second) / float64(now-s.then))
	s.used.Store(max(rate, s.used.Load()*3/4)) // A pause does not mean that there is less time.
	s.doneThen, s.then = done, now
}

// begin is told when a worker comes under pressure.
func (s *shares) begin() {
	if rate := s.current(); rate > firstShare {
		s.rate.CompareAndSwap(rate, min(rate, max(s.used.Load(), firstShare)))
	}
}

// current is the share: what was found under pressure, as long as there is any, and never more than the bound.
func (s *shares) current() int64 {
	r, bound := s.rate.Load(), s.bound.Load()
	switch {
	case bound != 0 && s.pressed.Load() == 0:
		return bound
	case r == 0:
		r = firstShare
	}
	if bound != 0 {
		r = min(r, bound)
	}
	return r
}

// holders estimates how many transactions in progress each source has, once there are so many that it matters.
type holders struct {
	n [sourceRows][sourceCells]atomic.Int32
}

func (h *holders) add(k sourceKey, by int32) {
	for row := range h.n {
		h.n[row][k.cell(row)].Add(by)
	}
}

func (h *holders) of(k sourceKey) int64 {
	return int64(min(h.n[0][k.cell(0)].Load(), h.n[1][k.cell(1)].Load()))
}

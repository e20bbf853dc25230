package api

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Logins are limited, because each costs time on the processor and may be a guess. But nobody may keep an operator out
// by failing often. So
//
//   - failures are counted by address and user: those of another address lock nobody out, and those of the same one
//     for no longer than loginRefill;
//   - who has logged in before is known by a signed cookie (purposeDevice), has a count of their own, and does not wait
//     behind strangers;
//   - API tokens are not limited at all.
const (
	loginBurst  = 10
	loginRefill = 2 * time.Second // For one more attempt.

	// All strangers together: calls must not starve because somebody tries passwords from everywhere.
	strangersBurst  = 20
	strangersRefill = 500 * time.Millisecond

	maxBuckets = 10_000
	slotWait   = 5 * time.Second
)

// limiter bounds how often something is tried, and how many try at once.
type limiter struct {
	strangers, known chan struct{} // Hold a token for each password that is being checked.

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time // When empty buckets were looked for last.
	all     bucket    // Of strangers.
}

// bucket holds attempts: one is taken for each, and they come back with time.
type bucket struct {
	taken float64
	at    time.Time
}

func newLimiter() *limiter {
	return &limiter{
		strangers: make(chan struct{}, 1), known: make(chan struct{}, 1), buckets: make(map[string]*bucket),
	}
}

// source returns what an address is counted by: a subscriber of IPv6 has a whole /64.
func source(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}

// settle gives back what came back with time.
func (b *bucket) settle(now time.Time, refill time.Duration) {
	b.taken = max(0, b.taken-float64(now.Sub(b.at))/float64(refill))
	b.at = now
}

// take takes an attempt of a key, or says how long there will be none.
func (l *limiter) take(key string, stranger bool, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucketLocked(key, now)
	b.settle(now, loginRefill)
	if over := b.taken + 1 - loginBurst; over > 0 {
		return time.Duration(over * float64(loginRefill))
	}
	if stranger {
		l.all.settle(now, strangersRefill)
		if over := l.all.taken + 1 - strangersBurst; over > 0 {
			return time.Duration(over * float64(strangersRefill))
		}
		l.all.taken++
	}
	b.taken++
	return 0
}

// giveBack forgets the attempts of a key: the last one was good.
func (l *limiter) giveBack(key string, stranger bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buckets, key)
	if stranger {
		l.all.taken = max(0, l.all.taken-1)
	}
}

// bucketLocked finds the bucket of a key. When there are too many, those that are empty go; when that does not help,
// whoever comes new shares one.
func (l *limiter) bucketLocked(key string, now time.Time) *bucket {
	if b, ok := l.buckets[key]; ok {
		return b
	}
	if len(l.buckets) >= maxBuckets && now.Sub(l.swept) >= loginRefill {
		l.swept = now
		maps.DeleteFunc(l.buckets, func(_ string, b *bucket) bool {
			b.settle(now, loginRefill)
			return b.taken == 0
		})
	}
	if len(l.buckets) >= maxBuckets {
		key = ""
		if b, ok := l.buckets[key]; ok {
			return b
		}
	}
	b := &bucket{at: now}
	l.buckets[key] = b
	return b
}

// slot waits until a password may be checked. It says no when that takes too long.
func (l *limiter) slot(ctx context.Context, stranger bool) (release func(), ok bool) {
	slots := l.known
	if stranger {
		slots = l.strangers
	}
	ctx, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, true
	case <-ctx.Done():
		return nil, false
	}
}

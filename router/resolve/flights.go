package resolve

import (
	"context"
	"sync"
	"time"
)

// maxFlights is how many one-off look-ups go on at the same time.
const maxFlights = 64

// flights is what Resolve knows and what it is looking up.
type flights struct {
	Config
	ctx     context.Context //nolint:containedctx // The resolver's own, to end its look-ups.
	find    func(context.Context, Query) answer
	running *sync.WaitGroup
	slots   chan struct{}

	mu     sync.Mutex
	aloft  map[Query]*flight
	cache  cache
	closed bool
}

// flight is one look-up that any number of callers wait for.
type flight struct {
	landed chan struct{}
	answer *answer
}

func (f *flights) init(ctx context.Context, running *sync.WaitGroup, c Config, find func(context.Context, Query) answer) {
	f.Config, f.ctx, f.running, f.find = c, ctx, running, find
	f.slots = make(chan struct{}, maxFlights)
	f.aloft = map[Query]*flight{}
}

// resolve returns the cached answer, or that of a look-up under way, or else starts one. Callers beyond maxFlights wait
// on their own account: no goroutine stands for them.
func (f *flights) resolve(ctx context.Context, q Query) (*answer, error) {
	a, fl := f.known(q)
	if a == nil && fl == nil {
		select {
		case f.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.ctx.Done():
			return nil, ErrClosed
		}
		if a, fl = f.start(q); a == nil && fl == nil {
			return nil, ErrClosed
		}
	}
	if a != nil {
		return a, nil
	}
	select {
	case <-fl.landed:
		return fl.answer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.ctx.Done():
		return nil, ErrClosed
	}
}

// known returns the answer to a query, the flight that will bring it, or neither.
func (f *flights) known(q Query) (*answer, *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.knownLocked(q)
}

func (f *flights) knownLocked(q Query) (*answer, *flight) {
	if c, ok := f.cache.get(q); ok && time.Now().Before(c.until) {
		return c.answer, nil
	}
	return nil, f.aloft[q]
}

// start begins a flight in the slot that the caller took, unless another was quicker. It returns neither when the
// resolver is closed.
func (f *flights) start(q Query) (*answer, *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, fl := f.knownLocked(q)
	if a != nil || fl != nil || f.closed {
		<-f.slots
		return a, fl
	}
	fl = &flight{landed: make(chan struct{})}
	f.aloft[q] = fl
	f.running.Go(func() { f.land(q, fl, f.find(f.ctx, q)) })
	return nil, fl
}

// land keeps the outcome of a flight and tells who waits for it.
func (f *flights) land(q Query, fl *flight, outcome answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, _ := f.cache.get(q)
	now := time.Now()
	a := settle(old.answer, outcome, now, f.MaxTTL)
	ttl := outcome.ttl
	if outcome.lame != nil {
		ttl = retryIn(1, f.MinTTL, f.MaxTTL)
	}
	f.cache.put(q, cached{&a, now.Add(ttl)})
	fl.answer = &a
	delete(f.aloft, q)
	close(fl.landed)
	<-f.slots
}

func (f *flights) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

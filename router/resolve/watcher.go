package resolve

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// maxWorkers is how many watched names are looked up at the same time, however many are due.
const maxWorkers = 32

// watcher looks a set of names up again and again, each when its answer ends. Without a name that is due it costs
// one timer, and no goroutine.
type watcher struct {
	Config
	ctx     context.Context //nolint:containedctx // The resolver's own, to end its look-ups.
	find    func(context.Context, Query) answer
	running *sync.WaitGroup
	logged  throttle

	names atomic.Pointer[map[Query]*name] // By normal query, and by query as written.

	mu      sync.Mutex
	queue   dueQueue      // Names that are not being looked up.
	timer   *time.Timer   // Fires when the first of queue is due.
	workers int           // At most maxWorkers.
	pending int           // Names of the set that had no outcome yet.
	settled chan struct{} // Closed when pending becomes 0.
	set     uint64        // Counts the calls of watch.
	changed bool          // OnChange is to be called.
	telling bool          // Somebody is about to call it.
	closed  bool
}

// name is one watched query.
type name struct {
	query  Query
	answer atomic.Pointer[answer]

	// The rest is guarded by watcher.mu.
	due      time.Time
	index    int    // In watcher.queue; -1 when it is not there.
	failures int    // Lame outcomes in a row.
	waiting  bool   // Had no outcome yet.
	set      uint64 // The last call of watch that named it.
	gone     bool   // No longer watched.
}

func (w *watcher) init(ctx context.Context, running *sync.WaitGroup, c Config, find func(context.Context, Query) answer) {
	w.Config, w.ctx, w.running, w.find = c, ctx, running, find
	w.names.Store(&map[Query]*name{})
	w.timer = time.AfterFunc(time.Hour, w.tick)
	w.timer.Stop()
}

// lookup returns what is in force for a query as it was given to watch, or in its normal form; or nil.
func (w *watcher) lookup(q Query) *answer {
	if n := (*w.names.Load())[q]; n != nil {
		return n.answer.Load()
	}
	return nil
}

func (w *watcher) watch(qs []Query) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.set++
	old := *w.names.Load()
	names := make(map[Query]*name, len(qs))
	for _, written := range qs {
		q, fixed := normalise(written, w.Transports)
		n := names[q]
		if n == nil {
			n = old[q]
		}
		if n == nil {
			n = w.newNameLocked(q, fixed)
		}
		n.set = w.set
		names[q], names[written] = n, n
	}
	for _, n := range old {
		if n.set != w.set {
			w.dropLocked(n)
		}
	}
	w.names.Store(&names)
	w.checkSettledLocked()
	w.dispatchLocked()
}

func (w *watcher) newNameLocked(q Query, fixed *answer) *name {
	n := &name{query: q, index: -1}
	if fixed != nil {
		n.answer.Store(fixed)
		return n
	}
	n.answer.Store(&answer{err: failure(q, ErrPending)})
	n.due, n.waiting = time.Now(), true
	w.pending++
	heap.Push(&w.queue, n)
	return n
}

func (w *watcher) dropLocked(n *name) {
	if n.gone {
		return
	}
	n.gone = true
	if n.waiting {
		w.pending--
	}
	if n.index >= 0 {
		heap.Remove(&w.queue, n.index)
	}
}

// dispatchLocked has workers look up what is due, and sets the timer for what is not.
func (w *watcher) dispatchLocked() {
	for w.workers < maxWorkers {
		n := w.nextLocked()
		if n == nil {
			return
		}
		w.workers++
		w.running.Go(func() { w.work(n) })
	}
}

// nextLocked takes the first name off the queue when it is due; otherwise it sets the timer.
func (w *watcher) nextLocked() *name {
	if w.closed || len(w.queue) == 0 {
		return nil
	}
	if wait := time.Until(w.queue[0].due); wait > 0 {
		w.timer.Reset(wait)
		return nil
	}
	return heap.Pop(&w.queue).(*name)
}

func (w *watcher) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dispatchLocked()
}

// work looks up one name after the other until none is due.
func (w *watcher) work(n *name) {
	for n != nil {
		outcome := w.find(w.ctx, n.query)
		w.mu.Lock()
		report := w.finishLocked(n, outcome)
		if n = w.nextLocked(); n == nil {
			w.workers--
		}
		w.mu.Unlock()
		report()
	}
}

// finishLocked puts the outcome of a look-up in force and queues the name again. It returns what logs this: that is not
// done under the lock.
func (w *watcher) finishLocked(n *name, outcome answer) func() {
	if n.gone || w.closed {
		return func() {}
	}
	old := n.answer.Load()
	now := time.Now()
	next := settle(old, outcome, now, w.MaxTTL)
	if !next.same(old) {
		w.changed = true
	}
	n.answer.Store(&next)
	wait := outcome.ttl
	if outcome.lame != nil {
		n.failures++
		wait = retryIn(n.failures, w.MinTTL, w.MaxTTL)
	} else {
		n.failures = 0
	}
	// Names that began together drift apart.
	n.due = now.Add(wait + rand.N(wait/16+1))
	heap.Push(&w.queue, n)
	if n.waiting {
		n.waiting = false
		w.pending--
		w.checkSettledLocked()
	}
	w.tellLocked()
	failures := n.failures
	return func() { w.report(n.query.Host, failures, old, &outcome, &next) }
}

// tellLocked has OnChange called on a goroutine of its own, once for all that changes until it is.
func (w *watcher) tellLocked() {
	if !w.changed || w.telling || w.OnChange == nil {
		return
	}
	w.telling = true
	w.running.Go(func() {
		for w.takeChange() {
			w.OnChange()
		}
	})
}

// takeChange says whether OnChange has to be called once more.
func (w *watcher) takeChange() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.telling = w.changed && !w.closed
	w.changed = false
	return w.telling
}

// report logs what an operator should know of a look-up: what was in force, what came out, and what is in force now.
func (w *watcher) report(host string, failures int, old, outcome, now *answer) {
	lame := failures == 1
	lost := failures == 0 && outcome.err != nil && kind(outcome.err) != kind(old.err)
	regained := failures == 0 && outcome.err == nil && old.err != nil && !errors.Is(old.err, ErrPending)
	if !lame && !lost && !regained {
		return
	}
	log := w.logged.logger(w.Log)
	switch {
	case log == nil:
	case lame:
		log.Warn("DNS gave no full answer", "host", host, "targets", len(now.targets), "error", outcome.lame)
	case lost:
		log.Warn("host leads nowhere", "host", host, "error", outcome.err)
	default:
		log.Info("host is found again", "host", host, "targets", len(now.targets))
	}
}

func (w *watcher) checkSettledLocked() {
	open := w.settled != nil
	switch {
	case w.pending > 0 && !open:
		w.settled = make(chan struct{})
	case w.pending == 0 && open:
		close(w.settled)
		w.settled = nil
	}
}

// wait returns when no name is waiting for its first outcome.
func (w *watcher) wait(ctx context.Context) error {
	for {
		w.mu.Lock()
		settled := w.settled
		w.mu.Unlock()
		if settled == nil {
			return nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ctx.Done():
			return ErrClosed
		}
	}
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.timer.Stop()
}

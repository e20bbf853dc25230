package health

import (
	"container/heap"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// Prober runs the probes. It is safe for concurrent use. Without a probe that is due it costs one timer, and no goroutine.
type Prober struct {
	clock func() int64 // The router's, for State.
	log   *slog.Logger

	ctx     context.Context //nolint:containedctx // Ends the probes on their way.
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	targets map[uuid.UUID]*target
	queue   dueQueue // Places without a probe on its way.
	timer   *time.Timer
	flying  int
	set     uint64 // Counts the calls of Watch.
	started bool
	closed  bool
}

const (
	// maxFlying bounds the probes on their way. It is more than 10,000 silent providers have at a time, with the default
	// interval and timeout.
	maxFlying = 2048
	// firstPace is how far apart the first probes are when many providers come at once, unless that would take longer
	// than the interval: a few are known at once, and 10,000 make no burst.
	firstPace = 10 * time.Millisecond
	// jitter is the part of the interval by which probes come earlier or later, so that they stay spread.
	jitter = 0.1
)

// NewProber makes a prober that asks nobody yet. The clock is the one whose times State is given.
func NewProber(clock func() int64, log *slog.Logger) *Prober {
	p := &Prober{clock: clock, log: log, targets: make(map[uuid.UUID]*target)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.timer = time.AfterFunc(time.Hour, p.tick)
	p.timer.Stop()
	return p
}

// Start begins to ask.
func (p *Prober) Start() {
	p.mu.Lock()
	p.started = true
	p.mu.Unlock()
	p.tick()
}

// Close ends all probes and waits until they are gone.
func (p *Prober) Close() {
	p.mu.Lock()
	p.closed = true
	p.timer.Stop()
	p.mu.Unlock()
	p.cancel()
	p.running.Wait()
}

// Place is what is known of a provider's address, the same pointer each time as long as Watch names it.
func (p *Prober) Place(id uuid.UUID, at Address) *Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.targetLocked(id).placeLocked(at)
}

func (p *Prober) targetLocked(id uuid.UUID) *target {
	t, ok := p.targets[id]
	if !ok {
		t = &target{places: make(map[Address]*Place), known: providers.HealthUnknown}
		p.targets[id] = t
	}
	return t
}

func (t *target) placeLocked(at Address) *Place {
	pl, ok := t.places[at]
	if !ok {
		pl = newPlace(t, at)
		t.places[at] = pl
	}
	return pl
}

// tick sends the probes that are due.
func (p *Prober) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started || p.closed {
		return
	}
	now := time.Now()
	for len(p.queue) > 0 && p.flying < maxFlying && !p.queue[0].due.After(now) {
		pl, _ := heap.Pop(&p.queue).(*Place)
		pl.busy = true
		p.flying++
		c, epoch := pl.of.check, pl.epoch
		p.running.Go(func() { p.probe(pl, &c, epoch) })
	}
	p.armLocked(now)
}

// armLocked sets the timer to when there is something to do. At the most probes there may be, the end of one is that.
func (p *Prober) armLocked(now time.Time) {
	if !p.started || p.closed {
		return
	}
	if len(p.queue) == 0 || p.flying >= maxFlying {
		p.timer.Stop()
		return
	}
	p.timer.Reset(max(0, p.queue[0].due.Sub(now)))
}

// probe asks once.
func (p *Prober) probe(pl *Place, c *Check, epoch int) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(p.ctx, c.Timeout)
	a := c.Ask(ctx, pl.address)
	cancel()
	var n news
	p.mu.Lock()
	p.flying--
	pl.busy = false
	if t := pl.of; t != nil && !p.closed && t.check.Interval > 0 {
		pl.due = began.Add(time.Duration(float64(t.check.Interval) * (1 - jitter + 2*jitter*rand.Float64())))
		if now := time.Now(); pl.epoch != epoch || pl.due.Before(now) {
			pl.due = now
		}
		p.queue.put(pl)
		if pl.epoch == epoch && !a.Ours {
			n = p.takeLocked(t, pl, &a)
		}
	}
	p.mu.Unlock()
	n.tell(p.log)
	p.tick()
}

// takeLocked takes what came of a probe.
func (p *Prober) takeLocked(t *target, pl *Place, a *Answer) (n news) {
	c, now := &t.check, time.Now()
	t.checked = now
	t.results[c.result(a)]++
	if pl.takeLocked(c, a, now) && len(t.order) > 1 {
		n.place(pl)
	}
	n.provider(t, p.settleLocked(t))
	// One address is enough to say that the provider is there. A lost probe is told by settleLocked, once.
	if c.result(a) == ResultUp && pl.known == providers.HealthHealthy {
		c.State.Probed(p.clock(), true)
	}
	return n
}

// settleLocked brings what is known of a provider up to date and says whether that changed. The State is told when the
// provider goes down and not at each probe after that: a provider may not care for OPTIONS, and calls that it serves say
// more than probes do.
func (p *Prober) settleLocked(t *target) bool {
	known := t.judgeLocked()
	if known == t.known {
		return false
	}
	t.known = known
	if known == providers.HealthUnhealthy {
		t.check.State.Probed(p.clock(), false)
	}
	return true
}

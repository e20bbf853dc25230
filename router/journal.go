package router

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
)

// journalPace is how often the log and the file are given what is new. Nobody is woken for a single call.
const journalPace = 100 * time.Millisecond

// closeTime is how long the end of the router waits for a disk that does not answer.
const closeTime = 5 * time.Second

// journal takes what the ring keeps to the log and to the file of calls. Each has a goroutine of its own, so that one
// that is slow keeps neither the other waiting nor a call.
type journal struct {
	log      *slog.Logger
	ring     *ring
	clock    func() int64
	file     *callFile
	logLost  atomic.Uint64
	fileLost atomic.Uint64
	failures atomic.Uint64
	logs     chan struct{} // A beat: time to look for what is new.
	files    chan struct{}
	logged   atomic.Uint64 // The last call that the log has, or does not want.
	filing   bool          // The file was wanted at the last beat, or has not heard yet that it is not. Of who beats.
	stop     chan struct{}
	done     sync.WaitGroup
}

func newJournal(log *slog.Logger, g *ring, clock func() int64, c *config.Calls) *journal {
	j := &journal{log: log, ring: g, clock: clock, logs: make(chan struct{}, 1), files: make(chan struct{}, 1), stop: make(chan struct{})}
	j.file = newCallFile(j, c)
	j.wanted()
	return j
}

// start begins to follow the ring.
func (j *journal) start() {
	j.done.Go(j.runLog)
	j.done.Go(j.file.run)
}

// beat is to be called at journalPace, by one goroutine. Timers of their own would wake the runtime between messages (see
// pulse), and so would a goroutine that has nothing to do.
func (j *journal) beat() {
	log, file := j.wanted()
	last := j.ring.last.Load()
	if !log {
		j.logged.Store(last)
	} else if j.logged.Load() != last {
		nudge(j.logs)
	}
	switch {
	case file:
		j.filing = true
		nudge(j.files)
	case j.filing:
		j.filing = !nudge(j.files)
	default:
		j.file.unwanted.Store(last)
	}
}

// nudge wakes a goroutine, unless it is still at work.
func nudge(c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	default:
		return false
	}
}

// close writes what is left. Nobody may put a call into the ring any more.
func (j *journal) close() {
	close(j.stop)
	ended := make(chan struct{})
	go func() {
		j.done.Wait()
		close(ended)
	}()
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		j.log.Error("the last calls may not be on record: the log or the disk does not answer")
	}
}

// wanted finds out whether the log, the file or anybody wants to know of calls, and what time it is.
func (j *journal) wanted() (log, file bool) {
	log, file = j.talks(), j.file.wanted()
	j.ring.epoch.Store(time.Now().UnixNano() - j.clock())
	j.ring.active.Store(j.ring.keep > 0 || log || file)
	return log, file
}

func (j *journal) talks() bool { return j.log.Enabled(context.Background(), slog.LevelInfo) }

func (j *journal) runLog() {
	f := follower{ring: j.ring}
	for more := true; more; {
		select {
		case <-j.logs:
		case <-j.stop:
			more = false
		}
		j.logNew(&f)
	}
}

// logNew writes a line for each call that is new.
func (j *journal) logNew(f *follower) {
	if f.seq = max(f.seq, j.logged.Load()); !j.talks() {
		return
	}
	for e := f.next(); e != nil; e = f.next() {
		lost := f.takeLost()
		j.logLost.Add(lost)
		j.write(e, lost)
	}
	j.logged.Store(f.seq)
}

// write logs a call, with the time at which it ended.
func (j *journal) write(e *entry, lost uint64) {
	r := slog.NewRecord(time.Unix(0, e.end), slog.LevelInfo, "call", 0)
	provider, why, attempts := "", causeNone, 0
	var ringing time.Duration
	if f := e.wins(); f != nil {
		provider, why, ringing = f.card.name, f.cause, f.after(f.ringing)
		attempts = int(e.tries[len(e.tries)-1].ordinal) + 1
	}
	r.AddAttrs(
		slog.String("call_id", string(e.id())), slog.String("number", string(e.dialled())),
		slog.String("outcome", e.outcome.String()), slog.Int("status", int(e.status)),
		slog.String("provider", provider), slog.String("cause", why.String()),
		slog.Int("attempts", attempts), slog.Duration("total", time.Duration(e.end-e.start)))
	if ringing != 0 {
		r.AddAttrs(slog.Duration("ringing", ringing))
	}
	if e.customer != providers.Everyone && e.customer != uuid.Nil {
		r.AddAttrs(slog.String("customer_id", e.customer.String()))
	}
	if lost > 0 {
		r.AddAttrs(slog.Uint64("lines_lost", lost))
	}
	_ = j.log.Handler().Handle(context.Background(), r) // As slog itself does with what a handler says.
}

// collectors are the journal's metrics.
func (j *journal) collectors() []prometheus.Collector {
	counter := func(name, help string, labels prometheus.Labels, n *atomic.Uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "dialrouter", Name: name, Help: help, ConstLabels: labels,
		}, func() float64 { return float64(n.Load()) })
	}
	const lost, help = "call_records_lost_total", "Records of calls that were overwritten before they were written."
	return []prometheus.Collector{
		counter(lost, help, prometheus.Labels{"to": "log"}, &j.logLost),
		counter(lost, help, prometheus.Labels{"to": "file"}, &j.fileLost),
		counter("call_file_failures_total", "Attempts to write the file of calls that failed.", nil, &j.failures),
	}
}

// follower reads the ring from the oldest call on. It is of one goroutine.
type follower struct {
	ring *ring
	seq  uint64 // The last that was read.
	lost uint64 // That were overwritten before.
	e    entry
}

// next returns the next call, nil when there is none yet. It is good until next is called again.
func (f *follower) next() *entry {
	last := f.ring.last.Load()
	if size := uint64(len(f.ring.entries)); last > f.seq+size {
		f.lost += last - size - f.seq
		f.seq = last - size
	}
	for f.seq < last {
		switch f.ring.read(f.seq+1, &f.e) {
		case there:
			f.seq++
			return &f.e
		case lapped:
			f.seq++
			f.lost++
		case pending:
			return nil
		}
	}
	return nil
}

// skip goes to the newest call, since nobody wants what is there.
func (f *follower) skip() { f.seq = f.ring.last.Load() }

// behind says how many calls there are that were not read.
func (f *follower) behind() uint64 { return f.ring.last.Load() - f.seq }

// takeLost returns how many were lost since it was asked last.
func (f *follower) takeLost() uint64 {
	n := f.lost
	f.lost = 0
	return n
}

package router

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// record closes the books on a call: its counters, and one line of log.
func (r *Router) record(c *call, code int, now int64) {
	if !c.invite {
		return
	}
	o := outcomeOf(c, code)
	r.metrics.calls[o].Inc()
	for i := range c.attempts {
		a := &c.attempts[i]
		if a.cause == causeAnswered && a.prov != nil {
			r.metrics.answered(a)
		}
	}
	r.journal.add(c, o, code, now)
}

// outcomeOf names how a call ended, given the status code that went up.
func outcomeOf(c *call, code int) outcome {
	switch {
	case code < 300:
		return outcomeAnswered
	case c.cancelled:
		return outcomeCancelled
	case len(c.attempts) == 0 && (code == 404 || code == 480 || code == 488):
		return outcomeNoRoute
	case code == 486, code == 600:
		return outcomeBusy
	case c.timedOut, code == 408:
		return outcomeTimeout
	case code/100 == 5:
		return outcomeFailed
	default:
		return outcomeRejected
	}
}

// journalSize is how many calls may wait to be logged. Beyond it they are counted, and not logged: a call never waits
// for the log.
const journalSize = 4096

// journal takes a call's line to the log on a goroutine of its own.
type journal struct {
	log  *slog.Logger
	mu   sync.Mutex
	ring [journalSize]line
	head int // The next to write to the log.
	used int
	lost int
	wake chan struct{}
}

// line is what the log says of a call.
type line struct {
	callID   []byte
	number   []byte
	provider []byte
	customer uuid.UUID
	outcome  outcome
	cause    cause
	status   int
	attempts int
	total    time.Duration
	ringing  time.Duration // From the winning attempt's INVITE; zero: it did not ring.
}

func newJournal(log *slog.Logger) *journal { return &journal{log: log, wake: make(chan struct{}, 1)} }

// add notes a call. Its memory is used again, so this allocates nothing once the ring is warm.
func (j *journal) add(c *call, o outcome, code int, now int64) {
	if !j.log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	j.mu.Lock()
	if j.used == journalSize {
		j.lost++
		j.mu.Unlock()
		return
	}
	l := &j.ring[(j.head+j.used)%journalSize]
	j.used++
	l.callID = append(l.callID[:0], clip(callIDOf(c.req))...)
	l.number = append(l.number[:0], clip(c.number)...)
	l.customer, l.outcome, l.status = c.customer, o, code
	l.attempts, l.total, l.ringing, l.cause = len(c.attempts), time.Duration(now-c.start), 0, causeNone
	l.provider = l.provider[:0]
	if n := len(c.attempts); n > 0 {
		a := &c.attempts[n-1]
		for i := range c.attempts {
			if c.attempts[i].cause == causeAnswered {
				a = &c.attempts[i]
			}
		}
		l.cause = a.cause
		if a.prov != nil {
			l.provider = append(l.provider, a.prov.Name...)
		}
		if a.ringing != 0 {
			l.ringing = time.Duration(a.ringing - a.start)
		}
	}
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// longestText bounds what a line of the log repeats of a message: a caller may write 64 KiB into a Call-ID.
const longestText = 256

func clip(b []byte) []byte { return b[:min(len(b), longestText)] }

// callIDOf finds the Call-ID of a kept request.
func callIDOf(req []byte) []byte {
	var m message.Message
	if m.ParseHead(req) != nil {
		return nil
	}
	return m.Value(message.CallID)
}

// run writes the lines until the router stops, and then what is left.
func (j *journal) run(stop <-chan struct{}) {
	var l line
	for {
		for j.take(&l) {
			j.write(&l)
		}
		select {
		case <-j.wake:
		case <-stop:
			for j.take(&l) {
				j.write(&l)
			}
			return
		}
	}
}

// take moves the oldest line out of the ring, by exchanging its memory.
func (j *journal) take(l *line) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.used == 0 {
		return false
	}
	*l, j.ring[j.head] = j.ring[j.head], *l
	j.head = (j.head + 1) % journalSize
	j.used--
	return true
}

func (j *journal) write(l *line) {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("call_id", string(l.callID)), slog.String("number", string(l.number)),
		slog.String("outcome", l.outcome.String()), slog.Int("status", l.status),
		slog.String("provider", string(l.provider)), slog.String("cause", l.cause.String()),
		slog.Int("attempts", l.attempts), slog.Duration("total", l.total))
	if l.ringing != 0 {
		attrs = append(attrs, slog.Duration("ringing", l.ringing))
	}
	if l.customer != providers.Everyone {
		attrs = append(attrs, slog.String("customer_id", l.customer.String()))
	}
	j.mu.Lock()
	lost := j.lost
	j.lost = 0
	j.mu.Unlock()
	if lost > 0 {
		attrs = append(attrs, slog.Int("lines_lost", lost))
	}
	j.log.LogAttrs(context.Background(), slog.LevelInfo, "call", attrs...)
}

// noisePerSecond bounds what strangers can make us log.
const noisePerSecond = 3

// noise logs dropped messages, a few a second at most: the source and the reason, never the message.
type noise struct {
	log    *slog.Logger
	second atomic.Int64
	count  atomic.Int64
	hidden atomic.Int64
}

func (n *noise) note(now int64, why dropReason, from transport.Flow) {
	// Stray responses and copies are daily business.
	if why == dropStray || why == dropHops || why == dropUndelivered {
		return
	}
	if !n.admit(now) {
		return
	}
	n.log.LogAttrs(context.Background(), slog.LevelWarn, "message dropped",
		slog.String("reason", dropNames[why]), slog.String("source", from.Remote.String()),
		slog.String("transport", from.Proto.String()), slog.Int64("hidden", n.hidden.Swap(0)))
}

// unsent logs why a message could not be delivered: a certificate that is not the provider's, a closed port.
func (n *noise) unsent(now int64, to transport.Flow, err error) {
	if err == nil || !n.admit(now) {
		return
	}
	n.log.LogAttrs(context.Background(), slog.LevelWarn, "message not delivered",
		slog.String("destination", to.Remote.String()), slog.String("transport", to.Proto.String()),
		slog.String("error", string(clip([]byte(err.Error())))), slog.Int64("hidden", n.hidden.Swap(0)))
}

// admit says whether one more line may be written in this second.
func (n *noise) admit(now int64) bool {
	if s := now / int64(time.Second); n.second.Swap(s) != s {
		n.count.Store(0)
	}
	if n.count.Add(1) > noisePerSecond {
		n.hidden.Add(1)
		return false
	}
	return true
}

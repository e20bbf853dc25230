package router

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// Backlog implements transport.Watcher.
func (w *worker) Backlog(now int64, percent int) {
	w.now = now
	s := &w.r.shares
	was := w.press.level
	s.adjust(now, w.press.update(now, percent))
	switch is := w.press.level; {
	case was == pressNone && is != pressNone:
		s.pressed.Add(1)
	case was != pressNone && is == pressNone:
		s.pressed.Add(-1)
	}
}

// unwelcome says whether a message need not even be read: a new request of a source beyond its share, while replies
// cost more than there is time for. It is called under that pressure only. What goes on with calls that are known, and
// all responses, are read.
func (w *worker) unwelcome(from transport.Flow, data []byte) bool {
	if !opensCall(data) {
		return false
	}
	s := &w.r.shares
	if w.vetted = s.meter.take(w.now, w.sourceKey(from), s.current()); w.vetted {
		w.press.taken++
		return false
	}
	w.drop(from, dropUnread)
	return true
}

// opensCall says whether a message begins like a request that may be the first of something new.
func opensCall(b []byte) bool {
	for _, method := range [...]string{"INVITE ", "MESSAGE ", "OPTIONS ", "REGISTER ", "SUBSCRIBE ", "PUBLISH "} {
		if len(b) > len(method) && string(b[:len(method)]) == method {
			return true
		}
	}
	return false
}

// shed says whether the new request at hand must be refused because there is no time for it: the worker is behind, or,
// for a stream, which has no backlog that we see, another one is, and its source has had its share.
func (w *worker) shed(from transport.Flow) bool {
	if w.press.level == pressNone && from.Proto == transport.UDP || w.vetted {
		return false
	}
	// These are answered at once and cost no more than a refusal.
	if m := w.msg.Method; m == message.REGISTER || m == message.OPTIONS && w.ours() {
		return false
	}
	s := &w.r.shares
	if !s.meter.take(w.now, w.sourceKey(from), s.current()) {
		return true
	}
	w.press.taken++
	return false
}

// beyondRate says whether the source of the new request at hand has sent more of them than sip.source_rate.
func (w *worker) beyondRate(from transport.Flow) bool {
	return !w.r.sourceMeter.take(w.now, w.sourceKey(from), w.r.sourceRate)
}

// A source that holds less than a modestShare-th of max_calls is served from a margin of a marginShare-th when all
// places are taken, so that one source that takes them all does not shut the others out.
const (
	modestShare = 16
	marginShare = 8
)

// full says whether no place is left for a new request, with so many in progress.
func (w *worker) full(from transport.Flow, inProgress int64) bool {
	limit := int64(w.r.maxCalls)
	return inProgress >= limit+limit/marginShare || w.r.holders.of(w.sourceKey(from)) >= limit/modestShare
}

// holdLocked notes whose a call is, once half of the places are taken. Who takes them all is then known for at least
// as many as matter.
func (w *worker) holdLocked(c *call) {
	c.holder = w.sourceKey(c.from)
	w.r.holders.add(c.holder, 1)
}

func (w *worker) sourceKey(from transport.Flow) sourceKey {
	return sourceKeyOf(w.r.seeds[1], from.Remote.Addr())
}

// retryAfter is when a request that is refused for want of time or room may come again: at different times for each,
// so that not all come back at once.
func (w *worker) retryAfter() extra {
	later := [...]extra{
		"Retry-After: 3\r\n", "Retry-After: 4\r\n", "Retry-After: 5\r\n", "Retry-After: 6\r\n",
		"Retry-After: 7\r\n", "Retry-After: 8\r\n", "Retry-After: 9\r\n", "Retry-After: 10\r\n",
	}
	return later[w.rng.Uint64()%uint64(len(later))]
}

// dropCounts is dialrouter_messages_dropped_total, with what the kernel drops besides. It implements
// prometheus.Collector.
type dropCounts struct {
	*prometheus.CounterVec

	r    *Router
	mu   sync.Mutex
	seen uint64 // By the kernel.
}

// Collect implements prometheus.Collector.
func (d *dropCounts) Collect(ch chan<- prometheus.Metric) {
	d.mu.Lock()
	if d.r.tr != nil {
		if n := d.r.tr.ReceiveDrops(); n > d.seen {
			d.WithLabelValues("receive_buffer").Add(float64(n - d.seen))
			d.seen = n
		}
	}
	d.mu.Unlock()
	d.CounterVec.Collect(ch)
}

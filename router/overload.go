package router

import (
	"bytes"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// Backlog implements transport.Watcher.
func (w *worker) Backlog(now int64, percent int) {
	w.now = now
	s := &w.r.shares
	was, again := w.press.level, now < w.press.until
	by := w.press.update(now, percent)
	if s.adjust(now, by) && by < 0 {
		w.press.eased(now, percent)
	}
	is := w.press.level
	if is != pressNone && !s.strain.Load() {
		s.strain.Store(true)
	}
	switch {
	case was == pressNone && is != pressNone:
		s.pressed.Add(1)
		if !again {
			s.begin()
		}
	case was != pressNone && is == pressNone:
		s.pressed.Add(-1)
	}
}

// unread deals with a message that need not be read, because it is one of the many while there is too much to do, or will be: what
// a source beyond its share opens a call with, and the ACK that a refusal of it brings. What goes on with calls that are
// known, and all responses, are read.
func (w *worker) unread(from transport.Flow, data []byte) bool {
	switch {
	case w.press.level == pressDrop && opensCall(data):
		if w.welcome(from) && w.within(from) {
			return false
		}
		w.drop(from, dropUnread)
		return true
	case w.scarce() && bytes.HasPrefix(data, []byte("INVITE ")):
		return w.welcome(from) && w.turnAwayUnread(from, data)
	case bytes.HasPrefix(data, []byte("ACK ")):
		return w.acksUnread(from, data)
	default:
		return false
	}
}

// welcome says whether a source may call at all. Others have no share.
func (w *worker) welcome(from transport.Flow) bool {
	return w.r.current.Load().allowed(from.Remote.Addr())
}

// within says whether a source keeps to its share with one more new request, which is not weighed again then.
func (w *worker) within(from transport.Flow) bool {
	s := &w.r.shares
	if w.vetted = s.meter.take(w.now, w.sourceKey(from), s.current()); w.vetted {
		if w.press.level != pressNone {
			w.press.taken++
		}
	} else if !s.limits.Load() {
		s.limits.Store(true)
	}
	return w.vetted
}

// turnAwayUnread answers an INVITE of a source beyond its share 503 by its outline. It is false for one that has to be read: within
// the share, or known already, or with more to it.
func (w *worker) turnAwayUnread(from transport.Flow, data []byte) bool {
	var o message.Outline
	if !o.Read(data) || !bytes.HasSuffix(data[o.CSeq.Start:o.CSeq.End], []byte(" INVITE\r\n")) {
		return false
	}
	key, ok := w.viaKey(data, &o.Top)
	if !ok {
		return false
	}
	if _, known := w.r.table.Find(key); known || w.within(from) {
		return false
	}
	w.tally.received(from.Proto, requestKind(message.INVITE))
	w.countRefusal(from)
	b := append(w.buf[:0], "SIP/2.0 503 Service Unavailable\r\n"...)
	w.edits.Reset()
	w.stampVia(&w.msg, &o.Top, from)
	b = w.edits.ApplyRange(b, data, o.Via)
	b = append(b, data[o.From.Start:o.From.End]...)
	b = append(b, data[o.To.Start:o.To.End-2]...)
	b = append(b, w.r.awayTag...)
	b = append(appendHex(b, key[1], tagDigits), "\r\n"...)
	b = append(b, data[o.CallID.Start:o.CallID.End]...)
	b = append(b, data[o.CSeq.Start:o.CSeq.End]...)
	b = append(b, w.retryAfter()...)
	w.buf = append(b, "Content-Length: "+noBody...)
	w.sendAway(from)
	return true
}

// viaKey is the key of an INVITE that is not read, or of its ACK. It is not ok without a branch of RFC 3261.
func (w *worker) viaKey(data []byte, top *message.ViaElem) (key transaction.Key, ok bool) {
	w.msg.Buf = data
	branch := w.msg.Bytes(top.Branch)
	if !magic(branch) {
		return key, false
	}
	return w.branchKey(branch, w.msg.Bytes(top.SentBy), []byte("INVITE")), true
}

// acksUnread says whether an ACK is for a 503 of turnAway: it has the tag of that, and the branch that the tag was made of. By the tag alone
// the ACK of a response that came back to us by way of somebody else would be taken for it.
func (w *worker) acksUnread(from transport.Flow, data []byte) bool {
	_, digits, found := bytes.Cut(data, w.r.awayTag)
	if !found || len(digits) < tagDigits {
		return false
	}
	top, ok := message.TopViaOf(data)
	if !ok {
		return false
	}
	key, ok := w.viaKey(data, &top)
	if !ok || !w.madeOf(digits[:tagDigits], key) {
		return false
	}
	w.tally.received(from.Proto, requestKind(message.ACK))
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
// for a stream, which has no backlog that we see, another one is, or shares are bounded; and its source has had its share.
func (w *worker) shed(from transport.Flow) bool {
	if from.Proto == transport.UDP && !w.scarce() || w.vetted {
		return false
	}
	// These are answered at once and cost no more than a refusal.
	if m := w.msg.Method; m == message.REGISTER || m == message.OPTIONS && w.ours() {
		return false
	}
	return !w.within(from)
}

// countRefusal counts a request that gets 503 for being beyond its source's share.
func (w *worker) countRefusal(from transport.Flow) {
	w.drop(from, dropPressure)
	w.r.shares.refusals.Add(1)
}

// scarce says whether a worker weighs the new requests that it reads itself.
func (w *worker) scarce() bool { return w.press.level != pressNone || w.r.shares.bounded() }

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

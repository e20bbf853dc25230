package router

import (
	"bytes"

	"github.com/voipbin/dialrouter/router/transaction"
)

// concludeLocked ends a call for which there is nobody left to try.
func (w *worker) concludeLocked(c *call) {
	switch {
	case c.cancelled:
		w.finishLocked(c, 487, "")
	case c.best != nil:
		w.passLocked(c, c.bestOf, c.best)
	case c.bestOf == 408 && !c.invite:
		// RFC 4320 section 4.2: no 408 to a non-INVITE request; the caller's own timer tells it the same.
		w.silentLocked(c)
	case c.bestOf != 0:
		w.finishLocked(c, c.bestOf, "")
	case w.now >= c.setupEnd && len(c.attempts) > 0:
		w.finishLocked(c, 408, "")
	case len(c.plan) == 0:
		w.finishLocked(c, 404, "No Route")
	case c.unable:
		w.finishLocked(c, 488, "")
	default:
		w.finishLocked(c, 480, "")
	}
}

// finishLocked ends a call with a response of our own.
func (w *worker) finishLocked(c *call, code int, phrase string) {
	if c.role == own || c.server.Final() {
		return
	}
	if !c.invite && code == 408 {
		w.silentLocked(c)
		return
	}
	w.respondLocked(c, code, phrase, noExtra)
	w.doneLocked(c, code)
}

// silentLocked ends a call without a response.
func (w *worker) silentLocked(c *call) {
	c.server.Forget(w.now + w.life())
	w.doneLocked(c, 408)
}

// passLocked ends a call with a provider's response, made ready to go up.
func (w *worker) passLocked(c *call, code int, b []byte) {
	if c.server.Respond(&w.r.timing, w.now, code) != transaction.Send {
		return
	}
	// RFC 3261 section 16.7 item 6: a 503 says that its sender can do nothing for anybody, which upstream would take
	// as said of us.
	if code == 503 {
		end := bytes.IndexByte(b, '\n')
		w.text = append(append(w.text[:0], "SIP/2.0 500 Server Internal Error\r\n"...), b[end+1:]...)
		code, b = 500, w.text
	}
	c.resp = w.keep(c.resp, b)
	w.sendUp(c, c.resp, replyKind(code))
	w.doneLocked(c, code)
}

// doneLocked closes the books on a call whose final response has gone up.
func (w *worker) doneLocked(c *call, code int) {
	c.tryingAt, c.setupEnd, c.retryAt = 0, 0, 0
	c.vacateLocked()
	if c.role == placed {
		w.r.shares.done.Add(1)
		w.r.record(c, code, w.now)
	}
	w.uncountLocked(c)
	// Nothing is sent from these any more.
	w.r.bufs.Put(c.req)
	w.r.bufs.Put(c.best)
	c.req, c.best = nil, nil
	if c.server.State() == transaction.Accepted {
		w.r.bufs.Put(c.resp)
		c.resp = nil
	}
	w.crowdedLocked(c)
}

// crowdedLocked shortens the time for which a finished call waits for copies and late responses when there are so many
// that their memory matters more: to Timer K's time, which covers all but a handful of copies.
func (w *worker) crowdedLocked(c *call) {
	r := w.r
	if r.calls.Used() < r.calls.Cap()/2 {
		return
	}
	at := w.now + int64(r.timing.T4)
	c.server.Shorten(at)
	for _, a := range c.attempts {
		a.client.Shorten(at)
	}
}

// endAttempt notes why an attempt ended, once.
func (w *worker) endAttempt(c *call, a *attempt, why cause) {
	if a.cause != causeNone && why != causeAnswered {
		return
	}
	if a.cause == causeNone {
		w.r.metrics.attempt(a, why)
	}
	w.evidenceLocked(c, a, why)
	a.cause = why
}

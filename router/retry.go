package router

import (
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

// shortestWait keeps a Retry-After of 0 from sending the next INVITE in the same moment.
const shortestWait = int64(100 * time.Millisecond)

// ruledLocked does what a rule says of the final response at hand, which is in w.buf as it would go up.
func (w *worker) ruledLocked(c *call, a *attempt, r *rule) {
	code := w.msg.Status
	asked, _ := retryAfterOf(&w.msg)
	a.ruled = true
	if r.then == providers.ActionRest {
		rest := max(asked, time.Duration(orDefault(r.wait, providers.DefaultRest)))
		a.prov.state.Rest(w.now, rest)
		a.rest = int64(min(rest, health.MaxRest))
	}
	wait := orDefault(r.wait, providers.DefaultRetry)
	if asked > 0 {
		wait = int64(asked)
	}
	wait = max(wait, shortestWait)
	switch r.judge(a.ringing != 0, a.prov.after, w.mayWait(c, a, wait)) {
	case relay:
		a.relayed = true
		w.passLocked(c, code, w.buf)
	case next:
		w.candidateLocked(c, code, w.buf)
		w.advanceLocked(c, nil, nil)
	case again:
		w.candidateLocked(c, code, w.buf)
		c.retryAt = w.now + wait
	}
}

func orDefault(ns int64, def time.Duration) int64 {
	if ns > 0 {
		return ns
	}
	return int64(def)
}

// mayWait says whether a call may try its provider once more after a time: not too often, not after more time than a
// caller bears in silence, and within the call's own budget.
func (w *worker) mayWait(c *call, a *attempt, wait int64) bool {
	return a.retries < providers.MaxRetries && wait <= int64(providers.MaxRetry) && w.now+wait < c.setupEnd
}

// shift is how far an attempt's CSeq number is ahead of the first one that its provider got, and whether the dialog
// behind it has numbers of its own. A request that is tried again needs another number: with the old one, a provider
// that remembers it would take it for the same request on two ways, and answer 482 (RFC 3261 section 8.2.2.2).
func (a *attempt) shift() (n uint32, numbered bool) {
	n = uint32(a.retries)
	if a.auth != nil {
		n += a.auth.repeats
	}
	return min(n, maxShift), a.auth != nil || a.retries > 0
}

// retryLocked tries the last attempt's provider again. It needs room for a new call there, like any other.
func (w *worker) retryLocked(c *call) {
	c.retryAt = 0
	t := c.attempts[len(c.attempts)-1].try
	c.vacateLocked()
	t.placed, t.again = false, false
	t.retries++
	if c.invite {
		if refusal := t.prov.state.Enter(w.now, t.prov.Limits.Calls, t.prov.Limits.CPS); refusal != health.Room {
			w.r.metrics.limited(t.prov)
			why, n := t.prov.atLimit(refusal, w.now)
			c.skipped(t.prov, why, n)
			w.advanceLocked(c, nil, nil)
			return
		}
		t.placed = t.prov.Limits.Calls > 0
	}
	m, rq := w.reread(c)
	if !w.attemptLocked(c, t, m, rq) {
		t.undo(c)
		w.advanceLocked(c, nil, nil)
	}
}

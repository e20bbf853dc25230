package router

import (
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/transaction"
)

// What becomes of calls is evidence for or against a provider. Against it are only a request that cannot be sent,
// silence, also after a 100, and a 5xx that is about the provider; for it a 18x, and every other final response. A 100 tells only that
// somebody is there. What the caller or the callee decides, a 486 or a CANCEL, blames nobody. A redirect's target is
// somebody else, and requests other than INVITE prove nothing: many providers do not care for them.

// signOfLife takes a provisional response.
func (w *worker) signOfLife(c *call, a *attempt, code int) {
	if !a.testifies(c) {
		return
	}
	switch {
	case code == 100:
		a.prov.state.Heard(w.now, a.start)
	case a.ringing == 0:
		a.prov.state.Served(w.now, a.start)
	}
}

// evidenceLocked takes the end of an attempt; the second one, if it was given up and answered after all.
func (w *worker) evidenceLocked(c *call, a *attempt, why cause) {
	w.statisticsLocked(c, a, why)
	if !a.testifies(c) || a.cause != causeNone {
		return
	}
	switch blame, failed := w.blame(a, why); {
	case failed:
		a.prov.state.Failed(w.now, blame, c.snap.failures)
	case a.ringing == 0 && a.status >= 200 && a.status/100 != 5:
		a.prov.state.Served(w.now, a.start)
	}
}

// testifies says whether an attempt says something of its provider.
func (a *attempt) testifies(c *call) bool { return c.invite && a.prov != nil && a.redirect == nil }

// blame says what a provider did wrong, if it did.
func (w *worker) blame(a *attempt, why cause) (health.Failure, bool) {
	if a.goesOn(why) {
		return 0, false
	}
	switch why {
	case causeTransport:
		return health.Unreachable, true
	case causeNoReply:
		return health.Silent, a.mute()
	case causeNoRinging:
		return health.Stalled, true
	case causeCancelled:
		// The caller did not wait for longer than it was silent anyway.
		return health.Silent, a.mute() && w.now-a.start >= a.prov.budgets.noReply
	case causeOverload:
		// One that says how long to leave it alone is rested for as long.
		d, ok := retryAfterOf(&w.msg)
		return health.Refused, !ok || d == 0
	case causeServerError:
		return health.Refused, !aboutRequest(a.status)
	default:
		return 0, false
	}
}

// goesOn says whether an attempt is not the end of its provider's try: another of its addresses may still take the
// call, or UDP, where TCP was our own idea because the request is large.
func (a *attempt) goesOn(why cause) bool {
	t := a.try
	switch why {
	case causeTransport:
		return a.large || t.further()
	case causeNoReply:
		return a.large
	case causeOverload:
		return t.further()
	default:
		return false
	}
}

// mute says whether an attempt never got a response.
func (a *attempt) mute() bool {
	return a.status == 0 && a.client.State() != transaction.Proceeding
}

// aboutRequest tells the 5xx that speak of the request, and would be said of it by anybody: not implemented, version
// not supported, message too large (RFC 3261 sections 21.5.2, 21.5.6 and 21.5.7), and precondition failure (RFC 3312).
func aboutRequest(code int) bool { return code == 501 || code == 505 || code == 513 || code == 580 }

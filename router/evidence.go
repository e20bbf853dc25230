package router

import (
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/transaction"
)

// What becomes of calls is evidence for or against a provider. Against it are only a request that cannot be sent,
// silence, and a 5xx that is about the provider; for it a 18x, and every other final response. A 100 tells only that
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

// evidenceLocked takes the end of an attempt.
func (w *worker) evidenceLocked(c *call, a *attempt, why cause) {
	if !a.testifies(c) {
		return
	}
	switch blame, failed := w.blame(a, why); {
	case failed:
		a.prov.state.Failed(w.now, blame, c.snap.failures)
	case why.spoken() && a.ringing == 0:
		a.prov.state.Served(w.now, a.start)
	}
}

// testifies says whether an attempt says something of its provider.
func (a *attempt) testifies(c *call) bool { return c.invite && a.prov != nil && a.redirect == nil }

// blame says what a provider did wrong, if it did.
func (w *worker) blame(a *attempt, why cause) (health.Failure, bool) {
	t := a.try
	switch why { //nolint:exhaustive // All others blame nobody.
	case causeTransport:
		// Another address of the same provider may still take it, and TCP was our own idea if the request is large.
		return health.Unreachable, !t.further() && !a.large
	case causeNoReply:
		return health.Silent, !a.large && a.mute()
	case causeCancelled:
		// The caller did not wait for longer than it was silent anyway.
		return health.Silent, a.mute() && w.now-a.start >= a.prov.budgets.noReply
	case causeOverload:
		// One that says how long to leave it alone is rested for as long.
		d, ok := retryAfterOf(&w.msg)
		return health.Refused, !t.further() && (!ok || d == 0)
	case causeServerError:
		return health.Refused, !aboutRequest(a.status)
	default:
		return 0, false
	}
}

// mute says whether an attempt never got a response.
func (a *attempt) mute() bool {
	return a.status == 0 && a.client.State() != transaction.Proceeding
}

// aboutRequest tells the 5xx that speak of the request, and would be said of it by anybody: not implemented, version
// not supported, message too large (RFC 3261 sections 21.5.2, 21.5.6 and 21.5.7), and precondition failure (RFC 3312).
func aboutRequest(code int) bool { return code == 501 || code == 505 || code == 513 || code == 580 }

// spoken says whether the cause is a final response.
func (c cause) spoken() bool { return c > causeNone && c <= causeServerError }

package router

import (
	"hash/maphash"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/message"
)

// statisticsLocked counts the end of an attempt for its provider, and for the provider and the target of the route by
// which the call came to it. A provider's addresses, and its targets of a redirect, are counted as itself.
func (w *worker) statisticsLocked(c *call, a *attempt, why cause) {
	if !c.invite || a.prov == nil || a.goesOn(why) {
		return
	}
	var to *health.Destination
	if i := a.choice.Route; i >= 0 {
		to = c.snap.destinations[i].Load()
		if to == nil || to.Gone() {
			to = w.r.health.Destination(w.now, a.prov.ID, c.snap.catalog.Routes[i].Target)
			c.snap.destinations[i].Store(to)
		}
	}
	of, is, pdd := a.prov.state.Stats(), outcomeFor(why, a.status, a.ringing != 0, c.cancelled), int64(0)
	if a.ringing != 0 {
		pdd = max(a.ringing-a.start, 1)
	}
	if a.cause == causeNone || a.goesOn(a.cause) {
		of.Count(w.now, is, pdd)
		if to != nil {
			to.Count(w.now, is, pdd)
		}
	} else {
		was := outcomeFor(a.cause, 0, false, c.cancelled)
		of.Amend(w.now, was, is)
		if to != nil {
			to.Amend(w.now, was, is)
		}
	}
	if is == health.Answered {
		w.r.health.Answered(w.now, w.talkKey(w.msg.Value(message.CallID)), a.prov.state, to)
	}
}

// outcomeFor is what the end of an attempt counts as, given its cause and status, whether it rang, and whether the
// caller has hung up: then it is his doing, whatever the provider makes of the CANCEL.
func outcomeFor(why cause, code int, rang, cancelled bool) health.Outcome {
	switch {
	case why == causeAnswered:
		return health.Answered
	case cancelled:
		return health.HungUp
	case rang && (why == causeNoAnswer || why == causeTimeout || why == causeUnavailable):
		return health.NoAnswer
	case code == 410, code == 484, code == 485, code == 604:
		return health.NotFound
	case code == 487, why == causeRejected && code >= 600, code == 606:
		return health.Rejected
	}
	switch why {
	case causeBusy:
		return health.Busy
	case causeUnavailable, causeDeclined:
		return health.Rejected
	case causeNotFound:
		return health.NotFound
	case causeRedirected:
		return health.Moved
	case causeCancelled, causeNoAnswer:
		return health.HungUp // In the caller's stead: the call's own budget ended before this one's.
	default:
		return health.Ailing
	}
}

// hungUp takes the BYE at hand, which goes by a route of ours.
func (w *worker) hungUp() { w.r.health.HungUp(w.now, w.talkKey(w.rq.callID)) }

// talkKey identifies a call for the measure of its length, where half of the key is enough.
func (w *worker) talkKey(callID []byte) health.Call {
	return health.Call{maphash.Bytes(w.r.seeds[0], callID)}
}

// ProviderReport tells what is known of a provider, and what became of its calls.
func (r *Router) ProviderReport(id uuid.UUID) health.Report { return r.health.Report(r.clock(), id) }

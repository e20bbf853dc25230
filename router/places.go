package router

import (
	"hash/maphash"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/message"
)

// A provider with a limit of calls has a place for each: taken when the INVITE is about to be sent, given back when the
// attempt fails, and else when the call ends: by BYE, which the route cookie leads to the provider, when its session
// timer runs out, or at last after health.MaxCall. Providers without such a limit are not counted.

// vacateLocked gives back the places of attempts that ended without an answer.
func (c *call) vacateLocked() {
	for _, a := range c.attempts {
		if a.placed && a.cause != causeNone && a.cause != causeAnswered {
			a.leave()
		}
	}
}

// establishLocked turns the place of an attempt into one of an established call.
func (w *worker) establishLocked(a *attempt) {
	if a.prov == nil || a.prov.Limits.Calls <= 0 {
		return
	}
	key := w.dialogKey(w.msg.Value(message.CallID))
	if a.placed {
		a.placed = false
		a.prov.state.Establish(w.now, key)
	} else { // It was given up, and its place with it, and answered after all.
		a.prov.state.Add(w.now, key)
	}
	a.prov.state.Refresh(w.now, key, sessionTime(&w.msg))
}

// dialogAlive takes what a request within a dialog says of the call's place.
func (w *worker) dialogAlive(snap *snapshot, p *path) {
	if !snap.limited {
		return
	}
	i, ok := snap.byTag[p.cookie.providerTag]
	if !ok || snap.providers[i].Limits.Calls <= 0 {
		return
	}
	state := snap.providers[i].state
	switch w.msg.Method { //nolint:exhaustive // Others say nothing of how long the session lives (RFC 4028 section 7.4).
	case message.BYE:
		state.End(w.dialogKey(w.rq.callID))
	case message.INVITE, message.UPDATE:
		state.Refresh(w.now, w.dialogKey(w.rq.callID), sessionTime(&w.msg))
	}
}

// vacateChanged gives back the places at providers that got a limit of calls or lost it with a new snapshot.
func vacateChanged(old, fresh *snapshot) {
	if old == nil || !old.limited && !fresh.limited {
		return
	}
	for i := range fresh.providers {
		p := &fresh.providers[i]
		if j, ok := old.byID[p.ID]; ok && (old.providers[j].Limits.Calls > 0) != (p.Limits.Calls > 0) {
			p.state.Vacate()
		}
	}
}

// inherit gives an attempt's place to where its provider redirected the call: it is the same call.
func (c *call) inherit(p *provider) bool {
	for _, a := range c.attempts {
		if a.placed && a.prov == p {
			a.placed = false
			return true
		}
	}
	return false
}

func (w *worker) dialogKey(callID []byte) health.Call {
	return health.Call{maphash.Bytes(w.r.seeds[0], callID), maphash.Bytes(w.r.seeds[1], callID)}
}

// sessionGrace is how long after its session timer a call may still say BYE (RFC 4028 section 10 lets the peer that
// does not refresh wait for the whole interval, and its BYE be repeated).
const sessionGrace = 40 * time.Second

// sessionTime is how long a message promises that the session lives (RFC 4028), 0 when it does not say.
func sessionTime(m *message.Message) time.Duration {
	v := m.Value(message.SessionExpires)
	n := 0
	for n < len(v) && v[n]-'0' < 10 {
		n++
	}
	s, ok := message.ParseUint(v[:n], 1<<31)
	if !ok || s == 0 {
		return 0
	}
	return time.Duration(s)*time.Second + sessionGrace
}

// placesInUse is dialrouter_provider_calls. It implements prometheus.Collector.
type placesInUse Router

var placesDesc = prometheus.NewDesc("dialrouter_provider_calls", //nolint:gochecknoglobals // A constant.
	"Calls that a provider with a limit has now, those being set up included.", []string{"provider"}, nil)

// Describe implements prometheus.Collector.
func (r *placesInUse) Describe(ch chan<- *prometheus.Desc) { ch <- placesDesc }

// Collect implements prometheus.Collector.
func (r *placesInUse) Collect(ch chan<- prometheus.Metric) {
	s := r.current.Load()
	if s == nil {
		return
	}
	for i := range s.providers {
		if p := &s.providers[i]; p.Limits.Calls > 0 {
			n := float64(p.state.Calls((*Router)(r).clock()))
			ch <- prometheus.MustNewConstMetric(placesDesc, prometheus.GaugeValue, n, p.Name)
		}
	}
}

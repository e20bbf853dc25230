//go:build linux

package load

import (
	"time"

	"github.com/voipbin/dialrouter/bench/stats"
)

// counters is what a run counts as it goes.
type counters struct {
	started, ended, ok, late            int
	trying, ringingAgain, answeredAgain int
	callerRetransmits                   int
	providerRetransmits                 int
	againINVITE, againBYE               int
	finals, acked                       int
	unanswered, stray, own              int
	sendErrors                          uint64
	told, renewed                       int
	faults                              [faultCount]int
	bad                                 int
}

func (c *counters) found(s faults) {
	c.bad++
	for f := range faultCount {
		if s&(1<<f) != 0 {
			c.faults[f]++
		}
	}
}

// Result is what a run came to. Delays are in milliseconds.
type Result struct {
	Plan
	OK     int `json:"ok"`
	Failed int `json:"failed"`
	Rang   int `json:"rang"` // Calls that heard a 180.
	// Refused are the failed calls that got a 503.
	Refused int `json:"refused"`
	Told    int `json:"told"`              // Of these, those whose 503 had a Retry-After.
	Lost    int `json:"lost,omitempty"`    // Datagrams that Config.Network took.
	Renewed int `json:"renewed,omitempty"` // Calls whose re-INVITE was answered.

	// Retransmissions are none where nothing is lost and nobody is too slow.
	CallerRetransmits   int `json:"caller_retransmits"`
	ProviderRetransmits int `json:"provider_retransmits"`
	AgainINVITE         int `json:"again_invite"` // INVITEs that the answering or the busy provider had already.
	AgainBYE            int `json:"again_bye"`
	AgainRinging        int `json:"again_ringing"`
	AgainAnswer         int `json:"again_answer"`

	Trying      int            `json:"trying"`     // 100s that the caller heard.
	Overtaken   int            `json:"overtaken"`  // Calls whose 200 came before their 180.
	Unanswered  int            `json:"unanswered"` // Datagrams to the silent provider.
	MissingACKs int            `json:"missing_acks"`
	Failovers   int            `json:"failovers"` // Calls of scenarios A and R that reached their second provider.
	Own         int            `json:"own"`       // ACKs and BYEs of the proxy itself, for branches that another had beaten.
	Stray       int            `json:"stray"`     // Datagrams that belong to no call.
	Bad         int            `json:"bad"`       // Messages that failed a check.
	Faults      map[string]int `json:"faults,omitempty"`

	SendErrors  uint64  `json:"send_errors"`
	Late        int     `json:"late"` // Calls that started more than 20 ms behind schedule.
	Seconds     float64 `json:"seconds"`
	RateOffered float64 `json:"rate_offered"`

	PDD       stats.Percentiles `json:"pdd_ms"`        // INVITE out to the first 180 in.
	Refusal   stats.Percentiles `json:"refusal_ms"`    // INVITE out to the 503 in.
	HopINVITE stats.Percentiles `json:"hop_invite_ms"` // Caller to answering provider.
	HopRing   stats.Percentiles `json:"hop_180_ms"`    // Answering provider to caller.
}

// Retransmits returns how many messages any side had to send again, the proxy included; what went to the silent
// provider does not count.
func (r *Result) Retransmits() int {
	return r.CallerRetransmits + r.ProviderRetransmits + r.AgainINVITE + r.AgainBYE
}

func (e *Engine) result(offered int64) Result {
	c := &e.count
	seconds := float64(offered)/float64(time.Second) + 1/float64(e.plan.Rate)
	r := Result{
		Plan: e.plan, OK: c.ok, Failed: c.ended - c.ok, Told: c.told, Renewed: c.renewed,
		CallerRetransmits: c.callerRetransmits, ProviderRetransmits: c.providerRetransmits,
		AgainINVITE: c.againINVITE, AgainBYE: c.againBYE, AgainRinging: c.ringingAgain, AgainAnswer: c.answeredAgain,
		Trying: c.trying, Unanswered: c.unanswered, MissingACKs: c.finals - c.acked, Stray: c.stray, Bad: c.bad, Own: c.own,
		SendErrors: c.sendErrors, Late: c.late, Seconds: seconds, RateOffered: float64(c.started) / seconds,
	}
	if e.net != nil {
		r.Lost = e.net.lost
	}
	for f := range faultCount {
		if n := c.faults[f]; n > 0 {
			if r.Faults == nil {
				r.Faults = make(map[string]int)
			}
			r.Faults[f.String()] = n
		}
	}
	expected := legFirst
	if e.plan.Scenario == B || e.plan.Scenario == C {
		expected = legSecond
	}
	var pdd, in, out, refusals []int64
	for i := range e.calls {
		c := &e.calls[i]
		if expected == legFirst && c.legs[legSecond].arrived != 0 {
			r.Failovers++
		}
		if c.refused != 0 {
			refusals = append(refusals, c.refused-c.sent)
		}
		if c.heard == 0 {
			continue
		}
		r.Rang++
		if !c.early {
			r.Overtaken++
		}
		pdd = append(pdd, c.heard-c.sent)
		if l := &c.legs[expected]; l.arrived != 0 && l.rang != 0 {
			in = append(in, l.arrived-c.sent)
			out = append(out, c.heard-l.rang)
		}
	}
	r.Refused = len(refusals)
	r.Refusal = stats.PercentilesOf(refusals, time.Millisecond)
	r.PDD = stats.PercentilesOf(pdd, time.Millisecond)
	r.HopINVITE = stats.PercentilesOf(in, time.Millisecond)
	r.HopRing = stats.PercentilesOf(out, time.Millisecond)
	return r
}

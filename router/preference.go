package router

import (
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
)

// noCanary is for what is no test of a provider: requests other than INVITE.
func noCanary(*health.State, int64) bool { return false }

// order puts the providers that rest or are down behind the others, and leaves their order alone otherwise: they are
// still tried when nothing else is left. One that is down keeps its place for a call that canary takes as a test of it,
// if the call would go there first; there is one at most.
func order(plan []dialplan.Choice, s *snapshot, now int64, canary func(*health.State, int64) bool) {
	behind := 0
	for _, ch := range plan {
		if s.providers[ch.Provider].behind(now) {
			behind++
		}
	}
	if behind == 0 || behind == len(plan) {
		return
	}
	good, usable := 0, 0
	for i, ch := range plan {
		p := &s.providers[ch.Provider]
		if p.behind(now) {
			if usable > 0 || p.skip() != skipNone || !p.state.Down(now) || p.state.Resting(now) > 0 || !canary(p.state, now) {
				continue
			}
		}
		if p.skip() == skipNone {
			usable++
		}
		copy(plan[good+1:i+1], plan[good:i])
		plan[good] = ch
		good++
	}
}

// behind says whether a provider goes behind those that are well.
func (p *provider) behind(now int64) bool { return p.state.Down(now) || p.state.Resting(now) > 0 }

// standing says what a provider's health has to do with its place in an ordered plan.
func (s *snapshot) standing(plan []dialplan.Choice, i int, now int64) string {
	p := &s.providers[plan[i].Provider]
	if !p.behind(now) {
		return ""
	}
	words := "; down as all the others: "
	for j, ch := range plan {
		switch well := !s.providers[ch.Provider].behind(now); {
		case well && j < i:
			words = "; behind those that are well: "
		case well:
			words = "; in its place to try it once: "
		}
	}
	return words + p.state.Status(now).Reason
}

package router

import (
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
)

// noCanary is for what is no test of a provider: requests other than INVITE.
func noCanary(*health.State, int64) bool { return false }

// order puts the providers that rest or are down behind the others, and leaves their order alone otherwise: they are
// still tried when nothing else is left. One that is down keeps its place for a call that canary takes as a test of it,
// if the call would go there first; there is one at most. It answers where in the plan those begin that went behind:
// its length when none did.
func order(plan []dialplan.Choice, s *snapshot, now int64, canary func(*health.State, int64) bool) (from int) {
	behind, well := 0, 0
	for _, ch := range plan {
		if p := &s.providers[ch.Provider]; p.behind(now) {
			behind++
		} else if p.skip() == skipNone {
			well++
		}
	}
	if behind == 0 || well == 0 {
		return len(plan)
	}
	good, usable := 0, 0
	for i, ch := range plan {
		p := &s.providers[ch.Provider]
		if p.behind(now) {
			if usable > 0 || !p.testable(now) || !canary(p.state, now) {
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
	return good
}

// testable says whether a call would come through to a provider that is down, so that it can be a test of it.
func (p *provider) testable(now int64) bool {
	return p.skip() == skipNone && p.state.Down(now) && p.state.Resting(now) == 0 && p.state.Due(now) &&
		p.state.Would(now, p.Limits.Calls, p.Limits.CPS) == health.Room
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
		other := &s.providers[ch.Provider]
		switch well := other.skip() == skipNone && !other.behind(now); {
		case well && j < i:
			words = "; behind those that are well: "
		case well:
			words = "; in its place to try it once: "
		}
	}
	return words + p.state.Status(now).Reason
}

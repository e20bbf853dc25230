package router

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers/health"
)

// skip is a provider that was planned for a call and could not be tried.
type skip struct {
	card  *card     // Nil when there is no such provider.
	id    uuid.UUID // Of what there is not.
	n     int32     // What the reason counts.
	why   skipReason
	after uint8 // How many attempts had been made by then.
}

// maxSkips bounds how many skipped providers are kept of a call.
const maxSkips = 32

// skipReason says why a provider is not tried.
type skipReason uint8

const (
	skipNone      skipReason = iota
	skipUnknown              // The request named it, and the catalog does not.
	skipDisabled             // By configuration.
	skipNoAddress            // Its host has none that we reach.
	skipCalls                // It has as many calls as it takes: n of them.
	skipRate                 // It got as many new calls in this second as it takes.
	skipCodecs               // Its codec list leaves nothing of the offer.
	skipAttempts             // So many providers were tried already: n of them.
	skipDown                 // It was behind the others, and the call got no further.
	skipResting              // Likewise, for n seconds more.
)

// skip says why a provider can never be tried as it is.
func (p *provider) skip() skipReason {
	switch {
	case !p.Enabled:
		return skipDisabled
	case len(p.hops) == 0:
		return skipNoAddress
	default:
		return skipNone
	}
}

// atLimit says at which of its limits a provider is.
func (p *provider) atLimit(r health.Refusal, now int64) (why skipReason, n int) {
	if r == health.CallsInUse {
		return skipCalls, max(p.Limits.Calls, p.state.Calls(now)) // Others may have left by now.
	}
	return skipRate, 0
}

// skipped notes a provider that cannot be tried.
func (c *call) skipped(p *provider, why skipReason, n int) {
	if len(c.skips) < maxSkips {
		c.skips = append(c.skips, skip{card: p.card, n: int32(n), why: why, after: uint8(min(c.made(), 255))})
	}
}

// laggard says why a provider that the call did not come to was behind the others; skipNone when it is well by now.
func (p *provider) laggard(now int64) (skipReason, int32) {
	switch left := p.state.Resting(now); {
	case left > 0:
		return skipResting, int32((left + time.Second - 1) / time.Second)
	case p.state.Down(now):
		return skipDown, 0
	default:
		return skipNone, 0
	}
}

// missing notes a provider that the request named, and that there is not.
func (c *call) missing(id uuid.UUID) {
	if len(c.skips) < maxSkips {
		c.skips = append(c.skips, skip{id: id, why: skipUnknown})
	}
}

// identity is the id and the name of the provider.
func (s *skip) identity() (uuid.UUID, string) {
	if s.card == nil {
		return s.id, ""
	}
	return s.card.id, s.card.name
}

// String returns the reason in words.
func (s *skip) String() string {
	switch s.why {
	case skipUnknown:
		return "no such provider"
	case skipDisabled:
		return "disabled"
	case skipNoAddress:
		return s.card.noAddress
	case skipCalls:
		return fmt.Sprintf("%d of %d calls in use", s.n, s.card.limits.Calls)
	case skipRate:
		return "its " + strconv.FormatFloat(s.card.limits.CPS, 'g', -1, 64) + " calls per second are used up"
	case skipCodecs:
		return "its codec list leaves nothing of the offer"
	case skipAttempts:
		return fmt.Sprintf("max_attempts %d reached", s.n)
	case skipDown:
		return "behind the others: it was down"
	case skipResting:
		return fmt.Sprintf("behind the others: resting for %ds more", s.n)
	case skipNone:
	}
	return "not tried"
}

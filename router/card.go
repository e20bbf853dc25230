package router

import (
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/dialplan"
)

// card is what the record of a call keeps of a provider: who it was then. It stands alone in memory, so that an old
// record keeps no catalog alive.
type card struct {
	id        uuid.UUID
	name      string
	uriHead   []byte // "sip:" and the escaped prefix.
	uriTail   []byte // The escaped postfix, "@" and the host.
	rawUser   bool
	after     bool // The next provider may try after ringing too.
	limits    providers.Limits
	noReply   time.Duration
	noRinging time.Duration
	answer    time.Duration
	noAddress string // Why it had none; "" when it had.
}

// newCard makes the card of a provider that is compiled otherwise.
func newCard(p *provider, uriHead, uriTail []byte) *card {
	c := &card{
		id: p.ID, name: p.Name, uriHead: uriHead, uriTail: uriTail, rawUser: p.RawUser, after: p.after, limits: p.Limits,
		noReply: time.Duration(p.budgets.noReply), noRinging: time.Duration(p.budgets.noRinging),
		answer: time.Duration(p.budgets.answer),
	}
	if len(p.hops) == 0 && p.hopsErr != nil {
		c.noAddress = p.hopsErr.Error()
	}
	return c
}

// appendURI appends the Request-URI for a dial string.
func (c *card) appendURI(dst, dial []byte) []byte {
	dst = append(dst, c.uriHead...)
	dst = dialplan.AppendUser(dst, "", dial, "", c.rawUser)
	return append(dst, c.uriTail...)
}

package router

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/transport"
)

// record closes the books on a call: its counters, and what is kept of it.
func (r *Router) record(c *call, code int, now int64) {
	if !c.invite {
		return
	}
	o := outcomeOf(c, code)
	r.metrics.calls[o].Inc()
	for _, a := range c.attempts {
		if a.cause == causeAnswered && a.prov != nil {
			r.metrics.answered(a)
		}
	}
	r.records.put(c, o, code, now)
}

// outcomeOf names how a call ended, given the status code that went up.
func outcomeOf(c *call, code int) outcome {
	switch {
	case code < 300:
		return outcomeAnswered
	case c.cancelled:
		return outcomeCancelled
	case len(c.attempts) == 0 && (code == 404 || code == 480 || code == 488):
		return outcomeNoRoute
	case code == 486, code == 600:
		return outcomeBusy
	case c.timedOut, code == 408:
		return outcomeTimeout
	case code/100 == 5:
		return outcomeFailed
	default:
		return outcomeRejected
	}
}

// Bounds of what is kept of one call. A caller may write 64 KiB into a Call-ID, and a plan may be as long as the
// catalog.
const (
	longestText = 256 // Bytes of a Call-ID, a number, a URI that a provider redirected to.
	maxTries    = 32
)

func clip(b []byte) []byte { return b[:min(len(b), longestText)] }

// entry is what is kept of one call: the facts. They become words when somebody asks for them.
type entry struct {
	mu       sync.Mutex
	seq      uint64 // Counts calls from 1; 0: nothing was written here yet.
	hash     uint64 // Of the whole Call-ID.
	start    int64  // When the INVITE came, and when its final response went out: nanoseconds of Unix time.
	end      int64
	customer uuid.UUID
	setup    time.Duration // The budget.
	attempts int32         // How many there may be.
	status   int16
	callID   uint16 // Bytes of text that are the Call-ID; the number follows.
	number   uint16
	outcome  outcome
	ending   ending
	text     []byte
	tries    []fact
	skips    []skip

	// Room for what most calls need.
	room     [96]byte
	firstTry [1]fact
}

// fact is what is kept of one attempt. Its times are those of the router's clock.
type fact struct {
	card     *card
	remote   netip.AddrPort
	start    int64
	replied  int64
	ringing  int64
	answered int64
	rest     int64
	ordinal  uint16 // Among the call's attempts, from 0.
	uri      uint16 // Where in text the URI is that the provider before redirected to; 0: it is the card's.
	uriLen   uint16
	status   int16
	proto    transport.Proto
	cause    cause
	how      how
	verdict  because
	ruled    bool // A rule decided on its final response.
}

// how says what an attempt is beside the one before it.
type how uint8

const (
	howNext      how = iota // Another provider.
	howAddress              // The same at its next address.
	howDatagram             // The same by UDP.
	howRedirect             // Where the one before redirected to.
	howOnceAgain            // The same once more.
)

// because says why a final response was the call's.
type because uint8

const (
	becauseNothing  because = iota // It was not.
	becauseSpoken                  // The callee has spoken.
	becauseRang                    // It rang already.
	becauseNotNamed                // failover.next does not name it.
	becauseRule                    // A rule says so.
)

// ending says why a call ended where it did.
type ending uint8

const (
	endedNobody    ending = iota // Nobody was left to try.
	endedAnswered                // By a 2xx.
	endedRelayed                 // By a provider's word.
	endedCancelled               // By the caller.
	endedSetup                   // By the setup budget.
	endedTimedOut                // By the answer budget.
	endedAttempts                // By max_attempts.
	endedRinging                 // It rang, and nobody else may try after that.
)

// fill writes a call into the entry. The lock is held. It allocates only when a call is longer than all that stood here
// before, or more of them have had a second attempt than ever.
func (e *entry) fill(c *call, o outcome, code int, now int64, lent *facts) {
	e.start, e.end = c.start, now
	e.customer, e.status, e.outcome, e.ending = c.customer, int16(code), o, endingOf(c, code, now)
	e.setup, e.attempts = time.Duration(c.snap.setup), int32(c.snap.maxAttempts)
	callID := clip(c.req[c.callID.Start:c.callID.End])
	number := clip(c.number)
	e.callID, e.number = uint16(len(callID)), uint16(len(number))
	e.text = append(append(e.text[:0], callID...), number...)

	lent.put(e.tries)
	e.tries = e.firstTry[:0]
	ordinal := 0
	for i, a := range c.attempts {
		if a.repeated {
			continue // The next one is the same with credentials.
		}
		// The last one decided; of the others the first ones tell enough.
		if len(e.tries) < maxTries-1 || i == len(c.attempts)-1 {
			e.note(a, ordinal, lent)
		}
		ordinal++
	}
	e.skips = append(e.skips[:0], c.skips...)
	if e.ending == endedAttempts {
		for _, ch := range c.plan[c.next:] {
			if len(e.skips) == maxSkips {
				break
			}
			e.skips = append(e.skips, skip{
				card: c.snap.providers[ch.Provider].card, n: e.attempts, why: skipAttempts, after: uint8(min(c.made(), 255)),
			})
		}
		return
	}
	if c.behind < len(c.plan) {
		e.noteBehind(c, now)
	}
}

// noteBehind adds the providers that the call would have come to sooner, had they been well.
func (e *entry) noteBehind(c *call, now int64) {
	for _, ch := range c.plan[max(c.next, c.behind):] {
		p := &c.snap.providers[ch.Provider]
		why := p.skip()
		n := int32(0)
		if why == skipNone {
			why, n = p.laggard(now)
		}
		if why != skipNone && len(e.skips) < maxSkips {
			e.skips = append(e.skips, skip{card: p.card, n: n, why: why})
		}
	}
}

// note adds an attempt.
func (e *entry) note(a *attempt, ordinal int, lent *facts) {
	if a.prov == nil {
		return
	}
	if len(e.tries) == cap(e.tries) {
		e.tries = lent.more(e.tries)
	}
	e.tries = append(e.tries, fact{
		card: a.prov.card, remote: a.flow.Remote, proto: a.flow.Proto, start: a.start, replied: a.replied, ringing: a.ringing,
		answered: a.answered, rest: a.rest, ordinal: uint16(ordinal), status: int16(a.status), cause: a.cause,
		ruled: a.ruled,
	})
	f := &e.tries[len(e.tries)-1]
	switch {
	case a.redirect != nil:
		uri := clip(a.redirect.uri)
		f.how, f.uri, f.uriLen = howRedirect, uint16(len(e.text)), uint16(len(uri))
		e.text = append(e.text, uri...)
	case a.again:
		f.how = howDatagram
	case a.hop > 0:
		f.how = howAddress
	case len(e.tries) > 1 && e.tries[len(e.tries)-2].card == f.card:
		f.how = howOnceAgain
	}
	if a.relayed {
		f.verdict = groundOf(a)
	}
}

// groundOf says why a response that went up did so.
func groundOf(a *attempt) because {
	switch {
	case a.ruled && a.ringing != 0 && !a.prov.after:
		return becauseRang
	case a.ruled:
		return becauseRule
	case spoken(a.status):
		return becauseSpoken
	case a.ringing != 0 && !a.prov.after && a.prov.next.Has(a.status):
		return becauseRang
	default:
		return becauseNotNamed
	}
}

// spoken tells the codes by which the callee, or the network for it, has spoken.
func spoken(code int) bool {
	return code == 480 || code == 484 || code == 486 || code == 487 || code >= 600
}

// endingOf says why a call ended, given the status code that went up.
func endingOf(c *call, code int, now int64) ending {
	var last *attempt
	if n := len(c.attempts); n > 0 {
		last = c.attempts[n-1]
	}
	switch {
	case code < 300:
		return endedAnswered
	case c.cancelled:
		return endedCancelled
	case last == nil:
		return endedNobody
	case last.relayed:
		return endedRelayed
	case now >= c.start+c.snap.setup:
		return endedSetup
	case c.timedOut:
		return endedTimedOut
	case c.next < len(c.plan) && c.tried() >= c.snap.maxAttempts:
		return endedAttempts
	case last.ringing != 0 && last.prov != nil && !last.prov.after:
		return endedRinging
	default:
		return endedNobody
	}
}

// hashOf is by what a Call-ID is found again.
func hashOf(seed maphash.Seed, callID []byte) uint64 { return maphash.Bytes(seed, callID) }

// id and dialled are the texts of the entry.
func (e *entry) id() []byte      { return e.text[:e.callID] }
func (e *entry) dialled() []byte { return e.text[e.callID:][:e.number] }

// copyFrom makes the entry one of its own with the facts of another.
func (e *entry) copyFrom(o *entry) {
	text, tries, skips := append(e.text[:0], o.text...), append(e.tries[:0], o.tries...), append(e.skips[:0], o.skips...)
	e.seq, e.hash, e.start, e.end, e.customer, e.setup, e.attempts = o.seq, o.hash, o.start, o.end, o.customer, o.setup, o.attempts
	e.status, e.callID, e.number, e.outcome, e.ending = o.status, o.callID, o.number, o.outcome, o.ending
	e.text, e.tries, e.skips = text, tries, skips
}

// wins reports the attempt that answered, or the last one; nil when there was none.
func (e *entry) wins() *fact {
	for i := range e.tries {
		if e.tries[i].cause == causeAnswered {
			return &e.tries[i]
		}
	}
	if n := len(e.tries); n > 0 {
		return &e.tries[n-1]
	}
	return nil
}

// matches says whether the entry is one that a query asks for.
func (e *entry) matches(q *providers.CallQuery) bool {
	switch {
	case q.Number != "" && q.Number != string(e.dialled()),
		q.CustomerID != uuid.Nil && q.CustomerID != e.customer,
		q.Outcome != "" && q.Outcome != e.outcome.String():
		return false
	case q.ProviderID == uuid.Nil:
		return true
	}
	for i := range e.tries {
		if e.tries[i].card.id == q.ProviderID {
			return true
		}
	}
	return false
}

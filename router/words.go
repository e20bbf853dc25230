package router

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/transport"
)

// skipsInWords bounds how many skipped providers one attempt's words name; the record lists them besides.
const skipsInWords = 3

// record makes words of the facts.
func (e *entry) record() providers.CallRecord {
	r := providers.CallRecord{
		CallID: string(e.id()), Number: string(e.dialled()), CustomerID: e.customer,
		Start: time.Unix(0, e.start), End: time.Unix(0, e.end), FinalStatus: int(e.status), Outcome: e.outcome.String(),
		Attempts: make([]providers.CallAttempt, len(e.tries)), Skipped: make([]providers.SkippedProvider, len(e.skips)),
	}
	for i := range e.tries {
		f := &e.tries[i]
		r.Attempts[i] = providers.CallAttempt{
			ProviderID: f.card.id, ProviderName: f.card.name, RequestURI: e.requestURI(f),
			Destination: destination(f.flow()), Status: int(f.status), Cause: f.cause.String(),
			Reply: f.after(f.replied), Ringing: f.after(f.ringing), Answer: f.after(f.answered), Next: e.next(i),
		}
	}
	for i := range e.skips {
		s := &e.skips[i]
		id, name := s.identity()
		r.Skipped[i] = providers.SkippedProvider{ProviderID: id, ProviderName: name, Reason: s.String()}
	}
	return r
}

func (e *entry) requestURI(f *fact) string {
	if f.how == howRedirect {
		return string(e.text[f.uri:][:f.uriLen])
	}
	return string(f.card.appendURI(nil, e.dialled()))
}

func (f *fact) flow() transport.Flow { return transport.Flow{Proto: f.proto, Remote: f.remote} }

// after is how long after the attempt's start something happened; 0 when it did not.
func (f *fact) after(at int64) time.Duration {
	if at == 0 {
		return 0
	}
	return max(time.Duration(at-f.start), 1)
}

// destination writes where a request goes: transport:address:port.
func destination(to transport.Flow) string {
	return strings.ToLower(to.Proto.String()) + ":" + to.Remote.String()
}

// next says why the provider after an attempt was tried, or was not:
//
//	503 with Retry-After: resting 30s; skipped carrier-b: 10 of 10 calls in use; carrier-c next
func (e *entry) next(i int) string {
	f := &e.tries[i]
	words := []string{e.over(f, i == len(e.tries)-1)}
	named, more := 0, 0
	for j := range e.skips {
		s := &e.skips[j]
		if int(s.after) != int(f.ordinal)+1 || s.why == skipAttempts {
			continue
		}
		if named == skipsInWords {
			more++
			continue
		}
		named++
		id, name := s.identity()
		if name == "" {
			name = id.String()
		}
		words = append(words, "skipped "+name+": "+s.String())
	}
	if more > 0 {
		words = append(words, fmt.Sprintf("skipped %d more", more))
	}
	then := ""
	if i+1 < len(e.tries) {
		then = e.step(&e.tries[i+1])
	} else {
		then = e.finish()
	}
	if then != "" {
		words = append(words, then)
	}
	return strings.Join(words, "; ")
}

// over says how an attempt ended.
func (e *entry) over(f *fact, last bool) string {
	code := strconv.Itoa(int(f.status))
	switch f.cause { //nolint:exhaustive // All others are a final response.
	case causeAnswered:
		return "answered"
	case causeCancelled:
		if last && e.ending == endedCancelled {
			return "the caller hung up"
		}
		return "another attempt was answered"
	case causeNoReply:
		return "no reply within " + plain(f.card.noReply)
	case causeNoRinging:
		return "no ringing within " + plain(f.card.noRinging)
	case causeNoAnswer:
		if e.ending == endedSetup && last {
			return "no answer within the " + plain(e.setup) + " that a call may take"
		}
		return "it rang for " + plain(f.card.answer) + " and nobody answered"
	case causeTransport:
		return "it could not be reached"
	case causeNone:
		return "it had not ended"
	}
	code += f.means()
	switch f.verdict {
	case becauseSpoken:
		return code + ": the callee has spoken"
	case becauseRang:
		return code + ": final, because it rang before"
	case becauseNotNamed:
		return code + ": final, because failover.next does not name it"
	case becauseRule:
		return code + ": final"
	case becauseNothing:
	}
	return code
}

// means says what is made of a final response, beside its code.
func (f *fact) means() string {
	words := ""
	switch {
	case f.ruled && f.cause != causeOf(int(f.status)):
		words = " (" + f.cause.String() + ") by a rule"
	case f.ruled:
		words = " by a rule"
	case f.rest > 0:
		words = " with Retry-After"
	}
	if f.rest > 0 {
		words += ": resting " + plain(time.Duration(f.rest))
	}
	return words
}

// step says what an attempt is beside the one before.
func (e *entry) step(f *fact) string {
	switch f.how {
	case howAddress:
		return "its next address"
	case howDatagram:
		return "the same by UDP"
	case howRedirect:
		return "redirected to " + e.requestURI(f)
	case howOnceAgain:
		return "the same once more"
	case howNext:
	}
	return f.card.name + " next"
}

// finish says why nobody was tried after the last attempt; "" when the attempt itself says it.
func (e *entry) finish() string {
	switch e.ending {
	case endedAnswered, endedRelayed:
		return ""
	case endedCancelled:
		if e.wins().cause == causeCancelled {
			return ""
		}
		return "the caller hung up"
	case endedSetup:
		if e.wins().cause == causeNoAnswer {
			return ""
		}
		return "the " + plain(e.setup) + " that a call may take are over"
	case endedTimedOut:
		return ""
	case endedAttempts:
		return fmt.Sprintf("max_attempts %d reached", e.attempts)
	case endedRinging:
		return "nobody else is tried after ringing"
	case endedNobody:
	}
	return "nobody is left to try"
}

// plain writes a duration without zeros at its end and without digits that mean nothing.
func plain(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(100 * time.Millisecond)
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

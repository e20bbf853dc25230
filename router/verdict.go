package router

import "github.com/voipbin/dialrouter/providers"

// verdict is what a final response means for the call.
type verdict uint8

const (
	relay verdict = iota // The callee, or the network for it, has spoken: this response is the call's.
	next                 // The provider's fault: the next one may try.
	again                // The provider's fault for now: after a while it may try once more.
)

// cause says why an attempt ended. It labels metrics and stands in logs and call records, so its values are few and
// their names are fixed.
type cause uint8

const (
	causeNone        cause = iota
	causeAnswered          // 2xx.
	causeRedirected        // 3xx.
	causeAuth              // 401, 407: a challenge nobody here can answer.
	causeForbidden         // 403.
	causeNotFound          // 404.
	causeBusy              // 486, 600.
	causeUnavailable       // 480.
	causeDeclined          // 603.
	causeCodec             // 415, 488, 606.
	causeRejected          // Every other 4xx and 6xx.
	causeTimeout           // 408.
	causeOverload          // 503.
	causeServerError       // Every other 5xx.
	causeNoReply           // Nothing came within no_reply.
	causeNoRinging         // No 18x came within no_ringing.
	causeNoAnswer          // It rang for the whole answer budget, or the setup budget ended.
	causeTransport         // It could not be sent: ICMP, connection refused.
	causeCancelled         // The caller hung up.
	causeLimit             // It was at its limit, and was not tried.
	numCauses
)

var causeNames = [numCauses]string{ //nolint:gochecknoglobals // A lookup table.
	"none", "answered", "redirected", "auth", "forbidden", "not_found", "busy", "unavailable", "declined", "codec",
	"rejected", "timeout", "overload", "server_error", "no_reply", "no_ringing", "no_answer", "transport", "cancelled", "limit",
}

func (c cause) String() string { return causeNames[c] }

// causeOf names the cause for a final status code.
func causeOf(code int) cause {
	switch code {
	case 401, 407:
		return causeAuth
	case 403:
		return causeForbidden
	case 404:
		return causeNotFound
	case 408:
		return causeTimeout
	case 486, 600:
		return causeBusy
	case 480:
		return causeUnavailable
	case 603:
		return causeDeclined
	case 415, 488, 606:
		return causeCodec
	case 503:
		return causeOverload
	}
	switch code / 100 {
	case 2:
		return causeAnswered
	case 3:
		return causeRedirected
	case 5:
		return causeServerError
	default:
		return causeRejected
	}
}

// judge is the verdict table: what a provider's final non-2xx response means, given its failover set, whether it has
// rung already, whether its rules allow the next provider after that, and whether the caller has hung up.
//
// Never on 480, 484, 486, 487 and 6xx, whatever the set says: the callee has spoken.
func judge(code int, set *providers.CodeSet, rang, afterRinging, cancelled bool) verdict {
	switch {
	case cancelled, code >= 600, code < 300:
		return relay
	case code == 480, code == 484, code == 486, code == 487:
		return relay
	case rang && !afterRinging:
		return relay
	case set.Has(code):
		return next
	default:
		return relay
	}
}

// rank orders the final responses of several attempts, lowest best (RFC 3261 section 16.7 item 6): 6xx, then the
// lowest class, within 4xx those that the caller can act on. Our own word for silence (408) and for what could not be
// sent (500) stand behind what providers said in the same class, and 503 behind the 5xx that may go up as it is.
func rank(code int, ours bool) int {
	switch {
	case code >= 600:
		return 0
	case code < 400:
		return 1
	case code < 500 && ours:
		return 4
	case code == 401, code == 407, code == 415, code == 420, code == 484:
		return 2
	case code < 500:
		return 3
	case ours:
		return 7
	case code == 503:
		return 6
	default:
		return 5
	}
}

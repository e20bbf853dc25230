//go:build linux

package load

import (
	"bytes"

	"github.com/voipbin/dialrouter/bench/table"
)

// fault is one thing that a proxy did wrong; faults is a set of them.
type (
	fault  uint
	faults uint32
)

const (
	faultRequestURI    fault = iota // The user part is not tech prefix and number.
	faultAccount                    // X-Account is not there once with its value.
	faultTrace                      // X-Trace-Id is not there once with a value.
	faultCodecs                     // The body is not the offer with PCMU, PCMA and telephone-event left.
	faultContentLength              // Content-Length is not the length of the body.
	faultRecordRoute                // No Record-Route: the proxy would not see the rest of the call.
	faultMaxForwards                // Max-Forwards was not counted down.
	faultVia                        // The proxy's Via is not on top of the caller's.
	faultTarget                     // A request in the dialog does not carry the Contact as its Request-URI.
	faultLeftRoute                  // A request in the dialog still carries the proxy's Route.
	faultLooseRoute                 // A Record-Route without lr.
	faultNextHop                    // A Record-Route whose host is no IPv4 address, or that does not lead back to the caller's stream.
	faultCount
)

func (f fault) String() string {
	switch f {
	case faultRequestURI:
		return "request_uri"
	case faultAccount:
		return "x_account"
	case faultTrace:
		return "x_trace_id"
	case faultCodecs:
		return "codecs"
	case faultContentLength:
		return "content_length"
	case faultRecordRoute:
		return "record_route"
	case faultMaxForwards:
		return "max_forwards"
	case faultVia:
		return "via"
	case faultTarget:
		return "dialog_target"
	case faultLeftRoute:
		return "left_route"
	case faultLooseRoute:
		return "loose_route"
	case faultNextHop:
		return "next_hop"
	default:
		return "unknown"
	}
}

func (s *faults) addIf(bad bool, f fault) {
	if bad {
		*s |= 1 << f
	}
}

// checkInvite says what is wrong with an INVITE that a provider got: want is the user part that it must carry,
// body the session description.
func checkInvite(m *message, want string, body []byte) faults {
	var s faults
	s.addIf(!isUser(m.uri, want), faultRequestURI)
	s.addIf(m.accounts != 1 || string(m.account) != table.Account, faultAccount)
	s.addIf(m.traces != 1 || len(m.trace) == 0, faultTrace)
	s.addIf(!bytes.Equal(m.body, body), faultCodecs)
	s.addIf(m.contentLength != len(m.body), faultContentLength)
	s.addIf(m.routes == 0, faultRecordRoute)
	s.addIf(m.maxForwards != 69, faultMaxForwards)
	s.addIf(m.vias < 2, faultVia)
	return s
}

// checkInDialog says what is wrong with an ACK or BYE that the answering provider got: one that the caller sent, or
// the proxy's own.
func checkInDialog(m *message, contact []byte, own bool) faults {
	var s faults
	s.addIf(!bytes.Equal(m.uri, contact), faultTarget)
	s.addIf(m.leftRoutes != 0, faultLeftRoute)
	s.addIf(!own && m.maxForwards != 69, faultMaxForwards)
	s.addIf(!own && m.vias < 2, faultVia)
	return s
}

// isUser tells whether a SIP URI has exactly this user part.
func isUser(uri []byte, user string) bool {
	rest, ok := bytes.CutPrefix(uri, []byte("sip:"))
	return ok && len(rest) > len(user) && string(rest[:len(user)]) == user && rest[len(user)] == '@'
}

package health

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// A Prober asks each address of each provider again and again whether somebody is there:
//
//	Check      one provider: its addresses, how often they are asked, which replies mean up
//	 └ Place   one address: thresholds over the answers -> unknown, healthy, unhealthy
//
// A provider is healthy while one of its addresses is, and unhealthy when all of them are. How a question travels is
// the business of whoever gives the Check its Ask: this package knows no SIP message.

// Address is where a provider is asked. Its dynamic type must be comparable; String says where it is.
type Address interface{ String() string }

// Check is what is to be found out about one provider.
type Check struct {
	ID    uuid.UUID
	Name  string // For the log.
	State *State // It is told what the thresholds make of the answers.

	Host      string    // What the answers are about: when it becomes another, what was known is forgotten.
	Addresses []Address // Where Host is now.
	Trouble   error     // Why it has no address for now; nil: it has one, or that is only not known yet.

	Interval  time.Duration // Between two probes of one address; 0: it is not asked.
	Timeout   time.Duration // How long one may take.
	DownAfter int           // Probes lost in a row that make an address unhealthy.
	UpAfter   int           // Probes answered in a row that make it healthy.
	Up        providers.CodeSet

	// Ask sends one probe and waits for its end, no longer than the context lives.
	Ask func(ctx context.Context, at Address) Answer
}

// Answer is what came of one probe.
type Answer struct {
	Code int   // Of the final reply; 0: there was none.
	TLS  bool  // Err is about proving who the peer is, or about speaking TLS at all.
	Err  error // Why there was none; nil: nothing came in time.
	Ours bool  // It was not sent for a reason that is ours, so it says nothing of the provider.
}

// Result is how a probe ended.
type Result uint8

// The results.
const (
	ResultUp        Result = iota // A reply that means that somebody is there.
	ResultDown                    // A reply that does not.
	ResultSilence                 // Nothing came in time.
	ResultTransport               // It could not be sent.
	ResultTLS                     // TLS failed.
	NumResults
)

// String is the result as a metric's label.
func (r Result) String() string { return [...]string{"up", "down", "silence", "transport", "tls"}[r] }

func (c *Check) result(a *Answer) Result {
	switch {
	case a.Code != 0 && c.Up.Has(a.Code):
		return ResultUp
	case a.Code != 0:
		return ResultDown
	case a.Err == nil:
		return ResultSilence
	case a.TLS:
		return ResultTLS
	default:
		return ResultTransport
	}
}

// longestDetail bounds what is kept of an error: a certificate may name anything.
const longestDetail = 200

// detail says what came of a probe, for people.
func (c *Check) detail(a *Answer) string {
	text := ""
	switch c.result(a) {
	case ResultUp:
		return fmt.Sprintf("answered %d", a.Code)
	case ResultDown:
		return fmt.Sprintf("answered %d, which does not mean up", a.Code)
	case ResultSilence:
		return fmt.Sprintf("no reply within %s", c.Timeout)
	case ResultTLS:
		text = "TLS failed: " + a.Err.Error()
	default:
		text = "could not be sent: " + a.Err.Error()
	}
	return text[:min(len(text), longestDetail)]
}

// Found is what probes know of a provider.
type Found struct {
	Health    providers.Health
	CheckedAt time.Time // When a probe ended last; zero: none did.
	Detail    string    // Why it is unhealthy, "" when it is not.
	Places    []PlaceFound
}

// PlaceFound is what probes know of one address.
type PlaceFound struct {
	Address   string // transport:address:port.
	Health    providers.Health
	CheckedAt time.Time // Zero: never.
	Detail    string    // What came of the last probe; "" before the first.
}

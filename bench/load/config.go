//go:build linux

// Package load is a SIP caller and three scripted providers in one thread: it offers calls to a proxy at a fixed
// rate, answers them behind it, and checks what comes through.
//
//	                      +--> provider that answers: 100, 180, 200 -----+
//	caller --> proxy -----+--> busy provider: 100, 503                   |
//	   ^                  +--> silent provider: nothing                  |
//	   +------- checks, post-dial delay, retransmissions <---------------+
//
// The load is an open loop: calls start on their schedule however slow the proxy is. Retransmissions are those of
// RFC 3261 section 17, on both sides. All sides share one thread, one table of calls and one timer wheel; there is
// no goroutine, timer or allocation per call, so that the generator stays well below what the proxy costs.
//
// The number of a call travels in its Call-ID, eight hexadecimal digits and eight more for the run.
package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/voipbin/dialrouter/bench/table"
)

// Scenario names what happens to a call.
type Scenario string

// The scenarios.
const (
	A Scenario = "A" // The first provider answers.
	B Scenario = "B" // The first provider replies 503, the second answers.
	C Scenario = "C" // The first provider is silent, the second answers.
	R Scenario = "R" // The first provider rings for a time, then answers: to weigh calls in progress.
	S Scenario = "S" // The first provider answers for a time, then it is silent; the second answers.
)

// Group returns the numbers that a scenario dials.
func (s Scenario) Group() (table.Group, error) {
	switch s {
	case A, R:
		return table.A, nil
	case B:
		return table.B, nil
	case C, S:
		return table.C, nil
	}
	return 0, fmt.Errorf("scenario %q: want A, B, C, R or S", string(s))
}

// Config says who is where. Addresses are IPv4; port 0 takes a free one.
type Config struct {
	Proxy   netip.AddrPort // Where calls are sent.
	Caller  netip.AddrPort
	Answers netip.AddrPort
	Busy    netip.AddrPort
	Silent  netip.AddrPort
	// T1 is RFC 3261's estimate of a round trip, 500 ms when zero. All retransmissions and limits follow from it.
	T1 time.Duration
	// Outbound sends every request to Proxy, whatever the route set says: for relays that do not know SIP.
	Outbound bool
	// NoChecks accepts any INVITE at the providers: for relays that do not know SIP.
	NoChecks bool
	// Stream has the caller speak TCP with the proxy, over one connection that the first run opens.
	Stream bool
	// Network is what the datagrams pass on their way to the proxy and from it.
	Network Network
}

// DefaultConfig returns the addresses that the routing tables for Kamailio and dialrouter are written for.
func DefaultConfig() Config {
	return Config{
		Proxy:   netip.MustParseAddrPort("127.0.0.1:5060"),
		Caller:  netip.MustParseAddrPort("127.0.0.5:5060"),
		Answers: netip.MustParseAddrPort("127.0.0.2:5060"),
		Busy:    netip.MustParseAddrPort("127.0.0.3:5060"),
		Silent:  netip.MustParseAddrPort("127.0.0.4:5060"),
	}
}

// Hosts returns where the providers are, for the routing tables.
func (c Config) Hosts() table.Hosts {
	return table.Hosts{Answers: c.Answers, Busy: c.Busy, Silent: c.Silent}
}

// Limits of a run: it must end, and fit into memory.
const (
	maxCalls = 1 << 21
	maxRate  = 100_000
	maxPause = time.Hour
)

// Plan is one run.
type Plan struct {
	Scenario Scenario      `json:"scenario"`
	Rate     int           `json:"rate"`            // Calls per second.
	Calls    int           `json:"calls"`           // In all.
	Ring     time.Duration `json:"ring"`            // Between 180 and 200; 0 sends both at once.
	Hold     time.Duration `json:"hold"`            // Between ACK and BYE.
	Renew    bool          `json:"renew,omitempty"` // A re-INVITE goes before the BYE. Its 200 is not sent again: not for lossy networks.

	SilentAfter time.Duration `json:"silent_after,omitempty"` // Scenario S: when the first provider falls silent.
}

func (p Plan) validate() error {
	var errs []error
	if _, err := p.Scenario.Group(); err != nil {
		errs = append(errs, err)
	}
	if p.Rate < 1 || p.Rate > maxRate {
		errs = append(errs, fmt.Errorf("rate %d: want 1 to %d calls per second", p.Rate, maxRate))
	}
	if p.Calls < 1 || p.Calls > maxCalls {
		errs = append(errs, fmt.Errorf("%d calls: want 1 to %d", p.Calls, maxCalls))
	}
	if p.Ring < 0 || p.Ring > maxPause || p.Hold < 0 || p.Hold > maxPause {
		errs = append(errs, fmt.Errorf("ring %v, hold %v: want 0 to %v", p.Ring, p.Hold, maxPause))
	}
	if (p.Scenario == S) != (p.SilentAfter > 0) {
		errs = append(errs, fmt.Errorf("scenario %q, silent after %v: a time belongs to S and to no other", string(p.Scenario), p.SilentAfter))
	}
	return errors.Join(errs...)
}

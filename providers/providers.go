// Package providers is the domain of dialrouter: the carriers (providers), the routes that lead to them, and the
// catalog that holds one revision of both.
//
// It knows what a valid provider or route is (Validate), how a catalog is stored (Store), and nothing of SIP
// messages, sockets or HTTP. Everything here is a plain value: a Catalog that was handed out is never changed.
package providers

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Everyone is the customer id that stands for all customers: its routes serve whoever has no better route of
// their own.
var Everyone = uuid.MustParse("00000000-0000-0000-0000-000000000001") //nolint:gochecknoglobals // A constant; Go has no array constants.

// TargetAll is the route target that matches every dial string.
const TargetAll = "all"

// Transport is how a provider is reached. The empty value lets DNS decide (RFC 3263 section 4.1).
type Transport string

// The transports that a provider may name.
const (
	TransportAny Transport = ""
	TransportUDP Transport = "udp"
	TransportTCP Transport = "tcp"
	TransportTLS Transport = "tls"
)

// Header is one SIP header that goes out with every INVITE to a provider.
type Header struct {
	Name, Value string
	Secret      bool // The value is for the provider's eyes only: no response, log or audit shows it.
}

// Budgets bound how long one attempt may take. Zero means: the configuration's default.
type Budgets struct {
	NoReply   time.Duration // Nothing at all came back.
	NoRinging time.Duration // A 100 came, but no 18x.
	Answer    time.Duration // It rings, but nobody answers.
}

// Failover tells which replies of a provider let the next provider try. The zero value means: as configured for
// all providers. The first rule that fits decides, then the preset, then Next.
type Failover struct {
	Next         []string // Status codes and classes: "404", "5xx". Nil: the configuration's list.
	AfterRinging *bool    // Whether a 18x still allows the next provider. Nil: as configured.
	Preset       string   `json:",omitzero"` // A name of Presets, or NoPreset. "": as configured.
	Rules        []Rule   `json:",omitzero"` // Nil: the configuration's.
}

// Limits bound what a provider is given. Zero means no limit.
type Limits struct {
	Calls int     // Calls at the same time.
	CPS   float64 // New calls per second.
}

// Credentials answer a provider's digest challenge (RFC 3261 section 22).
type Credentials struct {
	Username, Password, Realm string
}

// Probing says how a provider is asked whether it is there. The zero value means: as configured for all providers.
type Probing struct {
	Off      bool          // It is not asked at all.
	Interval time.Duration // Between two probes of one address; 0: as configured.
	Up       []string      // Replies that mean it is there: "404", "2xx". Nil: DefaultUp.
}

// DefaultUp are the replies to a probe that mean that a provider is there: all but those that say that it cannot serve
// anybody now (503), or that nobody behind it answers (408).
func DefaultUp() CodeSet {
	var s CodeSet
	for code := 200; code <= highestCode; code++ {
		if code != 408 && code != 503 {
			s.add(code)
		}
	}
	return s
}

// Health is what is known of a provider's reachability.
type Health string

// The states of Health.
const (
	HealthUnknown   Health = "unknown"
	HealthHealthy   Health = "healthy"
	HealthUnhealthy Health = "unhealthy"
)

// Provider is a SIP trunk service: where it is, how it wants its numbers, headers and codecs, and how long it is
// waited for.
type Provider struct {
	ID          uuid.UUID
	Type        string // "sip".
	Hostname    string // As written: host, host:port, IPv4, [IPv6], [IPv6]:port.
	TechPrefix  string // Put before the dial string, literally.
	TechPostfix string // Put after it; with one "@" it also names the host of the Request-URI.
	TechHeaders []Header
	Name        string
	Detail      string
	Metadata    map[string]string
	Codecs      string // Comma-separated, in order of preference; "" leaves the offer alone.

	HealthStatus    Health
	HealthCheckedAt time.Time // Zero: never.

	TmCreate time.Time
	TmUpdate time.Time
	TmDelete time.Time // Zero: not deleted.

	Transport       Transport
	Enabled         bool
	RawUser         bool // Send the user part without percent-escaping.
	FollowRedirects bool // Recurse on 3xx instead of passing it up.
	Budgets         Budgets
	Failover        Failover
	Limits          Limits
	Credentials     Credentials
	Probing         Probing
}

// Clone returns a copy that shares nothing with p.
func (p *Provider) Clone() *Provider {
	c := *p
	c.TechHeaders = slices.Clone(p.TechHeaders)
	c.Metadata = maps.Clone(p.Metadata)
	c.Failover.Next = slices.Clone(p.Failover.Next)
	if p.Failover.AfterRinging != nil {
		after := *p.Failover.AfterRinging
		c.Failover.AfterRinging = &after
	}
	c.Failover.Rules = slices.Clone(p.Failover.Rules)
	c.Probing.Up = slices.Clone(p.Probing.Up)
	return &c
}

// Deleted says whether the provider was deleted (softly: the record stays).
func (p *Provider) Deleted() bool { return !p.TmDelete.IsZero() }

// Route says which provider may carry which numbers for which customer.
type Route struct {
	ID         uuid.UUID
	CustomerID uuid.UUID // Everyone: for all customers.
	Name       string
	Detail     string
	ProviderID uuid.UUID
	Priority   int    // Lower goes first.
	Target     string // TargetAll or "+" and digits.
	Weight     int    // Share among routes of equal customer, target and priority; at least 1.

	TmCreate time.Time
	TmUpdate time.Time
	TmDelete time.Time // Zero: not deleted.
}

// Deleted says whether the route was deleted (softly: the record stays).
func (r *Route) Deleted() bool { return !r.TmDelete.IsZero() }

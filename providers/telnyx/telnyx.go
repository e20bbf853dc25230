// Package telnyx sets up a SIP trunk at Telnyx through their API, and takes it down again when that fails half-way.
//
//	1 GET  /whoami                       is the key good?
//	2 POST /outbound_voice_profiles      which countries may be called        undone by DELETE
//	3 POST /fqdn_connections             how we log in                        undone by DELETE
//	4 POST /fqdns                        where Telnyx finds us                undone by DELETE
//
// Payloads stand under "data", errors are {"errors": [{"code", "title", "detail", "source"}]}. The key, the password
// and what Telnyx answers never are in the text of an error, so that they reach no log.
package telnyx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SIPHost is where Telnyx takes calls.
const SIPHost = "sip.telnyx.com"

const (
	// callTimeout bounds each request, and each step of an undo.
	callTimeout = 10 * time.Second

	// profileRetries is how often a profile is asked for again without the countries that were refused.
	profileRetries = 3

	maxUserName    = 32 // Of a connection; letters and digits, like the password.
	passwordLength = 32
)

// Client speaks Telnyx's API with one key.
type Client struct {
	base string
	key  string
	http *http.Client
}

// New makes a client for the API at base, such as https://api.telnyx.com/v2. A nil transport is the default one.
func New(base, key string, transport http.RoundTripper) *Client {
	return &Client{
		base: strings.TrimRight(base, "/"),
		key:  key,
		http: &http.Client{
			Transport: transport,
			// The key must not follow a redirect to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Order is the trunk that is wanted.
type Order struct {
	Name string // Of the profile and the connection.
	FQDN string // Our own name, to which Telnyx sends calls.
	Port uint16
}

// Trunk is what was made.
type Trunk struct {
	ProfileID    string
	ConnectionID string
	FQDNID       string
	Username     string // Answers the challenges of SIPHost.
	Password     string

	names    [kinds]string // Which the things were to get.
	doubtful kind          // Made or not: the answer was lost.
}

// SetUp makes a trunk. When it fails, what was made until then is removed again, also when ctx is done; the error
// holds a *LeftError when something could not be removed, and ErrKeyRejected when it was the key.
func (c *Client) SetUp(ctx context.Context, o Order) (*Trunk, error) {
	t := &Trunk{
		Username: userName(o.Name),
		Password: letters(passwordLength),
		names:    [kinds]string{profile: o.Name, connection: o.Name, fqdn: o.FQDN},
	}
	err := c.build(ctx, o, t)
	if err == nil {
		return t, nil
	}
	return nil, errors.Join(err, c.TearDown(ctx, t))
}

func (c *Client) build(ctx context.Context, o Order, t *Trunk) error {
	if err := c.call(ctx, http.MethodGet, "/whoami", nil, nil, t); err != nil {
		return fmt.Errorf("checking the key: %w", err)
	}
	if err := c.makeProfile(ctx, o.Name, t); err != nil {
		return fmt.Errorf("making the outbound voice profile: %w", err)
	}
	if err := c.makeConnection(ctx, o.Name, t); err != nil {
		return fmt.Errorf("making the FQDN connection: %w", err)
	}
	if err := c.makeFQDN(ctx, o, t); err != nil {
		return fmt.Errorf("making the FQDN: %w", err)
	}
	return nil
}

// made is what Telnyx answers when it made something.
type made struct {
	Data struct {
		ID string `json:"id"`
	} `json:"data"`
}

type profileRequest struct {
	Name         string   `json:"name"`
	TrafficType  string   `json:"traffic_type"`
	ServicePlan  string   `json:"service_plan"`
	Destinations []string `json:"whitelisted_destinations"`
}

// makeProfile asks for all countries. Which of them an account may call is only learned by being refused.
func (c *Client) makeProfile(ctx context.Context, name string, t *Trunk) error {
	countries := allCountries()
	for try := 0; ; try++ {
		err := c.create(ctx, profile, profileRequest{
			Name: name, TrafficType: "conversational", ServicePlan: "global", Destinations: countries,
		}, t)
		refused, ok := errors.AsType[*APIError](err)
		if !ok || refused.Status != http.StatusUnprocessableEntity || try == profileRetries {
			return err
		}
		kept := without(countries, refused.countries(countries))
		if len(kept) == len(countries) || len(kept) == 0 {
			return err
		}
		countries = kept
	}
}

type connectionRequest struct {
	Name     string            `json:"connection_name"`
	UserName string            `json:"user_name"`
	Password string            `json:"password"`
	Inbound  map[string]string `json:"inbound"`
	Outbound map[string]string `json:"outbound"`
}

func (c *Client) makeConnection(ctx context.Context, name string, t *Trunk) error {
	return c.create(ctx, connection, connectionRequest{
		Name:     name,
		UserName: t.Username,
		Password: t.Password,
		Inbound:  map[string]string{"ani_number_format": "+E.164", "dnis_number_format": "+e164"},
		Outbound: map[string]string{"outbound_voice_profile_id": t.ProfileID},
	}, t)
}

type fqdnRequest struct {
	ConnectionID string `json:"connection_id"`
	FQDN         string `json:"fqdn"`
	Port         uint16 `json:"port"`
	RecordType   string `json:"dns_record_type"`
}

func (c *Client) makeFQDN(ctx context.Context, o Order, t *Trunk) error {
	return c.create(ctx, fqdn, fqdnRequest{
		ConnectionID: t.ConnectionID, FQDN: o.FQDN, Port: o.Port, RecordType: "a",
	}, t)
}

// userName makes a name that Telnyx takes and nobody else has, and that still tells whose it is.
func userName(name string) string {
	const random = 10
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, name)
	return plain[:min(len(plain), maxUserName-random)] + letters(random)
}

// letters makes n random letters and digits.
func letters(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text()) // 26 of A-Z and 2-7: 130 bits.
	}
	return b.String()[:n]
}

// without returns what is in all and not in some.
func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

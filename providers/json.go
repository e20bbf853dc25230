package providers

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Mask stands in JSON where a secret is. A client that sends it back means: as it is.
const Mask = "********"

// providerJSON has VoIPBIN's fields in VoIPBIN's order, and ours behind them.
type providerJSON struct {
	ID              uuid.UUID         `json:"id"`
	Type            string            `json:"type"`
	Hostname        string            `json:"hostname"`
	TechPrefix      string            `json:"tech_prefix"`
	TechPostfix     string            `json:"tech_postfix"`
	TechHeaders     headersJSON       `json:"tech_headers"`
	Name            string            `json:"name"`
	Detail          string            `json:"detail"`
	Metadata        map[string]string `json:"metadata"`
	Codecs          string            `json:"codecs"`
	HealthStatus    Health            `json:"health_status"`
	HealthCheckedAt *string           `json:"health_checked_at"`
	TmCreate        string            `json:"tm_create"`
	TmUpdate        string            `json:"tm_update"`
	TmDelete        string            `json:"tm_delete"`

	Transport       Transport       `json:"transport"`
	Enabled         bool            `json:"enabled"`
	RawUser         bool            `json:"raw_user"`
	FollowRedirects bool            `json:"follow_redirects"`
	Budgets         budgetsJSON     `json:"budgets"`
	Failover        failoverJSON    `json:"failover"`
	Limits          limitsJSON      `json:"limits"`
	Credentials     credentialsJSON `json:"credentials"`
	SecretHeaders   []string        `json:"secret_headers"`
	Health          healthJSON      `json:"health"`
}

type budgetsJSON struct {
	NoReply   string `json:"no_reply"`
	NoRinging string `json:"no_ringing"`
	Answer    string `json:"answer"`
}

type failoverJSON struct {
	Next         []string   `json:"next"`
	AfterRinging *bool      `json:"after_ringing"`
	Preset       string     `json:"preset"`
	Rules        []ruleJSON `json:"rules"`
}

type ruleJSON struct {
	Code   string `json:"code"`
	Cause  int    `json:"cause"`
	Reason string `json:"reason"`
	Header string `json:"header"`
	Then   Action `json:"then"`
	For    string `json:"for"`
	As     string `json:"as"`
}

// rulesJSON tells nil from empty, as Failover does.
func rulesJSON(rules []Rule) []ruleJSON {
	if rules == nil {
		return nil
	}
	all := make([]ruleJSON, len(rules))
	for i, r := range rules {
		all[i] = ruleJSON{r.Code, r.Cause, r.Reason, r.Header, r.Then, durationJSON(r.For), r.As}
	}
	return all
}

type healthJSON struct {
	Probe    bool     `json:"probe"`
	Interval string   `json:"interval"`
	Up       []string `json:"up"`
}

type limitsJSON struct {
	Calls int     `json:"calls"`
	CPS   float64 `json:"cps"`
}

type credentialsJSON struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Realm    string `json:"realm"`
}

type routeJSON struct {
	ID         uuid.UUID `json:"id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Name       string    `json:"name"`
	Detail     string    `json:"detail"`
	ProviderID uuid.UUID `json:"provider_id"`
	Priority   int       `json:"priority"`
	Target     string    `json:"target"`
	TmCreate   string    `json:"tm_create"`
	TmUpdate   string    `json:"tm_update"`
	TmDelete   string    `json:"tm_delete"`
	Weight     int       `json:"weight"`
}

// headersJSON is an object that keeps its order.
type headersJSON []Header

// MarshalJSON writes an object of names to values, secret ones masked.
func (h headersJSON) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	encode := func(s string) error {
		text, err := json.Marshal(s)
		b.Write(text)
		return err
	}
	b.WriteByte('{')
	for i, one := range h {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encode(one.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		value := one.Value
		if one.Secret {
			value = Mask
		}
		if err := encode(value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// MarshalJSON writes the provider as the API and the audit show it, secrets masked.
func (p Provider) MarshalJSON() ([]byte, error) {
	j := providerJSON{
		ID: p.ID, Type: p.Type, Hostname: p.Hostname, TechPrefix: p.TechPrefix, TechPostfix: p.TechPostfix,
		TechHeaders: p.TechHeaders, Name: p.Name, Detail: p.Detail, Metadata: p.Metadata, Codecs: p.Codecs,
		HealthStatus: p.HealthStatus,
		TmCreate:     FormatTime(p.TmCreate), TmUpdate: FormatTime(p.TmUpdate), TmDelete: FormatTime(p.TmDelete),
		Transport: p.Transport, Enabled: p.Enabled, RawUser: p.RawUser, FollowRedirects: p.FollowRedirects,
		Budgets: budgetsJSON{
			durationJSON(p.Budgets.NoReply), durationJSON(p.Budgets.NoRinging), durationJSON(p.Budgets.Answer),
		},
		Failover: failoverJSON{
			p.Failover.Next, p.Failover.AfterRinging, p.Failover.Preset, rulesJSON(p.Failover.Rules),
		},
		Limits:        limitsJSON(p.Limits),
		Credentials:   credentialsJSON(p.Credentials),
		SecretHeaders: []string{},
		Health:        healthJSON{!p.Probing.Off, durationJSON(p.Probing.Interval), p.Probing.Up},
	}
	if j.Metadata == nil {
		j.Metadata = map[string]string{}
	}
	if j.HealthStatus == "" {
		j.HealthStatus = HealthUnknown
	}
	if !p.HealthCheckedAt.IsZero() {
		checked := FormatTime(p.HealthCheckedAt)
		j.HealthCheckedAt = &checked
	}
	if j.Credentials.Password != "" {
		j.Credentials.Password = Mask
	}
	for _, h := range p.TechHeaders {
		if h.Secret {
			j.SecretHeaders = append(j.SecretHeaders, h.Name)
		}
	}
	return json.Marshal(j)
}

// MarshalJSON writes the route as the API and the audit show it.
func (r Route) MarshalJSON() ([]byte, error) {
	return json.Marshal(routeJSON{
		ID: r.ID, CustomerID: r.CustomerID, Name: r.Name, Detail: r.Detail, ProviderID: r.ProviderID,
		Priority: r.Priority, Target: r.Target, Weight: r.Weight,
		TmCreate: FormatTime(r.TmCreate), TmUpdate: FormatTime(r.TmUpdate), TmDelete: FormatTime(r.TmDelete),
	})
}

// durationJSON writes a duration without the zeros at its end: 1h, not 1h0m0s.
func durationJSON(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

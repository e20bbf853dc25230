package api

import (
	"encoding/json"
	"strconv"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// Bounds of a plan's request.
const (
	maxNumber        = 1024 // Bytes.
	maxPlanProviders = 1000
)

// PlanRequest asks what would become of a call.
type PlanRequest struct {
	Number    string      // The user part of the Request-URI.
	Customer  uuid.UUID   // uuid.Nil: everyone.
	Providers []uuid.UUID // Exactly these, in this order; nil: by route.
	Codecs    string      // As VBOUT-CODECS.
	SDP       []byte      // The offer; nil: none.
}

// Plan says what would become of a call.
type Plan struct {
	Number      string        `json:"number"`
	Attempts    []PlanAttempt `json:"attempts"`
	Skipped     []PlanSkipped `json:"skipped"`
	FinalStatus int           `json:"final_status"` // What the caller gets when nobody can be tried; else 0.
}

// PlanAttempt is a provider that would be tried, and what it would get.
type PlanAttempt struct {
	ProviderID   uuid.UUID   `json:"provider_id"`
	ProviderName string      `json:"provider_name"`
	RequestURI   string      `json:"request_uri"`
	Destination  string      `json:"destination"`
	Headers      PlanHeaders `json:"headers"`
	SDP          string      `json:"sdp"`
	RouteID      *uuid.UUID  `json:"route_id"` // Nil when the request named the provider.
	Reason       string      `json:"reason"`
}

// PlanSkipped is a provider that would not be tried.
type PlanSkipped struct {
	ProviderID   uuid.UUID `json:"provider_id"`
	ProviderName string    `json:"provider_name"`
	Reason       string    `json:"reason"`
}

// PlanHeaders are the headers that a provider would get. As JSON they are an object in their order, secrets masked.
type PlanHeaders []providers.Header

// MarshalJSON writes an object.
func (h PlanHeaders) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, one := range h {
		if i > 0 {
			text = append(text, ',')
		}
		value := one.Value
		if one.Secret {
			value = providers.Mask
		}
		for j, s := range []string{one.Name, value} {
			if j > 0 {
				text = append(text, ':')
			}
			quoted, err := json.Marshal(s)
			if err != nil {
				return nil, err
			}
			text = append(text, quoted...)
		}
	}
	return append(text, '}'), nil
}

// plan answers what would become of a call.
func (a *API) plan(x *exchange) (any, error) {
	o, err := x.object()
	if err != nil {
		return nil, err
	}
	var q PlanRequest
	o.given("number", &q.Number)
	if len(q.Number) > maxNumber {
		o.wrong("number", "is longer than "+strconv.Itoa(maxNumber)+" bytes")
	}
	o.id("customer_id", &q.Customer)
	if o.list("provider_ids", func(name string, raw json.RawMessage) {
		s, _ := textOf(raw)
		id, ok := parseID(s)
		if !ok {
			o.wrong(name, "is not a UUID")
		}
		q.Providers = append(q.Providers, id)
	}) && q.Providers == nil {
		q.Providers = []uuid.UUID{}
	}
	if len(q.Providers) > maxPlanProviders {
		o.wrong("provider_ids", "holds more than "+strconv.Itoa(maxPlanProviders)+" ids")
	}
	if o.text("codecs", &q.Codecs) {
		if err := providers.ValidateCodecs(q.Codecs); err != nil {
			*o.errs = append(*o.errs, providers.FieldError{Field: "codecs", Value: providers.Clip(q.Codecs), Rule: err.Error()})
		}
	}
	var offer string
	if o.text("sdp", &offer) {
		q.SDP = []byte(offer)
	}
	if err := o.done("a plan's request"); err != nil {
		return nil, err
	}
	p, err := a.router.Plan(q)
	if err != nil {
		return nil, invalidFields(providers.FieldErrors{{Field: "codecs", Value: providers.Clip(q.Codecs), Rule: err.Error()}})
	}
	return p, nil
}

package providers

import (
	"encoding/json"

	"github.com/google/uuid"
)

// PlanRequest asks what would become of a call.
type PlanRequest struct {
	Number    string      // The user part of the Request-URI.
	Customer  uuid.UUID   // uuid.Nil: everyone.
	Providers []uuid.UUID // Exactly these, in this order; nil: by route.
	Codecs    string      // As VBOUT-CODECS.
	SDP       []byte      // The offer; nil: none.
}

// Plan says what would become of a call. Its JSON form is part of the contract.
type Plan struct {
	Number      string            `json:"number"`
	Attempts    []PlanAttempt     `json:"attempts"`
	Skipped     []SkippedProvider `json:"skipped"`
	FinalStatus int               `json:"final_status"` // What the caller gets when nobody can be tried; else 0.
}

// PlanAttempt is a provider that would be tried, and what it would get.
type PlanAttempt struct {
	ProviderID   uuid.UUID   `json:"provider_id"`
	ProviderName string      `json:"provider_name"`
	RequestURI   string      `json:"request_uri"`
	Destination  string      `json:"destination"` // transport:address:port.
	Headers      PlanHeaders `json:"headers"`
	SDP          string      `json:"sdp"`
	RouteID      *uuid.UUID  `json:"route_id"` // Nil when the provider was named by the request.
	Reason       string      `json:"reason"`
}

// PlanHeaders are headers in the order in which they are sent. As JSON they are an object in that order, secrets masked.
type PlanHeaders []Header

// MarshalJSON implements json.Marshaler.
func (h PlanHeaders) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, one := range h {
		if i > 0 {
			text = append(text, ',')
		}
		value := one.Value
		if one.Secret {
			value = Mask
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

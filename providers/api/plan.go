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

// plan answers what would become of a call.
func (a *API) plan(x *exchange) (any, error) {
	o, err := x.object()
	if err != nil {
		return nil, err
	}
	var q providers.PlanRequest
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
	p, err := a.router.Plan(&q)
	if err != nil {
		return nil, invalidFields(providers.FieldErrors{{Field: "codecs", Value: providers.Clip(q.Codecs), Rule: err.Error()}})
	}
	return p, nil
}

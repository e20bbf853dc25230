package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// statusAnswer is how the router is.
type statusAnswer struct {
	Version         string           `json:"version"`
	Revision        string           `json:"revision"` // Of the catalog in force.
	Uptime          int64            `json:"uptime"`   // Seconds.
	CallsInProgress int              `json:"calls_in_progress"`
	Draining        bool             `json:"draining"`
	Warning         string           `json:"warning"` // Why a newer catalog is not in force, "" for nothing.
	Providers       []providerStatus `json:"providers"`
}

type providerStatus struct {
	ID              uuid.UUID        `json:"id"`
	Name            string           `json:"name"`
	Enabled         bool             `json:"enabled"`
	HealthStatus    providers.Health `json:"health_status"`
	HealthCheckedAt *string          `json:"health_checked_at"`
	Reason          string           `json:"reason"` // Why it is not well, "" when it is.
	Addresses       []addressStatus  `json:"addresses"`
}

// addressStatus is what probes know of one of a provider's addresses.
type addressStatus struct {
	Address         string           `json:"address"` // transport:address:port.
	HealthStatus    providers.Health `json:"health_status"`
	HealthCheckedAt *string          `json:"health_checked_at"`
	Detail          string           `json:"detail"` // What came of the last probe.
}

// timeOrNull is a time as it is printed, nil for never.
func timeOrNull(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := providers.FormatTime(at)
	return &text
}

func (a *API) status(x *exchange) (any, error) {
	c, err := a.catalog(x.r.Context())
	if err != nil {
		return nil, err
	}
	s := statusAnswer{
		Version: a.version, Revision: a.router.Revision(), Uptime: int64(a.now().Sub(a.started) / time.Second),
		CallsInProgress: a.router.CallsInProgress(), Draining: a.router.Draining(), Warning: a.router.Trouble(),
		Providers: make([]providerStatus, 0, len(c.Providers)),
	}
	for i := range c.Providers {
		p := withHealth(&c.Providers[i], a.healthOf(&c.Providers[i], nil))
		reason, addresses := a.router.Reach(p.ID)
		one := providerStatus{
			ID: p.ID, Name: p.Name, Enabled: p.Enabled, HealthStatus: p.HealthStatus,
			HealthCheckedAt: timeOrNull(p.HealthCheckedAt), Reason: reason, Addresses: make([]addressStatus, len(addresses)),
		}
		for j, at := range addresses {
			one.Addresses[j] = addressStatus{at.Address, at.Health, timeOrNull(at.CheckedAt), at.Detail}
		}
		s.Providers = append(s.Providers, one)
	}
	return s, nil
}

// reloadAnswer is what is in force after a reload.
type reloadAnswer struct {
	Revision string `json:"revision"`
}

func (a *API) reload(x *exchange) (any, error) {
	if err := a.router.Reload(x.r.Context()); err != nil {
		if errors.Is(err, providers.ErrUnavailable) {
			return nil, err
		}
		return nil, &fault{
			code: http.StatusConflict, status: statusFailedPrecondition, reason: "CATALOG_INVALID", cause: err,
			message: "The newest catalog cannot be put in force; the old one stays.", details: problems(err),
		}
	}
	return reloadAnswer{Revision: a.router.Revision()}, nil
}

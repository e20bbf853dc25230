// Package api is the REST API by which operators and VoIPBIN's tools manage providers and routes.
//
//	request -> id, log, recover -> cross-origin? -> body limit -> who? may they? -> handler -> JSON
//	           exchange.go         serve.go                       auth.go           providers.go, routes.go, ...
//
// One table (endpoints.go) says what is served: the router of requests, the permissions and the OpenAPI document all
// come from it. A handler returns what to answer, or an error; fault.go is where errors become answers:
//
//	{"error": {"status": "INVALID_ARGUMENT", "reason": "INVALID_CODECS", "message": "...", "request_id": "...",
//	           "details": [{"field": "codecs", "message": "..."}]}}
//
// Nothing here is on a call's way.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	evidence "github.com/voipbin/dialrouter/providers/health"
)

// Router is what the API asks of the running router.
type Router interface {
	// Plan says what would become of a call. The error is the request's fault.
	Plan(*providers.PlanRequest) (*providers.Plan, error)
	// Calls returns the records of calls that a query asks for, the newest first, and its Before for what follows: 0 when
	// there are none.
	Calls(providers.CallQuery) ([]providers.CallRecord, uint64)
	// Call returns the record of the newest call with a Call-ID.
	Call(callID string) (providers.CallRecord, bool)
	// Reload reads the catalog again. The error tells why the newest one is not in force.
	Reload(context.Context) error
	// Revision is the catalog's revision in force.
	Revision() string
	// CallsInProgress is the number of calls that are being set up.
	CallsInProgress() int
	// Draining says whether new calls are refused.
	Draining() bool
	// Trouble says what keeps a newer catalog from being in force, "" for nothing.
	Trouble() string
	// Health is what is known of a provider, and when a probe of it ended last; the zero time is never.
	Health(uuid.UUID) (providers.Health, time.Time)
	// ProviderReport is what is known of a provider besides, and what became of its calls.
	ProviderReport(uuid.UUID) evidence.Report
	// Reach says why a provider is not well, "" when it is, and what probes know of its addresses.
	Reach(uuid.UUID) (string, []evidence.PlaceFound)
}

// Options are what an API is made of. Store and Router are required. Where the store is a providers.History, the API
// serves the audit too.
type Options struct {
	Store   providers.Store
	Router  Router
	Log     *slog.Logger // Nil: nothing is logged.
	Version string       // Of the program, for the status and the OpenAPI document.
	Telnyx  Telnyx
}

// Telnyx is what setting up a provider there needs.
type Telnyx struct {
	URL       string            // Of their API.
	FQDN      string            // Our own name, to which they send calls; "" when there is none.
	Port      uint16            // Of ours; 0 is 5060.
	Transport http.RoundTripper // Nil: the default one.
}

// API serves the REST API. It is an http.Handler, safe for concurrent use.
type API struct {
	store    providers.Store
	router   Router
	log      *slog.Logger
	version  string
	now      func() time.Time
	started  time.Time
	mux      *http.ServeMux
	origins  *http.CrossOriginProtection
	document []byte // OpenAPI.
	logins   *limiter

	telnyx   atomic.Pointer[Telnyx]
	accounts atomic.Pointer[accounts]

	providerList lister[providers.Provider]
	routeList    lister[providers.Route]
}

// New makes an API that nobody may use until Authorize was called.
func New(o Options) (*API, error) {
	if o.Store == nil || o.Router == nil {
		return nil, errors.New("an API needs a store and a router")
	}
	a := &API{
		store: o.Store, router: o.Router, log: o.Log, version: o.Version, now: time.Now,
		origins: http.NewCrossOriginProtection(), logins: newLimiter(),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.started = a.now()
	a.telnyx.Store(&o.Telnyx)
	a.accounts.Store(&accounts{})
	table := a.endpoints()
	a.mux = a.newMux(table)
	var err error
	a.document, err = document(table, a.version)
	return a, err
}

// UseTelnyx says what providers are set up with from now on; it may be called at any time.
func (a *API) UseTelnyx(t Telnyx) { a.telnyx.Store(&t) }

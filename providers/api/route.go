package api

import (
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

func (a *API) routes() *resource[providers.Route] {
	return &resource[providers.Route]{
		api:     a,
		kind:    providers.KindRoute,
		entries: func(c *providers.Catalog) []providers.Route { return c.Routes },
		lister:  &a.routeList,
		compare: providers.CompareRoutes,
		place:   func(r *providers.Route) (time.Time, uuid.UUID) { return r.TmCreate, r.ID },
		filter:  byCustomer,
		find:    (*providers.Catalog).Route,
		stored:  (*providers.Draft).Route,
		create:  (*providers.Draft).CreateRoute,
		replace: (*providers.Draft).ReplaceRoute,
		remove:  (*providers.Draft).DeleteRoute,
		read:    readRoute,
		health:  func(_, _ *providers.Route) health { return health{} },
		shown:   func(r *providers.Route, _ health) *providers.Route { return r },
	}
}

// byCustomer keeps the routes of the customer that a list is asked for.
func byCustomer(x *exchange) (func(*providers.Route) bool, error) {
	text := x.r.URL.Query().Get("customer_id")
	if text == "" {
		return nil, nil //nolint:nilnil // No filter is no error.
	}
	customer, ok := parseID(text)
	if !ok {
		return nil, invalidParameter("customer_id", "is not a UUID")
	}
	return func(r *providers.Route) bool { return r.CustomerID == customer }, nil
}

// readRoute reads a route as it is to be. A field that was left out has its default. The stored one, nil for a route
// that is yet to be made, is what read-only fields must equal.
func readRoute(o *object, stored *providers.Route) (providers.Route, error) {
	r := providers.Route{CustomerID: providers.Everyone, Weight: providers.DefaultWeight}
	if stored != nil {
		r.ID = stored.ID
	}
	o.id("customer_id", &r.CustomerID)
	o.text("name", &r.Name)
	o.text("detail", &r.Detail)
	o.id("provider_id", &r.ProviderID)
	o.integer("priority", &r.Priority)
	o.text("target", &r.Target)
	o.integer("weight", &r.Weight)
	if stored != nil {
		o.readOnly(stored.ID, stored.TmCreate, stored.TmUpdate, stored.TmDelete)
	} else {
		o.readOnly(uuid.Nil, time.Time{}, time.Time{}, time.Time{})
	}
	return r, o.done("a route")
}

package pgstore

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// storedProvider is a provider as the database and the snapshot file have it: whole, secrets included. It has the
// fields of providers.Provider, in their order: the compiler sees it when one is missing. What is known of its health
// is not kept.
type storedProvider struct {
	ID          uuid.UUID          `json:"id"`
	Type        string             `json:"type"`
	Hostname    string             `json:"hostname"`
	TechPrefix  string             `json:"tech_prefix"`
	TechPostfix string             `json:"tech_postfix"`
	TechHeaders []providers.Header `json:"tech_headers"`
	Name        string             `json:"name"`
	Detail      string             `json:"detail"`
	Metadata    map[string]string  `json:"metadata"`
	Codecs      string             `json:"codecs"`

	HealthStatus    providers.Health `json:"-"`
	HealthCheckedAt time.Time        `json:"-"`

	TmCreate time.Time `json:"tm_create"`
	TmUpdate time.Time `json:"tm_update"`
	TmDelete time.Time `json:"tm_delete,omitzero"`

	Transport       providers.Transport   `json:"transport"`
	Enabled         bool                  `json:"enabled"`
	RawUser         bool                  `json:"raw_user"`
	FollowRedirects bool                  `json:"follow_redirects"`
	Budgets         providers.Budgets     `json:"budgets"`
	Failover        providers.Failover    `json:"failover"`
	Limits          providers.Limits      `json:"limits"`
	Credentials     providers.Credentials `json:"credentials"`
	Probing         providers.Probing     `json:"probing,omitzero"`
}

// storedRoute is a route as the database and the snapshot file have it.
type storedRoute struct {
	ID         uuid.UUID `json:"id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Name       string    `json:"name"`
	Detail     string    `json:"detail"`
	ProviderID uuid.UUID `json:"provider_id"`
	Priority   int       `json:"priority"`
	Target     string    `json:"target"`
	Weight     int       `json:"weight"`

	TmCreate time.Time `json:"tm_create"`
	TmUpdate time.Time `json:"tm_update"`
	TmDelete time.Time `json:"tm_delete,omitzero"`
}

func encodeProvider(p *providers.Provider) ([]byte, error) { return json.Marshal(storedProvider(*p)) }
func encodeRoute(r *providers.Route) ([]byte, error)       { return json.Marshal(storedRoute(*r)) }

func decodeProvider(body []byte) (*providers.Provider, error) {
	var stored storedProvider
	if err := json.Unmarshal(body, &stored); err != nil {
		return nil, err
	}
	p := providers.Provider(stored)
	p.TmCreate, p.TmUpdate, p.TmDelete = p.TmCreate.UTC(), p.TmUpdate.UTC(), p.TmDelete.UTC()
	return &p, nil
}

func decodeRoute(body []byte) (*providers.Route, error) {
	var stored storedRoute
	if err := json.Unmarshal(body, &stored); err != nil {
		return nil, err
	}
	r := providers.Route(stored)
	r.TmCreate, r.TmUpdate, r.TmDelete = r.TmCreate.UTC(), r.TmUpdate.UTC(), r.TmDelete.UTC()
	return &r, nil
}

// ordered makes a catalog of entries, in the one order that all routers have. It keeps the slices.
func ordered(revision string, all []providers.Provider, routes []providers.Route) *providers.Catalog {
	slices.SortFunc(all, func(a, b providers.Provider) int { return compareOldest(a.TmCreate, a.ID, b.TmCreate, b.ID) })
	slices.SortFunc(routes, func(a, b providers.Route) int { return compareOldest(a.TmCreate, a.ID, b.TmCreate, b.ID) })
	return providers.NewCatalog(revision, all, routes)
}

func compareOldest(aTime time.Time, aID uuid.UUID, bTime time.Time, bID uuid.UUID) int {
	return cmp.Or(aTime.Compare(bTime), strings.Compare(string(aID[:]), string(bID[:])))
}

// plain makes text of a request fit for a column: what is no UTF-8, and NUL, which PostgreSQL refuses, is replaced.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

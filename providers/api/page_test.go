package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// walk reads a list to its end by its tokens, and returns the ids.
func (r *rig) walk(t *testing.T, list, query string, size int) []string {
	t.Helper()
	var ids []string
	token := ""
	for range 1000 {
		target := fmt.Sprintf("%s?page_size=%d%s", list, size, query)
		if token != "" {
			target += "&page_token=" + url.QueryEscape(token)
		}
		m := r.good(t, http.MethodGet, target, "").fields(t)
		page := m["result"].([]any)
		token = m["next_page_token"].(string)
		if len(page) > size || (len(page) == 0) != (token == "") {
			t.Fatalf("%s: %d entries, token %q", target, len(page), token)
		}
		for _, one := range page {
			ids = append(ids, asObject(one)["id"].(string))
		}
		if token == "" {
			return ids
		}
		last := asObject(page[len(page)-1])
		if want := last["tm_create"].(string) + "," + last["id"].(string); token != want {
			t.Fatalf("token %q, want %q", token, want)
		}
	}
	t.Fatal("the list never ends")
	return nil
}

// fill adds providers and routes in steps; those of a step share their microsecond.
func (r *rig) fill(t *testing.T, steps, each int) {
	t.Helper()
	for s := range steps {
		_, err := r.store.Update(t.Context(), providers.Actor{}, func(d *providers.Draft) error {
			for i := range each {
				p, err := d.CreateProvider(providers.Provider{
					Type: "sip", Name: fmt.Sprintf("p%d-%d", s, i), Hostname: "h.example", Enabled: true,
				})
				if err != nil {
					return err
				}
				customer := providers.Everyone
				if i%3 == 0 {
					customer = uuid.MustParse(customerX)
				}
				_, err = d.CreateRoute(providers.Route{CustomerID: customer, ProviderID: p.ID, Target: "+1", Weight: 1})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPages walks lists in which many entries share a microsecond, with pages of every size around that.
func TestPages(t *testing.T) {
	r := newRig(t)
	r.fill(t, 3, 40)
	c := r.catalog(t)
	all, routes := make([]*providers.Provider, 0), make([]*providers.Route, 0)
	for i := range c.Providers {
		all = append(all, &c.Providers[i])
	}
	for i := range c.Routes {
		routes = append(routes, &c.Routes[i])
	}
	slices.SortFunc(all, providers.CompareProviders)
	slices.SortFunc(routes, providers.CompareRoutes)
	var wantAll, wantRoutes, wantX []string
	for _, p := range all {
		wantAll = append(wantAll, p.ID.String())
	}
	for _, q := range routes {
		wantRoutes = append(wantRoutes, q.ID.String())
		if q.CustomerID.String() == customerX {
			wantX = append(wantX, q.ID.String())
		}
	}
	if len(wantAll) != 122 || len(wantX) != 43 {
		t.Fatalf("%d providers, %d routes of a customer", len(wantAll), len(wantX))
	}
	for _, size := range []int{1, 2, 7, 39, 40, 41, 99, 100} {
		if got := r.walk(t, "/v1.0/providers", "", size); !slices.Equal(got, wantAll) {
			t.Errorf("pages of %d: %d providers", size, len(got))
		}
		if got := r.walk(t, "/v1.0/routes", "", size); !slices.Equal(got, wantRoutes) {
			t.Errorf("pages of %d: %d routes", size, len(got))
		}
		if got := r.walk(t, "/v1.0/routes", "&customer_id="+customerX, size); !slices.Equal(got, wantX) {
			t.Errorf("pages of %d: %d routes of a customer", size, len(got))
		}
	}
	if got := r.walk(t, "/v1.0/routes", "&customer_id="+strings.ToUpper(nobody), 100); got != nil {
		t.Errorf("routes of nobody: %v", got)
	}
}

// TestPagesWhileOthersWrite adds and removes entries between the pages: what stays is listed once.
func TestPagesWhileOthersWrite(t *testing.T) {
	r := newRig(t)
	r.fill(t, 1, 30)
	before := r.walk(t, "/v1.0/providers", "", 100)
	var got []string
	token := ""
	for page := 0; ; page++ {
		target := "/v1.0/providers?page_size=5"
		if token != "" {
			target += "&page_token=" + url.QueryEscape(token)
		}
		m := r.good(t, http.MethodGet, target, "").fields(t)
		if token = m["next_page_token"].(string); token == "" {
			break
		}
		for _, one := range m["result"].([]any) {
			got = append(got, asObject(one)["id"].(string))
		}
		r.good(t, http.MethodPost, "/v1.0/providers", fmt.Sprintf(`{"type":"sip","hostname":"h.example","name":"new%d"}`, page))
		if page == 1 { // The entry that the token names.
			r.good(t, http.MethodDelete, "/v1.0/providers/"+got[len(got)-1], "")
		}
	}
	if !slices.Equal(got, before) {
		t.Errorf("got %d, want %d", len(got), len(before))
	}
}

func TestPageParameters(t *testing.T) {
	r := newRig(t)
	r.fill(t, 3, 40)
	for query, want := range map[string]int{
		"": 100, "?page_size=1": 1, "?page_size=100": 100, "?page_size=101": 100, "?page_size=0": 100, "?page_size=-1": 100,
		"?page_size=99999999999999999999999": 100, "?page_size=-99999999999999999999999": 100, "?page_size=007": 7, "?page_token=": 100,
		"?page_size=3&page_size=x": 3, "?other=x": 100,
		"?page_token=9998-12-31T00:00:00.000000Z": 100, "?page_token=2001-01-01T00:00:00.000000Z": 0,
		"?page_token=2001-01-01+00:00:00.000000": 0, "?page_token=2001-01-01%2000:00:00": 0,
		"?page_token=9998-12-31T00:00:00Z": 100, "?page_token=9998-12-31T00:00:00.5%2B09:00": 100,
	} {
		m := r.good(t, http.MethodGet, "/v1.0/providers"+query, "").fields(t)
		if got := len(m["result"].([]any)); got != want {
			t.Errorf("%s: %d entries, want %d", query, got, want)
		}
	}
	// A bare time leaves out what is as new as it, and what is newer.
	newest := asObject(r.good(t, http.MethodGet, "/v1.0/providers?page_size=1", "").fields(t)["result"].([]any)[0])
	at, err := time.Parse(time.RFC3339, newest["tm_create"].(string))
	if err != nil {
		t.Fatal(err)
	}
	for spelling, want := range map[string]int{
		newest["tm_create"].(string):                                           82,
		at.Format("2006-01-02 15:04:05.000000"):                                82,
		providers.FormatTime(at.Add(time.Microsecond)):                         100,
		newest["tm_create"].(string) + ",ffffffff-ffff-ffff-ffff-ffffffffffff": 100,
	} {
		m := r.good(t, http.MethodGet, "/v1.0/providers?page_token="+url.QueryEscape(spelling), "").fields(t)
		if got := len(m["result"].([]any)); got != want {
			t.Errorf("%s: %d entries, want %d", spelling, got, want)
		}
	}
}

func TestEmptyLists(t *testing.T) {
	r := rigOn(t, "providers: []\n", nil)
	for _, list := range []string{"/v1.0/providers", "/v1.0/routes"} {
		if got := r.good(t, http.MethodGet, list, "").body; got != `{"result":[],"next_page_token":""}`+"\n" {
			t.Errorf("%s: %s", list, got)
		}
	}
	if got := r.good(t, http.MethodGet, "/v1.0/status", "").fields(t)["providers"]; len(got.([]any)) != 0 {
		t.Errorf("status %v", got)
	}
}

// BenchmarkListRoutes reads a page out of the middle of 100,000 routes.
func BenchmarkListRoutes(b *testing.B) {
	c := benchCatalog(100_000)
	a := &API{store: fixedStore{catalog: c}, router: &fakeRouter{}}
	routes := a.routes()
	middle := routes.lister.sorted(c.Routes, routes.compare)[50_000].entry
	token := providers.PageToken{TmCreate: middle.TmCreate, ID: middle.ID}
	b.ReportAllocs()
	for b.Loop() {
		if got := page(routes.lister.sorted(c.Routes, routes.compare), pageRequest{100, &token}, routes.place, nil); len(got) != 100 {
			b.Fatal(len(got))
		}
	}
}

// benchCatalog makes routes of which ten share each time.
func benchCatalog(n int) *providers.Catalog {
	routes := make([]providers.Route, n)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range routes {
		routes[i] = providers.Route{ID: uuid.New(), TmCreate: start.Add(time.Duration(i/10) * time.Microsecond)}
	}
	return providers.NewCatalog("r", nil, routes)
}

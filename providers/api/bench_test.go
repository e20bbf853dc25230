package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// BenchmarkFirstPage asks for the first page of 100,000 routes after each write: they are sorted anew.
func BenchmarkFirstPage(b *testing.B) {
	c := benchCatalog(100_000)
	a := &API{router: &fakeRouter{}}
	routes := a.routes()
	b.ReportAllocs()
	for b.Loop() {
		a.routeList.newest.Store(nil)
		if got := page(routes.lister.sorted(c.Routes, routes.compare), pageRequest{100, nil}, routes.place, nil); len(got) != 100 {
			b.Fatal(len(got))
		}
	}
}

// BenchmarkRead asks for one provider, and for a page of them, out of 10,000.
func BenchmarkRead(b *testing.B) {
	all := make([]providers.Provider, 10_000)
	for i := range all {
		all[i] = providers.Provider{
			ID: uuid.New(), Type: "sip", Name: fmt.Sprintf("carrier-%d", i), Hostname: "sip.example.com:5060", Enabled: true,
			TechHeaders: []providers.Header{{Name: "X-Account", Value: "42"}}, Codecs: "PCMU,PCMA",
		}
	}
	s := fixedStore{catalog: providers.NewCatalog("r", all, nil)}
	a, err := New(Options{Store: s, Router: &fakeRouter{store: s}})
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Authorize(testTokens(), nil, nil); err != nil {
		b.Fatal(err)
	}
	for name, target := range map[string]string{"One": "/v1.0/providers/" + all[5000].ID.String(), "Page": "/v1.0/providers"} {
		b.Run(name, func(b *testing.B) {
			q := httptest.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
			q.Header.Set("Authorization", "Bearer "+adminToken)
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				if a.ServeHTTP(w, q); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

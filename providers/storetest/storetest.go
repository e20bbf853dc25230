// Package storetest is what every providers.Store must do, as tests.
package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// Run tests a kind of store. Open opens a store on an empty catalog that belongs to t; called again with the same t it
// opens the same catalog once more, as after a restart, or as another router does. Whoever opens closes.
//
// Where the store is a providers.History too, that is tested as well.
func Run(t *testing.T, open func(t *testing.T) providers.Store) {
	t.Helper()
	for name, test := range map[string]func(trial){
		"EveryFieldLasts":         trial.everyFieldLasts,
		"HostileTextLasts":        trial.hostileText,
		"ReplaceAndDelete":        trial.replaceAndDelete,
		"RenamedProviderKeeps":    trial.rename,
		"DeletedProviderLeaves":   trial.deletedProvider,
		"RefusedChangesNothing":   trial.refused,
		"ChangeIsWhole":           trial.whole,
		"OldCatalogStays":         trial.immutable,
		"TimesLast":               trial.times,
		"WritersLoseNothing":      trial.writers,
		"ReadModifyWrite":         trial.readModifyWrite,
		"RoutersSeeEachOther":     trial.twoStores,
		"Cancelled":               trial.cancelled,
		"Closed":                  trial.closed,
		"Changed":                 trial.changed,
		"AuditEqualsData":         trial.audit,
		"SecretsStayOutOfTheLogs": trial.secrets,
		"Restore":                 trial.restore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(trial{t, open})
		})
	}
}

// trial is one test of one kind of store.
type trial struct {
	*testing.T

	open func(*testing.T) providers.Store
}

// by is who makes all changes.
func by() providers.Actor {
	return providers.Actor{Name: "ops", Remote: "192.0.2.1:1234", RequestID: "request-1"}
}

// opened opens a store that is closed at the end of the test.
func opened(t trial) providers.Store {
	t.Helper()
	s := t.open(t.T)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

// catalog returns what is in force, which must be without a fault.
func catalog(t trial, s providers.Store) *providers.Catalog {
	t.Helper()
	c, err := s.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// update makes a change that must succeed and be in force when it returns.
func update(t trial, s providers.Store, change func(*providers.Draft) error) *providers.Catalog {
	t.Helper()
	c, err := s.Update(t.Context(), by(), change)
	if err != nil {
		t.Fatal(err)
	}
	if now := catalog(t, s); now.Revision != c.Revision {
		t.Errorf("revision %s is in force, not %s", now.Revision, c.Revision)
	}
	return c
}

func provider(name string) providers.Provider {
	return providers.Provider{Type: "sip", Name: name, Hostname: "h.example", Enabled: true}
}

func route(to uuid.UUID, target string) providers.Route {
	return providers.Route{
		CustomerID: providers.Everyone, ProviderID: to, Target: target, Priority: 1, Weight: providers.DefaultWeight,
	}
}

// create makes a provider and returns it.
func create(t trial, s providers.Store, p providers.Provider) *providers.Provider {
	t.Helper()
	var made *providers.Provider
	update(t, s, func(d *providers.Draft) (err error) {
		made, err = d.CreateProvider(p)
		return err
	})
	return made
}

// createRoute makes a route and returns it.
func createRoute(t trial, s providers.Store, r providers.Route) *providers.Route {
	t.Helper()
	var made *providers.Route
	update(t, s, func(d *providers.Draft) (err error) {
		made, err = d.CreateRoute(r)
		return err
	})
	return made
}

// must says that a catalog holds exactly these entries, times included.
func must(t trial, c *providers.Catalog, all []*providers.Provider, routes []*providers.Route) {
	t.Helper()
	if len(c.Providers) != len(all) || len(c.Routes) != len(routes) {
		t.Errorf("%d providers and %d routes, want %d and %d", len(c.Providers), len(c.Routes), len(all), len(routes))
	}
	for _, want := range all {
		got := c.Provider(want.ID)
		if got == nil {
			t.Errorf("provider %s is missing", want.Name)
			continue
		}
		if !got.Same(want) || !got.TmCreate.Equal(want.TmCreate) || !got.TmUpdate.Equal(want.TmUpdate) || got.Deleted() {
			t.Errorf("got\n%+v\nwant\n%+v", *got, *want)
		}
	}
	for _, want := range routes {
		got := c.Route(want.ID)
		if got == nil {
			t.Errorf("route %s is missing", want.ID)
			continue
		}
		if !got.Same(want) || !got.TmCreate.Equal(want.TmCreate) || !got.TmUpdate.Equal(want.TmUpdate) || got.Deleted() {
			t.Errorf("got\n%+v\nwant\n%+v", *got, *want)
		}
	}
}

// await waits until a store says what is wanted, hearing of it by Changed.
func await(t trial, s providers.Store, within time.Duration, good func(*providers.Catalog) bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		if c, err := s.Catalog(t.Context()); err == nil && good(c) {
			return
		}
		select {
		case <-s.Changed():
		case <-deadline.C:
			t.Fatal("never came into force")
		}
	}
}

func isNotFound(err error) bool { return errors.Is(err, providers.ErrNotFound) }

package providers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

var noon = time.Date(2026, 4, 23, 12, 0, 0, 123456789, time.UTC)

func provider(name string) providers.Provider {
	return providers.Provider{Type: "sip", Name: name, Hostname: name + ".example", Enabled: true}
}

func create(t *testing.T, d *providers.Draft, name string) *providers.Provider {
	t.Helper()
	p, err := d.CreateProvider(provider(name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func createRoute(t *testing.T, d *providers.Draft, to uuid.UUID, target string) *providers.Route {
	t.Helper()
	r, err := d.CreateRoute(providers.Route{
		CustomerID: providers.Everyone, ProviderID: to, Target: target, Weight: providers.DefaultWeight,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDraftTimes(t *testing.T) {
	t.Parallel()
	d := providers.NewDraft(providers.NewCatalog("1", nil, nil), noon)
	p := create(t, d, "a")
	if want := noon.Truncate(time.Microsecond); !p.TmCreate.Equal(want) || !p.TmUpdate.Equal(want) || p.Deleted() {
		t.Errorf("created: %v", p)
	}
	if p.ID.Version() != 4 {
		t.Errorf("id %s", p.ID)
	}
	// A clock that went back must not make two states look alike.
	d = providers.NewDraft(d.Catalog("2"), noon.Add(-time.Hour))
	again, err := d.ReplaceProvider(*p)
	if err != nil || !again.TmUpdate.After(p.TmUpdate) || !again.TmCreate.Equal(p.TmCreate) {
		t.Errorf("replaced: %v, %v", again, err)
	}
	gone, err := d.DeleteProvider(p.ID)
	if err != nil || !gone.Deleted() || !gone.TmUpdate.After(again.TmUpdate) {
		t.Errorf("deleted: %v, %v", gone, err)
	}
}

func TestDraftConflicts(t *testing.T) {
	t.Parallel()
	d := providers.NewDraft(providers.NewCatalog("1", nil, nil), noon)
	a := create(t, d, "a")
	if _, err := d.CreateProvider(provider("a")); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("a second a: %v", err)
	}
	d = providers.NewDraft(d.Catalog("2"), noon)
	b := create(t, d, "b")
	b.Name = "a"
	if _, err := d.ReplaceProvider(*b); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("b called a: %v", err)
	}
	again := provider("c")
	again.ID = a.ID
	if _, err := d.CreateProvider(again); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("the same id: %v", err)
	}
	// A name that was given up is free, one that was taken is not, within one draft.
	a.Name = "z"
	if _, err := d.ReplaceProvider(*a); err != nil {
		t.Error(err)
	}
	if _, err := d.CreateProvider(provider("z")); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("z: %v", err)
	}
	b.Name = "a"
	if _, err := d.ReplaceProvider(*b); err != nil {
		t.Errorf("b called a, which a is no more: %v", err)
	}
	if got, err := d.ProviderNamed("a"); err != nil || got.ID != b.ID {
		t.Errorf("who is a: %v, %v", got, err)
	}
	if _, err := d.ProviderNamed("b"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("who is b: %v", err)
	}
	if _, err := d.DeleteProvider(a.ID); err != nil {
		t.Error(err)
	}
	create(t, d, "z")
}

func TestDraftRoutes(t *testing.T) {
	t.Parallel()
	d := providers.NewDraft(providers.NewCatalog("1", nil, nil), noon)
	a := create(t, d, "a")
	r := createRoute(t, d, a.ID, "44")
	if r.Target != "+44" {
		t.Errorf("target %q", r.Target)
	}
	bad := *r
	bad.ProviderID, bad.Weight = uuid.New(), 0
	_, err := d.ReplaceRoute(bad)
	if errs, ok := errors.AsType[providers.FieldErrors](err); !ok || len(errs) != 2 || errs[1].Field != "provider_id" {
		t.Errorf("to nobody: %v", err)
	}
	if _, err := d.DeleteProvider(a.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ReplaceRoute(*r); err == nil {
		t.Error("a route was put to a deleted provider")
	}
	c := d.Catalog("2")
	if len(c.Routes) != 1 || c.DeletedNames[a.ID] != "a" || len(c.Providers) != 0 {
		t.Errorf("%+v", c)
	}
	d = providers.NewDraft(c, noon)
	if _, err := d.DeleteRoute(r.ID); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"delete":  func() error { _, err := d.DeleteRoute(r.ID); return err },
		"replace": func() error { _, err := d.ReplaceRoute(*r); return err },
		"get":     func() error { _, err := d.Route(r.ID); return err },
	} {
		if err := do(); !errors.Is(err, providers.ErrNotFound) {
			t.Errorf("%s what is deleted: %v", name, err)
		}
	}
	if c = d.Catalog("3"); len(c.DeletedNames) != 0 {
		t.Errorf("a name that no route needs: %v", c.DeletedNames)
	}
}

// TestDraftChanges holds that there is one change for each entry, whatever was done to it.
func TestDraftChanges(t *testing.T) {
	t.Parallel()
	base := providers.NewDraft(providers.NewCatalog("1", nil, nil), noon)
	old, gone := create(t, base, "old"), create(t, base, "gone")
	d := providers.NewDraft(base.Catalog("2"), noon.Add(time.Hour))

	fresh := create(t, d, "fresh")
	fresh.Detail = "x"
	if _, err := d.ReplaceProvider(*fresh); err != nil {
		t.Fatal(err)
	}
	if _, err := d.DeleteProvider(create(t, d, "never").ID); err != nil {
		t.Fatal(err)
	}
	for _, detail := range []string{"1", "2"} {
		old.Detail = detail
		if _, err := d.ReplaceProvider(*old); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.DeleteProvider(gone.ID); err != nil {
		t.Fatal(err)
	}
	back := provider("back")
	back.ID = gone.ID
	if _, err := d.CreateProvider(back); err != nil {
		t.Fatal(err)
	}
	type step struct {
		verb          providers.Verb
		before, after string
	}
	var got []step
	for _, c := range d.Changes() {
		before := ""
		if c.ProviderBefore != nil {
			before = c.ProviderBefore.Name + c.ProviderBefore.Detail
		}
		got = append(got, step{c.Verb, before, c.ProviderAfter.Name + c.ProviderAfter.Detail})
	}
	want := []step{
		{providers.VerbCreate, "", "freshx"}, {providers.VerbReplace, "old", "old2"}, {providers.VerbReplace, "gone", "back"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	var names []string
	for _, p := range d.Catalog("3").Providers {
		names = append(names, p.Name)
	}
	if len(names) != 3 || names[0] != "old" || names[1] != "back" || names[2] != "fresh" {
		t.Errorf("order %v", names)
	}
}

func TestDraftHeaderOrder(t *testing.T) {
	t.Parallel()
	p := provider("a")
	p.ID = uuid.New()
	p.TechHeaders = []providers.Header{{Name: "X-Z", Value: "1"}, {Name: "X-A", Value: "2"}}
	base := providers.NewCatalog("1", []providers.Provider{p}, nil)
	same := p
	same.TechHeaders = []providers.Header{{Name: "X-A", Value: "2"}, {Name: "X-Z", Value: "1"}}
	got, err := providers.NewDraft(base, noon).ReplaceProvider(same)
	if err != nil || got.TechHeaders[0].Name != "X-Z" {
		t.Errorf("the same headers: %v, %v", got, err)
	}
	other := p
	other.TechHeaders = []providers.Header{{Name: "X-Z", Value: "3"}, {Name: "x-b", Value: "4"}, {Name: "X-A", Value: "2"}}
	got, err = providers.NewDraft(base, noon).ReplaceProvider(other)
	if err != nil || got.TechHeaders[0].Name != "X-A" || got.TechHeaders[1].Name != "x-b" {
		t.Errorf("other headers: %v, %v", got, err)
	}
}

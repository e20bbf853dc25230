package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// history returns the store's memory, or skips the test of one that has none.
func history(t trial, s providers.Store) providers.History {
	t.Helper()
	h, ok := s.(providers.History)
	if !ok {
		t.Skip("the store keeps no history")
	}
	return h
}

// some makes changes of every kind.
func some(t trial, s providers.Store) {
	t.Helper()
	a, b := create(t, s, full("a")), create(t, s, provider("b"))
	r := createRoute(t, s, route(a.ID, "+1"))
	update(t, s, func(d *providers.Draft) error {
		b.Detail, r.Priority = "changed", 5
		if _, err := d.ReplaceProvider(*b); err != nil {
			return err
		}
		if _, err := d.ReplaceRoute(*r); err != nil {
			return err
		}
		_, err := d.CreateProvider(provider("c"))
		return err
	})
	update(t, s, func(d *providers.Draft) error { _, err := d.DeleteProvider(a.ID); return err })
	update(t, s, func(d *providers.Draft) error { _, err := d.DeleteRoute(r.ID); return err })
	create(t, s, provider("a"))
}

// testAudit replays what was noted: it must lead to what is in force.
func (t trial) audit() {
	s := opened(t)
	h := history(t, s)
	some(t, s)
	revisions, err := h.Audit(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	state := make(map[string]string)
	for i, r := range slices.Backward(revisions) {
		if i+1 < len(revisions) && (r.N != revisions[i+1].N+1 || r.From != revisions[i+1].Revision) {
			t.Errorf("%d (%s to %s) follows %d", r.N, r.From, r.Revision, revisions[i+1].N)
		}
		if len(r.Entries) > 0 && (r.By != by() || time.Since(r.Time) > time.Minute) {
			t.Errorf("by %+v at %v", r.By, r.Time)
		}
		for _, e := range r.Entries {
			key := string(e.Kind) + e.ID.String()
			if state[key] != string(e.Before) {
				t.Errorf("%s %s: before it was\n%s\nnot\n%s", e.Verb, e.Name, state[key], e.Before)
			}
			if state[key] = string(e.After); e.Verb == providers.VerbDelete {
				if strings.Contains(string(e.After), `"tm_delete":"9999`) {
					t.Errorf("deleted never: %s", e.After)
				}
				delete(state, key)
			}
		}
	}
	c := catalog(t, s)
	if revisions[0].Revision != c.Revision {
		t.Errorf("revision %s, noted %s", c.Revision, revisions[0].Revision)
	}
	want := make(map[string]string)
	for i := range c.Providers {
		want[string(providers.KindProvider)+c.Providers[i].ID.String()] = asJSON(t, c.Providers[i])
	}
	for i := range c.Routes {
		want[string(providers.KindRoute)+c.Routes[i].ID.String()] = asJSON(t, c.Routes[i])
	}
	if fmt.Sprint(state) != fmt.Sprint(want) {
		t.Errorf("noted\n%v\nin force\n%v", state, want)
	}

	// By pages.
	var paged []providers.Revision
	for before := int64(0); ; before = paged[len(paged)-1].N {
		page, err := h.Audit(t.Context(), before, 2)
		if err != nil || len(page) > 2 {
			t.Fatal(page, err)
		}
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
	}
	if len(paged) != len(revisions) {
		t.Errorf("%d by pages, %d at once", len(paged), len(revisions))
	}
}

func asJSON(t trial, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (t trial) secrets() {
	s := opened(t)
	h := history(t, s)
	a := create(t, s, full("a"))
	update(t, s, func(d *providers.Draft) error {
		a.Credentials.Password, a.TechHeaders[1].Value = "p4ssword2", "s3cret2"
		_, err := d.ReplaceProvider(*a)
		return err
	})
	revisions, err := h.Audit(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	text := asJSON(t, revisions)
	for _, secret := range []string{"p4ssword", "s3cret"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s in %s", secret, text)
		}
	}
	if !strings.Contains(text, providers.Mask) {
		t.Errorf("nothing masked in %s", text)
	}
}

func (t trial) restore() {
	s := opened(t)
	h := history(t, s)
	a := create(t, s, full("a"))
	r := createRoute(t, s, route(a.ID, "+1"))
	revisions, err := h.Audit(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := revisions[0].N
	b := create(t, s, provider("b"))
	update(t, s, func(d *providers.Draft) error {
		a.Credentials.Password = "other"
		if _, err := d.ReplaceProvider(*a); err != nil {
			return err
		}
		_, err := d.DeleteRoute(r.ID)
		return err
	})
	c, err := h.Restore(t.Context(), by(), n)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*providers.Catalog{c, catalog(t, s), catalog(t, opened(t))} {
		got := c.Provider(a.ID)
		if got == nil || got.Credentials.Password != "p4ssword" || !got.TmCreate.Equal(a.TmCreate) || !got.TmUpdate.After(a.TmUpdate) {
			t.Errorf("restored %+v", got)
		}
		if c.Route(r.ID) == nil || c.Provider(b.ID) != nil || len(c.Providers) != 1 || len(c.Routes) != 1 {
			t.Errorf("restored %+v", c)
		}
	}
	revisions, err = h.Audit(t.Context(), 0, 1)
	if err != nil || revisions[0].N != n+3 || len(revisions[0].Entries) != 3 || revisions[0].By != by() {
		t.Errorf("noted %+v, %v", revisions, err)
	}
	if _, err := h.Restore(t.Context(), by(), n+1000); !isNotFound(err) {
		t.Errorf("restored what never was: %v", err)
	}
}

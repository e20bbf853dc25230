package storetest

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// full is a provider with something in every field.
func full(name string) providers.Provider {
	yes := true
	return providers.Provider{
		Type: "sip", Name: name, Hostname: "[2001:db8::1]:5061", TechPrefix: "9#", TechPostfix: ";x@sip.example",
		Detail: "two\nlines", Codecs: "PCMU, opus",
		TechHeaders: []providers.Header{{Name: "X-Account", Value: "42"}, {Name: "X-Token", Value: "s3cret", Secret: true}},
		Metadata:    map[string]string{"telnyx_fqdn": "a.example", "telnyx_profile_id": "17"},
		Transport:   providers.TransportTLS, RawUser: true, FollowRedirects: true,
		Budgets: providers.Budgets{NoReply: time.Second, NoRinging: 90 * time.Second, Answer: time.Hour},
		Failover: providers.Failover{
			Next: []string{"404", "5xx"}, AfterRinging: &yes, Preset: "telnyx", Rules: []providers.Rule{
				{Code: "403", Reason: "D22", Then: providers.ActionNext, As: "limit"},
				{Code: "503", Cause: 34, Then: providers.ActionRest, For: 90 * time.Second},
				{Code: "500-504", Header: "X-Error", Reason: "*a, {b}: 'c' #d*", Then: providers.ActionRetry},
				{Reason: "486", Then: providers.ActionFinal},
			},
		},
		Limits:      providers.Limits{Calls: 7, CPS: 0.5},
		Credentials: providers.Credentials{Username: "user", Password: "p4ssword", Realm: "realm"},
		Probing:     providers.Probing{Off: true, Interval: time.Minute, Up: []string{"2xx", "404"}},
	}
}

func (t trial) everyFieldLasts() {
	s := opened(t)
	must(t, catalog(t, s), nil, nil)
	a, b := create(t, s, full("a")), create(t, s, provider("b"))
	special := route(a.ID, "+1")
	special.CustomerID, special.Name, special.Detail, special.Weight = uuid.New(), "name", "detail", 7
	r1, r2 := createRoute(t, s, special), createRoute(t, s, route(b.ID, providers.TargetAll))
	must(t, catalog(t, s), []*providers.Provider{a, b}, []*providers.Route{r1, r2})
	must(t, catalog(t, opened(t)), []*providers.Provider{a, b}, []*providers.Route{r1, r2})

	// Back to defaults.
	var plain *providers.Provider
	update(t, s, func(d *providers.Draft) (err error) {
		p := provider("a")
		p.ID = a.ID
		plain, err = d.ReplaceProvider(p)
		return err
	})
	must(t, catalog(t, opened(t)), []*providers.Provider{plain, b}, []*providers.Route{r1, r2})
}

// testHostileText stores what was made to break out of whatever the store writes.
func (t trial) hostileText() {
	s := opened(t)
	var all []*providers.Provider
	var routes []*providers.Route
	for _, text := range []string{
		"'; DROP TABLE providers; --", `"`, `\`, `\n`, "a: b", "a #b", "#", "- x", "{a: b}", "[a]", "*a", "&a b", "!!str x",
		"null", "~", "true", "no", "0x1F", "1e3", "1_000", "2026-04-23", "%s", "|", ">", "? x", "@", "`x`", " lead", "trail ",
		"é", "😀", "日本", "a,b", "$1", "${x}", "{{x}}", "<b>&amp;", "...", "---", "key:", "<<", "=", "x\\", "''", "name: x",
	} {
		p := provider(text)
		p.Detail = text + "\n---\n" + text + "\r\n\t" + text + "\u0085\u2028\u2029\uFEFF end\n\n"
		p.TechHeaders = []providers.Header{{Name: "X-A", Value: text}}
		p.Metadata = map[string]string{text: text}
		p.Credentials = providers.Credentials{Username: text, Password: text, Realm: text}
		made := create(t, s, p)
		all = append(all, made)
		r := route(made.ID, "+1")
		r.Name, r.Detail = text, p.Detail
		routes = append(routes, createRoute(t, s, r))
	}
	must(t, catalog(t, s), all, routes)
	must(t, catalog(t, opened(t)), all, routes)
}

func (t trial) replaceAndDelete() {
	s := opened(t)
	a, b := create(t, s, provider("a")), create(t, s, provider("b"))
	ra, rb := createRoute(t, s, route(a.ID, "+1")), createRoute(t, s, route(b.ID, "+1"))
	update(t, s, func(d *providers.Draft) error {
		p, r := *a, *ra
		p.Hostname, r.Priority = "192.0.2.1:5070", 9
		var err, err2 error
		a, err = d.ReplaceProvider(p)
		ra, err2 = d.ReplaceRoute(r)
		return errors.Join(err, err2)
	})
	var gone *providers.Route
	update(t, s, func(d *providers.Draft) (err error) {
		gone, err = d.DeleteRoute(rb.ID)
		return err
	})
	if !gone.Deleted() || gone.Target != "+1" {
		t.Errorf("deleted %+v", gone)
	}
	must(t, catalog(t, s), []*providers.Provider{a, b}, []*providers.Route{ra})
	for name, change := range map[string]func(*providers.Draft) error{
		"get":     func(d *providers.Draft) error { _, err := d.Route(rb.ID); return err },
		"replace": func(d *providers.Draft) error { _, err := d.ReplaceRoute(*rb); return err },
		"delete":  func(d *providers.Draft) error { _, err := d.DeleteRoute(rb.ID); return err },
	} {
		if _, err := s.Update(t.Context(), by(), change); !isNotFound(err) {
			t.Errorf("%s what is deleted: %v", name, err)
		}
	}
	must(t, catalog(t, opened(t)), []*providers.Provider{a, b}, []*providers.Route{ra})
}

func (t trial) rename() {
	s := opened(t)
	a, b := create(t, s, provider("a")), create(t, s, provider("b"))
	ra, rb := createRoute(t, s, route(a.ID, "+1")), createRoute(t, s, route(b.ID, "+1"))
	update(t, s, func(d *providers.Draft) error { // The two change names, by way of a third.
		pa, pb := *a, *b
		pa.Name = "c"
		var err, err2, err3 error
		a, err = d.ReplaceProvider(pa)
		pb.Name = "a"
		b, err2 = d.ReplaceProvider(pb)
		pa = *a
		pa.Name = "b"
		a, err3 = d.ReplaceProvider(pa)
		return errors.Join(err, err2, err3)
	})
	must(t, catalog(t, s), []*providers.Provider{a, b}, []*providers.Route{ra, rb})
	must(t, catalog(t, opened(t)), []*providers.Provider{a, b}, []*providers.Route{ra, rb})
}

func (t trial) deletedProvider() {
	s := opened(t)
	a := create(t, s, provider("a"))
	r := createRoute(t, s, route(a.ID, "+1"))
	update(t, s, func(d *providers.Draft) error {
		_, err := d.DeleteProvider(a.ID)
		return err
	})
	for _, s := range []providers.Store{s, opened(t)} {
		c := catalog(t, s)
		must(t, c, nil, []*providers.Route{r})
		if c.DeletedNames[a.ID] != "a" {
			t.Errorf("deleted names %v", c.DeletedNames)
		}
	}
	// Another one of that name is another one: the old route does not lead to it.
	again := create(t, s, provider("a"))
	if again.ID == a.ID {
		t.Error("the same id again")
	}
	for _, s := range []providers.Store{s, opened(t)} {
		c := catalog(t, s)
		must(t, c, []*providers.Provider{again}, []*providers.Route{r})
		if c.DeletedNames[a.ID] != "a" {
			t.Errorf("deleted names %v", c.DeletedNames)
		}
	}
}

func (t trial) times() {
	s := opened(t)
	started := time.Now().Add(-time.Second)
	a := create(t, s, provider("a"))
	if a.TmCreate.Before(started) || a.TmCreate.After(time.Now()) || a.TmCreate.Location() != time.UTC {
		t.Errorf("made at %v", a.TmCreate)
	}
	if a.TmCreate != a.TmCreate.Truncate(time.Microsecond) {
		t.Errorf("finer than a microsecond: %v", a.TmCreate)
	}
	last := a.TmUpdate
	for range 3 {
		update(t, s, func(d *providers.Draft) (err error) {
			a, err = d.ReplaceProvider(*a)
			return err
		})
		if !a.TmUpdate.After(last) {
			t.Errorf("changed at %v after %v", a.TmUpdate, last)
		}
		last = a.TmUpdate
	}
	must(t, catalog(t, opened(t)), []*providers.Provider{a}, nil)
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

var errNo = errors.New("no")

func (t trial) refused() {
	s := opened(t)
	a := create(t, s, provider("a"))
	r := createRoute(t, s, route(a.ID, "+1"))
	before := catalog(t, s)
	for name, c := range map[string]struct {
		change func(*providers.Draft) error
		want   error
	}{
		"refused": {func(d *providers.Draft) error {
			if _, err := d.CreateProvider(provider("b")); err != nil {
				return err
			}
			return errNo
		}, errNo},
		"half": {func(d *providers.Draft) error {
			if _, err := d.CreateProvider(provider("b")); err != nil {
				return err
			}
			_, err := d.CreateProvider(provider("a"))
			return err
		}, providers.ErrConflict},
		"unknown":        {func(d *providers.Draft) error { _, err := d.DeleteProvider(uuid.New()); return err }, providers.ErrNotFound},
		"another's name": {func(d *providers.Draft) error { _, err := d.CreateProvider(provider("a")); return err }, providers.ErrConflict},
		"the same id": {func(d *providers.Draft) error {
			again := *r
			_, err := d.CreateRoute(again)
			return err
		}, providers.ErrConflict},
	} {
		if _, err := s.Update(t.Context(), by(), c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, change := range map[string]func(*providers.Draft) error{
		"no hostname": func(d *providers.Draft) error {
			_, err := d.CreateProvider(providers.Provider{Type: "sip", Name: "x"})
			return err
		},
		"to nobody":     func(d *providers.Draft) error { _, err := d.CreateRoute(route(uuid.New(), "+1")); return err },
		"to no numbers": func(d *providers.Draft) error { _, err := d.CreateRoute(route(a.ID, "one")); return err },
	} {
		_, err := s.Update(t.Context(), by(), change)
		if errs, ok := errors.AsType[providers.FieldErrors](err); !ok || len(errs) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	unchanged := update(t, s, func(*providers.Draft) error { return nil })
	if unchanged.Revision != before.Revision {
		t.Errorf("revision %s without a change, before %s", unchanged.Revision, before.Revision)
	}
	must(t, catalog(t, opened(t)), []*providers.Provider{a}, []*providers.Route{r})
}

func (t trial) whole() {
	s := opened(t)
	first := create(t, s, provider("first"))
	var all []*providers.Provider
	var routes []*providers.Route
	c := update(t, s, func(d *providers.Draft) error {
		for i := range 50 {
			p, err := d.CreateProvider(full(fmt.Sprintf("p%02d", i)))
			if err != nil {
				return err
			}
			r, err := d.CreateRoute(route(p.ID, fmt.Sprintf("+%d", i+1)))
			if err != nil {
				return err
			}
			all, routes = append(all, p), append(routes, r)
		}
		if _, err := d.DeleteProvider(all[0].ID); err != nil { // Came and went.
			return err
		}
		if _, err := d.DeleteRoute(routes[0].ID); err != nil {
			return err
		}
		_, err := d.DeleteProvider(first.ID)
		return err
	})
	must(t, c, all[1:], routes[1:])
	must(t, catalog(t, opened(t)), all[1:], routes[1:])
}

func (t trial) immutable() {
	s := opened(t)
	a := create(t, s, full("a"))
	held := catalog(t, s)
	copied := *held.Provider(a.ID).Clone()
	update(t, s, func(d *providers.Draft) error {
		p, err := d.Provider(a.ID)
		if err != nil {
			return err
		}
		p.TechHeaders[0].Value, p.Metadata["telnyx_fqdn"], p.Failover.Next[0] = "x", "x", "403"
		p.Failover.Rules[0].Code = "404"
		_, err = d.ReplaceProvider(*p)
		return err
	})
	if got := held.Provider(a.ID); !got.Same(&copied) || !got.TmUpdate.Equal(copied.TmUpdate) {
		t.Errorf("a catalog that was handed out changed: %+v", got)
	}
}

// testWriters has 20 writers add, change and remove entries at once.
func (t trial) writers() {
	stores := []providers.Store{opened(t), opened(t)} // Two routers.
	var writers sync.WaitGroup
	const count, rounds = 20, 5
	for w := range count {
		writers.Go(func() {
			s := stores[w%len(stores)]
			do := func(change func(*providers.Draft) error) {
				if _, err := s.Update(t.Context(), by(), change); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
			for i := range rounds {
				var p *providers.Provider
				do(func(d *providers.Draft) (err error) {
					p, err = d.CreateProvider(provider(fmt.Sprintf("w%d-%d", w, i)))
					return err
				})
				if p == nil {
					return
				}
				do(func(d *providers.Draft) error {
					p.Detail = "changed"
					_, err := d.ReplaceProvider(*p)
					return err
				})
				do(func(d *providers.Draft) error {
					if i%2 == 1 {
						_, err := d.DeleteProvider(p.ID)
						return err
					}
					_, err := d.CreateRoute(route(p.ID, "+1"))
					return err
				})
			}
		})
	}
	writers.Wait()
	c := catalog(t, opened(t))
	const left = count * (rounds + 1) / 2
	if len(c.Providers) != left || len(c.Routes) != left {
		t.Errorf("%d providers and %d routes, want %d of each", len(c.Providers), len(c.Routes), left)
	}
	for i := range c.Providers {
		if c.Providers[i].Detail != "changed" {
			t.Errorf("a lost change: %+v", c.Providers[i])
		}
	}
	for _, s := range stores {
		await(t, s, 5*time.Second, func(now *providers.Catalog) bool { return now.Revision == c.Revision })
	}
}

// testReadModifyWrite counts in a field: a lost update would show.
func (t trial) readModifyWrite() {
	stores := []providers.Store{opened(t), opened(t)}
	a := create(t, stores[0], provider("a"))
	var writers sync.WaitGroup
	const count, rounds = 8, 5
	for w := range count {
		writers.Go(func() {
			for range rounds {
				_, err := stores[w%len(stores)].Update(t.Context(), by(), func(d *providers.Draft) error {
					p, err := d.Provider(a.ID)
					if err != nil {
						return err
					}
					p.Limits.Calls++
					_, err = d.ReplaceProvider(*p)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if got := catalog(t, opened(t)).Provider(a.ID).Limits.Calls; got != count*rounds {
		t.Errorf("counted %d of %d", got, count*rounds)
	}
}

func (t trial) twoStores() {
	one, other := opened(t), opened(t)
	a := create(t, one, provider("a"))
	await(t, other, 5*time.Second, func(c *providers.Catalog) bool { return c.Provider(a.ID) != nil })
	must(t, catalog(t, other), []*providers.Provider{a}, nil)
	b := create(t, other, provider("b"))
	await(t, one, 5*time.Second, func(c *providers.Catalog) bool { return c.Provider(b.ID) != nil })
	if got, want := catalog(t, one).Revision, catalog(t, other).Revision; got != want {
		t.Errorf("revisions %s and %s of the same catalog", got, want)
	}
	// A write upon a revision that this store has not heard of yet is upon that revision all the same.
	update(t, one, func(d *providers.Draft) error { _, err := d.DeleteProvider(a.ID); return err })
	_, err := other.Update(t.Context(), by(), func(d *providers.Draft) error {
		_, err := d.ReplaceProvider(*a)
		return err
	})
	if !isNotFound(err) {
		t.Errorf("changed what the other deleted: %v", err)
	}
}

func (t trial) cancelled() {
	s := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Update(ctx, by(), func(d *providers.Draft) error {
		_, err := d.CreateProvider(provider("a"))
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	must(t, catalog(t, s), nil, nil)
}

func (t trial) closed() {
	s := opened(t)
	a := create(t, s, provider("a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), by(), func(*providers.Draft) error { return nil }); err == nil {
		t.Error("a closed store took a change")
	}
	if _, err := s.Reload(t.Context()); err == nil {
		t.Error("a closed store was read again")
	}
	if c, err := s.Catalog(t.Context()); err != nil || c.Provider(a.ID) == nil {
		t.Errorf("a closed store forgot: %v, %v", c, err)
	}
	for range s.Changed() { // Ends because it is closed.
		continue
	}
	must(t, catalog(t, opened(t)), []*providers.Provider{a}, nil)
}

func (t trial) changed() {
	s := opened(t)
	for drained := false; !drained; {
		select {
		case <-s.Changed():
		default:
			drained = true
		}
	}
	for i := range 3 {
		create(t, s, provider(strconv.Itoa(i)))
	}
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	select {
	case <-s.Changed():
	case <-deadline.C:
		t.Fatal("nothing heard of a change")
	}
	if c, err := s.Reload(t.Context()); err != nil || len(c.Providers) != 3 {
		t.Errorf("read again: %v, %v", c, err)
	}
}

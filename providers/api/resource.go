package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// resource is what can be listed, read, made, replaced and deleted: the providers, the routes.
type resource[T any] struct {
	api  *API
	kind providers.Kind

	entries func(*providers.Catalog) []T
	lister  *lister[T]
	compare func(a, b *T) int // The order of lists.
	place   func(*T) (tmCreate time.Time, id uuid.UUID)
	filter  func(x *exchange) (func(*T) bool, error) // Nil: all.
	find    func(*providers.Catalog, uuid.UUID) *T

	stored  func(*providers.Draft, uuid.UUID) (*T, error)
	create  func(*providers.Draft, T) (*T, error)
	replace func(*providers.Draft, T) (*T, error)
	remove  func(*providers.Draft, uuid.UUID) (*T, error)

	// read reads an entry as it is to be; before is nil for one that is yet to be made, else the entry as it is shown.
	read func(o *object, before *T) (T, error)
	// health is what is known of an entry now; before is what it replaced, or nil.
	health func(now, before *T) health
	// shown is an entry as clients see it.
	shown func(*T, health) *T
}

// list is a page of entries.
type list[T any] struct {
	Result        []T    `json:"result"`
	NextPageToken string `json:"next_page_token"`
}

func (s *resource[T]) list(x *exchange) (any, error) {
	wanted, err := readPage(x.r)
	if err != nil {
		return nil, err
	}
	var keep func(*T) bool
	if s.filter != nil {
		if keep, err = s.filter(x); err != nil {
			return nil, err
		}
	}
	c, err := s.api.catalog(x.r.Context())
	if err != nil {
		return nil, err
	}
	return s.write(page(s.lister.sorted(s.entries(c), s.compare), wanted, s.place, keep))
}

// write puts a page together of what its rows keep.
func (s *resource[T]) write(rows []*row[T]) (json.RawMessage, error) {
	const usual = 1 << 10 // Bytes of an entry.
	text := append(make([]byte, 0, usual*(1+len(rows))), `{"result":[`...)
	for i, one := range rows {
		entry, err := one.render(s.health(one.entry, nil), s.shown)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, entry...)
	}
	text = append(text, `],"next_page_token":"`...)
	if len(rows) > 0 {
		tmCreate, id := s.place(rows[len(rows)-1].entry)
		text = append(text, providers.PageToken{TmCreate: tmCreate, ID: id}.String()...) // It needs no quoting.
	}
	return append(text, "\"}\n"...), nil
}

func (s *resource[T]) get(x *exchange) (any, error) {
	id, err := x.pathID()
	if err != nil {
		return nil, err
	}
	c, err := s.api.catalog(x.r.Context())
	if err != nil {
		return nil, err
	}
	one := s.find(c, id)
	if one == nil {
		return nil, notFound(s.kind, id)
	}
	return s.show(x, one, nil)
}

// show answers an entry, with its ETag.
func (s *resource[T]) show(x *exchange, now, before *T) (any, error) {
	tag, err := s.tag(now)
	if err != nil {
		return nil, err
	}
	x.w.Header().Set("ETag", tag)
	return s.shown(now, s.health(now, before)), nil
}

// tag returns an entry's tag. What probes find out is no change of an entry.
func (s *resource[T]) tag(entry *T) (string, error) { return etag(s.shown(entry, health{})) }

func (s *resource[T]) post(x *exchange) (any, error) {
	o, err := x.object()
	if err != nil {
		return nil, err
	}
	wanted, err := s.read(o, nil)
	if err != nil {
		return nil, err
	}
	var made *T
	err = s.api.change(x, func(d *providers.Draft) (err error) {
		made, err = s.create(d, wanted)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.show(x, made, nil)
}

func (s *resource[T]) put(x *exchange) (any, error) {
	id, err := x.pathID()
	if err != nil {
		return nil, err
	}
	data, err := x.body()
	if err != nil {
		return nil, err
	}
	if _, err := parseObject(data); err != nil {
		return nil, err
	}
	var before, after *T
	err = s.api.change(x, func(d *providers.Draft) error {
		if before, err = s.current(x, d, id); err != nil {
			return err
		}
		// Anew each time: this may be called again upon a newer revision.
		o, err := parseObject(data)
		if err != nil {
			return err
		}
		wanted, err := s.read(o, s.shown(before, s.health(before, nil)))
		if err != nil {
			return err
		}
		after, err = s.replace(d, wanted)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.show(x, after, before)
}

func (s *resource[T]) delete(x *exchange) (any, error) {
	id, err := x.pathID()
	if err != nil {
		return nil, err
	}
	var gone *T
	err = s.api.change(x, func(d *providers.Draft) error {
		if _, err := s.current(x, d, id); err != nil {
			return err
		}
		gone, err = s.remove(d, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.show(x, gone, nil)
}

// current returns an entry that is to be changed, if the request may.
func (s *resource[T]) current(x *exchange, d *providers.Draft, id uuid.UUID) (*T, error) {
	one, err := s.stored(d, id)
	if err != nil {
		return nil, notFound(s.kind, id)
	}
	tag, err := s.tag(one)
	if err != nil {
		return nil, err
	}
	return one, checkETag(x.r, tag)
}

// catalog returns the catalog to read from. One that is not the newest is good to read.
func (a *API) catalog(ctx context.Context) (*providers.Catalog, error) {
	c, err := a.store.Catalog(ctx)
	if c == nil {
		return nil, err
	}
	return c, nil
}

// inForceWait bounds how long a write waits until calls see it.
const inForceWait = 250 * time.Millisecond

// change makes a change of the catalog, and waits until calls see it, but not for long: it is made in any case.
func (a *API) change(x *exchange, change func(*providers.Draft) error) error {
	c, err := a.store.Update(x.r.Context(), x.actor(), change)
	if err != nil {
		return err
	}
	a.awaitInForce(x.r.Context(), c.Revision)
	return nil
}

func (a *API) awaitInForce(ctx context.Context, revision string) {
	ctx, cancel := context.WithTimeout(ctx, inForceWait)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for a.router.Revision() != revision {
		if c, err := a.store.Catalog(ctx); err != nil || c.Revision != revision {
			return // Somebody else wrote since.
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

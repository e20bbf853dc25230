package providers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Draft is a change to a catalog that is being made: it reads like the catalog with the change in it. It holds all
// rules that need more than one entry. It is for one goroutine.
type Draft struct {
	base *Catalog
	now  time.Time

	changes []Change
	places  map[entryKey]int // In changes.

	// What the draft has instead of the base's entries; nil is deleted.
	providers map[uuid.UUID]*Provider
	routes    map[uuid.UUID]*Route
	names     map[string]uuid.UUID // Nil: free again.
	deleted   map[uuid.UUID]string // The names of providers that the draft deleted.
}

// entryKey tells entries apart: providers and routes have ids of their own.
type entryKey struct {
	kind Kind
	id   uuid.UUID
}

// NewDraft begins a change upon base at the time now.
func NewDraft(base *Catalog, now time.Time) *Draft {
	return &Draft{
		base:      base,
		now:       Microseconds(now),
		places:    make(map[entryKey]int),
		providers: make(map[uuid.UUID]*Provider),
		routes:    make(map[uuid.UUID]*Route),
		names:     make(map[string]uuid.UUID),
		deleted:   make(map[uuid.UUID]string),
	}
}

// Base returns the catalog without the change.
func (d *Draft) Base() *Catalog { return d.base }

// Changes returns what was changed so far, in order, with one change for each entry: what was done to it several
// times is there as if it had been done at once.
func (d *Draft) Changes() []Change {
	return slices.DeleteFunc(slices.Clone(d.changes), func(c Change) bool { return c.Verb == "" })
}

// note takes in a change of an entry, together with those that went before.
func (d *Draft) note(next Change) {
	key := entryKey{next.Kind, next.ID}
	i, ok := d.places[key]
	if !ok {
		d.places[key] = len(d.changes)
		d.changes = append(d.changes, next)
		return
	}
	earlier := &d.changes[i]
	next.ProviderBefore, next.RouteBefore = earlier.ProviderBefore, earlier.RouteBefore
	existed := next.ProviderBefore != nil || next.RouteBefore != nil
	switch {
	case next.Verb == VerbDelete && !existed:
		next.Verb = "" // Came and went: nothing happened.
	case next.Verb == VerbReplace && !existed:
		next.Verb = VerbCreate
	case next.Verb == VerbCreate && existed:
		next.Verb = VerbReplace
	}
	*earlier = next
}

// Provider returns the provider with the id, or ErrNotFound. The caller may change what it gets; only the methods
// of the draft change the draft.
func (d *Draft) Provider(id uuid.UUID) (*Provider, error) {
	p, ok := d.providers[id]
	if !ok {
		p = d.base.Provider(id)
	}
	if p == nil {
		return nil, fmt.Errorf("provider %s: %w", id, ErrNotFound)
	}
	return p.Clone(), nil
}

// ProviderNamed returns the provider with the name, or ErrNotFound.
func (d *Draft) ProviderNamed(name string) (*Provider, error) {
	if id := d.owner(name); id != uuid.Nil {
		return d.Provider(id)
	}
	return nil, fmt.Errorf("provider %q: %w", Clip(name), ErrNotFound)
}

// Route returns the route with the id, or ErrNotFound.
func (d *Draft) Route(id uuid.UUID) (*Route, error) {
	r, ok := d.routes[id]
	if !ok {
		r = d.base.Route(id)
	}
	if r == nil {
		return nil, fmt.Errorf("route %s: %w", id, ErrNotFound)
	}
	copied := *r
	return &copied, nil
}

// owner returns who has a provider's name, Nil when it is free.
func (d *Draft) owner(name string) uuid.UUID {
	if id, ok := d.names[name]; ok {
		return id
	}
	if p := d.base.ProviderNamed(name); p != nil {
		if _, touched := d.providers[p.ID]; !touched {
			return p.ID
		}
	}
	return uuid.Nil
}

// CreateProvider adds p and returns it with the times it got, and with an id (UUIDv4) when it came without one.
func (d *Draft) CreateProvider(p Provider) (*Provider, error) {
	after := p.Clone()
	if after.ID == uuid.Nil {
		after.ID = uuid.New()
	}
	if _, err := d.Provider(after.ID); err == nil {
		return nil, fmt.Errorf("provider %s exists: %w", after.ID, ErrConflict)
	}
	after.TmCreate, after.TmUpdate, after.TmDelete = d.now, d.now, time.Time{}
	if err := d.put(after, nil); err != nil {
		return nil, err
	}
	d.note(Change{Kind: KindProvider, Verb: VerbCreate, ID: after.ID, ProviderAfter: after})
	return after.Clone(), nil
}

// ReplaceProvider puts p in the place of the provider with its id, and returns it with its times.
func (d *Draft) ReplaceProvider(p Provider) (*Provider, error) {
	before, err := d.Provider(p.ID)
	if err != nil {
		return nil, err
	}
	after := p.Clone()
	after.TmCreate, after.TmUpdate, after.TmDelete = before.TmCreate, later(d.now, before.TmUpdate), time.Time{}
	if err := d.put(after, before); err != nil {
		return nil, err
	}
	d.note(Change{
		Kind: KindProvider, Verb: VerbReplace, ID: after.ID, ProviderBefore: before, ProviderAfter: after,
	})
	return after.Clone(), nil
}

// put checks a provider and takes it into the draft.
func (d *Draft) put(after, before *Provider) error {
	// What comes as a JSON object has no order, so it gets one: by name. A list that only lost its order on the way
	// keeps the one it had.
	slices.SortFunc(after.TechHeaders, compareHeaders)
	if before != nil && slices.Equal(slices.SortedFunc(slices.Values(before.TechHeaders), compareHeaders), after.TechHeaders) {
		after.TechHeaders = slices.Clone(before.TechHeaders)
	}
	if err := after.Validate().Err(); err != nil {
		return err
	}
	if owner := d.owner(after.Name); owner != uuid.Nil && owner != after.ID {
		return fmt.Errorf("the name %q belongs to provider %s: %w", Clip(after.Name), owner, ErrConflict)
	}
	if before != nil && before.Name != after.Name {
		d.names[before.Name] = uuid.Nil
	}
	d.names[after.Name] = after.ID
	d.providers[after.ID] = after
	return nil
}

func compareHeaders(a, b Header) int {
	return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Name, b.Name))
}

// DeleteProvider removes the provider with the id and returns its record with TmDelete set. Routes that lead to it
// stay, and are skipped.
func (d *Draft) DeleteProvider(id uuid.UUID) (*Provider, error) {
	before, err := d.Provider(id)
	if err != nil {
		return nil, err
	}
	after := before.Clone()
	after.TmUpdate = later(d.now, before.TmUpdate)
	after.TmDelete = after.TmUpdate
	d.names[before.Name] = uuid.Nil
	d.providers[id] = nil
	d.deleted[id] = before.Name
	d.note(Change{
		Kind: KindProvider, Verb: VerbDelete, ID: id, ProviderBefore: before, ProviderAfter: after,
	})
	return after.Clone(), nil
}

// CreateRoute adds r and returns it with the times it got, and with an id (UUIDv4) when it came without one. Its
// target is brought to its one spelling.
func (d *Draft) CreateRoute(r Route) (*Route, error) {
	if r.ID == uuid.Nil {
		r.ID = uuid.New()
	}
	if _, err := d.Route(r.ID); err == nil {
		return nil, fmt.Errorf("route %s exists: %w", r.ID, ErrConflict)
	}
	r.TmCreate, r.TmUpdate, r.TmDelete = d.now, d.now, time.Time{}
	if err := d.putRoute(&r); err != nil {
		return nil, err
	}
	d.note(Change{Kind: KindRoute, Verb: VerbCreate, ID: r.ID, RouteAfter: &r})
	copied := r
	return &copied, nil
}

// ReplaceRoute puts r in the place of the route with its id, and returns it with its times.
func (d *Draft) ReplaceRoute(r Route) (*Route, error) {
	before, err := d.Route(r.ID)
	if err != nil {
		return nil, err
	}
	r.TmCreate, r.TmUpdate, r.TmDelete = before.TmCreate, later(d.now, before.TmUpdate), time.Time{}
	if err := d.putRoute(&r); err != nil {
		return nil, err
	}
	d.note(Change{
		Kind: KindRoute, Verb: VerbReplace, ID: r.ID, RouteBefore: before, RouteAfter: &r,
	})
	copied := r
	return &copied, nil
}

// putRoute checks a route and takes it into the draft.
func (d *Draft) putRoute(r *Route) error {
	if target, err := ParseTarget(r.Target); err == nil {
		r.Target = target
	}
	errs := r.Validate()
	if r.ProviderID != uuid.Nil {
		if _, err := d.Provider(r.ProviderID); err != nil {
			errs = append(errs, FieldError{Field: "provider_id", Value: r.ProviderID.String(), Rule: "is no provider's id"})
		}
	}
	if err := errs.Err(); err != nil {
		return err
	}
	d.routes[r.ID] = r
	return nil
}

// DeleteRoute removes the route with the id and returns its record with TmDelete set.
func (d *Draft) DeleteRoute(id uuid.UUID) (*Route, error) {
	before, err := d.Route(id)
	if err != nil {
		return nil, err
	}
	after := *before
	after.TmUpdate = later(d.now, before.TmUpdate)
	after.TmDelete = after.TmUpdate
	d.routes[id] = nil
	d.note(Change{
		Kind: KindRoute, Verb: VerbDelete, ID: id, RouteBefore: before, RouteAfter: &after,
	})
	copied := after
	return &copied, nil
}

// Catalog returns the base with the changes in it: what was replaced stays in its place, what is new goes to the end.
func (d *Draft) Catalog(revision string) *Catalog {
	all := merge(d.base.Providers, d.providers, func(p *Provider) uuid.UUID { return p.ID }, d.created(KindProvider))
	routes := merge(d.base.Routes, d.routes, func(r *Route) uuid.UUID { return r.ID }, d.created(KindRoute))
	c := NewCatalog(revision, all, routes)
	c.share(d.base)
	if c.DeletedNames = maps.Clone(d.base.DeletedNames); c.DeletedNames == nil {
		c.DeletedNames = make(map[uuid.UUID]string)
	}
	maps.Copy(c.DeletedNames, d.deleted)
	c.forgetUnused()
	return c
}

// created lists the ids that are new, in order.
func (d *Draft) created(kind Kind) []uuid.UUID {
	var ids []uuid.UUID
	for _, c := range d.changes {
		if c.Kind == kind && c.Verb == VerbCreate {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// merge returns the entries of base, those that were touched as they are now, and behind them the new ones. Where
// nothing was touched, they are base's own.
func merge[T any](base []T, touched map[uuid.UUID]*T, id func(*T) uuid.UUID, created []uuid.UUID) []T {
	if len(touched) == 0 {
		return base
	}
	all := make([]T, 0, len(base)+len(created))
	from, left := 0, len(touched)-len(created) // Of base: what is not taken yet, and how many are still to be found.
	for i := 0; i < len(base) && left > 0; i++ {
		instead, ok := touched[id(&base[i])]
		if !ok {
			continue
		}
		left--
		all = append(all, base[from:i]...)
		if from = i + 1; instead != nil {
			all = append(all, *instead)
		}
	}
	all = append(all, base[from:]...)
	for _, id := range created {
		all = append(all, *touched[id])
	}
	return all
}

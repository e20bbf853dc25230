package providers

import (
	"maps"
	"sync"

	"github.com/google/uuid"
)

// Catalog is one revision of all providers and routes. It is immutable once a Store has handed it out. Deleted
// entries are not in it; a route may still lead to a provider that was deleted, and is skipped then.
type Catalog struct {
	Revision  string // Changes with every change of the content; bounded in length, printable.
	Providers []Provider
	Routes    []Route

	// DeletedNames has the names of deleted providers that routes still lead to.
	DeletedNames map[uuid.UUID]string

	// Nil in a catalog that was not made by NewCatalog; that one searches.
	providerIndex *providerIndex
	routeIndex    *routeIndex
}

// providerIndex finds the places of providers, and routeIndex those of routes. Each is made when it is first asked for:
// who only reads the lists, as the building of a dial plan does, pays nothing. Catalogs that have the same list share it.
type providerIndex struct {
	once  sync.Once
	ids   map[uuid.UUID]int
	names map[string]int
}

type routeIndex struct {
	once sync.Once
	ids  map[uuid.UUID]int
}

// NewCatalog makes a catalog that finds its entries by id and name without a search. It keeps the slices, which must
// not change any more.
func NewCatalog(revision string, all []Provider, routes []Route) *Catalog {
	return &Catalog{
		Revision: revision, Providers: all, Routes: routes, providerIndex: new(providerIndex), routeIndex: new(routeIndex),
	}
}

func (c *Catalog) indexProviders() *providerIndex {
	x := c.providerIndex
	x.once.Do(func() {
		x.ids = make(map[uuid.UUID]int, len(c.Providers))
		x.names = make(map[string]int, len(c.Providers))
		for i := range c.Providers {
			x.ids[c.Providers[i].ID] = i
			x.names[c.Providers[i].Name] = i
		}
	})
	return x
}

func (c *Catalog) indexRoutes() *routeIndex {
	x := c.routeIndex
	x.once.Do(func() {
		x.ids = make(map[uuid.UUID]int, len(c.Routes))
		for i := range c.Routes {
			x.ids[c.Routes[i].ID] = i
		}
	})
	return x
}

// share takes over the indexes of a catalog that has the same lists.
func (c *Catalog) share(other *Catalog) {
	if other.providerIndex != nil && sameList(c.Providers, other.Providers) {
		c.providerIndex = other.providerIndex
	}
	if other.routeIndex != nil && sameList(c.Routes, other.Routes) {
		c.routeIndex = other.routeIndex
	}
}

// sameList says whether two lists are one and the same in memory.
func sameList[T any](a, b []T) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// Provider returns the provider with the id, nil when there is none. The caller must not change it.
func (c *Catalog) Provider(id uuid.UUID) *Provider {
	if c.providerIndex != nil {
		if i, ok := c.indexProviders().ids[id]; ok {
			return &c.Providers[i]
		}
		return nil
	}
	for i := range c.Providers {
		if c.Providers[i].ID == id {
			return &c.Providers[i]
		}
	}
	return nil
}

// ProviderNamed returns the provider with the name, nil when there is none. The caller must not change it.
func (c *Catalog) ProviderNamed(name string) *Provider {
	if c.providerIndex != nil {
		if i, ok := c.indexProviders().names[name]; ok {
			return &c.Providers[i]
		}
		return nil
	}
	for i := range c.Providers {
		if c.Providers[i].Name == name {
			return &c.Providers[i]
		}
	}
	return nil
}

// Route returns the route with the id, nil when there is none. The caller must not change it.
func (c *Catalog) Route(id uuid.UUID) *Route {
	if c.routeIndex != nil {
		if i, ok := c.indexRoutes().ids[id]; ok {
			return &c.Routes[i]
		}
		return nil
	}
	for i := range c.Routes {
		if c.Routes[i].ID == id {
			return &c.Routes[i]
		}
	}
	return nil
}

// forgetUnused drops the names of deleted providers that are back, or that no route leads to any more.
func (c *Catalog) forgetUnused() {
	if len(c.DeletedNames) == 0 {
		return
	}
	used := make(map[uuid.UUID]bool, len(c.DeletedNames))
	for i := range c.Routes {
		if id := c.Routes[i].ProviderID; c.Provider(id) == nil {
			used[id] = true
		}
	}
	maps.DeleteFunc(c.DeletedNames, func(id uuid.UUID, _ string) bool { return !used[id] })
}

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

	index *index // Nil in a catalog that was not made by NewCatalog; that one searches.
}

// index finds the places of entries. Each part is made when it is first asked for: who only reads the lists, as the
// building of a dial plan does, pays nothing.
type index struct {
	providersOnce, routesOnce sync.Once

	providers map[uuid.UUID]int
	names     map[string]int
	routes    map[uuid.UUID]int
}

// NewCatalog makes a catalog that finds its entries by id and name without a search. It keeps the slices, which must
// not change any more.
func NewCatalog(revision string, all []Provider, routes []Route) *Catalog {
	return &Catalog{Revision: revision, Providers: all, Routes: routes, index: new(index)}
}

func (c *Catalog) indexProviders() *index {
	c.index.providersOnce.Do(func() {
		c.index.providers = make(map[uuid.UUID]int, len(c.Providers))
		c.index.names = make(map[string]int, len(c.Providers))
		for i := range c.Providers {
			c.index.providers[c.Providers[i].ID] = i
			c.index.names[c.Providers[i].Name] = i
		}
	})
	return c.index
}

// Provider returns the provider with the id, nil when there is none. The caller must not change it.
func (c *Catalog) Provider(id uuid.UUID) *Provider {
	if c.index != nil {
		if i, ok := c.indexProviders().providers[id]; ok {
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
	if c.index != nil {
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
	if c.index != nil {
		c.index.routesOnce.Do(func() {
			c.index.routes = make(map[uuid.UUID]int, len(c.Routes))
			for i := range c.Routes {
				c.index.routes[c.Routes[i].ID] = i
			}
		})
		if i, ok := c.index.routes[id]; ok {
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

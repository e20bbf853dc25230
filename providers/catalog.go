package providers

import (
	"maps"

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

	providers map[uuid.UUID]int // Places in Providers.
	names     map[string]int
	routes    map[uuid.UUID]int // Places in Routes.
}

// NewCatalog makes a catalog that finds its entries by id and name without a search. It keeps the slices.
func NewCatalog(revision string, all []Provider, routes []Route) *Catalog {
	c := &Catalog{
		Revision:  revision,
		Providers: all,
		Routes:    routes,
		providers: make(map[uuid.UUID]int, len(all)),
		names:     make(map[string]int, len(all)),
		routes:    make(map[uuid.UUID]int, len(routes)),
	}
	for i := range all {
		c.providers[all[i].ID] = i
		c.names[all[i].Name] = i
	}
	for i := range routes {
		c.routes[routes[i].ID] = i
	}
	return c
}

// Provider returns the provider with the id, nil when there is none. The caller must not change it.
func (c *Catalog) Provider(id uuid.UUID) *Provider {
	if c.providers != nil {
		if i, ok := c.providers[id]; ok {
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
	if c.names != nil {
		if i, ok := c.names[name]; ok {
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
	if c.routes != nil {
		if i, ok := c.routes[id]; ok {
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

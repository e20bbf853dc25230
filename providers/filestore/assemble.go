package filestore

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// memory is what a store knows of entries beyond what their file says.
type memory interface {
	// times returns when an entry was made and when it was changed last.
	times(id uuid.UUID) (created, updated time.Time)
	// deletedName returns the name of a provider that was deleted, "" when it is not known.
	deletedName(id uuid.UUID) string
}

// assembler makes a catalog of a file's entries: it gives ids to those that have none, finds the providers of
// routes, and notes what does not fit together.
type assembler struct {
	file     string
	memory   memory
	problems []providers.Problem

	names     map[string]int // Places in the list of providers.
	ids       map[uuid.UUID]int
	providers []providers.Provider
	routes    []providers.Route
	places    map[uuid.UUID]int // In routes.
	lines     []int             // Of routes.
	deleted   map[uuid.UUID]string
	index     index
}

func (a *assembler) add(line int, warning bool, message string) {
	a.problems = append(a.problems, providers.Problem{File: a.file, Line: line, Message: message, Warning: warning})
}

// assemble returns the catalog that the entries make, which entry became what, and what is wrong between them.
func assemble(file, revision string, all entries, m memory) (*providers.Catalog, index, []providers.Problem) {
	a := &assembler{
		file:      file,
		memory:    m,
		names:     make(map[string]int, len(all.providers)),
		ids:       make(map[uuid.UUID]int, len(all.providers)),
		providers: make([]providers.Provider, 0, len(all.providers)),
		routes:    make([]providers.Route, 0, len(all.routes)+len(all.providers)),
		places:    make(map[uuid.UUID]int, len(all.routes)+len(all.providers)),
		deleted:   make(map[uuid.UUID]string),
	}
	lines := make([]int, 0, len(all.providers))
	for i := range all.providers {
		a.provider(&all.providers[i], lines)
		lines = append(lines, all.providers[i].line)
	}
	for i := range all.providers {
		a.shorthand(&all.providers[i], a.providers[i].ID)
	}
	for i := range all.routes {
		a.route(&all.routes[i])
	}
	c := providers.NewCatalog(revision, a.providers, a.routes)
	c.DeletedNames = a.deleted
	return c, a.index, a.problems
}

func (a *assembler) provider(e *providerEntry, lines []int) {
	p := e.Provider
	if p.ID == uuid.Nil {
		p.ID = providers.ProviderID(p.Name)
	}
	if i, ok := a.names[p.Name]; ok && p.Name != "" {
		a.add(e.line, false, "the name \""+providers.Clip(p.Name)+"\" is taken by the provider on line "+itoa(lines[i])+
			"; names label the metrics, so each is there once")
	} else if i, ok := a.ids[p.ID]; ok && p.Name != "" {
		a.add(e.line, false, "the id "+p.ID.String()+" is taken by the provider on line "+itoa(lines[i])+"; give this one another")
	}
	a.names[p.Name], a.ids[p.ID] = len(a.providers), len(a.providers)
	p.TmCreate, p.TmUpdate = a.memory.times(p.ID)
	p.HealthStatus = providers.HealthUnknown
	a.providers = append(a.providers, p)
	a.index.providers = append(a.index.providers, p.ID)
}

// shorthand makes the routes that a provider's entry asks for by priority and targets.
func (a *assembler) shorthand(e *providerEntry, provider uuid.UUID) {
	for _, t := range e.targets {
		a.take(providers.Route{
			CustomerID: providers.Everyone, ProviderID: provider, Target: t.text, Priority: e.priority,
			Weight: providers.DefaultWeight,
		}, t.line)
	}
}

func (a *assembler) route(e *routeEntry) {
	r := e.Route
	if r.ProviderID = a.find(e); r.ProviderID == uuid.Nil {
		return
	}
	a.index.routes = append(a.index.routes, a.take(r, e.line))
}

// find returns the id of a route's provider, Nil after a problem.
func (a *assembler) find(e *routeEntry) uuid.UUID {
	if e.provider == "" {
		return uuid.Nil // Noted when the entry was read.
	}
	id, err := uuid.Parse(e.provider)
	isID := err == nil && len(e.provider) == 36
	if isID {
		if _, ok := a.ids[id]; ok {
			return id
		}
	}
	if i, ok := a.names[e.provider]; ok {
		return a.providers[i].ID
	}
	path := "routes[" + itoa(e.at) + "].provider: "
	if !isID {
		names := make([]string, 0, len(a.names))
		for name := range a.names {
			names = append(names, name)
		}
		slices.Sort(names) // So that of two that are as near the same is named each time.
		hint := ""
		if s := suggest(e.provider, names); s != "" {
			hint = "; did you mean \"" + s + "\"?"
		}
		a.add(e.providerLine, false, path+"no provider is called \""+providers.Clip(e.provider)+"\""+hint)
		return uuid.Nil
	}
	// An id outlives its provider: the API deletes providers and leaves their routes, which lead nowhere then.
	if name := a.memory.deletedName(id); name != "" {
		a.deleted[id] = name
		a.add(e.providerLine, true, path+providers.Clip(name)+" ("+id.String()+") was deleted; the route is skipped")
	} else {
		a.add(e.providerLine, true, path+"none has the id "+id.String()+"; the route is skipped")
	}
	return id
}

// take takes a route in, with its times and its id, which it returns.
func (a *assembler) take(r providers.Route, line int) uuid.UUID {
	made := r.ID == uuid.Nil
	if made {
		r.ID = providers.RouteID(r.CustomerID, r.Target, r.ProviderID)
	}
	if i, ok := a.places[r.ID]; ok {
		other, at := &a.routes[i], itoa(a.lines[i])
		alike := other.CustomerID == r.CustomerID && other.Target == r.Target && other.ProviderID == r.ProviderID
		if made && alike {
			a.add(line, false, "the route on line "+at+" has the same customer, target and provider; give this one an id if both "+
				"are meant")
		} else {
			a.add(line, false, "the id "+r.ID.String()+" is taken by the route on line "+at+"; give this one another")
		}
		return r.ID
	}
	a.places[r.ID] = len(a.routes)
	a.lines = append(a.lines, line)
	r.TmCreate, r.TmUpdate = a.memory.times(r.ID)
	a.routes = append(a.routes, r)
	return r.ID
}

package filestore

import (
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

// errHarm says that a change could not be written so that the file reads as meant. Nothing was written then.
var errHarm = errors.New("the change cannot be written into this file without harm to it; write it by hand")

// index tells which entry of a file is which.
type index struct {
	providers, routes []uuid.UUID // In the order of the file. Routes made by shorthand have no entry.
}

// rewriter puts changes into the text of a file.
type rewriter struct {
	data   []byte
	layout layout
	index  index
	after  *providers.Catalog // What the file is to say.

	providerEdits map[int]*edit
	routeEdits    map[int]*edit
	newProviders  []*providers.Provider
	newRoutes     []*providers.Route
	cuts          []cut
}

// edit is what becomes of one entry.
type edit struct {
	remove   bool
	provider *providers.Provider // Nil: its fields stay.
	route    *providers.Route
	drop     []string // Targets that the entry makes no routes to any more.
}

// rewrite returns the content of the file with changes in it, which lead to the catalog after, and its index.
func rewrite(on *text, ix index, changes []providers.Change, after *providers.Catalog) ([]byte, index, error) {
	r := &rewriter{
		data: on.data, index: ix, after: after,
		providerEdits: make(map[int]*edit), routeEdits: make(map[int]*edit),
	}
	var ok bool
	if r.layout, ok = on.layout(); !ok || !r.matches() || hasAnchors(on.data) {
		var err error
		if r.data, err = normalize(on.data); err != nil {
			return nil, index{}, err
		}
		if r.layout, ok = findLayout(r.data); !ok || !r.matches() {
			return nil, index{}, errHarm
		}
	}
	r.plan(changes)
	if err := r.cutProviders(); err != nil {
		return nil, index{}, err
	}
	if err := r.cutRoutes(); err != nil {
		return nil, index{}, err
	}
	return r.apply(), r.newIndex(), nil
}

func (r *rewriter) matches() bool {
	return len(r.layout.providers.entries) == len(r.index.providers) && len(r.layout.routes.entries) == len(r.index.routes)
}

// plan finds the entry for each change, and the entries that a change concerns though it is not about them.
func (r *rewriter) plan(changes []providers.Change) {
	touchedProviders := make(map[uuid.UUID]*providers.Change)
	touchedRoutes := make(map[uuid.UUID]*providers.Change)
	moved := make(map[uuid.UUID]bool) // Providers that are called by another name now, or not at all.
	for i := range changes {
		c := &changes[i]
		if c.Kind == providers.KindRoute {
			touchedRoutes[c.ID] = c
			continue
		}
		touchedProviders[c.ID] = c
		if c.ProviderBefore != nil && (c.Verb == providers.VerbDelete || c.ProviderBefore.Name != c.ProviderAfter.Name) {
			moved[c.ID] = true
		}
	}
	for i, id := range r.index.providers {
		if c := touchedProviders[id]; c != nil {
			r.providerEdits[i] = &edit{remove: c.Verb == providers.VerbDelete, provider: c.ProviderAfter}
			delete(touchedProviders, id)
		}
	}
	for i, id := range r.index.routes {
		if c := touchedRoutes[id]; c != nil {
			r.routeEdits[i] = &edit{remove: c.Verb == providers.VerbDelete, route: c.RouteAfter}
			delete(touchedRoutes, id)
		} else if len(moved) > 0 {
			if route := r.after.Route(id); route != nil && moved[route.ProviderID] {
				r.routeEdits[i] = &edit{route: route}
			}
		}
	}
	// What is left has no entry: it is new, or made by shorthand.
	for i := range changes {
		c := &changes[i]
		switch {
		case touchedProviders[c.ID] == c:
			r.newProviders = append(r.newProviders, c.ProviderAfter)
		case touchedRoutes[c.ID] == c:
			if c.RouteBefore != nil {
				r.dropTarget(c.RouteBefore)
			}
			if c.Verb != providers.VerbDelete {
				r.newRoutes = append(r.newRoutes, c.RouteAfter)
			}
		}
	}
}

// dropTarget takes a route away from the shorthand that made it.
func (r *rewriter) dropTarget(route *providers.Route) {
	i := slices.Index(r.index.providers, route.ProviderID)
	if i < 0 {
		return
	}
	if r.providerEdits[i] == nil {
		r.providerEdits[i] = &edit{}
	}
	r.providerEdits[i].drop = append(r.providerEdits[i].drop, route.Target)
}

func (r *rewriter) cutProviders() error {
	s := &r.layout.providers
	removed := 0
	for i, e := range r.providerEdits {
		if e.remove {
			removed++
			r.cuts = append(r.cuts, r.removal(s.entries[i]))
			continue
		}
		text, err := r.editProvider(s, i, e)
		if err != nil {
			return err
		}
		r.cuts = append(r.cuts, cut{s.entries[i], text})
	}
	var added []string
	for _, p := range r.newProviders {
		added = append(added, newEntry(providerFields(&providerEntry{Provider: *p}), s.indentOr2()))
	}
	r.resize("providers", s, removed, added)
	return nil
}

func (r *rewriter) editProvider(s *section, i int, change *edit) (string, error) {
	d := &decoder{}
	entry := d.provider(i, r.entryNode(s, i))
	if len(d.problems) > 0 {
		return "", errHarm
	}
	wanted := entry
	if change.provider != nil {
		wanted.Provider = *change.provider
		if entry.ID == uuid.Nil && providers.ProviderID(wanted.Name) == wanted.ID {
			wanted.ID = uuid.Nil // It goes on without: its name still says it.
		}
	}
	if len(change.drop) > 0 {
		wanted.hasTargets = true
		wanted.targets = slices.DeleteFunc(slices.Clone(entry.targets), func(t target) bool {
			return slices.Contains(change.drop, t.text)
		})
	}
	before, after := providerFields(&entry), providerFields(&wanted)
	text, err := editEntry(r.entryText(s, i), before, after)
	if err != nil {
		return "", err
	}
	d = &decoder{}
	if n := parseEntry(text); n != nil {
		if read := d.provider(i, n); len(d.problems) == 0 && slices.EqualFunc(providerFields(&read), after, sameValue) {
			return text, nil
		}
	}
	return "", errHarm
}

func (r *rewriter) cutRoutes() error {
	s := &r.layout.routes
	removed := 0
	for i, e := range r.routeEdits {
		if e.remove {
			removed++
			r.cuts = append(r.cuts, r.removal(s.entries[i]))
			continue
		}
		text, err := r.editRoute(s, i, e.route)
		if err != nil {
			return err
		}
		r.cuts = append(r.cuts, cut{s.entries[i], text})
	}
	var added []string
	for _, route := range r.newRoutes {
		entry := routeEntry{Route: *route, provider: r.reference(route.ProviderID)}
		added = append(added, newEntry(routeFields(&entry), s.indentOr2()))
	}
	r.resize("routes", s, removed, added)
	return nil
}

func (r *rewriter) editRoute(s *section, i int, route *providers.Route) (string, error) {
	d := &decoder{}
	entry := d.route(i, r.entryNode(s, i))
	if len(d.problems) > 0 {
		return "", errHarm
	}
	wanted := routeEntry{Route: *route, provider: entry.provider}
	if r.resolve(entry.provider) != route.ProviderID {
		wanted.provider = r.reference(route.ProviderID)
	}
	if entry.ID == uuid.Nil && providers.RouteID(route.CustomerID, route.Target, route.ProviderID) == route.ID {
		wanted.ID = uuid.Nil
	}
	before, after := routeFields(&entry), routeFields(&wanted)
	text, err := editEntry(r.entryText(s, i), before, after)
	if err != nil {
		return "", err
	}
	d = &decoder{}
	if n := parseEntry(text); n != nil {
		if read := d.route(i, n); len(d.problems) == 0 && slices.EqualFunc(routeFields(&read), after, sameValue) {
			return text, nil
		}
	}
	return "", errHarm
}

// reference returns how a route's entry names its provider: by name, or by id if it was deleted.
func (r *rewriter) reference(id uuid.UUID) string {
	if p := r.after.Provider(id); p != nil {
		return p.Name
	}
	return id.String()
}

// resolve returns which provider a reference will name once the change is in the file.
func (r *rewriter) resolve(reference string) uuid.UUID {
	id, err := uuid.Parse(reference)
	if err == nil && (r.after.Provider(id) != nil || r.after.ProviderNamed(reference) == nil) {
		return id
	}
	if p := r.after.ProviderNamed(reference); p != nil {
		return p.ID
	}
	return uuid.Nil
}

// entryText returns the lines of an entry, which end with LF.
func (r *rewriter) entryText(s *section, i int) string {
	text := strings.ReplaceAll(string(r.data[s.entries[i].start:s.entries[i].end]), "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// entryNode reads an entry with the trivia behind it, which may be part of its last value.
func (r *rewriter) entryNode(s *section, i int) *yaml.Node {
	if n := parseEntry(string(r.data[s.entries[i].start:s.limit(i)])); n != nil {
		return n
	}
	return &yaml.Node{}
}

// parseEntry reads the text of one entry, nil if it is not one.
func parseEntry(text string) *yaml.Node {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil || len(root.Content) == 0 {
		return nil
	}
	if list := root.Content[0]; list.Kind == yaml.SequenceNode && len(list.Content) == 1 {
		return resolve(list.Content[0])
	}
	return nil
}

// newIndex returns the index of the changed file.
func (r *rewriter) newIndex() index {
	ix := index{
		providers: without(r.index.providers, r.providerEdits, len(r.newProviders)),
		routes:    without(r.index.routes, r.routeEdits, len(r.newRoutes)),
	}
	for _, p := range r.newProviders {
		ix.providers = append(ix.providers, p.ID)
	}
	for _, route := range r.newRoutes {
		ix.routes = append(ix.routes, route.ID)
	}
	return ix
}

// without returns the entries that are left by edits, with room for more. Where nothing changes it is the list itself.
func without(ids []uuid.UUID, edits map[int]*edit, room int) []uuid.UUID {
	var gone []int
	for i, e := range edits {
		if e.remove {
			gone = append(gone, i)
		}
	}
	if len(gone) == 0 && room == 0 {
		return ids
	}
	slices.Sort(gone)
	left := make([]uuid.UUID, 0, len(ids)-len(gone)+room)
	from := 0
	for _, i := range gone {
		left = append(left, ids[from:i]...)
		from = i + 1
	}
	return append(left, ids[from:]...)
}

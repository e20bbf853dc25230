package filestore

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// settleDraft ends a draft upon a file with the index, and returns the catalog it leads to, still without a revision.
// The routes that a provider's entry makes by shorthand are part of it, so they go when it is deleted.
func settleDraft(d *providers.Draft, ix index) (*providers.Catalog, error) {
	deleted := make(map[uuid.UUID]bool)
	for _, c := range d.Changes() {
		if c.Kind == providers.KindProvider && c.Verb == providers.VerbDelete {
			deleted[c.ID] = true
		}
	}
	if len(deleted) > 0 {
		written := make(map[uuid.UUID]bool, len(ix.routes))
		for _, id := range ix.routes {
			written[id] = true
		}
		for i := range d.Base().Routes {
			r := &d.Base().Routes[i]
			if !deleted[r.ProviderID] || written[r.ID] {
				continue
			}
			now, err := d.Route(r.ID)
			if err != nil || now.ProviderID != r.ProviderID || now.TmUpdate != r.TmUpdate {
				continue // The draft deleted it already, or gave it an entry of its own.
			}
			if _, err := d.DeleteRoute(r.ID); err != nil {
				return nil, err
			}
		}
	}
	return d.Catalog(""), nil
}

// sameCatalog says how two catalogs differ in what a file says of them: not in times, and not in order.
func sameCatalog(want, got *providers.Catalog) error {
	if len(want.Providers) != len(got.Providers) || len(want.Routes) != len(got.Routes) {
		return fmt.Errorf("%d providers and %d routes instead of %d and %d", len(got.Providers), len(got.Routes),
			len(want.Providers), len(want.Routes))
	}
	for i := range want.Providers {
		w := &want.Providers[i]
		g := got.Provider(w.ID)
		if g == nil {
			return fmt.Errorf("provider %s is missing", w.ID)
		}
		if !w.Same(g) {
			return fmt.Errorf("provider %s is another one", w.ID)
		}
	}
	for i := range want.Routes {
		w := &want.Routes[i]
		g := got.Route(w.ID)
		if g == nil {
			return fmt.Errorf("route %s is missing", w.ID)
		}
		if !w.Same(g) {
			return fmt.Errorf("route %s is another one", w.ID)
		}
	}
	return nil
}

func sameValue(a, b fieldValue) bool { return a.key == b.key && a.text == b.text }

package providers

import "github.com/google/uuid"

// Kind is what a change is about.
type Kind string

// The kinds of entries.
const (
	KindProvider Kind = "provider"
	KindRoute    Kind = "route"
)

// Verb is what a change does.
type Verb string

// The verbs.
const (
	VerbCreate  Verb = "create"
	VerbReplace Verb = "replace"
	VerbDelete  Verb = "delete"
)

// Change is what happened to one entry. The pair of its kind is filled in, the other is nil.
type Change struct {
	Kind Kind
	Verb Verb
	ID   uuid.UUID

	// Before is nil for what is created. After of what is deleted is the record with its TmDelete.
	ProviderBefore, ProviderAfter *Provider
	RouteBefore, RouteAfter       *Route
}

// Name returns the name of the entry as it is after the change.
func (c *Change) Name() string {
	if c.Kind == KindProvider {
		return c.ProviderAfter.Name
	}
	return c.RouteAfter.Name
}

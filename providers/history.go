package providers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// History is what a Store remembers of its changes. Each change is a revision with a number; the numbers grow by one.
type History interface {
	// Audit returns the revisions before the number given, the newest first and no more than limit. 0 is from the
	// newest on.
	Audit(ctx context.Context, before int64, limit int) ([]Revision, error)

	// Restore makes the catalog what it was at revision n, as a change by somebody: whole, comments of a file
	// included. ErrNotFound: n never was, or its content is no longer kept.
	Restore(ctx context.Context, by Actor, n int64) (*Catalog, error)
}

// Revision is one change of the catalog.
type Revision struct {
	N        int64        `json:"n"`
	Time     time.Time    `json:"time"`
	By       Actor        `json:"by"`
	From     string       `json:"from"` // The catalog's revision before and after.
	Revision string       `json:"revision"`
	Entries  []AuditEntry `json:"entries"` // Empty where only comments or spacing were edited by hand.
}

// AuditEntry is what happened to one provider or route. Secrets are masked.
type AuditEntry struct {
	Kind   Kind            `json:"kind"`
	Verb   Verb            `json:"verb"`
	ID     uuid.UUID       `json:"id"`
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

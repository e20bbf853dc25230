package providers

import (
	"context"
	"errors"
)

// What may be wrong with a change besides its values (FieldErrors). Stores wrap them; errors.Is finds them.
var (
	ErrNotFound    = errors.New("no such entry")                          // Never was, or was deleted.
	ErrConflict    = errors.New("clashes with another entry")             // A name or id that is taken.
	ErrReadOnly    = errors.New("the catalog cannot be written here")     // No permission, a read-only file system.
	ErrUnavailable = errors.New("the catalog cannot be reached just now") // A database that is away: try again.
	ErrInvalid     = errors.New("the catalog's newest revision is broken")
)

// Store keeps a catalog, through restarts and against other writers. All methods may be called at once from several
// goroutines.
//
// A store has a newest valid revision at all times once it is open, and keeps serving it while what was written
// later, by a hand in a file, is broken, or while its database is away.
type Store interface {
	// Catalog returns the newest revision that is valid. It answers from memory. The error, beside a catalog that is
	// good to use, tells why a newer one is not in force: Problems joined by Join for a broken file, ErrUnavailable
	// for a database that is away.
	Catalog(ctx context.Context) (*Catalog, error)

	// Changed delivers a value after a change of what Catalog returns, the error included. Changes that come faster
	// than they are read are one. It is closed by Close.
	Changed() <-chan struct{}

	// Reload looks for a newer revision now instead of waiting to hear of it, and returns what Catalog then does.
	Reload(ctx context.Context) (*Catalog, error)

	// Update makes one change, whole or not at all, and returns the revision that has it, which is in force and on
	// disk by then. Changes are made one after the other, each upon the newest revision: change gets a draft of
	// that, may read it and write to it, and may refuse by an error, which Update returns as it is. It may be called
	// again on a newer revision, so it must do nothing but work on the draft. A draft that nobody wrote to makes no
	// revision.
	//
	// Once ctx is done, nothing is begun; what was begun is finished.
	Update(ctx context.Context, by Actor, change func(*Draft) error) (*Catalog, error)

	// Close ends watching and closes the channel of Changed. Catalog still answers; Reload and Update do not.
	Close() error
}

// Actor is who makes a change, for the audit.
type Actor struct {
	Name      string `json:"name"`   // Of the token or user; "" is nobody in particular.
	Remote    string `json:"remote"` // The address the request came from.
	RequestID string `json:"request_id"`
}

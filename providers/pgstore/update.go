package pgstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/voipbin/dialrouter/providers"
)

// errUnknown is a change of which it is not known whether it was made: the connection broke while it was committed.
var errUnknown = errors.New("whether the change was made is not known")

// perChange is how much longer a transaction may take for each entry that it changes.
const perChange = time.Millisecond

// Update makes a change upon the newest revision in the database.
func (s *Store) Update(
	ctx context.Context, by providers.Actor, change func(*providers.Draft) error,
) (*providers.Catalog, error) {
	return s.write(ctx, by, func(on *basis) (*revised, error) {
		d := providers.NewDraft(on.catalog, on.now)
		if err := change(d); err != nil {
			return nil, refusal{err}
		}
		next := d.Catalog("")
		return &revised{providers: next.Providers, routes: next.Routes, deleted: next.DeletedNames, changes: d.Changes()}, nil
	})
}

// basis is what a change is made upon.
type basis struct {
	tx      pgx.Tx
	catalog *providers.Catalog // The newest, which stays so until tx ends.
	at      position
	now     time.Time // By the database's clock.
}

// write makes one change. Compose may be called again, on a newer basis.
func (s *Store) write(
	ctx context.Context, by providers.Actor, compose func(*basis) (*revised, error),
) (*providers.Catalog, error) {
	started, wait := time.Now(), patience
	if s.current.Load().err != nil {
		wait = impatience
	}
	if err := s.take(ctx, wait); err != nil {
		return nil, err
	}
	defer s.release()
	if err := ctx.Err(); err != nil { // A select takes either of two that are ready.
		return nil, err
	}
	// What was begun is finished, whoever asked for it gives up or not.
	ctx = context.WithoutCancel(ctx)
	beginning, cancel := context.WithDeadline(ctx, started.Add(patience))
	defer cancel()
	err := s.doLocked(beginning, func(conn *pgx.Conn) error {
		return s.transact(ctx, beginning, conn, by, compose)
	})
	if errors.Is(err, errUnknown) {
		err = s.findOutLocked(ctx, err)
	}
	if err != nil {
		if _, answered := errors.AsType[*pgconn.PgError](err); !answered && errors.Is(err, providers.ErrUnavailable) {
			s.troubleLocked(err)
		}
		kick(s.wake) // The watch finds out what is the matter.
		return nil, err
	}
	return s.current.Load().catalog, nil
}

// transact makes one change over a connection, and puts in force what follows from it. Until the change is composed it
// is bounded by beginning, and then by how much there is to write.
func (s *Store) transact(
	ctx, beginning context.Context, conn *pgx.Conn, by providers.Actor,
	compose func(*basis) (*revised, error),
) error {
	tx, err := conn.BeginTx(beginning, pgx.TxOptions{BeginQuery: beginWrite})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(ctx, goodbye)
		defer cancel()
		_ = tx.Rollback(ctx) // Nothing to do after a commit, and done by the server when this fails.
	}()
	on := &basis{tx: tx}
	const lock = "select n, revision, clock_timestamp() from dialrouter.head for update"
	if err := tx.QueryRow(beginning, lock).Scan(&on.at.n, &on.at.revision, &on.now); err != nil {
		return err
	}
	known := s.current.Load()
	on.catalog = known.catalog
	if known.at != on.at {
		r, end := startReading(ctx, tx)
		defer end()
		if on.catalog, err = r.read(on.at, known.at, known.catalog); err != nil {
			return err
		}
	}
	s.publishLocked(on.catalog, on.at) // It was committed by somebody, whatever becomes of this change.
	r, err := compose(on)
	if err != nil || len(r.changes) == 0 {
		return err
	}
	next := position{n: on.at.n + 1}
	next.revision = strconv.FormatInt(next.n, 10) + "-" + randomName()
	writing, cancel := context.WithTimeout(ctx, patience+time.Duration(len(r.changes))*perChange)
	defer cancel()
	if err := insert(writing, tx, next, by, on.now, r.changes); err != nil {
		return err
	}
	c := ordered(next.revision, r.providers, r.routes)
	c.DeletedNames = r.deleted
	if err := tx.Commit(writing); err != nil {
		if refused, ok := errors.AsType[*pgconn.PgError](err); conn.IsClosed() || ok && refused.Severity == "FATAL" {
			return &unknownError{at: next, catalog: c, cause: err}
		}
		return err
	}
	s.publishLocked(c, next)
	return nil
}

// unknownError is a change that may have been made.
type unknownError struct {
	at      position
	catalog *providers.Catalog
	cause   error
}

func (e *unknownError) Error() string   { return fmt.Sprintf("%v: %v", errUnknown, e.cause) }
func (e *unknownError) Unwrap() []error { return []error{errUnknown, e.cause} }

// findOutLocked looks whether a change was made, and puts it in force if so.
func (s *Store) findOutLocked(ctx context.Context, err error) error {
	doubtful, ok := errors.AsType[*unknownError](err)
	if !ok {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	made := false
	lerr := s.doLocked(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{BeginQuery: beginWrite}, func(tx pgx.Tx) error {
			// The server may not have noticed yet that we left. Its transaction ends before this one gets the lock.
			if _, err := tx.Exec(ctx, "select from dialrouter.head for update"); err != nil {
				return err
			}
			at, err := revisionNumbered(ctx, tx, doubtful.at.n)
			made = err == nil && at == doubtful.at
			if errors.Is(err, providers.ErrNotFound) {
				return nil
			}
			return err
		})
	})
	switch {
	case lerr != nil:
		return err
	case made:
		s.publishLocked(doubtful.catalog, doubtful.at)
		return nil
	default:
		return unavailable(doubtful.cause)
	}
}

// randomName tells revisions of the same number apart.
func randomName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return hex.EncodeToString(b[:])
}

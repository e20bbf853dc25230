package pgstore

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/voipbin/dialrouter/providers"
)

// Audit returns the changes before a number, the newest first. It needs the database.
func (s *Store) Audit(ctx context.Context, before int64, limit int) ([]providers.Revision, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.reading:
	}
	defer func() { s.reading <- struct{}{} }()
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	conn, err := connect(ctx, s.cfg, patience)
	if err != nil {
		return nil, unavailable(err)
	}
	defer hangUp(conn)
	found, err := readAudit(ctx, conn, before, limit)
	if err != nil {
		return nil, unavailable(fmt.Errorf("reading the audit: %w", err))
	}
	return found, nil
}

// readAudit reads revisions, and the entries of each, which may be many, behind them.
func readAudit(ctx context.Context, conn *pgx.Conn, before int64, limit int) ([]providers.Revision, error) {
	rows, err := conn.Query(ctx, `
		select r.n, r.made, r.actor, r.remote, r.request_id, coalesce(p.revision, ''), r.revision
		from dialrouter.revisions r left join dialrouter.revisions p on p.n = r.n - 1
		where $1 <= 0 or r.n < $1 order by r.n desc limit $2`, before, limit)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r providers.Revision, err error) {
		err = row.Scan(&r.N, &r.Time, &r.By.Name, &r.By.Remote, &r.By.RequestID, &r.From, &r.Revision)
		r.Time = providers.Microseconds(r.Time)
		return r, err
	})
	if err != nil || len(found) == 0 {
		return found, err
	}
	rows, err = conn.Query(ctx, `
		select n, kind, verb, id, name, before, after from dialrouter.audit where n between $1 and $2 order by n, i`,
		found[len(found)-1].N, found[0].N)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	places := make(map[int64]*providers.Revision, len(found))
	for i := range found {
		places[found[i].N] = &found[i]
	}
	for rows.Next() {
		var n int64
		var e providers.AuditEntry
		var was, is []byte
		if err := rows.Scan(&n, &e.Kind, &e.Verb, &e.ID, &e.Name, &was, &is); err != nil {
			return nil, err
		}
		e.Before, e.After = was, is
		if r := places[n]; r != nil {
			r.Entries = append(r.Entries, e)
		}
	}
	return found, rows.Err()
}

// Restore makes the catalog what it was at revision n, which must be one of the newest keepRevisions.
func (s *Store) Restore(ctx context.Context, by providers.Actor, n int64) (*providers.Catalog, error) {
	return s.write(ctx, by, func(on *basis) (*revised, error) {
		r, end := startReading(context.WithoutCancel(ctx), on.tx)
		defer end()
		at, err := revisionNumbered(r.ctx, on.tx, n)
		if errors.Is(err, providers.ErrNotFound) {
			return nil, refusal{err}
		}
		if err != nil {
			return nil, err
		}
		if n < on.at.n-keepRevisions {
			return nil, refusal{fmt.Errorf("the content of revision %d is no longer kept: %w", n, providers.ErrNotFound)}
		}
		c, err := r.at(at.n, at.revision)
		if err != nil {
			return nil, err
		}
		if err := validate(c); err != nil {
			return nil, refusal{fmt.Errorf("revision %d: %w: %w", n, providers.ErrInvalid, err)}
		}
		changes := providers.Difference(on.catalog, c, providers.Microseconds(on.now))
		names, err := r.deletedNames(c, namesGone(changes, on.catalog.DeletedNames))
		if err != nil {
			return nil, err
		}
		return &revised{providers: c.Providers, routes: c.Routes, deleted: names, changes: changes}, nil
	})
}

// validate checks what was good once by the rules of today.
func validate(c *providers.Catalog) error {
	for i := range c.Providers {
		if err := c.Providers[i].Validate().Err(); err != nil {
			return fmt.Errorf("provider %s: %w", c.Providers[i].ID, err)
		}
	}
	for i := range c.Routes {
		if err := c.Routes[i].Validate().Err(); err != nil {
			return fmt.Errorf("route %s: %w", c.Routes[i].ID, err)
		}
	}
	return nil
}

// namesGone returns the known names of deleted providers together with those that changes delete.
func namesGone(changes []providers.Change, known map[uuid.UUID]string) map[uuid.UUID]string {
	names := make(map[uuid.UUID]string, len(known))
	maps.Copy(names, known)
	for i := range changes {
		if c := &changes[i]; c.Kind == providers.KindProvider && c.Verb == providers.VerbDelete {
			names[c.ID] = c.Name()
		}
	}
	return names
}

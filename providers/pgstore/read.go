package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/voipbin/dialrouter/providers"
)

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// reader reads what may be much. It is given time for as long as something comes.
type reader struct {
	querier

	ctx   context.Context //nolint:containedctx // Of one reading; it ends when nothing came for too long.
	alive func()
}

// startReading begins a reading; the caller ends it.
func startReading(ctx context.Context, q querier) (r *reader, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(patience, cancel)
	r = &reader{querier: q, ctx: ctx, alive: func() { timer.Reset(patience) }}
	return r, func() {
		timer.Stop()
		cancel()
	}
}

// position is one revision. Its name is random in part, so that a database that was put back to an earlier state and
// went another way from there has other positions.
type position struct {
	n        int64
	revision string
}

// readHead returns the newest position.
func readHead(ctx context.Context, q querier) (at position, err error) {
	err = q.QueryRow(ctx, "select n, revision from dialrouter.head").Scan(&at.n, &at.revision)
	return at, err
}

// read returns the catalog at the head, which is the newest of what the transaction sees. What is known already, base at its
// position, is not read again.
func (r *reader) read(head, known position, base *providers.Catalog) (*providers.Catalog, error) {
	if known.n > 0 {
		const query = "select exists (select from dialrouter.revisions where n = $1 and revision = $2)"
		var follows bool
		if err := r.QueryRow(r.ctx, query, known.n, known.revision).Scan(&follows); err != nil {
			return nil, err
		}
		if follows {
			return r.since(head, known, base)
		}
	}
	return r.since(head, position{}, new(providers.Catalog))
}

// since returns base with all changes after known.
func (r *reader) since(head, known position, base *providers.Catalog) (*providers.Catalog, error) {
	changed, err := readRows(r, `
		select id, deleted, body from dialrouter.providers where until is null and since > $1`,
		[]any{known.n}, decodeProvider)
	if err != nil {
		return nil, fmt.Errorf("reading providers: %w", err)
	}
	changedRoutes, err := readRows(r, `
		select id, deleted, body from dialrouter.routes where until is null and since > $1`,
		[]any{known.n}, decodeRoute)
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	c := ordered(head.revision,
		merge(base.Providers, changed, func(p *providers.Provider) uuid.UUID { return p.ID }),
		merge(base.Routes, changedRoutes, func(route *providers.Route) uuid.UUID { return route.ID }))
	c.DeletedNames, err = r.deletedNames(c, base.DeletedNames)
	return c, err
}

// at returns the catalog as it was at revision n, under the name given.
func (r *reader) at(n int64, revision string) (*providers.Catalog, error) {
	const which = ` where since <= $1 and (until is null or until > $1) and not deleted`
	all, err := readRows(r, "select id, deleted, body from dialrouter.providers"+which, []any{n}, decodeProvider)
	if err != nil {
		return nil, fmt.Errorf("reading providers: %w", err)
	}
	routes, err := readRows(r, "select id, deleted, body from dialrouter.routes"+which, []any{n}, decodeRoute)
	if err != nil {
		return nil, fmt.Errorf("reading routes: %w", err)
	}
	return ordered(revision, merge(nil, all, func(p *providers.Provider) uuid.UUID { return p.ID }),
		merge(nil, routes, func(route *providers.Route) uuid.UUID { return route.ID })), nil
}

// readRows returns entries by id; nil is deleted.
func readRows[T any](
	r *reader, query string, args []any, decode func([]byte) (*T, error),
) (map[uuid.UUID]*T, error) {
	r.alive()
	rows, err := r.Query(r.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[uuid.UUID]*T)
	for rows.Next() {
		r.alive()
		var id uuid.UUID
		var deleted bool
		var body []byte
		if err := rows.Scan(&id, &deleted, &body); err != nil {
			return nil, err
		}
		if deleted {
			found[id] = nil
			continue
		}
		if found[id], err = decode(body); err != nil {
			return nil, fmt.Errorf("%w: the row of %s: %w", providers.ErrInvalid, id, err)
		}
	}
	return found, rows.Err()
}

// merge returns base with changes, by id; nil is deleted. It takes the changes out of the map.
func merge[T any](base []T, changed map[uuid.UUID]*T, id func(*T) uuid.UUID) []T {
	all := make([]T, 0, len(base)+len(changed))
	for i := range base {
		entry := &base[i]
		if instead, ok := changed[id(entry)]; ok {
			delete(changed, id(entry))
			if entry = instead; entry == nil {
				continue
			}
		}
		all = append(all, *entry)
	}
	for _, entry := range changed {
		if entry != nil {
			all = append(all, *entry)
		}
	}
	return all
}

// deletedNames returns the names of the deleted providers that routes of c lead to; known are names that were read
// already.
func (r *reader) deletedNames(
	c *providers.Catalog, known map[uuid.UUID]string,
) (map[uuid.UUID]string, error) {
	names := make(map[uuid.UUID]string)
	unknown := make(map[uuid.UUID]bool)
	for i := range c.Routes {
		id := c.Routes[i].ProviderID
		if c.Provider(id) != nil {
			continue
		}
		if name, ok := known[id]; ok {
			names[id] = name
		} else {
			unknown[id] = true
		}
	}
	if len(unknown) == 0 {
		return names, nil
	}
	ids := make([]uuid.UUID, 0, len(unknown))
	for id := range unknown {
		ids = append(ids, id)
	}
	r.alive()
	rows, err := r.Query(r.ctx, "select id, name from dialrouter.providers where until is null and id = any($1)", ids)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		names[id] = name
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	return names, nil
}

// revisionNumbered returns the position of revision n, or providers.ErrNotFound.
func revisionNumbered(ctx context.Context, q querier, n int64) (position, error) {
	at := position{n: n}
	err := q.QueryRow(ctx, "select revision from dialrouter.revisions where n = $1", n).Scan(&at.revision)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("revision %d: %w", n, providers.ErrNotFound)
	}
	return at, err
}

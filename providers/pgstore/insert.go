package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/voipbin/dialrouter/providers"
)

// revised is a change that is ready to be written. The slices are the catalog with the change in it.
type revised struct {
	providers []providers.Provider
	routes    []providers.Route
	deleted   map[uuid.UUID]string
	changes   []providers.Change
}

// keepRevisions is how many revisions before the newest can be restored. The audit of all is kept.
const keepRevisions = 200

// queuePruning removes what only revisions had that are too old to be restored.
func queuePruning(b *pgx.Batch, newest int64) {
	if oldest := newest - keepRevisions; oldest > 0 {
		b.Queue("delete from dialrouter.providers where until <= $1", oldest)
		b.Queue("delete from dialrouter.routes where until <= $1", oldest)
	}
}

// rows are entries of one table, by column.
type rows struct {
	ids     []uuid.UUID
	deleted []bool
	names   []string
	bodies  []string
}

func (r *rows) add(c *providers.Change, body []byte) {
	r.ids = append(r.ids, c.ID)
	r.deleted = append(r.deleted, c.Verb == providers.VerbDelete)
	r.names = append(r.names, c.Name())
	r.bodies = append(r.bodies, string(body))
}

// queue writes a table's entries at revision n. All that goes is closed before anything comes, because names may
// change hands.
func (r *rows) queue(b *pgx.Batch, table string, n int64) {
	if len(r.ids) == 0 {
		return
	}
	name := pgx.Identifier{"dialrouter", table}.Sanitize()
	b.Queue("update "+name+" set until = $1 where until is null and id = any($2)", n, r.ids)
	b.Queue("insert into "+name+` (id, since, deleted, name, body)
		select id, $1, deleted, name, body::json
		from unnest($2::uuid[], $3::boolean[], $4::text[], $5::text[]) as e (id, deleted, name, body)`,
		n, r.ids, r.deleted, r.names, r.bodies)
}

// noted are lines of the audit, by column.
type noted struct {
	kinds, verbs, names, afters []string
	befores                     []*string
	ids                         []uuid.UUID
}

func (a *noted) add(c *providers.Change) error {
	var before *string
	var after []byte
	var err error
	if c.Kind == providers.KindProvider {
		before, after, err = pair(c.ProviderBefore, c.ProviderAfter)
	} else {
		before, after, err = pair(c.RouteBefore, c.RouteAfter)
	}
	if err != nil {
		return err
	}
	a.kinds = append(a.kinds, string(c.Kind))
	a.verbs = append(a.verbs, string(c.Verb))
	a.ids = append(a.ids, c.ID)
	a.names = append(a.names, c.Name())
	a.befores = append(a.befores, before)
	a.afters = append(a.afters, string(after))
	return nil
}

// pair writes an entry as the audit shows it, before (nil: it was not there) and after a change. Secrets are masked.
func pair[T any](before, after *T) (*string, []byte, error) {
	var was *string
	if before != nil {
		text, err := json.Marshal(before)
		if err != nil {
			return nil, nil, err
		}
		was = new(string(text))
	}
	text, err := json.Marshal(after)
	return was, text, err
}

// insert writes a revision: its entries, its audit and the head, in one exchange with the server. The notice goes out
// when it is committed.
func insert(
	ctx context.Context, tx pgx.Tx, at position, by providers.Actor, made time.Time, changes []providers.Change,
) error {
	var all, routes rows
	var audit noted
	for i := range changes {
		c := &changes[i]
		var body []byte
		var err error
		table := &all
		if c.Kind == providers.KindProvider {
			body, err = encodeProvider(c.ProviderAfter)
		} else {
			table = &routes
			body, err = encodeRoute(c.RouteAfter)
		}
		if err != nil {
			return refusal{fmt.Errorf("writing %s %s: %w", c.Kind, c.ID, err)}
		}
		table.add(c, body)
		if err := audit.add(c); err != nil {
			return refusal{fmt.Errorf("writing the audit of %s %s: %w", c.Kind, c.ID, err)}
		}
	}
	b := &pgx.Batch{}
	b.Queue(`insert into dialrouter.revisions (n, revision, made, actor, remote, request_id)
		values ($1, $2, $3, $4, $5, $6)`,
		at.n, at.revision, made, plain(by.Name), plain(by.Remote), plain(by.RequestID))
	all.queue(b, "providers", at.n)
	routes.queue(b, "routes", at.n)
	b.Queue(`insert into dialrouter.audit (n, i, kind, verb, id, name, before, after)
		select $1, i, kind, verb, id, name, before::json, after::json
		from unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[])
			with ordinality as e (kind, verb, id, name, before, after, i)`,
		at.n, audit.kinds, audit.verbs, audit.ids, audit.names, audit.befores, audit.afters)
	queuePruning(b, at.n)
	b.Queue("update dialrouter.head set n = $1, revision = $2", at.n, at.revision)
	b.Queue("select pg_notify('dialrouter', $1)", at.revision)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("writing revision %d: %w", at.n, err)
	}
	return nil
}

package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/voipbin/dialrouter/providers"
)

// Load reads the catalog once and writes nothing, neither to the database nor to the snapshot file. A database without
// a schema has an empty catalog. When the database cannot be used, the catalog is that of the snapshot file and the
// error says why; without such a file the catalog is nil.
func Load(ctx context.Context, o Options) (*providers.Catalog, error) {
	cfg, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	c, err := loadOnce(ctx, cfg)
	if err == nil {
		return c, nil
	}
	err = unavailable(err)
	saved, serr := loadSnapshot(o.SnapshotFile, source(cfg))
	return saved, errors.Join(err, serr)
}

func loadOnce(ctx context.Context, cfg *pgx.ConnConfig) (c *providers.Catalog, err error) {
	conn, err := connect(ctx, cfg, patience)
	if err != nil {
		return nil, err
	}
	defer hangUp(conn)
	looking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	version, err := schemaVersion(looking, conn)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		return providers.NewCatalog("", nil, nil), nil
	}
	c, _, err = readNewest(ctx, conn, position{}, nil)
	return c, err
}

// readNewest returns the newest catalog and its position. What is known already is not read again.
func readNewest(
	ctx context.Context, conn *pgx.Conn, known position, base *providers.Catalog,
) (c *providers.Catalog, at position, err error) {
	r, end := startReading(ctx, conn)
	defer end()
	err = pgx.BeginTxFunc(r.ctx, conn, readOnly(), func(tx pgx.Tx) error {
		r.querier = tx
		if at, err = readHead(r.ctx, tx); err != nil {
			return err
		}
		c, err = r.read(at, known, base)
		return err
	})
	return c, at, err
}

// readOnly is a transaction that sees one revision throughout.
func readOnly() pgx.TxOptions {
	return pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
}

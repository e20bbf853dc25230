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
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(dialing, cfg)
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
	reading, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	err = pgx.BeginTxFunc(reading, conn, readOnly(), func(tx pgx.Tx) error {
		head, err := readHead(reading, tx)
		if err != nil {
			return err
		}
		c, err = read(reading, tx, head, position{}, nil)
		return err
	})
	return c, err
}

// readOnly is a transaction that sees one revision throughout.
func readOnly() pgx.TxOptions {
	return pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
}

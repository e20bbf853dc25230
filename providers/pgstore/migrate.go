package pgstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// migrations are applied in the order of their numbers, each once. One that was released is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock keeps routers that start at once from migrating at once. The number is ours and means nothing.
const migrationLock = 0x6469616c726f7574

var errNoCatalog = errors.New("the database holds no catalog")

// migration is one step of the schema.
type migration struct {
	version int
	name    string
	sql     string
}

// steps returns all migrations in order.
func steps(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(names))
	for i, path := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "migrations/"), ".sql")
		digits, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(digits)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s does not follow the one before", name)
		}
		sql, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version, name, string(sql)})
	}
	return all, nil
}

// migrate brings the schema to the newest version. A database without any gets it only where that is wanted.
func migrate(ctx context.Context, conn *pgx.Conn, create bool) error {
	all, err := steps(migrations)
	if err != nil {
		return err
	}
	// A look first: who may not change the schema can still use one that is as it should be.
	looking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	version, err := schemaVersion(looking, conn)
	switch {
	case err != nil:
		return err
	case version > len(all):
		return fmt.Errorf("the database's schema has version %d and this program knows %d: use a newer program",
			version, len(all))
	case version == len(all):
		return nil
	case version == 0 && !create:
		return errNoCatalog
	}
	ctx, cancel = context.WithTimeout(ctx, migratePatience)
	defer cancel()
	var encoding string
	if err := conn.QueryRow(ctx, "show server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s; it must be UTF8", encoding)
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{BeginQuery: beginWrite}, func(tx pgx.Tx) error {
		return migrateLocked(ctx, tx, all)
	})
	if err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	return nil
}

// schemaVersion returns the version of the schema, 0 when there is none.
func schemaVersion(ctx context.Context, conn querier) (int, error) {
	var there bool
	err := conn.QueryRow(ctx, "select to_regclass('dialrouter.migrations') is not null").Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	var version int
	err = conn.QueryRow(ctx, "select coalesce(max(version), 0) from dialrouter.migrations").Scan(&version)
	return version, err
}

// migrateLocked applies what is missing. Two routers that start at once come here one after the other.
func migrateLocked(ctx context.Context, tx pgx.Tx, all []migration) error {
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	const table = `create schema if not exists dialrouter;
		create table if not exists dialrouter.migrations (
			version integer primary key, name text not null, applied timestamptz not null default now())`
	if _, err := tx.Exec(ctx, table); err != nil {
		return err
	}
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	for _, m := range all[min(version, len(all)):] {
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if _, err := tx.Exec(ctx, "insert into dialrouter.migrations (version, name) values ($1, $2)", m.version, m.name); err != nil {
			return err
		}
	}
	return nil
}

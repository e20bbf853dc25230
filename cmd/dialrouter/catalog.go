package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/providers/pgstore"
)

// snapshotFile lies beside the configuration and has the newest catalog of a database, for a start without it.
const snapshotFile = "catalog.snapshot.json"

// openCatalog opens the store that a configuration, read from path, names.
func openCatalog(ctx context.Context, cfg *config.Config, path string, log *slog.Logger) (providers.Store, error) {
	if cfg.Catalog.Postgres == "" {
		return filestore.Open(cfg.Catalog.File)
	}
	store, err := pgstore.Open(ctx, databaseOptions(cfg, path, log))
	if err != nil {
		return nil, fmt.Errorf("catalog.postgres: %w", err)
	}
	return store, nil
}

func databaseOptions(cfg *config.Config, path string, log *slog.Logger) pgstore.Options {
	return pgstore.Options{
		URL: cfg.Catalog.Postgres, SnapshotFile: filepath.Join(filepath.Dir(path), snapshotFile), Log: log,
	}
}

// readCatalog reads the catalog that a configuration, read from path, names, and writes nothing. Every problem is
// printed. A catalog with an error is that of the last time when its database could be reached.
func readCatalog(env environment, cfg *config.Config, path string) (*providers.Catalog, error) {
	if cfg.Catalog.Postgres != "" {
		c, err := pgstore.Load(context.Background(), databaseOptions(cfg, path, nil))
		if err != nil {
			fmt.Fprintln(env.stderr, cfg.Problem("catalog.postgres", err.Error()))
			err = errors.Join(errSaid, err)
		}
		return c, err
	}
	c, problems := filestore.Load(cfg.Catalog.File)
	for _, p := range problems {
		fmt.Fprintln(env.stderr, p)
	}
	// What is only odd, such as a route to a provider that was deleted, is said and keeps nobody from working.
	if c == nil || providers.Join(problems) != nil {
		return nil, errSaid
	}
	return c, nil
}

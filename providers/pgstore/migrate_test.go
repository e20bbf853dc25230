package pgstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/pgstore"
)

func TestMigrationOfManyAtOnce(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	const count = 8
	revisions := make([]string, count)
	var starting sync.WaitGroup
	for i := range count {
		starting.Go(func() {
			s, err := pgstore.Open(t.Context(), pgstore.Options{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			if c, err := add(t.Context(), s, fmt.Sprint("p", i)); err != nil {
				t.Error(err)
			} else {
				revisions[i] = c.Revision
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	c, err := open(t, pgstore.Options{URL: url}).Catalog(t.Context())
	if err != nil || len(c.Providers) != count {
		t.Errorf("%d providers, %v; made in %q", len(c.Providers), err, revisions)
	}
	if got := query[string](t, url, "select string_agg(version || ' ' || name, ',' order by version) from dialrouter.migrations"); got != "1 0001_catalog,2 0002_prune" {
		t.Errorf("migrations applied: %s", got)
	}
}

func TestRefusedDatabases(t *testing.T) {
	t.Parallel()
	db := ownServer(t)
	exec1(t, db.URL("postgres"), "create database latin template template0 encoding 'LATIN1'")
	exec1(t, db.URL("postgres"), "create role guest login")

	newer := db.Database(t)
	open(t, pgstore.Options{URL: newer})
	exec1(t, newer, "insert into dialrouter.migrations (version, name) values (99, 'later')")

	emptied, file := db.Database(t), filepath.Join(t.TempDir(), "snapshot.json")
	s := open(t, pgstore.Options{URL: emptied, SnapshotFile: file})
	mustAdd(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	exec1(t, emptied, "drop schema dialrouter cascade")

	for _, test := range []struct {
		name, url, want string
		is              error
	}{
		{"no URL", "postgres://%", "reading the database's URL", nil},
		{"not UTF-8", db.URL("latin"), "encoding is LATIN1", providers.ErrUnavailable},
		{"no rights", strings.Replace(db.Database(t), "router:", "guest:", 1), "permission denied", providers.ErrReadOnly},
		{"a newer schema", newer, "use a newer program", providers.ErrUnavailable},
		{"no such database", db.URL("nowhere"), "does not exist", providers.ErrUnavailable},
	} {
		_, err := pgstore.Open(t.Context(), pgstore.Options{URL: test.url})
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v", test.name, err)
		} else if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "router@") {
			t.Errorf("%s: more than a line, or a name: %v", test.name, err)
		}
	}

	// Under a router that knows better, no empty catalog is made.
	s = open(t, pgstore.Options{URL: emptied, SnapshotFile: file})
	c, err := s.Catalog(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the database holds no catalog") || c.ProviderNamed("a") == nil {
		t.Errorf("the database lost its catalog: %+v, %v", c, err)
	}
}

// TestFewerRights has a router work that may use the tables, and not make any.
func TestFewerRights(t *testing.T) {
	t.Parallel()
	db := ownServer(t)
	url := db.Database(t)
	owner := open(t, pgstore.Options{URL: url})
	exec1(t, url, `
		create role worker login; create role reader login;
		grant usage on schema dialrouter to worker, reader;
		grant select on all tables in schema dialrouter to worker, reader;
		grant insert, update on all tables in schema dialrouter to worker`)
	worker := open(t, pgstore.Options{URL: strings.Replace(url, "router:", "worker:", 1)})
	mustAdd(t, worker, "a")
	reader := open(t, pgstore.Options{URL: strings.Replace(url, "router:", "reader:", 1)})
	if _, err := add(t.Context(), reader, "b"); !errors.Is(err, providers.ErrReadOnly) {
		t.Errorf("written without the right to: %v", err)
	}
	for _, s := range []*pgstore.Store{owner, reader} {
		await(t, s, healedWithin, "what the worker wrote", has("a"))
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	db := sharedServer(t)
	url := db.Database(t)
	if c, err := pgstore.Load(t.Context(), pgstore.Options{URL: url}); err != nil || len(c.Providers) != 0 {
		t.Errorf("of a fresh database: %+v, %v", c, err)
	}
	if query[bool](t, url, "select to_regnamespace('dialrouter') is not null") {
		t.Error("loading made a schema")
	}
	want := mustAdd(t, open(t, pgstore.Options{URL: url}), "a")
	c, err := pgstore.Load(t.Context(), pgstore.Options{URL: url})
	if err != nil || c.Revision != want.Revision || c.ProviderNamed("a") == nil {
		t.Errorf("loaded %+v, %v", c, err)
	}
}

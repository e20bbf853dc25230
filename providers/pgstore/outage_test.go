package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/pgstore"
	"github.com/voipbin/dialrouter/providers/storetest"
)

const (
	// refusedWithin is how soon a change must be refused: at once by a database that is gone, and after three limits
	// (to connect and begin, to commit, to find out) by one that hangs in the middle of a change.
	refusedWithin = 12 * time.Second

	// goneWithin is how soon a change must be refused by a database that is known to be gone. It takes milliseconds, and on
	// a busy machine less than what one that hangs takes (patience).
	goneWithin = 2500 * time.Millisecond

	// healedWithin is how soon all must be well after the database is back.
	healedWithin = 5 * time.Second
)

// TestOutages takes the database away while two routers read and write.
func TestOutages(t *testing.T) {
	t.Parallel()
	kill := func(t *testing.T, db *storetest.Postgres) { t.Helper(); db.End(t, syscall.SIGKILL) }
	hang := func(t *testing.T, db *storetest.Postgres) { t.Helper(); db.Hang(t) }
	goOn := func(_ *testing.T, db *storetest.Postgres) { db.GoOn() }
	again := func(t *testing.T, db *storetest.Postgres) { t.Helper(); db.Again(t) }
	for _, outage := range []struct {
		name       string
		begin, end func(*testing.T, *storetest.Postgres)
		refused    time.Duration // Once it is known to be away.
	}{
		{"stopped", func(t *testing.T, db *storetest.Postgres) { t.Helper(); db.End(t, syscall.SIGINT) }, again, goneWithin},
		{"killed", kill, again, goneWithin},
		{"hung", hang, goOn, 4 * time.Second},
		{"hung and killed", hang, func(t *testing.T, db *storetest.Postgres) { t.Helper(); kill(t, db); again(t, db) }, 4 * time.Second},
	} {
		t.Run(outage.name, func(t *testing.T) {
			t.Parallel()
			db := ownServer(t)
			url := db.Database(t)
			stores := []*pgstore.Store{open(t, pgstore.Options{URL: url}), open(t, pgstore.Options{URL: url})}
			w := startWriters(t, stores, strings.ReplaceAll(outage.name, " ", "-"))
			w.await(t, 20)
			outage.begin(t, db)
			for i, s := range stores {
				t.Logf("router %d knows after %v", i, await(t, s, refusedWithin, "away", away))
			}
			var checks sync.WaitGroup
			for _, s := range stores {
				checks.Go(func() { goesOn(t, s, outage.refused) })
			}
			checks.Wait()
			outage.end(t, db)
			for i, s := range stores {
				t.Logf("router %d is well after %v", i, await(t, s, healedWithin, "healed", func(_ *providers.Catalog, err error) bool { return err == nil }))
			}
			w.await(t, w.count()+20)
			w.end(t)
			last := mustAdd(t, stores[0], "last-"+w.prefix)
			await(t, stores[1], healedWithin, "the last change", has("last-"+w.prefix))
			for name := range w.acknowledged {
				if last.ProviderNamed(name) == nil {
					t.Errorf("%s was acknowledged and is lost", name)
				}
			}
			if last.ProviderNamed("refused") != nil {
				t.Error("a change that was refused is there")
			}
			// The audit has each provider once: nothing was made twice, or without being noted.
			if noted := query[int](t, url, "select count(*) from dialrouter.audit"); noted != len(last.Providers) {
				t.Errorf("%d changes noted, %d made", noted, len(last.Providers))
			}
		})
	}
}

// goesOn checks what a router does that knows that its database is away.
func goesOn(t *testing.T, s *pgstore.Store, refused time.Duration) {
	t.Helper()
	began := time.Now()
	if _, err := add(t.Context(), s, "refused"); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("written to a database that is away: %v", err)
	}
	if took := time.Since(began); took > refused {
		t.Errorf("refused after %v, want %v", took, refused)
	}
	if c, err := s.Catalog(t.Context()); len(c.Providers) < 10 || err == nil {
		t.Errorf("%d providers in force, %v", len(c.Providers), err)
	}
	if _, err := s.Reload(t.Context()); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("read again from a database that is away: %v", err)
	}
}

// writers add providers without a pause, and keep what was acknowledged.
type writers struct {
	prefix string
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu           sync.Mutex
	acknowledged map[string]bool
}

func startWriters(t *testing.T, stores []*pgstore.Store, prefix string) *writers {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &writers{prefix: prefix, stop: stop, acknowledged: make(map[string]bool)}
	for i, s := range stores {
		w.done.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("%s-%d-%d", prefix, i, n)
				began := time.Now()
				_, err := add(ctx, s, name)
				if took := time.Since(began); took > refusedWithin {
					t.Errorf("a change took %v: %v", took, err)
				}
				switch {
				case err == nil:
					w.mu.Lock()
					w.acknowledged[name] = true
					w.mu.Unlock()
				case !errors.Is(err, providers.ErrUnavailable) && ctx.Err() == nil:
					t.Errorf("writing: %v", err)
				}
				<-pace.C
			}
		})
	}
	t.Cleanup(func() { w.end(t) })
	return w
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acknowledged)
}

func (w *writers) await(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); w.count() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d changes made, want %d", w.count(), n)
		}
	}
}

func (w *writers) end(t *testing.T) {
	t.Helper()
	w.stop()
	w.done.Wait()
}

func TestRestartWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	db := ownServer(t)
	url := db.Database(t)
	file := filepath.Join(t.TempDir(), "catalog.snapshot.json")
	o := pgstore.Options{URL: url, SnapshotFile: file, Poll: never}
	s := open(t, o)
	want := mustAdd(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the snapshot file: %v, %v", info, err)
	}

	db.Hang(t)
	began := time.Now()
	s = open(t, o)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("opened after %v", took)
	}
	if c, err := s.Catalog(t.Context()); !away(c, err) || c.Revision != want.Revision {
		t.Errorf("while the database hangs: %+v, %v", c, err)
	}
	db.End(t, syscall.SIGKILL)

	if c, err := pgstore.Load(t.Context(), o); !away(c, err) || c == nil || c.Revision != want.Revision {
		t.Errorf("loaded %+v, %v", c, err)
	}
	s2 := open(t, o)
	c, err := s2.Catalog(t.Context())
	if !away(c, err) || c.Revision != want.Revision || !c.ProviderNamed("a").Same(want.ProviderNamed("a")) {
		t.Errorf("while the database is away: %+v, %v", c, err)
	}
	if _, err := add(t.Context(), s2, "b"); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("written: %v", err)
	}
	if _, err := s2.Audit(t.Context(), 0, 1); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("audit: %v", err)
	}
	for name, bad := range map[string]pgstore.Options{
		"no snapshot":         {URL: url},
		"no such file":        {URL: url, SnapshotFile: file + "x"},
		"of another database": {URL: db.URL("other"), SnapshotFile: file},
	} {
		if _, err := pgstore.Open(t.Context(), bad); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "un5poken") {
			t.Errorf("a password in %v", err)
		}
	}

	db.Again(t)
	for _, s := range []*pgstore.Store{s, s2} {
		await(t, s, healedWithin, "healed", func(c *providers.Catalog, err error) bool {
			return err == nil && c.Revision == want.Revision
		})
	}
	mustAdd(t, s, "b")
	await(t, s2, healedWithin, "a change after healing", has("b"))
	awaitFile(t, file, `"name":"b"`)
}

// awaitFile waits until a file holds a text, as one that is written in the background.
func awaitFile(t *testing.T, path, text string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if strings.Contains(string(data), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never held %s", path, text)
		}
	}
}

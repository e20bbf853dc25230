package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/pgstore"
)

// never is a poll that does not come within a test.
const never = time.Hour

func open(t *testing.T, o pgstore.Options) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// add makes a provider.
func add(ctx context.Context, s *pgstore.Store, name string) (*providers.Catalog, error) {
	return s.Update(ctx, providers.Actor{Name: "ops"}, func(d *providers.Draft) error {
		_, err := d.CreateProvider(providers.Provider{Type: "sip", Name: name, Hostname: "h.example"})
		return err
	})
}

func mustAdd(t *testing.T, s *pgstore.Store, name string) *providers.Catalog {
	t.Helper()
	c, err := add(t.Context(), s, name)
	if err != nil {
		t.Fatalf("adding %s: %v", name, err)
	}
	return c
}

// await waits until the store says what is wanted, hearing of each change by Changed alone, and returns how long it took.
func await(t *testing.T, s *pgstore.Store, within time.Duration, what string, good func(*providers.Catalog, error) bool) time.Duration {
	t.Helper()
	began := time.Now()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		c, err := s.Catalog(t.Context())
		if good(c, err) {
			return time.Since(began)
		}
		select {
		case <-s.Changed():
		case <-deadline.C:
			t.Fatalf("%s: not within %v; last %d providers, %v", what, within, len(c.Providers), err)
		}
	}
}

func has(name string) func(*providers.Catalog, error) bool {
	return func(c *providers.Catalog, err error) bool { return err == nil && c.ProviderNamed(name) != nil }
}

func away(_ *providers.Catalog, err error) bool { return errors.Is(err, providers.ErrUnavailable) }

func query[T any](t *testing.T, url, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var got T
	if err := conn.QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTwoRoutersHearOfEachOther(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	one, other := open(t, pgstore.Options{URL: url, Poll: never}), open(t, pgstore.Options{URL: url, Poll: never})
	for i := range 5 {
		name := fmt.Sprint("a", i)
		mustAdd(t, one, name)
		t.Log("heard after", await(t, other, time.Second, "a notice", has(name)))
	}
	// The listening connections break: both listen again, and miss nothing of what came meanwhile.
	exec1(t, url, `select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and query = 'listen dialrouter'`)
	mustAdd(t, one, "b")
	await(t, other, healedWithin, "a notice while nobody listened", has("b"))
	mustAdd(t, other, "c")
	await(t, one, time.Second, "a notice after listening anew", has("c"))
}

// TestPoll has a change come without a notice.
func TestPoll(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	s := open(t, pgstore.Options{URL: url, Poll: 50 * time.Millisecond})
	exec1(t, url, `
		insert into dialrouter.revisions (n, revision, made, actor, remote, request_id) values (2, '2-x', now(), '', '', '');
		insert into dialrouter.providers (id, since, deleted, name, body)
			values ('4dbeabd6-f397-4375-95d2-a38411e07ed1', 2, false, 'a', '{"id": "4dbeabd6-f397-4375-95d2-a38411e07ed1", "name": "a"}');
		update dialrouter.head set n = 2, revision = '2-x'`)
	await(t, s, healedWithin, "a change without a notice", has("a"))
}

// TestAnotherHistory puts the database back, as from a backup, and goes another way from there.
func TestAnotherHistory(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	s := open(t, pgstore.Options{URL: url, Poll: 50 * time.Millisecond})
	mustAdd(t, s, "a")
	mustAdd(t, s, "lost")
	exec1(t, url, `
		delete from dialrouter.providers where name = 'lost';
		update dialrouter.revisions set revision = '3-other' where n = 3;
		update dialrouter.head set revision = '3-other'`)
	await(t, s, healedWithin, "another history", func(c *providers.Catalog, err error) bool {
		return err == nil && c.Revision == "3-other" && len(c.Providers) == 1 && c.ProviderNamed("a") != nil
	})
	if c := mustAdd(t, s, "b"); len(c.Providers) != 2 {
		t.Errorf("%d providers after going on", len(c.Providers))
	}
}

// TestAuditOrNothing lets each part of a change fail in turn: nothing of it may be there.
func TestAuditOrNothing(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	s := open(t, pgstore.Options{URL: url})
	before := mustAdd(t, s, "a")
	for _, table := range []string{"audit", "revisions", "providers", "head"} {
		exec1(t, url, "alter table dialrouter."+table+" add constraint never check (false) not valid")
		if _, err := add(t.Context(), s, "b"); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("%s refused: %v", table, err)
		}
		exec1(t, url, "alter table dialrouter."+table+" drop constraint never")
		for _, table := range []string{"revisions", "audit", "providers"} {
			want := 1
			if table == "revisions" {
				want = 2
			}
			if got := query[int](t, url, "select count(*) from dialrouter."+table); got != want {
				t.Errorf("%d rows in %s, want %d", got, table, want)
			}
		}
		if c, err := s.Reload(t.Context()); err != nil || c.Revision != before.Revision {
			t.Errorf("in force: %v, %v", c, err)
		}
	}
	mustAdd(t, s, "b")
}

// TestHostileActor stores what a request may say of itself.
func TestHostileActor(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	s := open(t, pgstore.Options{URL: url})
	by := providers.Actor{Name: `'); drop table dialrouter.audit; --`, Remote: "a\x00b", RequestID: "\xff$1${2}"}
	_, err := s.Update(t.Context(), by, func(d *providers.Draft) error {
		_, err := d.CreateProvider(providers.Provider{Type: "sip", Name: `x'); drop schema dialrouter cascade; --`, Hostname: "h.example"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Audit(t.Context(), 0, 1)
	want := providers.Actor{Name: by.Name, Remote: "a\uFFFDb", RequestID: "\uFFFD$1${2}"}
	if err != nil || len(got) != 1 || got[0].By != want {
		t.Errorf("audit %+v, %v", got, err)
	}
}

func TestSecretsStayInTheBodies(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	var log bytes.Buffer
	s, err := pgstore.Open(t.Context(), pgstore.Options{URL: url, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	secret := func(d *providers.Draft) error {
		_, err := d.CreateProvider(providers.Provider{
			Type: "sip", Name: "a", Hostname: "h.example",
			Credentials: providers.Credentials{Username: "u", Password: "t0psecret"},
			TechHeaders: []providers.Header{{Name: "X-A", Value: "t0psecret", Secret: true}},
		})
		return err
	}
	if _, err := s.Update(t.Context(), providers.Actor{}, secret); err != nil {
		t.Fatal(err)
	}
	exec1(t, url, "alter table dialrouter.providers add constraint never check (false) not valid")
	_, uerr := s.Update(t.Context(), providers.Actor{}, func(d *providers.Draft) error {
		p := *d.Base().ProviderNamed("a")
		p.Detail = "changed"
		_, err := d.ReplaceProvider(p)
		return err
	})
	if uerr == nil {
		t.Error("a constraint did not hold")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	audit := query[string](t, url, "select string_agg(a::text, ' ') from dialrouter.audit a")
	for name, text := range map[string]string{"audit": audit, "log": log.String(), "error": fmt.Sprint(uerr)} {
		if strings.Contains(text, "t0psecret") || strings.Contains(text, "un5poken") {
			t.Errorf("a secret in the %s: %s", name, text)
		}
	}
}

// TestNamesOfDeletedProviders restores a route to a provider that is gone: other routers learn the name anew.
func TestNamesOfDeletedProviders(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	one, other := open(t, pgstore.Options{URL: url}), open(t, pgstore.Options{URL: url})
	a := mustAdd(t, one, "a").ProviderNamed("a").ID
	var r uuid.UUID
	for _, change := range []func(*providers.Draft) error{
		func(d *providers.Draft) error {
			made, err := d.CreateRoute(providers.Route{CustomerID: providers.Everyone, ProviderID: a, Target: "+1", Weight: 1})
			r = made.ID
			return err
		},
		func(d *providers.Draft) error { _, err := d.DeleteProvider(a); return err }, // Revision 4.
		func(d *providers.Draft) error { _, err := d.DeleteRoute(r); return err },
	} {
		if _, err := one.Update(t.Context(), providers.Actor{}, change); err != nil {
			t.Fatal(err)
		}
	}
	await(t, other, healedWithin, "the route deleted", func(c *providers.Catalog, _ error) bool {
		return len(c.Providers)+len(c.Routes)+len(c.DeletedNames) == 0 && strings.HasPrefix(c.Revision, "5-")
	})
	if _, err := one.Restore(t.Context(), providers.Actor{}, 4); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*pgstore.Store{one, other} {
		await(t, s, healedWithin, "the route restored", func(c *providers.Catalog, _ error) bool {
			return len(c.Routes) == 1 && len(c.Providers) == 0 && c.DeletedNames[a] == "a"
		})
	}
	if _, err := one.Restore(t.Context(), providers.Actor{}, 3); err != nil { // The provider as well.
		t.Fatal(err)
	}
	await(t, other, healedWithin, "the provider restored", has("a"))
}

// TestManyRouters has 20 routers write at once: none is refused, because each waits for the others' changes.
func TestManyRouters(t *testing.T) {
	t.Parallel()
	url := sharedServer(t).Database(t)
	const count, rounds = 20, 5
	stores := make([]*pgstore.Store, count)
	for i := range stores {
		stores[i] = open(t, pgstore.Options{URL: url})
	}
	var writing sync.WaitGroup
	for i, s := range stores {
		writing.Go(func() {
			for n := range rounds {
				if _, err := add(t.Context(), s, fmt.Sprintf("p%d-%d", i, n)); err != nil {
					t.Errorf("router %d: %v", i, err)
				}
			}
		})
	}
	writing.Wait()
	for i, s := range stores {
		await(t, s, healedWithin, fmt.Sprint("all changes on router ", i), func(c *providers.Catalog, _ error) bool {
			return len(c.Providers) == count*rounds
		})
	}
	if got := query[int64](t, url, "select n from dialrouter.head"); got != count*rounds+1 {
		t.Errorf("revision %d after %d changes", got, count*rounds)
	}
}

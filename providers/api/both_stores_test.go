package api

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/providers/pgstore"
	"github.com/voipbin/dialrouter/providers/storetest"
)

// onDatabase is set in the environment of a run of these tests on a database instead of files.
const onDatabase = "API_TESTS_ON_DATABASE"

// database is the server of such a run.
var database *storetest.Postgres

func TestMain(m *testing.M) {
	if os.Getenv(onDatabase) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	var err error
	if database, err = storetest.StartPostgres(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	database.Destroy()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// TestFileAndDatabase runs all tests of this package once more, on a database: but for those that are about the file, as
// their names say.
func TestFileAndDatabase(t *testing.T) {
	args := []string{"-test.run=^Test", "-test.skip=^TestFile"}
	if end, ok := t.Deadline(); ok { // Earlier than our own, to say which test it is that takes so long.
		args = append(args, "-test.timeout="+(time.Until(end)-10*time.Second).String())
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), onDatabase+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "PASS\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// open opens a store on a catalog, given as a file's content.
func (r *rig) open(t *testing.T, catalog string) providers.Store {
	t.Helper()
	if database != nil {
		return r.openDatabase(t, catalog)
	}
	r.file = filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.WriteFile(r.file, []byte(catalog), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := filestore.Open(r.file)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openDatabase has the catalog as the first revision of a database, which a file's content is too.
func (r *rig) openDatabase(t *testing.T, catalog string) providers.Store {
	t.Helper()
	c, problems := filestore.Parse("providers.yaml", []byte(catalog), time.Now())
	if c == nil {
		t.Fatal(problems)
	}
	r.url = database.Database(t)
	seed, err := pgstore.Open(t.Context(), pgstore.Options{URL: r.url})
	if err != nil {
		t.Fatal(err)
	}
	var strangers []uuid.UUID
	_, err = seed.Update(t.Context(), providers.Actor{}, func(d *providers.Draft) error {
		for i := range c.Providers {
			if _, err := d.CreateProvider(c.Providers[i]); err != nil {
				return err
			}
		}
		for i := range c.Routes {
			id := c.Routes[i].ProviderID
			if _, err := d.Provider(id); err != nil {
				strangers = append(strangers, id)
				stranger := providers.Provider{ID: id, Type: "sip", Name: "stranger-" + id.String(), Hostname: "h.example"}
				if _, err := d.CreateProvider(stranger); err != nil {
					return err
				}
			}
			if _, err := d.CreateRoute(c.Routes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if len(c.Providers)+len(c.Routes) > 0 {
		_, err = conn.Exec(t.Context(), `
			delete from dialrouter.audit;
			update dialrouter.providers set since = 1;
			update dialrouter.routes set since = 1;
			update dialrouter.revisions set actor = 'file' where n = 1;
			update dialrouter.head set n = 1, revision = (select revision from dialrouter.revisions where n = 1);
			delete from dialrouter.revisions where n = 2;`)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range strangers {
		if _, err := conn.Exec(t.Context(), "delete from dialrouter.providers where id = $1", id); err != nil {
			t.Fatal(err)
		}
	}
	store, err := pgstore.Open(t.Context(), pgstore.Options{URL: r.url})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// content returns all that is stored, to compare or to look for something in it.
func (r *rig) content(t *testing.T) string {
	t.Helper()
	if r.file != "" {
		text, err := os.ReadFile(r.file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	conn, err := pgx.Connect(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var text string
	err = conn.QueryRow(t.Context(), `select string_agg(line, E'\n' order by line) from (
		select 'head ' || h::text from dialrouter.head h union all
		select 'provider ' || p::text from dialrouter.providers p union all
		select 'route ' || r::text from dialrouter.routes r union all
		select 'audit ' || a::text from dialrouter.audit a) as all_lines(line)`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

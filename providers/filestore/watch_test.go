package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	oneProvider  = "providers:\n  - name: a\n    hostname: a.example\n"
	twoProviders = oneProvider + "  - name: b\n    hostname: b.example\n"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(path)
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

// await waits until the store says what is wanted, hearing of each change by Changed alone.
func await(t *testing.T, s *filestore.Store, what string, good func(*providers.Catalog, error) bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		c, err := s.Catalog(t.Context())
		if good(c, err) {
			return
		}
		select {
		case <-s.Changed():
		case <-deadline.C:
			t.Fatalf("%s: never; last %+v, %v", what, c, err)
		}
	}
}

func holds(n int) func(*providers.Catalog, error) bool {
	return func(c *providers.Catalog, err error) bool { return err == nil && len(c.Providers) == n }
}

func TestWatch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "providers.yaml")
	write(t, path, oneProvider)
	s := open(t, path)
	await(t, s, "opened", holds(1))

	write(t, path, twoProviders)
	await(t, s, "written in place", holds(2))

	write(t, path+".new", oneProvider)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	await(t, s, "another file put in its place", holds(1))
	revision := s.Status().Revision

	for _, bad := range []struct{ name, content, message string }{
		{"slip", strings.Replace(twoProviders, "hostname: b", "hostnam: b", 1), ":5: providers[1].hostnam: unknown key"},
		{"empty", "", ":1: the file is empty"},
		{"half", twoProviders[:len(twoProviders)-25], ":4: providers[1].hostname: is missing"},
		{"no providers", "providers:\n", ":1: providers: holds nothing"},
	} {
		write(t, path, bad.content)
		await(t, s, bad.name, func(c *providers.Catalog, err error) bool {
			return err != nil && strings.Contains(err.Error(), bad.message) && c.Revision == revision
		})
	}
	if got := s.Status(); got.Failures < 4 || len(got.Problems) == 0 {
		t.Errorf("status after bad edits: %+v", got)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, s, "removed", func(c *providers.Catalog, err error) bool {
		return c.Revision == revision && err != nil && strings.Contains(err.Error(), "no such file")
	})

	write(t, path, oneProvider)
	await(t, s, "as it was", holds(1))
	write(t, path, "providers: []\n")
	await(t, s, "none", holds(0))
}

// TestWatchOfLink follows a file as a container platform mounts it: a link to a folder that is swapped whole.
func TestWatchOfLink(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, content := range map[string]string{"v1": oneProvider, "v2": twoProviders} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, name, "providers.yaml"), content)
	}
	path := filepath.Join(folder, "providers.yaml")
	for from, to := range map[string]string{"..data": "v1", "providers.yaml": "..data/providers.yaml"} {
		if err := os.Symlink(to, filepath.Join(folder, from)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path)
	await(t, s, "opened", holds(1))
	if err := os.Symlink("v2", filepath.Join(folder, "..new")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(folder, "..new"), filepath.Join(folder, "..data")); err != nil {
		t.Fatal(err)
	}
	await(t, s, "swapped", holds(2))
}

func TestOpenRefusesABrokenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "providers.yaml")
	write(t, path, "providers:\n  - name: a\n  - hostname: b\n")
	_, err := filestore.Open(path)
	if err == nil {
		t.Fatal("opened")
	}
	want := path + ":2: providers[0].hostname: is missing\n" + path + ":3: providers[1].name: is missing"
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if p, ok := errors.AsType[providers.Problem](err); !ok || p.Line != 2 {
		t.Errorf("no problem in it: %v", p)
	}
}

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/providers"
)

// TestHandAgainstAPI has a hand edit the file as fast as it can while the API writes to it. No edit of the hand may be
// lost. The hand itself saves what it read a moment ago, so it may undo the API's changes; the audit tells which.
func TestHandAgainstAPI(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openHere(t, path)
	stop := make(chan struct{})
	var api sync.WaitGroup
	var made []string
	api.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("api-%d", i)
			if err := add(s, name); err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			made = append(made, name)
		}
	})
	const edits = 60
	for i := range edits {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		edited := string(content) + fmt.Sprintf("  - name: hand-%d # edit %d\n    hostname: h.example\n", i, i)
		if i%2 == 0 {
			writeFile(t, path+".edited", edited)
			if err := os.Rename(path+".edited", path); err != nil {
				t.Fatal(err)
			}
		} else {
			writeFile(t, path, edited) // In place: empty for a moment.
		}
		pause := time.NewTimer(time.Duration(1+i%7*4) * time.Millisecond)
		<-pause.C
	}
	close(stop)
	api.Wait()
	c := sound(t, s)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range edits {
		if c.ProviderNamed(fmt.Sprintf("hand-%d", i)) == nil || !strings.Contains(string(content), fmt.Sprintf("# edit %d\n", i)) {
			t.Errorf("edit %d by hand is lost", i)
		}
	}
	undone := make(map[string]bool)
	revisions, err := s.Audit(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range revisions {
		for _, e := range r.Entries {
			if r.By.Name == "file" && e.Verb == providers.VerbDelete {
				undone[e.Name] = true
			}
		}
	}
	for _, name := range made {
		if c.ProviderNamed(name) == nil && !undone[name] {
			t.Errorf("%s is gone, and nobody knows why", name)
		}
	}
	t.Logf("%d changes by the API, %d of them undone by the hand", len(made), len(undone))
}

// TestLastMoment edits the file between reading and writing it, at each step.
func TestLastMoment(t *testing.T) {
	t.Parallel()
	for _, step := range append(steps[:4:4], "exchange") {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			s := openHere(t, path)
			edited := false
			s.step = func(at string) error {
				if at == step && !edited {
					edited = true
					writeFile(t, path, someFile+"  - name: by-hand # just now\n    hostname: b.example\n")
				}
				return nil
			}
			if err := add(s, "second"); err != nil {
				t.Fatal(err)
			}
			if c := sound(t, s); c.ProviderNamed("by-hand") == nil || c.ProviderNamed("second") == nil {
				t.Errorf("lost something: %+v", c.Providers)
			}
			content, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(content), "# just now") || !strings.HasPrefix(string(content), "# Kept by hand.") {
				t.Errorf("%v in\n%s", err, content)
			}
		})
	}
}

// TestLastMomentTwice edits the file once more while the first edit is being put back. The newer edit is in force, the
// older one is kept.
func TestLastMomentTwice(t *testing.T) {
	t.Parallel()
	for _, inPlace := range []bool{true, false} {
		t.Run(fmt.Sprintf("in place %t", inPlace), func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			s := openHere(t, path)
			edit := func(name string) string { return someFile + "  - name: " + name + "\n    hostname: h.example\n" }
			s.step = func(at string) error {
				switch {
				case s.journal.n > 1: // The second try.
				case at == "exchange" && s.current.Load().catalog.ProviderNamed("newer") == nil:
					writeFile(t, path, edit("older"))
				case at == "back" && inPlace:
					writeFile(t, path, edit("newer"))
				case at == "back":
					writeFile(t, path+".edited", edit("newer"))
					return os.Rename(path+".edited", path)
				}
				return nil
			}
			if err := add(s, "second"); err != nil {
				t.Fatal(err)
			}
			c := sound(t, s)
			if c.ProviderNamed("newer") == nil || c.ProviderNamed("second") == nil {
				t.Errorf("lost something: %+v", c.Providers)
			}
			rescued, err := filepath.Glob(path + ".rescued-*")
			if err != nil || len(rescued) != 1 {
				t.Fatal(rescued, err)
			}
			if content, err := os.ReadFile(rescued[0]); err != nil || string(content) != edit("older") {
				t.Errorf("kept aside: %v\n%s", err, content)
			}
		})
	}
}

func TestBrokenFileIsNotWritten(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openHere(t, path)
	const broken = someFile + "  - name: half"
	writeFile(t, path, broken)
	err := add(s, "second")
	if !errors.Is(err, providers.ErrInvalid) || !strings.Contains(err.Error(), ":5: providers[1].hostname: is missing") {
		t.Errorf("error %v", err)
	}
	if content, _ := os.ReadFile(path); string(content) != broken {
		t.Errorf("the broken file was written:\n%s", content)
	}
	c, err := s.Catalog(t.Context())
	if err == nil || c.ProviderNamed("first") == nil {
		t.Errorf("%+v, %v", c, err)
	}
	writeFile(t, path, broken+"\n    hostname: h.example\n")
	if err := add(s, "second"); err != nil {
		t.Fatal(err)
	}
	if c := sound(t, s); len(c.Providers) != 3 {
		t.Errorf("%+v", c.Providers)
	}
}

// TestEditWhileDown holds that an edit by hand is noted, with times, even if nobody was there to see it.
func TestEditWhileDown(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openHere(t, path)
	if err := add(s, "second"); err != nil {
		t.Fatal(err)
	}
	before := sound(t, s)
	_ = s.Close()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(content), "a.example", "changed.example", 1) + "  - name: third\n    hostname: c.example\n"
	writeFile(t, path, edited)
	s = openHere(t, path)
	c := sound(t, s)
	first, second, third := c.ProviderNamed("first"), c.ProviderNamed("second"), c.ProviderNamed("third")
	was := before.ProviderNamed("first")
	if !first.TmCreate.Equal(was.TmCreate) || !first.TmUpdate.After(was.TmUpdate) {
		t.Errorf("first %v, %v; was %v, %v", first.TmCreate, first.TmUpdate, was.TmCreate, was.TmUpdate)
	}
	if was := before.ProviderNamed("second"); !second.TmUpdate.Equal(was.TmUpdate) || !second.TmCreate.Equal(was.TmCreate) {
		t.Errorf("second %v, was %v", second.TmUpdate, was.TmUpdate)
	}
	if !third.TmCreate.After(was.TmCreate) {
		t.Errorf("third %v", third.TmCreate)
	}
	revisions, err := s.Audit(t.Context(), 0, 1)
	if err != nil || len(revisions[0].Entries) != 2 || revisions[0].By.Name != "file" {
		t.Errorf("%+v, %v", revisions, err)
	}
	// What it says is the same for those who only look.
	if looked, problems := Load(path); len(problems) > 0 || !looked.ProviderNamed("third").TmCreate.Equal(third.TmCreate) {
		t.Errorf("%+v, %v", looked, problems)
	}
}

func TestCommentsAreNoChange(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openHere(t, path)
	before := sound(t, s)
	writeFile(t, path, "# Another comment.\n"+someFile)
	c := sound(t, s)
	if c.Revision == before.Revision || !c.Providers[0].TmUpdate.Equal(before.Providers[0].TmUpdate) {
		t.Errorf("%+v, before %+v", c, before)
	}
	revisions, err := s.Audit(t.Context(), 0, 1)
	if err != nil || len(revisions[0].Entries) != 0 {
		t.Errorf("%+v, %v", revisions, err)
	}
}

// TestLink writes to where a link leads, and leaves the link.
func TestLink(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	link := filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	s := openHere(t, link)
	if err := add(s, "second"); err != nil {
		t.Fatal(err)
	}
	sound(t, s)
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if c := sound(t, openHere(t, path)); c.ProviderNamed("second") == nil {
		t.Errorf("%+v", c)
	}
}

// TestJournalTakenAway goes on without what was known, keeping what is in memory.
func TestJournalTakenAway(t *testing.T) {
	t.Parallel()
	s := openHere(t, newFile(t))
	if err := add(s, "second"); err != nil {
		t.Fatal(err)
	}
	was := sound(t, s).ProviderNamed("second").TmCreate
	if err := os.Remove(s.place().journal()); err != nil {
		t.Fatal(err)
	}
	if err := add(s, "third"); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if got := sound(t, openHere(t, s.path)).ProviderNamed("second").TmCreate; !got.Equal(was) {
		t.Errorf("made at %v, was %v", got, was)
	}
}

func TestJournalBroken(t *testing.T) {
	t.Parallel()
	s := openHere(t, newFile(t))
	if err := add(s, "second"); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	journal, err := os.ReadFile(s.place().journal())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.place().journal(), "x"+string(journal))
	s = openHere(t, s.path)
	if c, err := s.Catalog(t.Context()); err != nil || len(c.Providers) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	if s.Status().Journal == nil {
		t.Error("nothing said of the journal")
	}
	if err := add(s, "third"); err == nil || !strings.Contains(err.Error(), "is broken") {
		t.Errorf("written without a journal: %v", err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s := openHere(t, newFile(t))
	for _, name := range []string{"second", "third"} {
		if err := add(s, name); err != nil {
			t.Fatal(err)
		}
		if err := s.journal.rotate(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	before := sound(t, s)
	if err := add(s, "fourth"); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	s = openHere(t, s.path)
	c := sound(t, s)
	for _, name := range []string{"first", "second", "third"} {
		if got, want := c.ProviderNamed(name), before.ProviderNamed(name); !got.TmCreate.Equal(want.TmCreate) {
			t.Errorf("%s made at %v, was %v", name, got.TmCreate, want.TmCreate)
		}
	}
	revisions, err := s.Audit(t.Context(), 0, 100)
	if err != nil || len(revisions) != 4 || revisions[3].N != 1 {
		t.Errorf("%+v, %v", revisions, err)
	}
	if _, err := s.Restore(t.Context(), providers.Actor{}, 2); err != nil {
		t.Error(err)
	}
	if c := sound(t, s); len(c.Providers) != 2 {
		t.Errorf("%+v", c.Providers)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	at := place{filepath.Join(t.TempDir(), "providers.yaml")}
	for n := range int64(keepCopies + 10) {
		if err := at.keep(n, []byte(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(at.history())
	if err != nil || len(entries) != keepCopies {
		t.Errorf("%d copies, %v", len(entries), err)
	}
	if _, ok := at.kept(keepCopies+9, revision([]byte(fmt.Sprint(keepCopies+9)))); !ok {
		t.Error("the newest is gone")
	}
	if _, ok := at.kept(keepCopies+8, revision([]byte("another"))); ok {
		t.Error("a copy that was changed is taken for what it was")
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	s := openHere(t, newFile(t))
	release, err := lockFile(t.Context(), s.place().lock())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = s.Update(ctx, providers.Actor{}, func(*providers.Draft) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wrote while another did: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	for _, err := range []error{unix.EROFS, unix.EACCES, unix.EPERM} {
		if got := readOnly(&fs.PathError{Err: err}); !errors.Is(got, providers.ErrReadOnly) || !errors.Is(got, err) {
			t.Errorf("%v is %v", err, got)
		}
	}
	if got := readOnly(unix.ENOSPC); errors.Is(got, providers.ErrReadOnly) {
		t.Errorf("a full disk is %v", got)
	}
	// A folder in which nothing can be made: the catalog is read all the same.
	path := newFile(t)
	if err := os.Mkdir(path+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	s := openHere(t, path)
	if s.Status().Journal == nil {
		t.Error("nothing said of it")
	}
	first := s.current.Load().catalog.Providers[0]
	if err := add(s, "second"); err == nil {
		t.Error("written")
	}
	writeFile(t, path, someFile+"  - name: second\n    hostname: b.example\n")
	c, err := s.Reload(t.Context())
	if err != nil || len(c.Providers) != 2 || !c.ProviderNamed("first").TmCreate.Equal(first.TmCreate) {
		t.Errorf("%+v, %v", c, err)
	}
}

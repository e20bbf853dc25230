package filestore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// The steps of a write, before each of which it may end. Once "swap" is done, the change is made.
var steps = []string{"content", "copy", "journal", "swap", "exchange", "folder", "remove"}

func made(step string) bool { return step == "folder" || step == "remove" }

const someFile = "# Kept by hand.\nproviders:\n  - name: first # one\n    hostname: a.example\n"

func newFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.WriteFile(path, []byte(someFile), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func openHere(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func add(s *Store, name string) error {
	_, err := s.Update(context.Background(), providers.Actor{Name: "ops"}, func(d *providers.Draft) error {
		_, err := d.CreateProvider(providers.Provider{Type: "sip", Name: name, Hostname: "x.example", Enabled: true})
		return err
	})
	return err
}

// sound checks that a file is whole: it reads, what the journal says leads to it, and nothing lies about.
func sound(t *testing.T, s *Store) *providers.Catalog {
	t.Helper()
	c, err := s.Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revisions, err := s.Audit(t.Context(), 0, 1_000_000)
	if err != nil || len(revisions) == 0 {
		t.Fatal(revisions, err)
	}
	if revisions[0].Revision != c.Revision {
		t.Errorf("in force is %s, the journal ends with %s", c.Revision, revisions[0].Revision)
	}
	noted := make(map[string]string) // What the journal knows of, by id; "" is gone.
	for _, r := range slices.Backward(revisions) {
		for _, e := range r.Entries {
			if before, ok := noted[e.ID.String()]; ok && before != string(e.Before) {
				t.Errorf("change %d: %s was\n%s\nnot\n%s", r.N, e.Name, before, e.Before)
			}
			noted[e.ID.String()] = string(e.After)
			if e.Verb == providers.VerbDelete {
				noted[e.ID.String()] = ""
			}
		}
	}
	for i := range c.Providers {
		p := &c.Providers[i]
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if was, ok := noted[p.ID.String()]; ok && was != string(text) {
			t.Errorf("in force is\n%s\nnoted was\n%s", text, was)
		}
		delete(noted, p.ID.String())
	}
	for id, was := range noted {
		if was != "" {
			t.Errorf("noted and not in force: %s: %s", id, was)
		}
	}
	if left := s.place().temps(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return c
}

// TestStepFails holds that a change which cannot be written changes nothing, and stands in nobody's way.
func TestStepFails(t *testing.T) {
	t.Parallel()
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := openHere(t, newFile(t))
			if err := add(s, "second"); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(s.path)
			full := errors.New("the disk is full")
			s.step = func(at string) error {
				if at == step {
					return full
				}
				return nil
			}
			err := add(s, "third")
			if step == "remove" { // Only tidying failed.
				if err != nil {
					t.Fatal(err)
				}
			} else {
				if !errors.Is(err, full) {
					t.Errorf("error %v", err)
				}
				if after, _ := os.ReadFile(s.path); string(after) != string(before) {
					t.Errorf("the file is\n%s\nit was\n%s", after, before)
				}
				if sound(t, s).ProviderNamed("third") != nil {
					t.Error("what was refused is in force")
				}
			}
			s.step = nil
			if err := add(s, "fourth"); err != nil {
				t.Fatal(err)
			}
			if c := sound(t, s); c.ProviderNamed("second") == nil || c.ProviderNamed("fourth") == nil {
				t.Errorf("lost something: %+v", c.Providers)
			}
			if info, err := os.Stat(s.path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the file's permissions changed: %v, %v", info, err)
			}
		})
	}
}

// child runs a test of this file in a process of its own.
func child(t *testing.T, test string, environment ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^"+test+"$", "-test.count", "1")
	cmd.Env = append(os.Environ(), environment...)
	return cmd
}

// TestCrashAtEachStep stops a process for good before each step of a write.
func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("FILESTORE_CRASH_PATH"); path != "" {
		s := openHere(t, path)
		s.step = func(at string) error {
			if at == os.Getenv("FILESTORE_CRASH_STEP") {
				os.Exit(9)
			}
			return nil
		}
		t.Fatal(add(s, "crashed"))
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			if err := add(openHere(t, path), "second"); err != nil {
				t.Fatal(err)
			}
			cmd := child(t, "TestCrashAtEachStep", "FILESTORE_CRASH_PATH="+path, "FILESTORE_CRASH_STEP="+step)
			if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 9 {
				t.Fatalf("%v\n%s", err, out)
			}
			// What it left may be torn as well: half a content, half a journal.
			s := openHere(t, path)
			c := sound(t, s)
			if c.ProviderNamed("second") == nil {
				t.Error("an acknowledged change is gone")
			}
			if got := c.ProviderNamed("crashed") != nil; got != made(step) {
				t.Errorf("the change is in force: %t, after a crash before %q", got, step)
			}
			if err := add(s, "third"); err != nil {
				t.Fatal(err)
			}
			if sound(t, s).ProviderNamed("third") == nil {
				t.Error("nothing can be written any more")
			}
		})
	}
}

// TestTorn leaves behind what a machine that lost power may: files that are only partly there.
func TestTorn(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openHere(t, path)
	for _, name := range []string{"second", "third"} {
		if err := add(s, name); err != nil {
			t.Fatal(err)
		}
	}
	at := s.place()
	n := s.journal.n
	journal, err := os.ReadFile(at.journal())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	for name, tear := range map[string]func(t *testing.T){
		"half a line": func(t *testing.T) {
			t.Helper()
			half := journal[len(journal)-200:]
			writeFile(t, at.journal(), string(journal)+strings.ReplaceAll(string(half[:100]), "\n", ""))
		},
		"half a change": func(t *testing.T) {
			t.Helper()
			writeFile(t, at.journal(), string(journal)+fmt.Sprintf(`{"n":%d,"of":2,"verb":"create","id":"x"}`+"\n", n+1))
		},
		"half a long change": func(t *testing.T) {
			t.Helper()
			l := fmt.Sprintf(`{"n":%d,"of":9,"verb":"create","id":"x","name":%q}`+"\n", n+1, strings.Repeat("x", 3000))
			writeFile(t, at.journal(), string(journal)+l+l+l)
		},
		"half a content": func(t *testing.T) {
			t.Helper()
			writeFile(t, at.temp(n+1), "provi")
		},
		"zeros": func(t *testing.T) {
			t.Helper()
			writeFile(t, at.journal(), string(journal)+string(make([]byte, 100)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			tear(t)
			s := openHere(t, path)
			if c := sound(t, s); len(c.Providers) != 3 {
				t.Errorf("%d providers", len(c.Providers))
			}
			if err := add(s, "x"); err != nil {
				t.Fatal(err)
			}
			sound(t, s)
			_, err := s.Update(t.Context(), providers.Actor{}, func(d *providers.Draft) error {
				p, err := d.ProviderNamed("x")
				if err != nil {
					return err
				}
				_, err = d.DeleteProvider(p.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			_ = s.Close()
			if journal, err = os.ReadFile(at.journal()); err != nil {
				t.Fatal(err)
			}
			n += 2
		})
	}
}

// TestDisplacedEdit finds the edit that was being put back when the process was killed.
func TestDisplacedEdit(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openHere(t, path)
	if err := add(s, "second"); err != nil {
		t.Fatal(err)
	}
	at, n := s.place(), s.journal.n
	_ = s.Close()
	edit := someFile + "  - name: by-hand\n    hostname: b.example\n"
	writeFile(t, at.temp(n), edit)
	s = openHere(t, path)
	sound(t, s)
	rescued, err := os.ReadFile(path + ".rescued-" + itoa(int(n)))
	if err != nil || string(rescued) != edit {
		t.Errorf("%q, %v", rescued, err)
	}
}

// TestKill kills a writer at random times of a burst of writes. FILESTORE_KILLS sets how often.
func TestKill(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("FILESTORE_KILL_PATH"); path != "" {
		s := openHere(t, path)
		for i := 0; ; i++ {
			name := fmt.Sprintf("p%d-%d", os.Getpid(), i)
			if err := add(s, name); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(os.Stdout, "made", name)
		}
	}
	kills := 15
	if s := os.Getenv("FILESTORE_KILLS"); s != "" {
		if _, err := fmt.Sscan(s, &kills); err != nil {
			t.Fatal(err)
		}
	}
	path := newFile(t)
	var acknowledged []string
	for i := range kills {
		cmd := child(t, "TestKill", "FILESTORE_KILL_PATH="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var kill *time.Timer
		for lines.Scan() {
			name, ok := strings.CutPrefix(lines.Text(), "made ")
			if !ok {
				continue
			}
			if acknowledged = append(acknowledged, name); kill == nil {
				// Any time within the next few writes.
				kill = time.AfterFunc(time.Duration(i*7919%20_000)*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		if kill == nil {
			t.Fatal("the writer wrote nothing")
		}
		kill.Stop()
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		c := sound(t, s)
		for _, name := range acknowledged {
			if c.ProviderNamed(name) == nil {
				t.Errorf("%s was acknowledged and is gone", name)
			}
		}
		_ = s.Close()
	}
	t.Logf("%d changes acknowledged", len(acknowledged))
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

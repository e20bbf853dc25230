package router

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
)

// fileRig is a ring with a file of calls that a test writes by hand.
type fileRig struct {
	*Router

	j    *journal
	path string
	said bytes.Buffer
}

func newFileRig(t *testing.T, c config.Calls) *fileRig {
	t.Helper()
	r := &fileRig{Router: newTestRing(0), path: filepath.Join(t.TempDir(), "calls.jsonl")}
	if c.File == "" {
		c.File = r.path
	}
	r.path = c.File
	log := slog.New(slog.NewTextHandler(&r.said, &slog.HandlerOptions{Level: slog.LevelInfo}))
	r.j = newJournal(log, r.records, func() int64 { return 1 }, &c)
	t.Cleanup(func() {
		if err := r.j.file.shut(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// put puts calls on record and has them written.
func (r *fileRig) put(from, to int) {
	for n := from; n < to; n++ {
		r.putTestCall(fmt.Sprintf("call-%06d", n))
	}
	r.j.file.turn()
}

// read returns the Call-IDs in a file, and fails for a line that is no record.
func readCalls(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ids []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var one struct {
			CallID   string           `json:"call_id"`
			Attempts []map[string]any `json:"attempts"`
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil || one.CallID == "" || len(one.Attempts) != 1 {
			t.Fatalf("%s: %v in the line %q", path, err, lines.Text())
		}
		ids = append(ids, one.CallID)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return ids
}

// expect checks that files hold the calls from one number up to another, in order.
func (r *fileRig) expect(t *testing.T, from, to int, files ...string) {
	t.Helper()
	var got []string
	for _, name := range files {
		got = append(got, readCalls(t, filepath.Join(filepath.Dir(r.path), name))...)
	}
	if len(got) != to-from {
		t.Errorf("%d calls in %q, want %d", len(got), files, to-from)
		return
	}
	for i, id := range got {
		if want := fmt.Sprintf("call-%06d", from+i); id != want {
			t.Errorf("%s where %s must stand", id, want)
			return
		}
	}
}

func (r *fileRig) files(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestCallFile(t *testing.T) {
	r := newFileRig(t, config.Calls{})
	r.put(0, 3)
	r.put(3, 3)
	r.put(3, 5)
	r.expect(t, 0, 5, "calls.jsonl")
	// Another router goes on in the same file.
	s := newFileRig(t, config.Calls{File: r.path})
	s.put(5, 7)
	s.expect(t, 0, 7, "calls.jsonl")
	if info, err := os.Stat(r.path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may read numbers: %v %v", info.Mode(), err)
	}
	if r.said.Len()+s.said.Len() > 0 {
		t.Errorf("logged %s%s", &r.said, &s.said)
	}
}

// TestCallFileRotates checks sizes, order and number of the files, over many lines.
func TestCallFileRotates(t *testing.T) {
	const limit, calls = 8 << 10, 400
	r := newFileRig(t, config.Calls{MaxSize: limit, MaxFiles: 3})
	for n := range calls {
		r.put(n, n+1)
	}
	if got, want := r.files(t), "calls.jsonl calls.jsonl.1 calls.jsonl.2 calls.jsonl.3"; got != want {
		t.Fatalf("files %s, want %s", got, want)
	}
	all := len(readCalls(t, r.path))
	for n := 1; n <= 3; n++ {
		info, err := os.Stat(fmt.Sprint(r.path, ".", n))
		if err != nil || info.Size() > limit || info.Size() < limit*3/4 {
			t.Errorf("file %d: %d bytes, %v", n, info.Size(), err)
		}
		all += len(readCalls(t, fmt.Sprint(r.path, ".", n)))
	}
	r.expect(t, calls-all, calls, "calls.jsonl.3", "calls.jsonl.2", "calls.jsonl.1", "calls.jsonl")

	// Fewer files from now on: those that are too many go.
	r.j.file.configure(&config.Calls{File: r.path, MaxSize: limit, MaxFiles: 1})
	for n := range 40 {
		r.put(calls+n, calls+n+1)
	}
	if got, want := r.files(t), "calls.jsonl calls.jsonl.1"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if r.said.Len() > 0 {
		t.Errorf("logged %s", &r.said)
	}
}

// TestCallFileBatches checks that a backlog longer than what is written at once keeps within the size too.
func TestCallFileBatches(t *testing.T) {
	r := newFileRig(t, config.Calls{MaxSize: 2 * callBatch, MaxFiles: 50})
	r.put(0, shortestRing)
	names := []string{"calls.jsonl"}
	for n := 1; ; n++ {
		name := fmt.Sprint("calls.jsonl.", n)
		info, err := os.Stat(fmt.Sprint(r.path, ".", n))
		if err != nil {
			break
		}
		if info.Size() > 2*callBatch {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
		names = append([]string{name}, names...)
	}
	if len(names) < 3 {
		t.Errorf("files %q", names)
	}
	r.expect(t, 0, shortestRing, names...)
}

// TestCallFileMoved checks that a file which somebody moves away, with or without a word to the router, is begun again.
func TestCallFileMoved(t *testing.T) {
	r := newFileRig(t, config.Calls{})
	r.put(0, 2)
	if err := os.Rename(r.path, r.path+".old"); err != nil {
		t.Fatal(err)
	}
	r.put(2, 4)
	r.expect(t, 0, 4, "calls.jsonl.old", "calls.jsonl")
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	r.put(4, 6)
	r.expect(t, 4, 6, "calls.jsonl")
	if err := os.Truncate(r.path, 0); err != nil { // As logrotate's copytruncate does.
		t.Fatal(err)
	}
	r.put(6, 8)
	r.expect(t, 6, 8, "calls.jsonl")
	// By configuration: elsewhere, nowhere, and here again.
	r.j.file.configure(&config.Calls{File: r.path + "2"})
	r.put(8, 10)
	r.j.file.configure(&config.Calls{})
	r.put(10, 12)
	r.j.file.configure(&config.Calls{File: r.path})
	r.put(12, 14)
	r.expect(t, 8, 10, "calls.jsonl2")
	if got := readCalls(t, r.path); len(got) != 4 || got[2] != "call-000012" {
		t.Errorf("the file has %q", got)
	}
	if r.said.Len() > 0 || r.j.fileLost.Load() > 0 {
		t.Errorf("lost %d, logged %s", r.j.fileLost.Load(), &r.said)
	}
}

// TestCallFileCutOff checks that a line which was cut off when the machine stopped spoils no other.
func TestCallFileCutOff(t *testing.T) {
	r := newFileRig(t, config.Calls{})
	if err := os.WriteFile(r.path, []byte(`{"call_id":"cut of`), 0o600); err != nil {
		t.Fatal(err)
	}
	r.put(0, 2)
	text, err := os.ReadFile(r.path)
	if err != nil || !strings.HasPrefix(string(text), "{\"call_id\":\"cut of\n{\"call_id\":\"call-000000\"") {
		t.Errorf("%v: %q", err, text)
	}
}

// TestCallFileUnwritable checks that trouble with the file is said once, counted, and over by itself; what the ring can
// hold in the meantime is not lost, and what it cannot is counted.
func TestCallFileUnwritable(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "away")
	for name, trouble := range map[string]struct{ begin, end func(path string) error }{
		"no folder": {
			func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
			func(path string) error { return os.MkdirAll(filepath.Dir(path), 0o700) },
		},
		"a folder in its place": {
			func(path string) error { return errors.Join(os.RemoveAll(path), os.MkdirAll(path, 0o700)) }, os.Remove,
		},
		"a pipe in its place": {
			func(path string) error {
				return errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Dir(path), 0o700), syscall.Mkfifo(path, 0o600))
			}, os.Remove,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFileRig(t, config.Calls{File: filepath.Join(folder, "calls.jsonl")})
			if err := trouble.begin(r.path); err != nil {
				t.Fatal(err)
			}
			for n := range 10 {
				r.put(n, n+1)
			}
			if n := strings.Count(r.said.String(), "\n"); n != 1 || r.j.failures.Load() != 10 || r.j.fileLost.Load() != 0 {
				t.Errorf("%d failures, %d lost, logged\n%s", r.j.failures.Load(), r.j.fileLost.Load(), &r.said)
			}
			if err := trouble.end(r.path); err != nil {
				t.Fatal(err)
			}
			r.put(10, 12)
			r.expect(t, 0, 12, "calls.jsonl")
			if n := strings.Count(r.said.String(), "\n"); n != 2 {
				t.Errorf("logged\n%s", &r.said)
			}
			// For longer than the ring can hold.
			if err := trouble.begin(r.path); err != nil {
				t.Fatal(err)
			}
			r.put(12, 12+1000)
			r.put(1012, 1012+shortestRing)
			if err := trouble.end(r.path); err != nil {
				t.Fatal(err)
			}
			r.put(1012+shortestRing, 1012+shortestRing+100)
			got := readCalls(t, r.path)
			if n := len(got); n == 0 || got[n-1] != fmt.Sprintf("call-%06d", 1011+shortestRing+100) {
				t.Errorf("%d calls in the file", n)
			}
			if len(got)+int(r.j.fileLost.Load()) != 1000+shortestRing+100 || r.j.fileLost.Load() != 1100 {
				t.Errorf("%d written, %d lost", len(got), r.j.fileLost.Load())
			}
			if !strings.Contains(r.said.String(), "lost=1100") {
				t.Errorf("logged\n%s", &r.said)
			}
		})
	}
}

// TestCallFileThatCannotBePutAside checks that a full file goes on to be written when it cannot be renamed.
func TestCallFileThatCannotBePutAside(t *testing.T) {
	r := newFileRig(t, config.Calls{MaxSize: 1000, MaxFiles: 2})
	if err := os.MkdirAll(r.path+".1/x", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(r.path+".2/x", 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		r.put(n, n+1)
	}
	r.expect(t, 0, 20, "calls.jsonl")
	if n := strings.Count(r.said.String(), "\n"); n != 1 || r.j.failures.Load() == 0 {
		t.Errorf("%d failures, logged\n%s", r.j.failures.Load(), &r.said)
	}
	if err := errors.Join(os.RemoveAll(r.path+".1"), os.RemoveAll(r.path+".2")); err != nil {
		t.Fatal(err)
	}
	r.put(20, 21)
	r.expect(t, 0, 21, "calls.jsonl.1", "calls.jsonl")
}

// fullDisk is set in the process that TestCallFileOnFullDisk starts: the largest file that it may write.
const fullDisk = "DIALROUTER_TEST_FILE_LIMIT"

// TestCallFileOnFullDisk has writes end in the middle of a line. A limit on the size of files does what a full disk
// does; it is a process's, so the test has one of its own.
func TestCallFileOnFullDisk(t *testing.T) {
	if os.Getenv(fullDisk) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCallFileOnFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), fullDisk+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("the disk was full")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	r := newFileRig(t, config.Calls{})
	r.put(0, 10)
	info, err := os.Stat(r.path)
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: uint64(info.Size()) * 3 / 2, Max: syscall.RLIM_INFINITY & (1<<63 - 1)}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit.Max = old.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	r.put(10, 30)
	r.put(30, 40)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	r.expect(t, 0, 10, "calls.jsonl")
	if r.j.failures.Load() != 2 || !strings.Contains(r.said.String(), "file too large") {
		t.Errorf("%d failures, logged\n%s", r.j.failures.Load(), &r.said)
	}
	r.put(40, 41)
	r.expect(t, 0, 41, "calls.jsonl")
	t.Log("the disk was full")
}

// TestJournalFollows runs the real goroutines: calls reach the log and the file, those too that end just before the
// router does.
func TestJournalFollows(t *testing.T) {
	r := newTestRing(0)
	var mu sync.Mutex
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return said.Write(b)
	}), nil))
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	start := time.Now()
	j := newJournal(log, r.records, func() int64 { return int64(time.Since(start)) }, &config.Calls{File: path})
	j.start()
	const calls = 500
	for n := range calls {
		if n == calls/2 {
			j.beat() // The others are left for the end.
			time.Sleep(journalPace / 4)
		}
		r.putTestCall(fmt.Sprint("call-", n))
	}
	j.close()
	if got := readCalls(t, path); len(got) != calls || got[calls-1] != fmt.Sprint("call-", calls-1) {
		t.Errorf("%d calls in the file", len(got))
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != calls || !strings.Contains(lines[7], "msg=call call_id=call-7 number=+1555 outcome=busy status=486 provider=a cause=busy attempts=1") {
		t.Errorf("%d lines, the eighth %s", len(lines), lines[min(7, len(lines)-1)])
	}
	// Each line has the time at which its call ended, which here is the router's start.
	if at := strings.Fields(lines[0])[0]; !strings.HasPrefix(at, "time="+start.Format("2006-01-02T15:04")) {
		t.Errorf("the time is %s, want %s", at, start)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

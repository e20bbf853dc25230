package router

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/config"
)

// TestJournalBeat: only who has something to do is woken, and what ended while nobody wanted to know stays untold.
func TestJournalBeat(t *testing.T) {
	var said bytes.Buffer
	level := new(slog.LevelVar)
	r := newTestRing(3)
	j := newJournal(slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: level})), r.records,
		func() int64 { return 1 }, &config.Calls{})
	f := follower{ring: r.records}
	path := t.TempDir() + "/calls.jsonl"
	calls := 0
	end := func() { r.putTestCall(fmt.Sprintf("call-%d", calls)); calls++ }
	// beat does what the goroutines do, and tells which of them were woken.
	beat := func() (woken string) {
		j.beat()
		select {
		case <-j.logs:
			j.logNew(&f)
			woken += "log"
		default:
		}
		select {
		case <-j.files:
			j.file.turn()
			woken += "file"
		default:
		}
		return woken
	}
	steps := []struct {
		name string
		do   func()
		want []string // Who is woken, beat by beat.
	}{
		{"nothing", func() {}, []string{""}},
		{"a call", end, []string{"log", ""}},
		{"the log is turned down", func() { level.Set(slog.LevelWarn); end() }, []string{"", ""}},
		{"and up again", func() { level.Set(slog.LevelInfo) }, []string{"", ""}},
		{"a file", func() { j.file.configure(&config.Calls{File: path}) }, []string{"file", "file"}},
		{"a call for both", end, []string{"logfile", "file"}},
		{"no file", func() { j.file.configure(&config.Calls{}) }, []string{"file", ""}},
		{"a call for the log", end, []string{"log", ""}},
		{"the file again", func() { j.file.configure(&config.Calls{File: path}) }, []string{"file"}},
		{"a call for both again", end, []string{"logfile"}},
	}
	for _, s := range steps {
		s.do()
		for n, want := range s.want {
			if woken := beat(); woken != want {
				t.Errorf("%s, beat %d: woken %q, want %q", s.name, n+1, woken, want)
			}
		}
	}
	if err := j.file.shut(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(readCalls(t, path), " "); got != "call-2 call-4" {
		t.Errorf("in the file: %s", got)
	}
	for n, want := range []bool{true, false, true, true, true} {
		if got := strings.Contains(said.String(), fmt.Sprintf("call_id=call-%d ", n)); got != want {
			t.Errorf("call %d in the log: %v", n, got)
		}
	}
}

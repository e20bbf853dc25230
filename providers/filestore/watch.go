package filestore

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// pollInterval is how often the file is looked at when nothing was heard: the kernel's notices are lost on network
	// file systems, and when there are more watches than the system allows.
	pollInterval = 2 * time.Second

	// settle is how long a file must have been left alone before it is read: an editor that writes in place makes a
	// notice for each piece. settleMost bounds it for a file that is never left alone.
	settle     = 20 * time.Millisecond
	settleMost = 500 * time.Millisecond

	// secondThought is how long a broken content gets to become whole before it is called a bad edit.
	secondThought = 150 * time.Millisecond
)

// stamp tells one state of a file from another without reading it.
type stamp struct {
	size     int64
	modified time.Time
	file     os.FileInfo
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{size: info.Size(), modified: info.ModTime(), file: info}
}

func (s stamp) same(other stamp) bool {
	if (s.file == nil) != (other.file == nil) {
		return false
	}
	return s.file == nil || s.size == other.size && s.modified.Equal(other.modified) && os.SameFile(s.file, other.file)
}

// watch reads the file whenever it changes, until ctx is done. It watches the folder, because most editors do not
// change a file but put another in its place. A mounted configuration is a link, whose change is one of another name,
// so no name is left out: what counts is whether the file is another one than before.
func (s *Store) watch(ctx context.Context, path string) {
	defer close(s.done)
	var events chan fsnotify.Event // Nil, so for ever silent, when the system gives no notices: polling does then.
	var failed chan error
	if watcher, err := fsnotify.NewWatcher(); err == nil {
		defer func() { _ = watcher.Close() }()
		// A link's own folder, and the one it leads to.
		err, err2 := watcher.Add(filepath.Dir(path)), watcher.Add(filepath.Dir(s.place().file))
		if err == nil || err2 == nil {
			events, failed = watcher.Events, watcher.Errors
		}
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	// The file may have changed between Open's reading and here, so the first look is due at once.
	last, waiting := stampOf(path), time.Now()
	due := time.NewTimer(settle)
	defer due.Stop()
	for {
		isDue := false
		select {
		case <-ctx.Done():
			return
		case <-failed: //nolint:errcheck // Whatever it is, notices were lost, and looking is the answer.
		case <-events:
		case <-poll.C:
		case <-due.C:
			isDue = true
		}
		now := stampOf(path)
		moved := !now.same(last)
		last = now
		switch {
		case moved && (waiting.IsZero() || time.Since(waiting) < settleMost):
			if waiting.IsZero() {
				waiting = time.Now()
			}
			due.Reset(settle)
		case isDue:
			waiting = time.Time{}
			if s.reread(ctx) {
				due.Reset(secondThought)
			}
		}
	}
}

// reread reads the file and says whether it must be read once more because it may be half-written.
func (s *Store) reread(ctx context.Context) (again bool) {
	if s.take(ctx) != nil {
		return false
	}
	again = s.loadLocked(ctx, true)
	s.release()
	// Whoever writes next needs the layout, and there is time for it now.
	s.current.Load().text.prepare()
	return again
}

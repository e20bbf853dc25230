package filestore

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

var errClosed = errors.New("the store is closed")

// Store is a catalog in one file. It implements providers.Store and providers.History.
type Store struct {
	path    string // As it was given; problems name it.
	now     func() time.Time
	changed chan struct{}
	stop    context.CancelFunc
	done    chan struct{} // Closed when the watch has ended.

	current atomic.Pointer[state]

	// turn holds a token unless somebody reads or writes the file. It guards what follows. Who takes it and then the
	// lock file, in this order, keeps other processes away too. Who only asks for the catalog takes neither.
	turn    chan struct{}
	closed  bool
	doubted *[sha256.Size]byte // A broken content that was seen once, and may yet become whole.
	journal *journal

	// step, when not nil, is called before each step of a write; what it returns is that step's error. It is for tests.
	step func(name string) error
}

// state is what is known of the file at one time. It is never changed, only followed by another.
type state struct {
	catalog  *providers.Catalog
	index    index
	warnings []providers.Problem

	text     *text // The newest content, which is not the catalog's when it is broken. Nil when there is none.
	problems []providers.Problem
	err      error // Joins problems, or says why the file could not be read.
	failures uint64
	loaded   time.Time
	journal  error
}

// Status is what a store has to say about its file.
type Status struct {
	Revision string              // In force.
	Loaded   time.Time           // When it came into force.
	Problems []providers.Problem // Of the newest content of the file: why it is not in force, and warnings.
	Failures uint64              // How many contents were refused since the store was opened.
	Journal  error               // Why edits by hand are not noted beside the file; the API cannot write then either.
}

// Open reads the file at path and watches it from then on. The error holds all problems of a file that is not good to
// begin with.
func Open(path string) (*Store, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, now: time.Now, changed: make(chan struct{}, 1), done: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.loadLocked(ctx, false)
	s.turn <- struct{}{}
	if s.current.Load().catalog == nil {
		stop()
		return nil, s.current.Load().err
	}
	go s.watch(ctx, absolute)
	return s, nil
}

// Catalog returns the newest valid revision; the error tells why a newer content of the file is not in force.
func (s *Store) Catalog(context.Context) (*providers.Catalog, error) {
	now := s.current.Load()
	return now.catalog, now.err
}

// Changed delivers a value after each change of what Catalog returns, coalesced.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// Status returns what there is to say about the file.
func (s *Store) Status() Status {
	now := s.current.Load()
	status := Status{
		Revision: now.catalog.Revision, Loaded: now.loaded, Problems: now.problems, Failures: now.failures,
		Journal: now.journal,
	}
	if now.err == nil {
		status.Problems = now.warnings
	}
	return status
}

// Reload reads the file now.
func (s *Store) Reload(ctx context.Context) (*providers.Catalog, error) {
	if err := s.take(ctx); err != nil {
		return s.current.Load().catalog, err
	}
	defer s.release()
	s.loadLocked(ctx, false)
	return s.Catalog(ctx)
}

// take waits for the store's turn.
func (s *Store) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.turn:
	}
	if s.closed {
		s.release()
		return errClosed
	}
	return nil
}

func (s *Store) release() { s.turn <- struct{}{} }

// place finds where the file really is. It may be a link, whose target is what is written.
func (s *Store) place() place {
	if file, err := filepath.EvalSymlinks(s.path); err == nil {
		return place{file}
	}
	return place{s.path}
}

func (s *Store) publish(next *state) {
	s.current.Store(next)
	select {
	case s.changed <- struct{}{}:
	default: // One is waiting to be read already, and whoever reads it finds this state.
	}
}

// Close ends the watch.
func (s *Store) Close() error {
	<-s.turn
	closed := s.closed
	s.closed = true
	s.release()
	if closed {
		return nil
	}
	s.stop()
	<-s.done
	close(s.changed)
	return nil
}

// changedAt returns when a file was changed last.
func (s *Store) changedAt(path string) time.Time {
	at := s.now()
	if info, err := os.Stat(path); err == nil && info.ModTime().Before(at) {
		at = info.ModTime()
	}
	return providers.Microseconds(at)
}

package filestore

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

var errClosed = errors.New("the store is closed")

// Store is a catalog in one file.
type Store struct {
	path    string // As it was given; problems name it.
	now     func() time.Time
	changed chan struct{}
	stop    context.CancelFunc
	done    chan struct{} // Closed when the watch has ended.

	current atomic.Pointer[state]

	mu     sync.Mutex // Held while the file is read or written, and by nobody who only asks for the catalog.
	closed bool
	// doubted is a broken content that was seen once, and may yet become whole.
	doubted *[sha256.Size]byte
}

// state is what is known of the file at one time. It is never changed, only followed by another.
type state struct {
	catalog  *providers.Catalog
	sum      [sha256.Size]byte // Of the content that the catalog was read from.
	warnings []providers.Problem

	seen     [sha256.Size]byte // Of the newest content, which is another one when that is broken.
	problems []providers.Problem
	err      error // Joins problems, or says why the file could not be read.
	failures uint64
	loaded   time.Time
}

// Status is what a store has to say about its file.
type Status struct {
	Revision string              // In force.
	Loaded   time.Time           // When it came into force.
	Problems []providers.Problem // Of the newest content of the file: why it is not in force, and warnings.
	Failures uint64              // How many contents were refused since the store was opened.
}

// Open reads the file at path and watches it from then on. The error holds all problems of a file that is not good to
// begin with.
func Open(path string) (*Store, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, now: time.Now, changed: make(chan struct{}, 1), done: make(chan struct{})}
	s.loadLocked(false)
	if s.current.Load().catalog == nil {
		return nil, s.current.Load().err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
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
	status := Status{Revision: now.catalog.Revision, Loaded: now.loaded, Problems: now.problems, Failures: now.failures}
	if now.err == nil {
		status.Problems = now.warnings
	}
	return status
}

// Reload reads the file now.
func (s *Store) Reload(ctx context.Context) (*providers.Catalog, error) {
	if err := ctx.Err(); err != nil {
		return s.current.Load().catalog, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.current.Load().catalog, errClosed
	}
	s.loadLocked(false)
	return s.Catalog(ctx)
}

// loadLocked reads the file and takes in what is new in it. A patient reader does not call a content broken until it
// has seen it twice, and is told to come again.
func (s *Store) loadLocked(patient bool) (again bool) {
	var sum [sha256.Size]byte // Zero: there is no content.
	var c *providers.Catalog
	var problems []providers.Problem
	now := s.current.Load()
	data, err := os.ReadFile(s.path)
	if err != nil {
		problems = []providers.Problem{{File: s.path, Line: 1, Message: "reading the catalog: " + reason(err)}}
	} else {
		sum = sha256.Sum256(data)
	}
	if now != nil && now.seen == sum {
		return false
	}
	if err == nil {
		changed := s.now()
		if info, err := os.Stat(s.path); err == nil {
			changed = info.ModTime()
		}
		c, problems = Parse(s.path, data, providers.Microseconds(changed))
	}
	if c == nil && patient && (s.doubted == nil || *s.doubted != sum) {
		s.doubted = &sum
		return true
	}
	s.doubted = nil
	next := &state{catalog: c, sum: sum, seen: sum, warnings: problems, loaded: s.now()}
	if now != nil {
		next.failures = now.failures
	}
	if c == nil {
		if now != nil {
			*next = *now
		}
		next.seen, next.problems, next.err = sum, problems, providers.Join(problems)
		next.failures++
	}
	s.publish(next)
	return false
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
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.stop()
	<-s.done
	close(s.changed)
	return nil
}

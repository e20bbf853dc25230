package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/voipbin/dialrouter/providers"
)

var errClosed = errors.New("the store is closed")

// Options say where the catalog is. URL is required.
type Options struct {
	URL string // Of the database: postgres://user@host/db.

	// SnapshotFile keeps the newest catalog, secrets included, for a restart while the database is away. "" keeps
	// none.
	SnapshotFile string

	Log  *slog.Logger  // Nil: nothing is logged.
	Poll time.Duration // How often the database is asked for changes, should a notice be lost. 0 is two seconds.
}

// defaultPoll is the poll of a store that was told none.
const defaultPoll = 2 * time.Second

// Store is a catalog in PostgreSQL. It implements providers.Store and providers.History.
type Store struct {
	cfg      *pgx.ConnConfig
	log      *slog.Logger
	poll     time.Duration
	snapshot string // The file's path.

	changed chan struct{}
	wake    chan struct{} // Asks for a look at the head.
	unsaved chan struct{} // A catalog is not in the snapshot file yet.
	stop    context.CancelFunc
	running sync.WaitGroup
	reading chan struct{} // Holds a token unless somebody reads the audit: one connection for all of them.

	current atomic.Pointer[state] // Stored by whoever has the turn.

	// turn holds a token unless somebody talks to the database, or closes the store. It guards what follows.
	turn     chan struct{}
	closed   bool
	conn     *pgx.Conn // Nil: none yet, or it broke.
	migrated bool      // The schema was seen to be as it should be.
}

// state is what is in force. It is never changed, only followed by another.
type state struct {
	catalog *providers.Catalog // Nil only while a store is being opened.
	at      position           // Zero: the catalog is that of the snapshot file.
	err     error              // Why there may be a newer one.
}

// Open connects to the database, brings its schema up to date, reads the catalog and follows it from then on. When the
// database cannot be used and there is a snapshot file of it, that is in force until it can; Catalog tells why.
func Open(ctx context.Context, o Options) (*Store, error) {
	cfg, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: o.Log, poll: o.Poll, snapshot: o.SnapshotFile,
		changed: make(chan struct{}, 1), wake: make(chan struct{}, 1), unsaved: make(chan struct{}, 1),
		reading: make(chan struct{}, 1), turn: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.poll <= 0 {
		s.poll = defaultPoll
	}
	removeLeftovers(s.snapshot, time.Now())
	saved, serr := loadSnapshot(s.snapshot, source(cfg))
	s.current.Store(&state{catalog: saved})
	opening, cancel := context.WithTimeout(ctx, migratePatience)
	defer cancel()
	if err := s.syncLocked(opening); err != nil {
		s.hangUpLocked()
		if saved == nil {
			return nil, errors.Join(err, serr)
		}
		s.troubleLocked(err)
		s.log.Warn("the catalog is that of the snapshot file", "file", s.snapshot, "revision", saved.Revision)
	}
	s.turn <- struct{}{}
	s.reading <- struct{}{}
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.watch(running) })
	s.running.Go(func() { s.listen(running) })
	s.running.Go(func() { s.save(running) })
	return s, nil
}

// Catalog returns the newest revision that is known; the error tells why there may be a newer one.
func (s *Store) Catalog(context.Context) (*providers.Catalog, error) {
	now := s.current.Load()
	return now.catalog, now.err
}

// Changed delivers a value after each change of what Catalog returns, coalesced.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// Reload looks for a newer revision now.
func (s *Store) Reload(ctx context.Context) (*providers.Catalog, error) {
	if err := s.take(ctx, patience); err != nil {
		return s.current.Load().catalog, err
	}
	defer s.release()
	if err := s.syncLocked(ctx); err != nil {
		return s.current.Load().catalog, err
	}
	return s.Catalog(ctx)
}

// take waits for the store's turn.
func (s *Store) take(ctx context.Context, most time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w: others were waiting for it too long", providers.ErrUnavailable)
	case <-s.turn:
	}
	if s.closed {
		s.release()
		return errClosed
	}
	return nil
}

func (s *Store) release() { s.turn <- struct{}{} }

// publishLocked puts a catalog in force.
func (s *Store) publishLocked(c *providers.Catalog, at position) {
	old := s.current.Load()
	if old.err == nil && old.at == at {
		return
	}
	if old.err != nil {
		s.log.Info("the database is back", "revision", at.revision)
	}
	s.current.Store(&state{catalog: c, at: at})
	kick(s.changed)
	if old.at != at {
		kick(s.unsaved)
	}
}

// troubleLocked keeps the catalog and notes why there may be a newer one. The first reason stays: what follows from it
// reads differently each time, and is the same trouble. Whoever asks for the catalog gets it, and logs it.
func (s *Store) troubleLocked(err error) {
	old := s.current.Load()
	if old.err != nil {
		return
	}
	s.current.Store(&state{catalog: old.catalog, at: old.at, err: err})
	kick(s.changed)
}

// kick leaves a notice unless there is one already: whoever reads that finds this state.
func kick(notices chan struct{}) {
	select {
	case notices <- struct{}{}:
	default:
	}
}

// Close ends the watch, and keeps the newest catalog in the snapshot file.
func (s *Store) Close() error {
	<-s.turn
	closed := s.closed
	s.closed = true
	s.release()
	if closed {
		return nil
	}
	s.stop()
	s.running.Wait()
	<-s.turn
	s.hangUpLocked()
	s.release()
	close(s.changed)
	return nil
}

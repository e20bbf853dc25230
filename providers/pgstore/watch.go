package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// retry is how often a database that is away is tried.
	retry = time.Second

	// checkListener is how often the listening connection is asked for a sign of life when nothing was heard.
	checkListener = 10 * time.Second
)

// watch looks at the head on each notice and from time to time, until ctx is done.
func (s *Store) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		next := s.poll
		if s.look(ctx) != nil {
			next = min(s.poll, retry)
		}
		timer.Reset(next)
	}
}

func (s *Store) look(ctx context.Context) error {
	if err := s.take(ctx, readPatience); err != nil {
		return err
	}
	defer s.release()
	return s.syncLocked(ctx)
}

// syncLocked brings what is in force to the newest revision.
func (s *Store) syncLocked(ctx context.Context) error {
	now := s.current.Load()
	next, at := now.catalog, now.at
	err := s.doLocked(ctx, func(conn *pgx.Conn) error {
		asking, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		head, err := readHead(asking, conn)
		if err != nil || head == now.at {
			return err
		}
		next, at, err = readNewest(ctx, conn, now.at, now.catalog)
		return err
	})
	switch {
	case err == nil:
		s.publishLocked(next, at)
	case ctx.Err() == nil: // Else somebody gave up, which says nothing of the database.
		s.troubleLocked(err)
	}
	return err
}

// listen hears of changes over a connection of its own, until ctx is done.
func (s *Store) listen(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		// Why is not worth a line of its own: what matters, that the catalog cannot be read, is said by watch.
		err := s.hear(ctx)
		s.log.Debug("not listening for changes", "error", err)
		pause.Reset(retry / 2)
	}
}

// hear listens until something fails.
func (s *Store) hear(ctx context.Context) error {
	within := func(most time.Duration, do func(context.Context) error) error {
		limited, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		return do(limited)
	}
	conn, err := connect(ctx, s.cfg, patience)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	err = within(patience, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "listen dialrouter")
		return err
	})
	if err != nil {
		return err
	}
	for {
		kick(s.wake) // What changed before anybody listened is looked for, too.
		for heard := false; !heard; {
			err := within(checkListener, func(ctx context.Context) error {
				_, err := conn.WaitForNotification(ctx)
				return err
			})
			switch {
			case err == nil:
				heard = true
			case ctx.Err() != nil || conn.IsClosed():
				return err
			default:
				if err := within(patience, conn.Ping); err != nil {
					return err
				}
			}
		}
	}
}

package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/voipbin/dialrouter/providers"
)

const (
	// patience is how long the database may take to connect and answer before it counts as away. A change is refused
	// after that.
	patience = 3 * time.Second

	// firstPatience is how long the database may take to be connected to by who has no other catalog.
	firstPatience = 10 * time.Second

	// impatience is how long a change waits for its turn while the database is known to be away, and somebody is
	// finding out whether it is back.
	impatience = 500 * time.Millisecond

	// readPatience is how long reading a page of the audit may take.
	readPatience = 30 * time.Second

	// migratePatience is how long changing the schema may take, which includes waiting for another router that does.
	migratePatience = 30 * time.Second

	// goodbye is how long closing a connection may take.
	goodbye = 500 * time.Millisecond
)

// beginWrite begins a transaction for changes, whatever the defaults of the database are. A router that stops in the
// middle of one must not keep the others from writing: the server ends it. Waiting for another's change ends at the
// server before patience does, which keeps the connection.
const beginWrite = `begin isolation level read committed read write;
	set local lock_timeout = '2500ms'; set local idle_in_transaction_session_timeout = '10s'`

// parse reads a connection URL and prepares what all connections share.
func parse(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database's URL: %w", err) // Passwords are not in the text.
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "dialrouter"
	}
	return cfg, nil
}

// source names the database without a secret in it.
func source(cfg *pgx.ConnConfig) string {
	return net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))) + "/" + cfg.Database
}

// connect makes a connection. All addresses of a URL get their share of the time, so that one that does not answer
// leaves some for the next.
func connect(ctx context.Context, cfg *pgx.ConnConfig, most time.Duration) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	cfg = cfg.Copy()
	if share := most / time.Duration(1+len(cfg.Fallbacks)); cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > share {
		cfg.ConnectTimeout = share
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, &connectError{err}
	}
	return conn, nil
}

// connectError says in one line why there is no connection. The text of the cause has a line for each address and
// names the user, and what it says is shown to whoever asks whether the router is ready.
type connectError struct{ cause error }

func (e *connectError) Error() string {
	const prefix = "connecting to the database: "
	if failed, ok := errors.AsType[*pgconn.PgError](e.cause); ok {
		return prefix + failed.Message
	}
	if failed, ok := errors.AsType[*net.OpError](e.cause); ok && !failed.Timeout() {
		return prefix + failed.Err.Error()
	}
	if failed, ok := errors.AsType[*net.DNSError](e.cause); ok {
		return prefix + failed.Err
	}
	if errors.Is(e.cause, context.DeadlineExceeded) {
		return prefix + "no answer"
	}
	return prefix + "it does not work; the log of the database may say more"
}

func (e *connectError) Unwrap() error { return e.cause }

// refusal is an error that is not the database's: the change does not want to be made, or cannot.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// doLocked works with the store's connection, and makes one if there is none. What fails on a connection that was made
// earlier, and may have died since, is tried once more on a new one, so work must begin anew each time. The error is
// one of providers' or ctx's.
func (s *Store) doLocked(ctx context.Context, work func(*pgx.Conn) error) error {
	for {
		reused := s.conn != nil && !s.conn.IsClosed()
		if !reused {
			if err := s.connectLocked(ctx); err != nil {
				if errors.Is(ctx.Err(), context.Canceled) {
					return ctx.Err()
				}
				return unavailable(err)
			}
		}
		err := work(s.conn)
		if err == nil {
			return nil
		}
		if refused, ok := errors.AsType[refusal](err); ok {
			return refused.error
		}
		s.hangUpLocked()
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		if !reused || ctx.Err() != nil || errors.Is(err, errUnknown) {
			return unavailable(err)
		}
	}
}

// connectLocked makes the connection that reads and writes, to a database whose schema is as it should be.
func (s *Store) connectLocked(ctx context.Context) error {
	s.hangUpLocked()
	most := patience
	if s.current.Load().catalog == nil {
		most = firstPatience
	}
	conn, err := connect(ctx, s.cfg, most)
	if err != nil {
		return err
	}
	s.conn = conn
	if s.migrated {
		return nil
	}
	// In a database that lost its catalog no empty one is made under a router that still has it.
	if err := migrate(ctx, conn, s.current.Load().catalog == nil); err != nil {
		s.hangUpLocked()
		return err
	}
	s.migrated = true
	return nil
}

func (s *Store) hangUpLocked() {
	hangUp(s.conn)
	s.conn = nil
}

func hangUp(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = conn.Close(ctx) // There is nobody to tell: it may be the server that is gone.
}

// unavailable classes an error of the database: what needs a person's hand is not to be tried again.
func unavailable(err error) error {
	if err == nil || errors.Is(err, providers.ErrInvalid) {
		return err
	}
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch failed.Code {
		case "42501", "25006": // insufficient_privilege, read_only_sql_transaction.
			return fmt.Errorf("%w: %w", providers.ErrReadOnly, err)
		}
	}
	if errors.Is(err, context.Canceled) { // By us, because nothing came. It is not that the caller gave up.
		return fmt.Errorf("%w: it does not answer: %v", providers.ErrUnavailable, err) //nolint:errorlint // See above.
	}
	return fmt.Errorf("%w: %w", providers.ErrUnavailable, err)
}

//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/voipbin/dialrouter/providers/storetest"
)

// A slow database is let run for a share of each period.
const (
	slowPeriod = 200 * time.Millisecond
	slowShare  = 20 * time.Millisecond
)

// runStore takes the database away from a router in several ways while it carries calls.
func runStore(ctx context.Context, b *bench) (err error) {
	db, err := storetest.StartPostgres()
	if err != nil {
		return fmt.Errorf("%w: %w", errSkipped, err)
	}
	defer db.Destroy()
	url, err := db.NewDatabase(ctx)
	if err != nil {
		return err
	}
	c, n, err := b.carried(ctx, parties(), settings{catalog: fmt.Sprintf("{postgres: %q}", url)}, "")
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { err = errors.Join(err, n.stop()) }()
	w, err := n.seed(ctx, c)
	if err != nil {
		return err
	}
	for _, f := range []fault{
		{
			what: "database killed",
			during: func(ctx context.Context, d time.Duration) error {
				db.Stop(syscall.SIGKILL)
				return pause(ctx, d)
			},
			end: db.Start,
		},
		{
			what: "database hangs",
			during: func(ctx context.Context, d time.Duration) error {
				return errors.Join(db.Freeze(), pause(ctx, d))
			},
			end: func() error { db.GoOn(); return nil },
		},
		{
			what:   "database slow",
			during: func(ctx context.Context, d time.Duration) error { return slow(ctx, db, d) },
			end:    func() error { db.GoOn(); return nil },
		},
	} {
		if err := b.through(ctx, c, w, f); err != nil {
			return fmt.Errorf("%s: %w", f.what, err)
		}
	}
	return nil
}

// slow lets the database run for a tenth of the time.
func slow(ctx context.Context, db *storetest.Postgres, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := errors.Join(db.Freeze(), pause(ctx, slowPeriod-slowShare)); err != nil {
			return err
		}
		db.GoOn()
		if err := pause(ctx, slowShare); err != nil {
			return err
		}
	}
	return nil
}

package host

import (
	"context"
	"errors"
	"io"
	"os"
)

// BurnCommand is the subcommand that a program must have for Burners: it calls Burn.
const BurnCommand = "burn"

// Burn counts until ctx ends.
func Burn(ctx context.Context) {
	for n := 0; ; n++ {
		if n%(1<<20) == 0 && ctx.Err() != nil {
			return
		}
	}
}

// Burners starts programs that only count, so that whoever shares their place saturates before others do. The kernel gives
// each session the same share where sched_autogroup_enabled is 1; elsewhere a program with more threads gets more.
func Burners(ctx context.Context, self string, n int, at Placement) (stop func() error, err error) {
	var started []*Program
	stop = func() error {
		var errs []error
		for _, p := range started {
			errs = append(errs, p.Stop())
		}
		return errors.Join(errs...)
	}
	for range n {
		p, err := Start(ctx, []string{self, BurnCommand}, at, nil, io.Discard, os.Stderr)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		started = append(started, p)
	}
	return stop, nil
}

// FairSessions tells whether the kernel gives each session the same share of a core.
func FairSessions() bool {
	b, err := os.ReadFile("/proc/sys/kernel/sched_autogroup_enabled")
	return err == nil && len(b) > 0 && b[0] == '1'
}

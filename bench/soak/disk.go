//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// runDisk fills the disk that the catalog's file and the file of calls are on.
func runDisk(ctx context.Context, b *bench) (err error) {
	disk := filepath.Join(b.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=4m"); err != nil {
		return fmt.Errorf("%w: a small disk cannot be mounted here: %w", errSkipped, err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(disk, unix.MNT_DETACH)) }()
	catalog := filepath.Join(disk, "providers.yaml")
	if err := os.WriteFile(catalog, []byte("providers: []\n"), 0o600); err != nil {
		return err
	}
	c, n, err := b.carried(ctx, parties(), settings{
		catalog: fmt.Sprintf("{file: %q}", catalog), more: fmt.Sprintf("calls: {file: %q, max_size: 64KiB, max_files: 2}\n", filepath.Join(disk, "calls.jsonl")),
	}, "")
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { err = errors.Join(err, n.stop()) }()
	w, err := n.seed(ctx, c)
	if err != nil {
		return err
	}
	filler := filepath.Join(disk, "filler")
	if err := b.through(ctx, c, w, fault{
		what: "disk full",
		during: func(ctx context.Context, d time.Duration) error {
			for end := time.Now().Add(d); time.Now().Before(end); { // What is freed is taken again.
				if err := errors.Join(fill(filler), pause(ctx, 20*time.Millisecond)); err != nil {
					return err
				}
			}
			return nil
		},
		end: func() error { return os.Remove(filler) },
	}); err != nil {
		return err
	}
	if err := n.stop(); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, b.Binary, "check", "--config", filepath.Join(n.dir, "dialrouter.yaml")).CombinedOutput()
	b.note(err == nil, "disk full: the catalog's file afterwards", lastLine(out), "no problems")
	return nil
}

// lastLine is what a program said at its end.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	_, last, _ := strings.Cut(lines[len(lines)-1], ": ") // Without the file's path.
	return last
}

// fill appends to a file until nothing more fits.
func fill(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 1} {
		for b := make([]byte, size); err == nil; {
			_, err = f.Write(b)
		}
		if !errors.Is(err, unix.ENOSPC) {
			return err
		}
		err = nil
	}
	return nil
}

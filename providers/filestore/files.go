package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// place names the files that belong to a catalog's file. They lie beside it, and belong to the machine:
//
//	providers.yaml                 the catalog
//	providers.yaml.lock            locked by whoever writes
//	providers.yaml.audit.jsonl     see journal
//	providers.yaml.history/17.yaml what the catalog was from change 17 on
//	.providers.yaml.18.tmp         change 18, being written
type place struct{ file string }

func (p place) lock() string    { return p.file + ".lock" }
func (p place) journal() string { return p.file + ".audit.jsonl" }
func (p place) history() string { return p.file + ".history" }

func (p place) copyOf(n int64) string {
	return filepath.Join(p.history(), strconv.FormatInt(n, 10)+".yaml")
}

func (p place) temp(n int64) string {
	folder, name := filepath.Split(p.file)
	return filepath.Join(folder, "."+name+"."+strconv.FormatInt(n, 10)+".tmp")
}

// temps lists what writers that were killed left behind, by the number of their change.
func (p place) temps() map[int64]string {
	folder, name := filepath.Split(p.file)
	found, err := filepath.Glob(filepath.Join(escapeGlob(folder), "."+escapeGlob(name)+".*.tmp"))
	if err != nil {
		return nil
	}
	temps := make(map[int64]string, len(found))
	for _, path := range found {
		number := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "."+name+"."), ".tmp")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			temps[n] = path
		}
	}
	return temps
}

// own gives a file that was made beside the catalog the catalog's owner: an administrator's command must not leave
// behind what the router then cannot write.
func (p place) own(path string) {
	if os.Geteuid() != 0 {
		return
	}
	var catalog, made unix.Stat_t
	if unix.Stat(p.file, &catalog) != nil || unix.Lstat(path, &made) != nil {
		return
	}
	if catalog.Uid != made.Uid || catalog.Gid != made.Gid {
		_ = os.Lchown(path, int(catalog.Uid), int(catalog.Gid)) // Without the right to, it stays as it is.
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Copies are kept of the newest changes: so many, and so many bytes.
const (
	keepCopies = 200
	keepBytes  = 64 << 20
)

// keep stores what the catalog is from change n on, and removes copies that are too old. The copy need not be on disk
// at once: it is for restoring, and one that is not whole is known by its revision.
func (p place) keep(n int64, content []byte) error {
	if err := os.MkdirAll(p.history(), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(p.copyOf(n), content, 0o600); err != nil {
		return err
	}
	p.own(p.history())
	p.own(p.copyOf(n))
	entries, err := os.ReadDir(p.history())
	if err != nil {
		return err
	}
	type kept struct{ n, size int64 }
	var all []kept
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), ".yaml")
		if n, err := strconv.ParseInt(number, 10, 64); ok && err == nil {
			if info, err := e.Info(); err == nil {
				all = append(all, kept{n, info.Size()})
			}
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return int(b.n - a.n) })
	total := int64(0)
	for i, k := range all {
		total += k.size
		if i >= 2 && (i >= keepCopies || total > keepBytes) {
			if err := os.Remove(p.copyOf(k.n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// kept returns what the catalog was from change n on, if it still is what had that revision.
func (p place) kept(n int64, rev string) ([]byte, bool) {
	content, err := os.ReadFile(p.copyOf(n))
	return content, err == nil && revision(content) == rev
}

// lockFile waits until no other process writes the catalog, and returns what ends that.
func lockFile(ctx context.Context, path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for another writer of the catalog: %w", ctx.Err())
		case <-retry.C:
		}
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		retry.Reset(2 * time.Millisecond)
	}
}

// writeSynced writes a file that is on disk when it returns.
func writeSynced(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// errRaced says that somebody wrote the file while a change was being made. What they wrote is in place.
var errRaced = errors.New("the file was edited meanwhile")

// swap puts temp, which holds content, in the place of file, unless that is not what it was expected to be. The two
// change places in one step, so that what was displaced can be looked at: an edit by hand that came between the last
// look and the swap is put back. Tests are let in before each step.
func swap(temp, file string, content, expected []byte, before func(step string) error) error {
	if same, err := holds(file, expected); err != nil || !same {
		return errors.Join(err, errRaced)
	}
	if err := before("exchange"); err != nil {
		return err
	}
	err := exchange(temp, file)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return os.Rename(temp, file) // A file system that cannot: the moment since the look stays open.
	}
	if err != nil {
		return fmt.Errorf("putting %s in place: %w", file, err)
	}
	if same, err := holds(temp, expected); err == nil && same {
		return nil
	}
	if err := errors.Join(before("back"), exchange(temp, file)); err != nil {
		return fmt.Errorf("putting back an edit of %s: %w", file, err)
	}
	if same, err := holds(temp, content); err == nil && same {
		return errRaced
	}
	// The file was edited once more in the meantime. The newer edit is to be in force; the older one, which may not be
	// in it, is kept aside.
	if err := exchange(temp, file); err != nil {
		return fmt.Errorf("putting back an edit of %s: %w", file, err)
	}
	return errors.Join(errRaced, os.Rename(temp, file+".rescued-"+strconv.FormatInt(time.Now().UnixMicro(), 10)))
}

// holds says whether a file's content is the given one, without having it whole.
func holds(path string, content []byte) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	piece := make([]byte, 64<<10)
	for {
		n, err := f.Read(piece)
		if n > len(content) || !bytes.Equal(piece[:n], content[:n]) {
			return false, nil
		}
		content = content[n:]
		if errors.Is(err, io.EOF) {
			return len(content) == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// exchange lets two files change places in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

const (
	// raceLimit is how often a change is made anew because the file was edited in its last moment.
	raceLimit = 100

	// verifyLimit is the size up to which a content is read back whole before it is written. Above it each entry that
	// was changed still is.
	verifyLimit = 1 << 20
)

// Update makes a change upon what the file says now, edits by hand included. A file that is broken is not written to:
// ErrInvalid.
func (s *Store) Update(
	ctx context.Context, by providers.Actor, change func(*providers.Draft) error,
) (*providers.Catalog, error) {
	return s.write(ctx, func(now *state, on *text) (*revised, error) {
		d := providers.NewDraft(now.catalog, s.now())
		if err := change(d); err != nil {
			return nil, err
		}
		if len(d.Changes()) == 0 {
			return nil, nil //nolint:nilnil // Nothing to write is no error.
		}
		after, err := settleDraft(d, now.index)
		if err != nil {
			return nil, err
		}
		content, ix, err := rewrite(on, now.index, d.Changes(), after)
		if err != nil {
			return nil, err
		}
		after.Revision = revision(content)
		r := &revised{by: by, content: content, catalog: after, index: ix, changes: d.Changes()}
		if len(content) > verifyLimit {
			return r, nil
		}
		again, _, problems := read(s.path, content, after.Revision, s.journal)
		if again == nil {
			return nil, fmt.Errorf("%w (%w)", errHarm, providers.Join(problems))
		}
		if err := sameCatalog(after, again); err != nil {
			return nil, fmt.Errorf("%w (%w)", errHarm, err)
		}
		r.warnings = problems
		return r, nil
	})
}

// revised is a change that is ready to be written.
type revised struct {
	by      providers.Actor
	content []byte
	catalog *providers.Catalog
	index   index
	changes []providers.Change

	warnings []providers.Problem
}

// write makes one change of the file. The change is composed upon the state and the content of the file at that time;
// nil is no change.
func (s *Store) write(
	ctx context.Context, compose func(now *state, on *text) (*revised, error),
) (*providers.Catalog, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	release, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for range raceLimit {
		on, err := s.readWhole(ctx)
		if err != nil {
			return nil, err
		}
		c, err := s.writeLocked(on, compose)
		if !errors.Is(err, errRaced) {
			return c, err
		}
	}
	return nil, fmt.Errorf("%w: %w", providers.ErrUnavailable, errRaced)
}

// readWhole reads the file, and gives a hand that writes it just now the time to end.
func (s *Store) readWhole(ctx context.Context) (*text, error) {
	until := time.Now().Add(secondThought)
	retry := time.NewTicker(settle)
	defer retry.Stop()
	for {
		patient := time.Now().Before(until)
		content, again := s.readLocked(patient, nil)
		if !patient || !again && s.current.Load().err == nil {
			return content, nil
		}
		s.doubted = nil // Else the next reading would call it broken for good.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-retry.C:
		}
	}
}

// writeLocked makes a change upon what the file held a moment ago.
func (s *Store) writeLocked(
	on *text, compose func(now *state, on *text) (*revised, error),
) (*providers.Catalog, error) {
	now := s.current.Load()
	if now.err != nil {
		return nil, fmt.Errorf("%w: %w", providers.ErrInvalid, now.err)
	}
	if s.journal.revision != now.catalog.Revision {
		// It could not be written when the file was read, or was taken away since.
		if err := s.noteEdit(on.data, now.catalog, s.changedAt(s.path), true); err != nil {
			return nil, readOnly(fmt.Errorf("writing the journal: %w", err))
		}
	}
	r, err := compose(now, on)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return now.catalog, nil
	}
	if err := s.commit(on.data, r); err != nil {
		return nil, readOnly(err)
	}
	next := &state{
		catalog: r.catalog, index: r.index, text: &text{data: r.content}, loaded: s.now(), failures: now.failures,
		warnings: r.warnings,
	}
	s.publish(next)
	return r.catalog, nil
}

// commit puts a change in force, or leaves everything as it was. The order is what makes it whole whenever the
// machine stops (recover does the rest):
//
//	1 the new content is on disk, under another name
//	2 a copy of it is in the history
//	3 the journal has the change
//	4 the new content takes the file's place     <- from here on the change is made
//	5 the folder is on disk
//	6 the old content is removed
func (s *Store) commit(data []byte, r *revised) (err error) {
	at, j := s.place(), s.journal
	n, offset := j.n+1, j.size
	text, err := j.lines(line{Time: providers.FormatTime(s.now()), By: r.by, Revision: r.catalog.Revision}, r.changes)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, j.takeBack(offset), remove(at.copyOf(n)), remove(at.temp(n)))
	}()
	steps := []struct {
		name string
		do   func() error
	}{
		{"content", func() error { return s.writeContent(at, n, r.content) }},
		{"copy", func() error { return at.keep(n, r.content) }},
		{"journal", func() error { return j.append(text) }},
		{"swap", func() error { return swap(at.temp(n), at.file, r.content, data, s.before) }},
	}
	for _, step := range steps {
		if err := s.before(step.name); err != nil {
			return err
		}
		if err := step.do(); err != nil {
			return err
		}
	}
	if err := errors.Join(s.before("folder"), syncFolder(filepath.Dir(at.file))); err != nil {
		// What is not known to last must not be called made. It is taken back, if that can be done at all.
		if exchange(at.temp(n), at.file) == nil {
			return fmt.Errorf("writing the folder: %w", err)
		}
	}
	if s.before("remove") == nil {
		_ = remove(at.temp(n)) // Else whoever writes next removes it.
	}
	if err := j.refresh(); err != nil {
		return nil //nolint:nilerr // The change is made; whoever writes next reads the journal, or fails.
	}
	if j.size > rotateAt {
		_ = j.rotate(s.now()) // Else it goes on growing, and is tried again.
	}
	return nil
}

// before lets a test fail or stop ahead of a step.
func (s *Store) before(step string) error {
	if s.step == nil {
		return nil
	}
	return s.step(step)
}

// writeContent writes the new content beside the file, with the file's permissions.
func (s *Store) writeContent(at place, n int64, content []byte) error {
	info, err := os.Stat(at.file)
	if err != nil {
		return err
	}
	temp := at.temp(n)
	if err := writeSynced(temp, content, info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Chmod(temp, info.Mode().Perm()); err != nil { // The mask of the process may have narrowed it.
		return err
	}
	at.own(temp)
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

package filestore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/providers"
)

// lockWait bounds how long reading the file waits for another process to write it. Reading goes on without then, and
// what was edited is noted the next time.
const lockWait = 2 * time.Second

// loadLocked reads the file and takes in what is new in it. A patient reader does not call a content broken until it
// has seen it twice, and is told to come again. The caller has the store's turn.
func (s *Store) loadLocked(ctx context.Context, patient bool) (again bool) {
	now := s.current.Load()
	if data, err := os.ReadFile(s.path); err == nil && now != nil && now.text.is(data) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	release, noJournal := s.begin(ctx)
	if noJournal == nil {
		defer release()
	}
	_, again = s.readLocked(patient, noJournal)
	return again
}

// begin keeps other processes from writing, and brings the journal up to date with what they wrote.
func (s *Store) begin(ctx context.Context) (release func(), err error) {
	at := s.place()
	if s.journal == nil || s.journal.path != at.journal() {
		s.journal = newJournal(at.journal())
	}
	release, err = lockFile(ctx, at.lock())
	if err == nil {
		at.own(at.lock())
		if err = s.recover(at); err != nil {
			release()
		}
	}
	return release, readOnly(err)
}

// readOnly tells those errors that will not go away by trying again.
func readOnly(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%w: %w", providers.ErrReadOnly, err)
	}
	return err
}

// readLocked is loadLocked with the lock file taken, unless there is no journal because of noJournal. It returns what
// it read.
func (s *Store) readLocked(patient bool, noJournal error) (content *text, again bool) {
	now := s.current.Load()
	var sum [sha256.Size]byte // Zero: there is no content.
	var c *providers.Catalog
	var ix index
	var problems []providers.Problem
	data, err := os.ReadFile(s.path)
	if err == nil {
		if now != nil && now.text.is(data) {
			return now.text, false
		}
		sum, content = sha256.Sum256(data), &text{data: data}
	} else if now != nil && now.text == nil {
		return nil, false
	}
	changed := s.changedAt(s.path)
	if err == nil {
		if s.journal.n == 0 && s.journal.baseline.IsZero() {
			s.journal.baseline = changed
		}
		c, ix, problems = read(s.path, data, revisionOf(sum), s.journal)
	} else {
		problems = []providers.Problem{{File: s.path, Line: 1, Message: "reading the catalog: " + reason(err)}}
	}
	if c == nil && patient && (s.doubted == nil || *s.doubted != sum) {
		s.doubted = &sum
		return content, true
	}
	s.doubted = nil
	next := &state{catalog: c, index: ix, text: content, warnings: problems, loaded: s.now()}
	if now != nil {
		next.failures = now.failures
	}
	if c == nil {
		if now != nil {
			*next = *now
		}
		next.text, next.problems, next.err = content, problems, providers.Join(problems)
		next.failures++
	} else {
		next.journal = errors.Join(noJournal, s.noteEdit(data, c, changed, noJournal == nil))
	}
	s.publish(next)
	return content, false
}

// noteEdit gives the entries that a hand changed their times, and writes the edit to the journal.
func (s *Store) noteEdit(data []byte, c *providers.Catalog, changed time.Time, write bool) error {
	j, at := s.journal, s.place()
	if write && j.revision == c.Revision {
		return nil // Written by the API, perhaps of another process, which noted it.
	}
	head := line{Time: providers.FormatTime(changed), By: providers.Actor{Name: "file"}, Verb: verbEdit, Revision: c.Revision}
	var changes []providers.Change
	if base := s.base(at); base != nil && base != c {
		changes = providers.Difference(base, c, changed)
		for i := range changes {
			ch := &changes[i]
			j.note(ch.Kind, ch.Verb, ch.ID, ch.Name(), timesAfter(ch))
		}
	}
	if !write {
		return nil
	}
	if j.n == 0 {
		// There is no journal, or none any more: then what is known of the entries is in the catalog.
		changes = nil
		head.Verb = verbBaseline
		for i := range c.Providers {
			j.noteUnlessBaseline(c.Providers[i].ID, stampPair{c.Providers[i].TmCreate, c.Providers[i].TmUpdate})
		}
		for i := range c.Routes {
			j.noteUnlessBaseline(c.Routes[i].ID, stampPair{c.Routes[i].TmCreate, c.Routes[i].TmUpdate})
		}
		maps.Copy(j.deleted, c.DeletedNames)
		j.remember(&head)
	}
	text, err := j.lines(head, changes)
	if err == nil {
		err = at.keep(j.n+1, data)
	}
	if err == nil {
		err = j.append(text)
	}
	if err != nil {
		return err
	}
	at.own(j.path)
	return j.refresh()
}

// base returns the catalog before an edit: the one in force, or after a start the one that was in force last.
func (s *Store) base(at place) *providers.Catalog {
	j := s.journal
	now := s.current.Load()
	if now != nil && (j.n == 0 || now.catalog.Revision == j.revision) {
		return now.catalog
	}
	content, ok := at.kept(j.n, j.revision)
	if !ok {
		return nil
	}
	c, _, _ := read(s.path, content, j.revision, j)
	return c
}

// recover ends what a writer left undone that was killed: a change that stands in the journal and not in the file
// never was. It is for one who has the lock file.
func (s *Store) recover(at place) error {
	j := s.journal
	if err := j.refresh(); err != nil {
		return err
	}
	for n, temp := range at.temps() {
		content, err := os.ReadFile(temp)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(at.file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		is, file := revision(content), revision(data)
		switch {
		case n != j.n || is == j.from:
			// Not in the journal yet, or in the file already: this is what was there before.
		case is == j.revision && file == j.from:
			if err := j.takeBack(j.offset); err != nil {
				return err
			}
			if err := os.Remove(at.copyOf(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		case is != j.revision:
			// An edit by hand that the change displaced in its last moment, and was killed before it put it back.
			if err := os.Rename(temp, at.file+".rescued-"+itoa(int(n))); err != nil {
				return err
			}
			continue
		}
		if err := os.Remove(temp); err != nil {
			return err
		}
	}
	return nil
}

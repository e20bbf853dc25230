package filestore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"github.com/voipbin/dialrouter/providers"
)

// Audit returns the changes before a number, the newest first. Edits by hand are among them, by "file".
func (s *Store) Audit(ctx context.Context, before int64, limit int) ([]providers.Revision, error) {
	var found []providers.Revision
	err := eachRevision(ctx, s.place(), func(r providers.Revision) {
		if before > 0 && r.N >= before {
			return
		}
		if found = append(found, r); len(found) > limit {
			found = found[1:]
		}
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	return found, nil
}

// Restore puts the content of the file after change n in force again.
func (s *Store) Restore(ctx context.Context, by providers.Actor, n int64) (*providers.Catalog, error) {
	wanted := ""
	err := eachRevision(ctx, s.place(), func(r providers.Revision) {
		if r.N == n {
			wanted = r.Revision
		}
	})
	if err != nil {
		return nil, err
	}
	return s.write(ctx, func(now *state, on *text) (*revised, error) {
		content, ok := s.place().kept(n, wanted)
		if !ok {
			return nil, fmt.Errorf("revision %d: %w", n, providers.ErrNotFound)
		}
		if on.is(content) {
			return nil, nil //nolint:nilnil // Nothing to write is no error.
		}
		c, ix, problems := read(s.path, content, revision(content), s.journal)
		if c == nil {
			return nil, fmt.Errorf("revision %d: %w: %w", n, providers.ErrInvalid, providers.Join(problems))
		}
		changes := providers.Difference(now.catalog, c, providers.Microseconds(s.now()))
		r := &revised{by: by, content: content, catalog: c, index: ix, changes: changes, warnings: problems}
		return r, nil
	})
}

// eachRevision calls each with the changes of the journal and of those put aside before it, the oldest first.
func eachRevision(ctx context.Context, at place, each func(providers.Revision)) error {
	for i := 1; ; i++ {
		path := at.journal() + "." + strconv.Itoa(i)
		last := false
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			path, last = at.journal(), true
		}
		if err := eachRevisionIn(ctx, path, each); err != nil {
			if last && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if last {
			return nil
		}
	}
}

func eachRevisionIn(ctx context.Context, path string, each func(providers.Revision)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, rotateAt*4)
	var r providers.Revision
	for lines := 0; scan.Scan(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		var l line
		if json.Unmarshal(scan.Bytes(), &l) != nil {
			return nil // Torn at its end: a change that is not made yet, or never was.
		}
		if l.Verb == verbCheckpoint {
			continue
		}
		if l.N != r.N {
			lines = 0
			r = providers.Revision{N: l.N, Time: parsed(l.Time), By: l.By, From: l.From, Revision: l.Revision}
		}
		if l.ID != "" {
			r.Entries = append(r.Entries, entryOf(&l))
		}
		if lines++; lines == l.Of {
			each(r)
		}
	}
	return scan.Err()
}

func entryOf(l *line) providers.AuditEntry {
	// What is no id cannot be there: we wrote it.
	e := providers.AuditEntry{Kind: l.Kind, Verb: l.Verb, Name: l.Name, Before: l.Before, After: l.After}
	_ = e.ID.UnmarshalText([]byte(l.ID))
	return e
}

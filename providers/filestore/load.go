package filestore

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// Load reads the file at path once, and what a Store noted of its entries, and writes nothing. The catalog is nil
// unless all problems are warnings.
func Load(path string) (*providers.Catalog, []providers.Problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, []providers.Problem{{File: path, Line: 1, Message: "reading the catalog: " + reason(err)}}
	}
	s := Store{path: path, now: time.Now}
	j := newJournal(s.place().journal())
	if err := j.refresh(); err != nil || j.n == 0 {
		j = newJournal(j.path)
		j.baseline = s.changedAt(path)
	}
	c, _, problems := read(path, data, revision(data), j)
	return c, problems
}

// Parse reads a file's content, which was changed last at the given time. The catalog is nil unless all problems
// are warnings.
func Parse(name string, data []byte, changed time.Time) (*providers.Catalog, []providers.Problem) {
	c, _, problems := read(name, data, revision(data), forgetful(changed))
	return c, problems
}

// read reads a file's content with what is remembered of its entries.
func read(name string, data []byte, rev string, m memory) (*providers.Catalog, index, []providers.Problem) {
	all, problems := parse(name, data)
	c, ix, more := assemble(name, rev, all, m)
	problems = append(problems, more...)
	slices.SortStableFunc(problems, func(a, b providers.Problem) int { return cmp.Compare(a.Line, b.Line) })
	for _, p := range problems {
		if !p.Warning {
			return nil, index{}, problems
		}
	}
	return c, ix, problems
}

// forgetful is the memory of one who never saw the file before: all entries are as old as the file.
type forgetful time.Time

func (f forgetful) times(uuid.UUID) (created, updated time.Time) { return time.Time(f), time.Time(f) }
func (forgetful) deletedName(uuid.UUID) string                   { return "" }

// revision names a content: it changes with every byte.
func revision(data []byte) string { return revisionOf(sha256.Sum256(data)) }

func revisionOf(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:8]) }

func itoa(n int) string { return strconv.Itoa(n) }

// reason returns what went wrong with a file without repeating its path.
func reason(err error) string {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err.Error()
	}
	return err.Error()
}

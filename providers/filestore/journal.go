package filestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// A journal lies beside the catalog's file: providers.yaml.audit.jsonl. It is the audit, and it is what is known of
// entries beyond the file: when they were made and changed, and what deleted providers were called.
//
//	{"n":1,"of":1,"verb":"baseline","time":...,"revision":"c0ffee..."}          the file when it was first seen
//	{"n":2,"of":2,...,"from":"c0ffee...","revision":"facade...","kind":"provider","verb":"create","id":...,"after":{}}
//	{"n":2,"of":2,...,"kind":"route","verb":"create",...}                         a change is a line for each entry
//	{"n":3,"of":1,...,"verb":"edit"}                                              by hand, and no entry is another one
//
// Lines of one change are written at once, before the file is (see commit); those of a change that did not make it
// into the file are taken back. When the journal has grown large it is put aside (.1, .2, ...) and goes on behind a
// line with verb "checkpoint", which has what is known up to there.
type journal struct {
	path string

	n        int64 // Of the last change; 0 is an empty journal.
	from     string
	revision string
	offset   int64       // Where the last change begins.
	size     int64       // What was read and understood.
	file     os.FileInfo // Of what was read, to notice another file in its place.

	baseline time.Time               // When entries that have no times of their own were made.
	stamps   map[uuid.UUID]stampPair // Of entries that were made or changed since.
	deleted  map[uuid.UUID]string    // Names of deleted providers.
}

type stampPair struct{ created, updated time.Time }

// line is one line of a journal.
type line struct {
	N        int64           `json:"n"`
	Of       int             `json:"of"`
	Time     string          `json:"time"`
	By       providers.Actor `json:"by"`
	From     string          `json:"from"`
	Revision string          `json:"revision"`

	Kind   providers.Kind  `json:"kind,omitempty"`
	Verb   providers.Verb  `json:"verb"`
	ID     string          `json:"id,omitempty"`
	Name   string          `json:"name,omitempty"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`

	Baseline string               `json:"baseline,omitempty"`
	Stamps   map[string][2]string `json:"stamps,omitempty"`
	Deleted  map[string]string    `json:"deleted,omitempty"`
}

// The verbs of lines that are about no entry.
const (
	verbBaseline   providers.Verb = "baseline"
	verbEdit       providers.Verb = "edit"
	verbCheckpoint providers.Verb = "checkpoint"
)

func newJournal(path string) *journal {
	return &journal{path: path, stamps: make(map[uuid.UUID]stampPair), deleted: make(map[uuid.UUID]string)}
}

// times implements memory.
func (j *journal) times(id uuid.UUID) (created, updated time.Time) {
	if s, ok := j.stamps[id]; ok {
		return s.created, s.updated
	}
	return j.baseline, j.baseline
}

// deletedName implements memory.
func (j *journal) deletedName(id uuid.UUID) string { return j.deleted[id] }

// refresh reads what was added to the journal since it was read last, by this process or another.
func (j *journal) refresh() error {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		if j.n > 0 {
			*j = *newJournal(j.path) // It was taken away, so another one begins.
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if j.file == nil || !os.SameFile(j.file, info) || info.Size() < j.size {
		*j = *newJournal(j.path)
	}
	j.file = info
	if info.Size() == j.size {
		return nil
	}
	data := make([]byte, info.Size()-j.size)
	if _, err := io.ReadFull(io.NewSectionReader(f, j.size, int64(len(data))), data); err != nil {
		return err
	}
	return j.read(data)
}

// read takes in whole changes from data, which begins where the last reading ended. What is torn at the end is left
// out, so that the next change is written over it.
func (j *journal) read(data []byte) error {
	var change []line
	at := j.size // Where the change at hand begins.
	next := at
	for len(data) > 0 {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		var l line
		if !whole || json.Unmarshal(text, &l) != nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return fmt.Errorf("%s: a line in the middle, at byte %d, is broken; put the file aside to begin another one",
					j.path, next)
			}
			return nil
		}
		if len(change) > 0 && change[0].N != l.N {
			change, at = nil, next // The rest of a change that was torn, and written over by a shorter one.
		}
		change = append(change, l)
		next += int64(len(text)) + 1
		data = rest
		if len(change) >= l.Of {
			j.take(change, at)
			j.size, at, change = next, next, nil
		}
	}
	return nil
}

// take notes one change.
func (j *journal) take(change []line, offset int64) {
	last := change[len(change)-1]
	j.n, j.from, j.revision, j.offset = last.N, last.From, last.Revision, offset
	for _, l := range change {
		switch l.Verb {
		case verbBaseline, verbCheckpoint:
			j.baseline = parsed(l.Baseline)
			for id, s := range l.Stamps {
				if id, err := uuid.Parse(id); err == nil {
					j.stamps[id] = stampPair{parsed(s[0]), parsed(s[1])}
				}
			}
			for id, name := range l.Deleted {
				if id, err := uuid.Parse(id); err == nil {
					j.deleted[id] = name
				}
			}
		case providers.VerbCreate, providers.VerbReplace, providers.VerbDelete:
			id, err := uuid.Parse(l.ID)
			if err != nil {
				continue
			}
			var times struct {
				Create string `json:"tm_create"`
				Update string `json:"tm_update"`
			}
			if json.Unmarshal(l.After, &times) == nil {
				j.note(l.Kind, l.Verb, id, l.Name, stampPair{parsed(times.Create), parsed(times.Update)})
			}
		}
	}
}

// note takes in what happened to one entry.
func (j *journal) note(kind providers.Kind, verb providers.Verb, id uuid.UUID, name string, s stampPair) {
	if verb == providers.VerbDelete {
		delete(j.stamps, id)
		if kind == providers.KindProvider {
			j.deleted[id] = name
		}
		return
	}
	j.stamps[id] = s
	delete(j.deleted, id)
}

func (j *journal) noteUnlessBaseline(id uuid.UUID, s stampPair) {
	if !s.created.Equal(j.baseline) || !s.updated.Equal(j.baseline) {
		j.stamps[id] = s
	}
}

// timesAfter returns the times of an entry as they are after a change.
func timesAfter(c *providers.Change) stampPair {
	if c.Kind == providers.KindProvider {
		return stampPair{c.ProviderAfter.TmCreate, c.ProviderAfter.TmUpdate}
	}
	return stampPair{c.RouteAfter.TmCreate, c.RouteAfter.TmUpdate}
}

func parsed(s string) time.Time {
	t, err := providers.ParseTime(s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// lines writes a change as it stands in the journal.
func (j *journal) lines(head line, changes []providers.Change) ([]byte, error) {
	head.N, head.From, head.Of = j.n+1, j.revision, max(len(changes), 1)
	var b bytes.Buffer
	encode := json.NewEncoder(&b)
	encode.SetEscapeHTML(false)
	if len(changes) == 0 {
		err := encode.Encode(head)
		return b.Bytes(), err
	}
	for i := range changes {
		c := &changes[i]
		l := head
		l.Kind, l.Verb, l.ID, l.Name = c.Kind, c.Verb, c.ID.String(), c.Name()
		var err error
		if c.Kind == providers.KindProvider {
			l.Before, l.After, err = pair(c.ProviderBefore, c.ProviderAfter)
		} else {
			l.Before, l.After, err = pair(c.RouteBefore, c.RouteAfter)
		}
		if err := errors.Join(err, encode.Encode(l)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func pair[T any](before, after *T) (b, a json.RawMessage, err error) {
	if before != nil {
		if b, err = json.Marshal(before); err != nil {
			return nil, nil, err
		}
	}
	a, err = json.Marshal(after)
	return b, a, err
}

// append writes lines behind the last change and has them on disk when it returns.
func (j *journal) append(text []byte) error {
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(j.size); err != nil { // What is behind is torn.
		return err
	}
	if _, err := f.WriteAt(text, j.size); err != nil {
		return errors.Join(err, f.Truncate(j.size))
	}
	return f.Sync()
}

// takeBack removes the last change, which did not make it into the catalog's file, and forgets all, to be read again.
func (j *journal) takeBack(offset int64) error {
	path := j.path
	*j = *newJournal(path)
	if err := os.Truncate(path, offset); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.refresh()
}

// remember writes all that is known into one line.
func (j *journal) remember(head *line) {
	head.Baseline = providers.FormatTime(j.baseline)
	head.Stamps = make(map[string][2]string, len(j.stamps))
	for id, s := range j.stamps {
		head.Stamps[id.String()] = [2]string{providers.FormatTime(s.created), providers.FormatTime(s.updated)}
	}
	head.Deleted = make(map[string]string, len(j.deleted))
	for id, name := range j.deleted {
		head.Deleted[id.String()] = name
	}
}

// rotateAt is the size from which a journal is put aside.
const rotateAt = 32 << 20

// rotate puts a large journal aside and begins another one with all that is known.
func (j *journal) rotate(now time.Time) error {
	head := line{
		N: j.n, Of: 1, Time: providers.FormatTime(now), From: j.from, Revision: j.revision, Verb: verbCheckpoint,
	}
	j.remember(&head)
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if err := writeSynced(j.path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	aside := ""
	for i := 1; ; i++ {
		aside = j.path + "." + strconv.Itoa(i)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	// A link and then a rename: at no time is there no journal.
	if err := os.Link(j.path, aside); err != nil {
		return err
	}
	if err := os.Rename(j.path+".new", j.path); err != nil {
		return err
	}
	return j.refresh()
}

package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/config"
)

// Bounds of writing the file of calls.
const (
	callBatch = 64 << 10        // Bytes that are written at once.
	callRetry = 1 * time.Second // Between attempts while it fails.
)

// callFile appends a line of JSON for each call to a file: the call detail records. When the file is full it is put
// aside:
//
//	calls.jsonl      is written
//	calls.jsonl.1    was before
//	calls.jsonl.2    before that, up to max_files
//
// A file that others moved or removed is made again. While nothing can be written, the ring holds what is to come, and
// what it cannot hold is counted as lost.
type callFile struct {
	j        *journal
	settings atomic.Pointer[config.Calls] // A new pointer: open it again.
	follower follower
	unwanted atomic.Uint64 // The last call that was not for the file.

	// Of the goroutine.
	used    *config.Calls
	f       *os.File
	size    int64
	failing bool   // Nothing can be written.
	stuck   bool   // It cannot be put aside.
	missed  uint64 // Lost since it fails.
	retryAt time.Time
	batch   bytes.Buffer
}

func newCallFile(j *journal, c *config.Calls) *callFile {
	f := &callFile{j: j, follower: follower{ring: j.ring}}
	f.configure(c)
	return f
}

// configure puts settings in force, soon, and has the file opened again, as those who move it away ask for.
func (f *callFile) configure(c *config.Calls) {
	copied := *c
	f.settings.Store(&copied)
}

func (f *callFile) wanted() bool { return f.settings.Load().File != "" }

func (f *callFile) run() {
	for {
		select {
		case <-f.j.files:
			if !f.failing || time.Now().After(f.retryAt) {
				f.turn()
			}
		case <-f.j.stop:
			f.turn()
			f.j.fileLost.Add(f.follower.behind())
			_ = f.shut() // What was written is with the system.
			return
		}
	}
}

// turn writes what is new, and says once when that fails and when it works again.
func (f *callFile) turn() {
	err := f.writeNew()
	lost := f.follower.takeLost()
	f.j.fileLost.Add(lost)
	f.missed += lost
	switch {
	case err != nil:
		f.j.failures.Add(1)
		f.retryAt = time.Now().Add(callRetry)
		if !f.failing {
			f.j.log.Error("records of calls are not written", slog.Any("error", err))
		}
	case f.failing:
		f.j.log.Info("records of calls are written again", slog.Uint64("lost", f.missed))
	case lost > 0:
		f.j.log.Warn("records of calls were lost: the disk is too slow", slog.Uint64("lost", lost))
	}
	if f.failing = err != nil; !f.failing {
		f.missed = 0
	}
}

// writeNew writes all calls that are new.
func (f *callFile) writeNew() error {
	if s := f.settings.Load(); s != f.used {
		err := f.shut()
		f.used = s
		if err != nil {
			return err
		}
	}
	if f.used.File == "" {
		f.follower.skip()
		return nil
	}
	f.follower.seq = max(f.follower.seq, f.unwanted.Load())
	for {
		var mark, lost uint64
		f.batch.Reset()
		for f.batch.Len() < callBatch {
			e := f.follower.next()
			if e == nil {
				break
			}
			if f.batch.Len() == 0 {
				mark, lost = e.seq-1, f.follower.lost
			}
			if err := appendLine(&f.batch, e); err != nil {
				return err
			}
		}
		if f.batch.Len() == 0 {
			return nil
		}
		if err := f.append(f.batch.Bytes()); err != nil {
			f.follower.seq, f.follower.lost = mark, lost // To be read again.
			return err
		}
	}
}

// appendLine adds the record of a call as one line.
func appendLine(b *bytes.Buffer, e *entry) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return enc.Encode(e.record())
}

// append writes whole lines at the end of the file, all or none.
func (f *callFile) append(lines []byte) error {
	if err := f.open(); err != nil {
		return err
	}
	if limit := f.used.MaxSize; limit > 0 && f.size > 0 && f.size+int64(len(lines)) > limit {
		f.aside(f.rotate())
		if err := f.open(); err != nil {
			return err
		}
	}
	n, err := f.f.Write(lines)
	if err != nil {
		// Half a line is worse than none.
		if n > 0 {
			err = errors.Join(err, f.f.Truncate(f.size))
		}
		return errors.Join(err, f.shut())
	}
	f.size += int64(n)
	return nil
}

// aside takes what became of putting the file aside. One that cannot be is written further: nothing is lost by it.
func (f *callFile) aside(err error) {
	if err != nil {
		f.j.failures.Add(1)
		if !f.stuck {
			f.j.log.Error("the full file of calls cannot be put aside, and grows", slog.Any("error", err))
		}
	}
	f.stuck = err != nil
}

// open makes sure that the file under the path is the one that is open.
func (f *callFile) open() error {
	if f.f != nil {
		at, err := os.Stat(f.used.File)
		is, ferr := f.f.Stat()
		if err == nil && ferr == nil && os.SameFile(at, is) {
			f.size = is.Size()
			return nil
		}
		if err := f.shut(); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(f.used.File, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	size, err := mended(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.f, f.size = file, size
	return nil
}

// mended ends a line that was cut off when the machine stopped, and returns the size.
func mended(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is no regular file", file.Name())
	}
	size := info.Size()
	if size == 0 {
		return 0, nil
	}
	var end [1]byte
	if _, err := file.ReadAt(end[:], size-1); err != nil {
		return 0, err
	}
	if end[0] == '\n' {
		return size, nil
	}
	_, err = file.WriteString("\n")
	return size + 1, err
}

// rotate puts the file aside.
func (f *callFile) rotate() error {
	if err := f.shut(); err != nil {
		return err
	}
	path := f.used.File
	aside := func(n int) string { return path + "." + strconv.Itoa(n) }
	for n := f.used.MaxFiles; ; n++ {
		if err := os.Remove(aside(n)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
	}
	for n := f.used.MaxFiles - 1; n > 0; n-- {
		if err := os.Rename(aside(n), aside(n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(path, aside(1))
}

func (f *callFile) shut() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}

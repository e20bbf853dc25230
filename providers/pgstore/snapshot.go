package pgstore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// snapshotFormat is the version of the snapshot file. One of another version is no use.
const snapshotFormat = 1

// snapshot is a catalog as a file: whole, secrets included.
type snapshot struct {
	Format       int                  `json:"format"`
	Source       string               `json:"source"` // Which database it is of.
	Revision     string               `json:"revision"`
	Providers    []storedProvider     `json:"providers"`
	Routes       []storedRoute        `json:"routes"`
	DeletedNames map[uuid.UUID]string `json:"deleted_names"`
}

const (
	// saveEvery is how often the file is written at most, while changes come fast.
	saveEvery = time.Second

	// saveShare bounds what writing a large catalog may cost: for one part of the time it is left alone for so many.
	saveShare = 20
)

// save keeps the snapshot file up to date until ctx is done, and once more then.
func (s *Store) save(ctx context.Context) {
	if s.snapshot == "" {
		return
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	broken := false
	write := func() {
		began := time.Now()
		err := saveSnapshot(s.snapshot, source(s.cfg), s.current.Load().catalog)
		if err != nil && !broken {
			s.log.Warn("the snapshot file is not written", "error", err)
		}
		broken = err != nil
		if broken {
			kick(s.unsaved)
		}
		pause.Reset(max(saveEvery, saveShare*time.Since(began)))
	}
	for {
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			select {
			case <-s.unsaved:
				write()
			default:
			}
			return
		case <-s.unsaved:
			write()
		}
	}
}

// saveSnapshot puts a catalog into a file, which at all times is whole: the old one or the new one.
func saveSnapshot(path, source string, c *providers.Catalog) (err error) {
	saved := snapshot{
		Format: snapshotFormat, Source: source, Revision: c.Revision, DeletedNames: c.DeletedNames,
		Providers: make([]storedProvider, len(c.Providers)), Routes: make([]storedRoute, len(c.Routes)),
	}
	for i := range c.Providers {
		saved.Providers[i] = storedProvider(c.Providers[i])
	}
	for i := range c.Routes {
		saved.Routes[i] = storedRoute(c.Routes[i])
	}
	// A name of its own, because two routers may share a folder. It is for its owner's eyes only from the start.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // The first error is the one to tell.
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	err = errors.Join(json.NewEncoder(w).Encode(&saved), w.Flush(), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// leftover is the age from which a file that was being written is one whose writer was killed.
const leftover = time.Minute

// removeLeftovers removes what a router that was killed while it wrote left behind.
func removeLeftovers(path string, now time.Time) {
	if path == "" {
		return
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), filepath.Base(path)+".*.new"))
	if err != nil {
		return // The name has a meaning as a pattern, and is left alone.
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > leftover {
			_ = os.Remove(name) // It is in nobody's way.
		}
	}
}

// loadSnapshot reads the snapshot file of a database. No file is no error, and no catalog.
func loadSnapshot(path, source string) (*providers.Catalog, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // There is none.
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // There is none.
	}
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot file: %w", err)
	}
	var saved snapshot
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, fmt.Errorf("reading the snapshot file %s: %w", path, err)
	}
	if saved.Format != snapshotFormat {
		return nil, fmt.Errorf("the snapshot file %s has format %d, and this program knows %d", path, saved.Format, snapshotFormat)
	}
	if saved.Source != source {
		return nil, fmt.Errorf("the snapshot file %s is of the database %s, not of %s", path, saved.Source, source)
	}
	all := make([]providers.Provider, len(saved.Providers))
	for i := range saved.Providers {
		all[i] = providers.Provider(saved.Providers[i])
	}
	routes := make([]providers.Route, len(saved.Routes))
	for i := range saved.Routes {
		routes[i] = providers.Route(saved.Routes[i])
	}
	c := ordered(saved.Revision, all, routes)
	c.DeletedNames = saved.DeletedNames
	return c, nil
}

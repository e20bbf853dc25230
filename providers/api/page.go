package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// maxPage is how many entries a page has at most, and when nothing else is asked for.
const maxPage = 100

// pageRequest is which page of a list is wanted.
type pageRequest struct {
	size  int
	after *providers.PageToken // Nil: from the newest on.
}

func readPage(r *http.Request) (pageRequest, error) {
	size, err := readPageSize(r)
	if err != nil {
		return pageRequest{}, err
	}
	p := pageRequest{size: size}
	if query := r.URL.Query(); query.Get("page_token") != "" {
		token, err := providers.ParsePageToken(query.Get("page_token"))
		if err != nil {
			return pageRequest{}, invalidParameter("page_token", "is not one that a list gave")
		}
		p.after = &token
	}
	return p, nil
}

// readPageSize reads page_size. A number that is none of a page is as good as none.
func readPageSize(r *http.Request) (int, error) {
	query := r.URL.Query()
	if !query.Has("page_size") {
		return maxPage, nil
	}
	text := query.Get("page_size")
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, invalidParameter("page_size", "is not a number")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return maxPage, nil //nolint:nilerr // All digits, so it is too large.
	}
	return n, nil
}

// page returns the rows of a page. All are sorted as lists show them; keep, when not nil, leaves some out.
func page[T any](all []*row[T], wanted pageRequest, place func(*T) (time.Time, uuid.UUID), keep func(*T) bool) []*row[T] {
	if wanted.after != nil {
		first := sort.Search(len(all), func(i int) bool { return wanted.after.Follows(place(all[i].entry)) })
		all = all[first:]
	}
	var found []*row[T]
	for _, one := range all {
		if len(found) == wanted.size {
			break
		}
		if keep == nil || keep(one.entry) {
			found = append(found, one)
		}
	}
	return found
}

// lister keeps a catalog's entries of one kind in the order of lists. They are sorted once for each change of them. The
// zero value is ready; it is safe for concurrent use.
type lister[T any] struct {
	newest  atomic.Pointer[listing[T]]
	sorting sync.Mutex // Held while a listing is made.
}

// listing is what a catalog's entries came to.
type listing[T any] struct {
	entries []T // Of the catalog, or of several: those that differ in other entries only have the same.
	rows    []*row[T]
}

func (l *listing[T]) is(entries []T) bool {
	return l != nil && len(l.entries) == len(entries) && (len(entries) == 0 || &l.entries[0] == &entries[0])
}

// sorted returns entries as lists show them. What they are does not change any more.
func (l *lister[T]) sorted(entries []T, compare func(a, b *T) int) []*row[T] {
	if now := l.newest.Load(); now.is(entries) {
		return now.rows
	}
	l.sorting.Lock()
	defer l.sorting.Unlock()
	if now := l.newest.Load(); now.is(entries) {
		return now.rows
	}
	now := &listing[T]{entries: entries, rows: rows(entries, compare)}
	l.newest.Store(now)
	return now.rows
}

// row is an entry in a list. It keeps its JSON: many more clients read lists than change what is in them.
type row[T any] struct {
	entry *T
	last  atomic.Pointer[rendered]
}

// rendered is the JSON of an entry with a health.
type rendered struct {
	health health
	text   json.RawMessage
}

// health is what is known of an entry now; routes have none.
type health struct {
	status  providers.Health
	checked time.Time
}

// render returns the JSON of the entry with a health.
func (r *row[T]) render(now health, shown func(*T, health) *T) (json.RawMessage, error) {
	if last := r.last.Load(); last != nil && last.health == now {
		return last.text, nil
	}
	text, err := json.Marshal(shown(r.entry, now))
	if err != nil {
		return nil, err
	}
	r.last.Store(&rendered{now, text})
	return text, nil
}

func rows[T any](entries []T, compare func(a, b *T) int) []*row[T] {
	made := make([]row[T], len(entries))
	all := make([]*row[T], len(entries))
	for i := range entries {
		made[i].entry = &entries[i]
		all[i] = &made[i]
	}
	slices.SortFunc(all, func(a, b *row[T]) int { return compare(a.entry, b.entry) })
	return all
}

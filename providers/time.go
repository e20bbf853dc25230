package providers

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The spellings of times in JSON. notDeleted stands where a tm_delete has not come.
const (
	timeFormat    = "2006-01-02T15:04:05.000000Z"
	oldTimeFormat = "2006-01-02 15:04:05.999999"
	notDeleted    = "9999-01-01T00:00:00.000000Z"
)

// FormatTime writes t in UTC with six digits of a second. The zero time is "not yet": 9999-01-01T00:00:00.000000Z.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return notDeleted
	}
	return t.UTC().Format(timeFormat)
}

// ParseTime reads what FormatTime writes, and the older spelling 2022-10-22 16:16:16.874761. "", null and the
// year 9999 are the zero time.
func ParseTime(s string) (time.Time, error) {
	if s == "" || s == "null" || strings.HasPrefix(s, "9999-01-01") {
		return time.Time{}, nil
	}
	for _, format := range []string{time.RFC3339, oldTimeFormat} {
		if t, err := time.Parse(format, s); err == nil {
			return Microseconds(t), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-04-23T10:00:00.000000Z", Clip(s))
}

// Microseconds returns t as it is stored: in UTC, cut to whole microseconds, without a monotonic clock.
func Microseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond).Round(0) }

// PageToken is where a page of a list ends: lists go from the newest to the oldest by (tm_create, id).
type PageToken struct {
	TmCreate time.Time
	ID       uuid.UUID // Nil when the token was a bare time: all that share it come before the page.
}

// String returns the token as a client gets it: the time, a comma and the id.
func (t PageToken) String() string { return FormatTime(t.TmCreate) + "," + t.ID.String() }

// ParsePageToken reads a token, or a bare time.
func ParsePageToken(s string) (PageToken, error) {
	text, id, hasID := strings.Cut(s, ",")
	at, err := ParseTime(text)
	if err != nil || at.IsZero() {
		return PageToken{}, fmt.Errorf("%q is not a page token", Clip(s))
	}
	token := PageToken{TmCreate: at}
	if hasID {
		if token.ID, err = uuid.Parse(id); err != nil || len(id) != 36 {
			return PageToken{}, fmt.Errorf("%q is not a page token", Clip(s))
		}
	}
	return token, nil
}

// Follows says whether an entry comes after the token, that is, on a later page.
func (t PageToken) Follows(tmCreate time.Time, id uuid.UUID) bool {
	return compareNewest(tmCreate, id, t.TmCreate, t.ID) > 0
}

// CompareProviders orders providers as lists show them: the newest first, by id where they are equally new.
func CompareProviders(a, b *Provider) int { return compareNewest(a.TmCreate, a.ID, b.TmCreate, b.ID) }

// CompareRoutes orders routes as lists show them: the newest first, by id where they are equally new.
func CompareRoutes(a, b *Route) int { return compareNewest(a.TmCreate, a.ID, b.TmCreate, b.ID) }

func compareNewest(aTime time.Time, aID uuid.UUID, bTime time.Time, bID uuid.UUID) int {
	if c := bTime.Compare(aTime); c != 0 {
		return c
	}
	return bytes.Compare(bID[:], aID[:])
}

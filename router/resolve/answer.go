package resolve

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// answer is what a query leads to. It is never changed once it was handed out.
type answer struct {
	targets []Target
	err     error
	ttl     time.Duration
	lame    error     // A question on the way had no answer: there may be more to know. Worth asking again soon.
	found   time.Time // When the targets were found in full; zero when they never were.
}

func failure(q Query, err error) error { return fmt.Errorf("resolving %q: %w", q.Host, err) }

// settle decides what is in force after a look-up: its outcome, or what was known before. An answer in full always
// counts, and so does one that there is nothing. While DNS is away the last answer stays; when it answers in part, the
// last answer in full stays until its age exceeds patience, for a missing record may mean another address or port.
func settle(old *answer, outcome answer, now time.Time, patience time.Duration) answer {
	switch {
	case outcome.lame == nil:
		if outcome.err == nil {
			outcome.found = now
		}
		return outcome
	case old == nil || errors.Is(old.err, ErrPending):
		return outcome
	case outcome.err != nil, !old.found.IsZero() && now.Sub(old.found) < patience:
		return *old
	default:
		return outcome
	}
}

// same says whether a reader could tell the answers apart by more than the wording of an error.
func (a *answer) same(b *answer) bool {
	return kind(a.err) == kind(b.err) && slices.Equal(a.targets, b.targets)
}

// kind numbers the errors by what they wrap; no error is 0.
func kind(err error) int {
	if err == nil {
		return 0
	}
	kinds := []error{ErrPending, ErrBadQuery, ErrNotFound, ErrNoService, ErrNoAnswer}
	return 2 + slices.IndexFunc(kinds, func(k error) bool { return errors.Is(err, k) })
}

// The waits after a look-up that DNS left without a full answer.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// retryIn is how long to wait before the next look-up after so many that were lame, never longer than what an answer
// is believed for.
func retryIn(failures int, minTTL, maxTTL time.Duration) time.Duration {
	first, last := min(firstRetry, minTTL), min(lastRetry, maxTTL)
	if failures > 10 {
		return last
	}
	return min(first<<max(failures-1, 0), last)
}

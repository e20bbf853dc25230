package transport

import (
	"log/slog"
	"sync"
	"time"
)

// linesPerSecond bounds what strangers can make us log.
const linesPerSecond = 5

// limitedLog logs a few lines a second and counts the others.
type limitedLog struct {
	log *slog.Logger

	mu         sync.Mutex
	second     time.Time
	lines      int
	suppressed int
}

func newLimitedLog(log *slog.Logger) *limitedLog { return &limitedLog{log: log} }

func (l *limitedLog) warn(msg string, args ...any) {
	suppressed, ok := l.admit(time.Now())
	if !ok {
		return
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	l.log.Warn(msg, args...) //nolint:sloglint // every caller gives a literal
}

// admit reports whether a line may be written, and how many were not since the
// last one.
func (l *limitedLog) admit(now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.lines = now, 0
	}
	if l.lines == linesPerSecond {
		l.suppressed++
		return 0, false
	}
	l.lines++
	suppressed, l.suppressed = l.suppressed, 0
	return suppressed, true
}

package resolve

import (
	"log/slog"
	"sync"
	"time"
)

// With DNS away every name fails; a few of them tell the story.
const (
	logWindow = time.Minute
	logLines  = 10 // A window.
)

// throttle keeps a log short.
type throttle struct {
	mu      sync.Mutex
	since   time.Time
	lines   int
	dropped int
}

// logger returns log for one line, or nil when enough was said. The next line tells how many were left out.
func (t *throttle) logger(log *slog.Logger) *slog.Logger {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.since) >= logWindow {
		t.since, t.lines = now, 0
	}
	if t.lines == logLines {
		t.dropped++
		return nil
	}
	t.lines++
	if t.dropped > 0 {
		log = log.With("not_logged", t.dropped)
		t.dropped = 0
	}
	return log
}

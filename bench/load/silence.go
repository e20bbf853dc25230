//go:build linux

package load

import (
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
	"github.com/voipbin/dialrouter/bench/stats"
)

// muted says whether the silent provider is silent by now: in scenario S it is not from the start.
func (e *Engine) muted() bool {
	return e.plan.Scenario != S || e.now >= e.begin+int64(e.plan.SilentAfter)
}

// answerAtFirst is the silent provider before it falls silent. Its calls go on at the answering one: that is where its
// Contact leads.
func (e *Engine) answerAtFirst(m *message, from mmsg.Addr, stamp int64) {
	if !m.request || string(m.method) != "INVITE" {
		e.count.stray++
		return
	}
	e.ring(e.silent, legFirst, m, from, stamp)
}

// PostDialDelay returns the post-dial delays, in milliseconds, of the calls of the last run that started between two
// times after its begin, and how many of those calls there were.
func (e *Engine) PostDialDelay(from, to time.Duration) (pdd stats.Percentiles, calls int) {
	var samples []int64
	for i := range e.calls {
		c := &e.calls[i]
		if at := time.Duration(c.sent - e.begin); c.sent == 0 || at < from || at >= to {
			continue
		}
		calls++
		if c.heard != 0 {
			samples = append(samples, c.heard-c.sent)
		}
	}
	return stats.PercentilesOf(samples, time.Millisecond), calls
}

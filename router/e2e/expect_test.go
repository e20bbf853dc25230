package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// soon is how long an expected message may take: the machine may be busy. quiet is how long nothing must come
// before we believe that nothing will: several times what the router needs.
const (
	soon  = 15 * time.Second
	quiet = 150 * time.Millisecond
)

// matcher tells which messages a test means.
type matcher struct {
	what string
	fits func(m *msg) bool
}

// request matches requests of a method.
func request(method string) matcher {
	return matcher{method, func(m *msg) bool { return m.method() == method }}
}

// status matches replies with a code, to a request of any method.
func status(code int) matcher {
	return matcher{fmt.Sprint(code), func(m *msg) bool { return m.code() == code }}
}

// final matches any reply beyond the provisional ones.
func final() matcher {
	return matcher{"a final reply", func(m *msg) bool { return m.code() >= 200 }}
}

// anything matches every message.
func anything() matcher {
	return matcher{"anything", func(*msg) bool { return true }}
}

// to narrows a matcher to replies to a method.
func (m matcher) to(method string) matcher {
	return m.and("to "+method, func(msg *msg) bool { _, of := msg.cseq(); return of == method })
}

// of narrows a matcher to a call.
func (m matcher) of(callID string) matcher {
	return m.and("of "+callID, func(msg *msg) bool { return msg.get("Call-ID") == callID })
}

func (m matcher) and(what string, fits func(*msg) bool) matcher {
	return matcher{m.what + " " + what, func(msg *msg) bool { return m.fits(msg) && fits(msg) }}
}

// or matches what either matches.
func (m matcher) or(other matcher) matcher {
	return matcher{m.what + " or " + other.what, func(msg *msg) bool { return m.fits(msg) || other.fits(msg) }}
}

// expect waits for the next message that fits, in the order of arrival, and leaves all others for later.
func (p *peer) expect(t *testing.T, want matcher) *msg {
	t.Helper()
	return p.expectWithin(t, want, soon)
}

// expectWithin is expect with a bound of the test's own.
func (p *peer) expectWithin(t *testing.T, want matcher, within time.Duration) *msg {
	t.Helper()
	m := p.next(t, want, within)
	if m == nil {
		t.Fatalf("%s got no %s within %v; it got: %s", p.addr, want.what, within, p.summary())
	}
	return m
}

// next waits like expect and returns nil when nothing came. Only one goroutine at a time may take from a peer.
func (p *peer) next(t *testing.T, want matcher, within time.Duration) *msg {
	t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		waiting, changed := slices.Clone(p.inbox), p.changed
		p.mu.Unlock()
		for _, m := range waiting {
			if !m.taken && want.fits(m) {
				m.taken = true
				return m
			}
		}
		select {
		case <-changed:
		case <-timeout.C:
			return nil
		}
	}
}

// expectNone checks that nothing that fits comes for a while, beyond what earlier expects have returned.
func (p *peer) expectNone(t *testing.T, unwanted matcher, within time.Duration) {
	t.Helper()
	if m := p.next(t, unwanted, within); m != nil {
		t.Fatalf("%s got %s, which must not come:\n%s", p.addr, unwanted.what, m.raw)
	}
}

// count says how many messages that fit have come until now, taken ones included.
func (p *peer) count(want matcher) int { return len(p.received(want)) }

// received returns all messages that fit and have come until now, taken ones included.
func (p *peer) received(want matcher) []*msg {
	p.mu.Lock()
	all := slices.Clone(p.inbox)
	p.mu.Unlock()
	var found []*msg
	for _, m := range all {
		if want.fits(m) {
			found = append(found, m)
		}
	}
	return found
}

// expectCount waits until so many messages that fit have come, and then whether more do.
func (p *peer) expectCount(t *testing.T, want matcher, n int) {
	t.Helper()
	p.until(t, fmt.Sprintf("%d times %s", n, want.what), soon, func() bool { return p.count(want) >= n })
	time.Sleep(quiet)
	if got := p.count(want); got != n {
		t.Fatalf("%s got %d times %s, want %d; it got: %s", p.addr, got, want.what, n, p.summary())
	}
}

// until waits for a condition on the peer.
func (p *peer) until(t *testing.T, what string, within time.Duration, met func() bool) {
	t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if met() {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("%s: no %s within %v; it got: %s", p.addr, what, within, p.summary())
		}
	}
}

// summary lists the start lines of all that came.
func (p *peer) summary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inbox) == 0 {
		return "nothing"
	}
	starts := make([]string, len(p.inbox))
	for i, m := range p.inbox {
		starts[i] = m.start
	}
	return strings.Join(starts, " | ")
}

// eventually waits for a condition that no message announces.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, soon)
		}
	}
}

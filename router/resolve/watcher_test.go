package resolve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeDNS stands in for the ladder: it knows what each host leads to, and takes its time.
type fakeDNS struct {
	mu      sync.Mutex
	answers map[string]answer
	times   map[string][]time.Time // When each host was looked up.
	takes   time.Duration
	now     int
	most    int // At the same time.
}

func (f *fakeDNS) find(ctx context.Context, q Query) answer {
	f.mu.Lock()
	if f.times == nil {
		f.times = map[string][]time.Time{}
	}
	f.times[q.Host] = append(f.times[q.Host], time.Now())
	f.now++
	f.most = max(f.most, f.now)
	a := f.answers[q.Host]
	f.mu.Unlock()
	if f.takes > 0 {
		select {
		case <-time.After(f.takes):
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	return a
}

func (f *fakeDNS) set(host string, a answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil {
		f.answers = map[string]answer{}
	}
	f.answers[host] = a
}

func (f *fakeDNS) timesOf(host string) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.times[host])
}

func (f *fakeDNS) asked(host string) int { return len(f.timesOf(host)) }

func (f *fakeDNS) peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most
}

// counter counts the calls of OnChange.
type counter struct{ n atomic.Int32 }

func (c *counter) add()     { c.n.Add(1) }
func (c *counter) get() int { return int(c.n.Load()) }

var (
	good    = func(ttl time.Duration, ips ...string) answer { return answer{targets: at(ips...), ttl: ttl} }
	nothing = func(ttl time.Duration) answer { return answer{err: fmt.Errorf("no: %w", ErrNotFound), ttl: ttl} }
	away    = answer{err: fmt.Errorf("away: %w", ErrNoAnswer), lame: errors.New("silence")}
	partly  = func(ips ...string) answer {
		return answer{targets: at(ips...), ttl: time.Hour, lame: errors.New("silence")}
	}
)

func at(ips ...string) []Target {
	var out []Target
	for _, ip := range ips {
		out = append(out, Target{Transport: udp, Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 5060)})
	}
	return out
}

// watching returns a resolver whose ladder is f, for a synctest bubble.
func watching(t *testing.T, f *fakeDNS, c Config) *Resolver {
	t.Helper()
	r := New(c)
	r.watcher.find, r.flights.find = f.find, f.find
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func lookup(r *Resolver, host string) string {
	targets, err := r.Lookup(Query{Host: host})
	if err != nil {
		for _, known := range []error{ErrPending, ErrNotWatched, ErrNotFound, ErrNoAnswer, ErrBadQuery} {
			if errors.Is(err, known) {
				return known.Error()
			}
		}
		return err.Error()
	}
	var s []string
	for _, t := range targets {
		s = append(s, t.Addr.Addr().String())
	}
	return strings.Join(s, " ")
}

func TestWatchRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{takes: time.Second}
		f.set("a.test", good(time.Minute, "192.0.2.1"))
		var changes counter
		r := watching(t, f, Config{OnChange: changes.add})
		if got := lookup(r, "a.test"); got != ErrNotWatched.Error() {
			t.Errorf("before Watch: %s", got)
		}
		r.Watch([]Query{{Host: "A.test."}, {Host: "192.0.2.9"}, {Host: "b a d"}})
		for host, want := range map[string]string{
			"a.test": ErrPending.Error(), "A.test.": ErrPending.Error(), "A.TEST": ErrPending.Error(),
			"192.0.2.9": "192.0.2.9", "192.0.2.10": "192.0.2.10", "b a d": ErrBadQuery.Error(), "c.test": ErrNotWatched.Error(),
		} {
			if got := lookup(r, host); got != want {
				t.Errorf("Lookup(%s) = %s, want %s", host, got, want)
			}
		}
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := lookup(r, "a.test"); got != "192.0.2.1" || changes.get() != 1 {
			t.Errorf("got %s after %d changes", got, changes.get())
		}
		f.set("a.test", good(time.Minute, "192.0.2.2"))
		time.Sleep(59 * time.Second)
		if got := lookup(r, "A.test."); got != "192.0.2.1" {
			t.Errorf("before the end of the TTL: %s", got)
		}
		time.Sleep(6 * time.Second) // A sixteenth more, and the look-up.
		if got := lookup(r, "A.test."); got != "192.0.2.2" || changes.get() != 2 {
			t.Errorf("after the end of the TTL: %s, %d changes", got, changes.get())
		}
		time.Sleep(10 * time.Minute)
		if n := f.asked("a.test"); n < 10 || n > 12 || changes.get() != 2 {
			t.Errorf("looked up %d times in 11 minutes, %d changes", n, changes.get())
		}
		f.set("a.test", nothing(time.Minute))
		time.Sleep(2 * time.Minute)
		if got := lookup(r, "a.test"); got != ErrNotFound.Error() || changes.get() != 3 {
			t.Errorf("when there is nothing: %s, %d changes", got, changes.get())
		}
		f.set("a.test", good(time.Minute, "192.0.2.2"))
		time.Sleep(2 * time.Minute)
		if got := lookup(r, "a.test"); got != "192.0.2.2" || changes.get() != 4 {
			t.Errorf("when it is there again: %s, %d changes", got, changes.get())
		}
	})
}

func TestWatchKeepsTheLastGoodAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{}
		f.set("a.test", good(time.Minute, "192.0.2.1", "192.0.2.2"))
		var changes counter
		r := watching(t, f, Config{MaxTTL: time.Hour, OnChange: changes.add})
		step := func(what string, a answer, wait time.Duration, want string, wantChanges int) {
			t.Helper()
			f.set("a.test", a)
			time.Sleep(wait)
			if got := lookup(r, "a.test"); got != want || changes.get() != wantChanges {
				t.Errorf("%s: %s, %d changes, want %s, %d", what, got, changes.get(), want, wantChanges)
			}
		}
		r.Watch([]Query{{Host: "a.test"}})
		step("good", good(time.Minute, "192.0.2.1", "192.0.2.2"), time.Second, "192.0.2.1 192.0.2.2", 1)
		step("away for long", away, 48*time.Hour, "192.0.2.1 192.0.2.2", 1)
		step("good again", good(time.Minute, "192.0.2.1", "192.0.2.2"), 2*time.Minute, "192.0.2.1 192.0.2.2", 1)
		step("half an answer", partly("192.0.2.1"), 30*time.Minute, "192.0.2.1 192.0.2.2", 1)
		step("half an answer for long", partly("192.0.2.1"), time.Hour, "192.0.2.1", 2)
		step("another half", partly("192.0.2.2"), 2*time.Minute, "192.0.2.2", 3)
		step("then away", away, time.Hour, "192.0.2.2", 3)
		step("no name", nothing(time.Minute), 2*time.Minute, ErrNotFound.Error(), 4)
		step("then away", away, time.Hour, ErrNotFound.Error(), 4)
		step("half an answer is better than none", partly("192.0.2.2"), 2*time.Minute, "192.0.2.2", 5)
	})
}

func TestWatchBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{}
		f.set("a.test", away)
		var changes counter
		r := watching(t, f, Config{OnChange: changes.add})
		r.Watch([]Query{{Host: "a.test"}})
		time.Sleep(10 * time.Minute)
		times := f.timesOf("a.test")
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			want *= time.Second
			if got := times[i+1].Sub(times[i]); got < want || got > want+want/16 {
				t.Errorf("wait %d: %v, want %v", i, got, want)
			}
		}
		if got := lookup(r, "a.test"); got != ErrNoAnswer.Error() || changes.get() != 1 {
			t.Errorf("%s, %d changes", got, changes.get())
		}
	})
}

// TestWatchManyNames checks that as many look-ups as there are workers, and no more, go on at a time, however many
// names are due, and that names without work cost no goroutine.
func TestWatchManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		f := &fakeDNS{takes: 50 * time.Millisecond}
		var queries []Query
		for i := range n {
			host := fmt.Sprintf("h%d.test", i)
			f.set(host, good(time.Minute, "192.0.2.1"))
			queries = append(queries, Query{Host: host})
		}
		var changes counter
		r := watching(t, f, Config{OnChange: func() { changes.add(); time.Sleep(time.Second) }})
		r.Watch(queries)
		start := time.Now()
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), n/maxWorkers*f.takes; got < want || got > want+time.Second {
			t.Errorf("ready after %v, want %v", got, want)
		}
		time.Sleep(10 * time.Minute)
		if got := f.peak(); got != maxWorkers {
			t.Errorf("%d look-ups at the same time, want %d", got, maxWorkers)
		}
		for _, q := range queries {
			if got := f.asked(q.Host); got < 9 || got > 11 {
				t.Fatalf("%s was looked up %d times in ten minutes", q.Host, got)
			}
		}
		if got := changes.get(); got < 2 || got > 20 {
			t.Errorf("OnChange was called %d times for all first answers, want one call at a time", got)
		}
		r.Watch(nil)
		synctest.Wait()
		asked := f.asked("h1.test")
		time.Sleep(time.Hour)
		if f.asked("h1.test") != asked {
			t.Error("a name that is no longer watched is looked up")
		}
		if got := lookup(r, "h1.test"); got != ErrNotWatched.Error() {
			t.Errorf("it is known as %s", got)
		}
	})
}

func TestWatchReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{takes: time.Second}
		for _, host := range []string{"a.test", "b.test", "c.test"} {
			f.set(host, good(time.Hour, "192.0.2.1"))
		}
		r := watching(t, f, Config{})
		r.Watch([]Query{{Host: "A.test"}, {Host: "a.test"}, {Host: "b.test"}})
		time.Sleep(time.Minute)
		r.Watch([]Query{{Host: "a.test"}, {Host: "c.test"}})
		if got := lookup(r, "a.test"); got != "192.0.2.1" {
			t.Errorf("what was known is gone: %s", got)
		}
		if got := lookup(r, "c.test"); got != ErrPending.Error() {
			t.Errorf("the new one: %s", got)
		}
		r.Watch([]Query{{Host: "a.test"}}) // c.test is being looked up.
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.Watch([]Query{{Host: "a.test"}, {Host: "c.test"}})
		time.Sleep(90 * time.Minute)
		for host, want := range map[string]int{"a.test": 2, "b.test": 1, "c.test": 3} {
			if got := f.asked(host); got != want {
				t.Errorf("%s was looked up %d times, want %d", host, got, want)
			}
		}
	})
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{takes: time.Second}
		f.set("a.test", away)
		r := New(Config{})
		r.watcher.find = f.find
		if err := r.Ready(t.Context()); err != nil {
			t.Errorf("with nothing to wait for: %v", err)
		}
		r.Watch([]Query{{Host: "a.test"}})
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := r.Ready(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("too early: %v", err)
		}
		if err := r.Ready(t.Context()); err != nil {
			t.Errorf("after a failure: %v", err)
		}
		r.Watch([]Query{{Host: "b.test"}})
		ended := make(chan error)
		go func() { ended <- r.Ready(t.Context()) }()
		synctest.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		r.Watch([]Query{{Host: "c.test"}})
		if _, err := r.Resolve(t.Context(), Query{Host: "c.test"}); !errors.Is(err, ErrClosed) {
			t.Errorf("Resolve after Close: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWatchLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := &fakeDNS{}
		var queries []Query
		for i := range 100 {
			host := fmt.Sprintf("h%d.test", i)
			f.set(host, away)
			queries = append(queries, Query{Host: host})
		}
		r := watching(t, f, Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
		r.Watch(queries)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n != logLines {
			t.Errorf("%d lines for 100 failures, want %d:\n%s", n, logLines, out.String())
		}
		out.Reset()
		time.Sleep(logWindow)
		f.set("h1.test", good(time.Minute, "192.0.2.1"))
		time.Sleep(2 * time.Minute)
		f.set("h1.test", nothing(time.Minute))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for _, want := range []string{"host is found again", "not_logged=90", "host leads nowhere"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in:\n%s", want, out.String())
			}
		}
	})
}

func TestLookupAllocatesNothing(t *testing.T) {
	f := &fakeDNS{}
	f.set("a.test", good(time.Hour, "192.0.2.1"))
	r := watching(t, f, Config{})
	r.Watch([]Query{{Host: "A.test"}, {Host: "192.0.2.1"}})
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"A.test", "a.test", "192.0.2.1"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = r.Lookup(Query{Host: host}) }); n != 0 {
			t.Errorf("Lookup(%s) allocates %v times", host, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	f := &fakeDNS{}
	f.set("a.test", good(time.Hour, "192.0.2.1"))
	r := New(Config{})
	r.watcher.find = f.find
	r.Watch([]Query{{Host: "a.test"}})
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Lookup(Query{Host: "a.test"})
	}
	_ = r.Close()
}

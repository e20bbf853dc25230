package resolve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestResolveCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{takes: time.Second}
		f.set("a.test", good(time.Minute, "192.0.2.1"))
		r := watching(t, f, Config{})
		ask := func(host, want string, wantErr error, wantAsked int) {
			t.Helper()
			targets, err := r.Resolve(t.Context(), Query{Host: host})
			got := ""
			if len(targets) > 0 {
				got = targets[0].Addr.Addr().String()
			}
			if got != want || !errors.Is(err, wantErr) || f.asked("a.test") != wantAsked {
				t.Errorf("got %s, %v, asked %d times; want %s, %v, %d", got, err, f.asked("a.test"), want, wantErr, wantAsked)
			}
		}
		ask("a.test", "192.0.2.1", nil, 1)
		ask("A.TEST.", "192.0.2.1", nil, 1)
		time.Sleep(59 * time.Second)
		ask("a.test", "192.0.2.1", nil, 1)
		time.Sleep(time.Second)
		f.set("a.test", nothing(time.Minute))
		ask("a.test", "", ErrNotFound, 2)
		ask("a.test", "", ErrNotFound, 2)
		time.Sleep(time.Minute)
		f.set("a.test", good(time.Minute, "192.0.2.2"))
		ask("a.test", "192.0.2.2", nil, 3)
		f.set("a.test", away)
		time.Sleep(time.Minute)
		ask("a.test", "192.0.2.2", nil, 4) // The last that was good.
		ask("a.test", "192.0.2.2", nil, 4)
		time.Sleep(firstRetry)
		ask("a.test", "192.0.2.2", nil, 5)
		ask("192.0.2.7", "192.0.2.7", nil, 5)
		ask("", "", ErrBadQuery, 5)

		f.set("b.test", away)
		if _, err := r.Resolve(t.Context(), Query{Host: "b.test"}); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("got %v", err)
		}
		f.set("c.test", good(time.Minute, "192.0.2.3"))
		f.set("d.test", good(time.Minute, "192.0.2.4"))
		r.Watch([]Query{{Host: "c.test"}, {Host: "d.test"}})
		if _, err := r.Resolve(t.Context(), Query{Host: "c.test"}); err != nil {
			t.Errorf("a pending name: %v", err)
		}
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := r.Resolve(t.Context(), Query{Host: "d.test"}); err != nil || f.asked("d.test") != 1 {
			t.Errorf("a watched name: %v, asked %d times", err, f.asked("d.test"))
		}
	})
}

func TestResolveSharesLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{takes: time.Second}
		f.set("a.test", good(time.Minute, "192.0.2.1"))
		r := watching(t, f, Config{})
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.Resolve(impatient, Query{Host: "a.test"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient one got %v", err)
			}
		})
		for range 1000 {
			all.Go(func() {
				if targets, err := r.Resolve(t.Context(), Query{Host: "a.test"}); err != nil || len(targets) != 1 {
					t.Errorf("got %v, %v", targets, err)
				}
			})
		}
		all.Wait()
		if n := f.asked("a.test"); n != 1 {
			t.Errorf("looked up %d times", n)
		}
		// Two that find nothing at the same time both take a slot; the slower one has to give it back.
		r.flights.slots <- struct{}{}
		_, first := r.flights.start(Query{Host: "b.test"})
		r.flights.slots <- struct{}{}
		_, second := r.flights.start(Query{Host: "b.test"})
		if first == nil || first != second || len(r.flights.slots) != 1 {
			t.Errorf("flights %p and %p in %d slots", first, second, len(r.flights.slots))
		}
		<-first.landed
		synctest.Wait()
		if n := len(r.flights.slots); n != 0 {
			t.Errorf("%d slots are taken for nothing", n)
		}
	})
}

func TestResolveIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDNS{takes: time.Second}
		r := watching(t, f, Config{})
		short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		var mu sync.Mutex
		results := map[error]int{}
		for i := range 4 * maxFlights {
			all.Go(func() {
				_, err := r.Resolve(short, Query{Host: fmt.Sprintf("h%d.test", i)})
				mu.Lock()
				defer mu.Unlock()
				results[errors.Unwrap(err)]++
			})
		}
		all.Wait()
		if f.peak() != maxFlights || results[context.DeadlineExceeded] != 3*maxFlights {
			t.Errorf("%d look-ups at the same time, outcomes %v", f.peak(), results)
		}
	})
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	var c cache
	c.put(Query{Host: "used"}, cached{answer: &answer{}})
	for i := range 10 * maxCached {
		c.put(Query{Host: fmt.Sprint(i)}, cached{})
		if _, ok := c.get(Query{Host: "used"}); !ok {
			t.Fatalf("gone after %d others", i)
		}
		if n := len(c.young) + len(c.old); n > maxCached {
			t.Fatalf("%d answers are kept, want at most %d", n, maxCached)
		}
	}
	if _, ok := c.get(Query{Host: "0"}); ok {
		t.Error("what nobody asked for is still there")
	}
}

package resolve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// until waits for a condition that a real server and real time bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestWatchOverDNS follows a name through the life of a zone: on the wire, with records of no time to live.
func TestWatchOverDNS(t *testing.T) {
	srv := func(port int) []string {
		return []string{fmt.Sprintf("_sip._udp.a.test. 0 IN SRV 1 1 %d b.test.", port), "b.test. 0 IN A 192.0.2.1"}
	}
	s := newServer(t, srv(5081)...)
	changed := make(chan struct{}, 100)
	r := newTestResolver(t, Config{
		MinTTL: 20 * time.Millisecond, OnChange: func() { changed <- struct{}{} },
	}, s)
	r.Watch([]Query{{Host: "a.test"}})
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	port := func() int {
		targets, err := r.Lookup(Query{Host: "a.test"})
		if err != nil {
			return 0
		}
		return int(targets[0].Addr.Port())
	}
	if port() != 5081 {
		t.Fatalf("port %d", port())
	}
	<-changed
	s.questions()
	until(t, "it is asked for again", func() bool { return len(s.questions()) > 0 })

	s.set(t, srv(5082)...)
	<-changed
	if port() != 5082 {
		t.Errorf("after a change: port %d", port())
	}

	s.hookAll(rcode(dns.RcodeServerFailure))
	until(t, "DNS was away twice", func() bool { return r.watcher.failuresOf("a.test") >= 2 })
	if port() != 5082 || len(changed) != 0 {
		t.Errorf("with DNS away: port %d, %d changes", port(), len(changed))
	}

	s.set(t, srv(5083)...)
	<-changed
	if port() != 5083 {
		t.Errorf("with DNS back: port %d", port())
	}

	s.set(t, "c.test. 0 IN A 192.0.2.1")
	<-changed
	if _, err := r.Lookup(Query{Host: "a.test"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("with the name gone: %v", err)
	}
	if len(changed) != 0 {
		t.Errorf("%d changes more", len(changed))
	}
}

func (w *watcher) failuresOf(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return (*w.names.Load())[Query{Host: host}].failures
}

// TestCloseEndsQuestions checks that Close does not wait for name servers.
func TestCloseEndsQuestions(t *testing.T) {
	s := newServer(t)
	s.hookAll(silence)
	r := New(Config{Servers: []string{s.addr}, Timeout: time.Hour})
	r.Watch([]Query{{Host: "a.test"}})
	ended := make(chan error)
	go func() {
		_, err := r.Resolve(context.Background(), Query{Host: "b.test"})
		ended <- err
	}()
	until(t, "both are asked for", func() bool { return r.watcher.busy() && len(r.flights.slots) == 1 })
	start := time.Now()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("Resolve succeeded")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
}

func (w *watcher) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workers > 0
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	s := newServer(t, zoneLines()...)
	s.hook("AAAA", rcode(dns.RcodeServerFailure))
	var queries []Query
	for _, host := range []string{"full.test", "dual.test", "alias.test", "no-sip.test", "nowhere.test", "192.0.2.1", "localhost", "a b", "FULL.test"} {
		queries = append(queries, Query{Host: host}, Query{Host: host, Transport: tcp}, Query{Host: host, Port: 5070})
	}
	var r *Resolver
	r = New(Config{Servers: []string{s.addr}, MinTTL: time.Millisecond, MaxTTL: 2 * time.Millisecond, OnChange: func() { _, _ = r.Lookup(queries[0]) }})
	stop := time.Now().Add(300 * time.Millisecond)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for time.Now().Before(stop) {
				q := queries[rand.IntN(len(queries))]
				switch rand.IntN(8) {
				case 0:
					r.Watch(queries[:rand.IntN(len(queries))])
				case 1:
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
					_, _ = r.Resolve(ctx, q)
					_ = r.Ready(ctx)
					cancel()
				default:
					targets, _ := r.Lookup(q)
					_ = Order(nil, targets, rand.Uint64())
				}
			}
		})
	}
	time.Sleep(250 * time.Millisecond)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

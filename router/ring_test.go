package router

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// aCall is a call that a test ends by itself: with a Call-ID, tried at one provider.
func aCall(callID string) *call {
	p := &provider{Provider: &providers.Provider{}, card: &card{id: uuid.UUID{1}, name: "a", uriHead: []byte("sip:"), uriTail: []byte("@a")}}
	c := &call{
		invite: true, req: []byte(callID), callID: message.Span{End: uint32(len(callID))}, number: []byte("+1555"),
		customer: providers.Everyone, snap: &snapshot{setup: int64(time.Minute), maxAttempts: 5}, start: 1,
	}
	c.attempts = append(c.attempts, &attempt{try: try{prov: p}, flow: transport.Flow{Proto: transport.UDP}, status: 486, cause: causeBusy, start: 1, relayed: true})
	return c
}

// newTestRing is a ring that somebody reads, in a router that has nothing else.
func newTestRing(keep int) *Router {
	r := &Router{records: newRing(keep, maphash.MakeSeed())}
	r.records.active.Store(true)
	return r
}

func (r *Router) putTestCall(callID string) { r.records.put(aCall(callID), outcomeBusy, 486, 2) }

// TestRingKeeps checks what is on record when more calls came than are kept.
func TestRingKeeps(t *testing.T) {
	for _, keep := range []int{0, 1, 3, 5000} {
		r := newTestRing(keep)
		for n := range 2 * shortestRing {
			r.putTestCall(fmt.Sprint(n))
			if n%1000 > 5 {
				continue
			}
			have := min(n+1, keep)
			found, _ := r.Calls(providers.CallQuery{Limit: 100_000})
			if len(found) != have || have > 0 && (found[0].CallID != fmt.Sprint(n) || found[have-1].CallID != fmt.Sprint(n-have+1)) {
				t.Fatalf("keep %d: %d calls after %d", keep, len(found), n+1)
			}
			if _, ok := r.Call(fmt.Sprint(n - keep + 1)); ok != (keep > 0 && n-keep+1 >= 0) {
				t.Errorf("keep %d: the oldest of %d is on record: %v", keep, n+1, ok)
			}
			if _, ok := r.Call(fmt.Sprint(n - keep)); ok {
				t.Errorf("keep %d: one more of %d is on record", keep, n+1)
			}
		}
	}
}

func TestRingPages(t *testing.T) {
	r := newTestRing(10)
	for n := range 14 {
		r.putTestCall(fmt.Sprint(n))
	}
	for size := 1; size <= 11; size++ {
		var got []string
		for before := uint64(0); ; {
			found, next := r.Calls(providers.CallQuery{Limit: size, Before: before})
			for _, one := range found {
				got = append(got, one.CallID)
			}
			if before = next; next == 0 {
				break
			}
			if len(found) > size {
				t.Errorf("a page of %d has %d", size, len(found))
			}
		}
		if want := strings.Fields("13 12 11 10 9 8 7 6 5 4"); !slices.Equal(got, want) {
			t.Errorf("by %d: %q", size, got)
		}
	}
	if found, next := r.Calls(providers.CallQuery{Limit: 5, Before: 3}); len(found) > 0 || next != 0 {
		t.Errorf("from before what is kept came %d", len(found))
	}
}

func TestRingQuery(t *testing.T) {
	r := newTestRing(10)
	other := aCall("other")
	other.number, other.customer = []byte("alice"), uuid.UUID{7}
	other.attempts[0].prov.card.id = uuid.UUID{2}
	r.putTestCall("one")
	r.records.put(other, outcomeRejected, 403, 2)
	r.putTestCall("two")
	none := aCall("none")
	none.attempts = nil
	r.records.put(none, outcomeNoRoute, 404, 2)
	for _, test := range []struct {
		q    providers.CallQuery
		want string
	}{
		{providers.CallQuery{}, "none two other one"},
		{providers.CallQuery{Number: "+1555"}, "none two one"},
		{providers.CallQuery{Number: "+155"}, ""},
		{providers.CallQuery{Number: "alice"}, "other"},
		{providers.CallQuery{CustomerID: uuid.UUID{7}}, "other"},
		{providers.CallQuery{CustomerID: providers.Everyone}, "none two one"},
		{providers.CallQuery{ProviderID: uuid.UUID{1}}, "two one"},
		{providers.CallQuery{ProviderID: uuid.UUID{2}}, "other"},
		{providers.CallQuery{ProviderID: uuid.UUID{3}}, ""},
		{providers.CallQuery{Outcome: "no_route"}, "none"},
		{providers.CallQuery{Outcome: "busy", ProviderID: uuid.UUID{1}, Number: "+1555"}, "two one"},
		{providers.CallQuery{Outcome: "busy", ProviderID: uuid.UUID{2}}, ""},
	} {
		test.q.Limit = 10
		found, _ := r.Calls(test.q)
		var got []string
		for _, one := range found {
			got = append(got, one.CallID)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v found %q, want %q", test.q, got, test.want)
		}
	}
}

// TestRingLongTexts checks that what a caller writes is kept only so far, and that a long Call-ID is found again.
func TestRingLongTexts(t *testing.T) {
	r := newTestRing(10)
	long := strings.Repeat("x", 60_000)
	c := aCall(long + "1")
	c.number = bytes.Repeat([]byte("9"), 60_000)
	r.records.put(c, outcomeBusy, 486, 2)
	r.putTestCall(long + "2")
	r.putTestCall(strings.Repeat("y", longestText))
	for id, want := range map[string]bool{
		long + "1": true, long + "2": true, long: false, long[:longestText]: true, long[:longestText-1]: false, long[:longestText+1]: false,
		strings.Repeat("y", longestText): true, strings.Repeat("y", longestText-1): false, strings.Repeat("y", longestText+1): false, "": false,
	} {
		got, ok := r.Call(id)
		if ok != want || ok && (len(got.CallID) > longestText || len(got.Number) > longestText || len(got.Attempts[0].RequestURI) > longestText+10) {
			t.Errorf("a Call-ID of %d bytes: %v", len(id), ok)
		}
	}
}

// TestRingRepeatedCallID checks that the newest call with a Call-ID is the one that is found: who is challenged tries
// again with the same.
func TestRingRepeatedCallID(t *testing.T) {
	r := newTestRing(10)
	r.putTestCall("x")
	second := aCall("x")
	second.number = []byte("second")
	r.records.put(second, outcomeBusy, 486, 2)
	r.putTestCall("y")
	if got, _ := r.Call("x"); got.Number != "second" {
		t.Errorf("found %+v", got)
	}
}

// TestRingAllocatesNothing holds the promise of the hot path for calls with many attempts and skipped providers.
func TestRingAllocatesNothing(t *testing.T) {
	r := newTestRing(10)
	c := aCall(strings.Repeat("id", 100))
	for range 10 {
		c.attempts = append(c.attempts, c.attempts[0])
		c.skipped(c.attempts[0].prov, skipDisabled, 0)
	}
	put := func() { r.records.put(c, outcomeBusy, 486, 2) }
	for range shortestRing + 1 {
		put()
	}
	if n := testing.AllocsPerRun(1000, put); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRingBounds checks that no call takes more than its share of memory.
func TestRingBounds(t *testing.T) {
	r := newTestRing(10)
	c := aCall("x")
	p := c.attempts[0].prov
	for range 300 {
		c.skipped(p, skipDisabled, 0)
		c.missing(uuid.UUID{9})
		c.attempts = append(c.attempts, c.attempts[0])
	}
	c.attempts[300] = &attempt{try: try{prov: p}, status: 603, cause: causeDeclined}
	r.records.put(c, outcomeBusy, 486, 2)
	got, _ := r.Call("x")
	if len(got.Attempts) != maxTries || len(got.Skipped) != maxSkips || got.Attempts[maxTries-1].Status != 603 {
		t.Errorf("%d attempts, %d skipped, the last %+v", len(got.Attempts), len(got.Skipped), got.Attempts[len(got.Attempts)-1])
	}
}

// TestRingConcurrently has calls end on several goroutines while others read: whatever is read is whole, nothing is
// lost to who is fast enough, and what is lost to who is not is counted.
func TestRingConcurrently(t *testing.T) {
	const writers, each = 4, 5_000
	r := newTestRing(100)
	stop := make(chan struct{})
	var readers, callers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			found, _ := r.Calls(providers.CallQuery{Limit: 100})
			for _, one := range found {
				if len(one.CallID) != 40 || strings.Trim(one.CallID, one.CallID[:1]) != "" {
					t.Errorf("a torn record: %q", one.CallID)
					return
				}
			}
			r.Call("nothing")
		}
	})
	fast := follower{ring: r.records}
	var seen, lost uint64
	read := func() {
		for e := fast.next(); e != nil; e = fast.next() {
			if seen++; string(e.id()) != strings.Repeat(string(e.id()[:1]), 40) {
				t.Errorf("a torn entry: %q", e.id())
			}
			lost += fast.takeLost()
		}
	}
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				read()
			}
		}
	})
	for w := range writers {
		callers.Go(func() {
			c := aCall(strings.Repeat(string(rune('a'+w)), 40))
			for range each {
				r.records.put(c, outcomeBusy, 486, 2)
			}
		})
	}
	callers.Wait()
	close(stop)
	readers.Wait()
	read()
	if seen+lost != writers*each {
		t.Errorf("%d read and %d lost of %d", seen, lost, writers*each)
	}
	slow := follower{ring: r.records}
	n := uint64(0)
	for slow.next() != nil {
		n++
	}
	if n != shortestRing || slow.takeLost() != writers*each-shortestRing {
		t.Errorf("who comes late reads %d", n)
	}
}

// TestRingRestsWhenNobodyAsks checks that nothing is written when nobody reads.
func TestRingRestsWhenNobodyAsks(t *testing.T) {
	r := newTestRing(10)
	r.records.active.Store(false)
	r.putTestCall("x")
	if _, ok := r.Call("x"); ok || r.records.last.Load() != 0 {
		t.Error("a call was put on record")
	}
}

// TestRingLends: room for more than one attempt is where it is needed, and not wherever it ever was.
func TestRingLends(t *testing.T) {
	r := newTestRing(0)
	const calls, each = 10 * shortestRing, 8
	one := aCall("id")
	several := aCall("id")
	for len(several.attempts) < 3 {
		several.attempts = append(several.attempts, several.attempts[0])
	}
	for i := range calls {
		c := one
		if i%each == i/shortestRing%each { // Other entries each time around.
			c = several
		}
		r.records.put(c, outcomeBusy, 486, 2)
	}
	lent := len(r.records.facts.many)
	for i := range r.records.entries {
		e := &r.records.entries[i]
		switch want := 1; {
		case cap(e.tries) == manyTries:
			lent++
			want = 3
			fallthrough
		default:
			if len(e.tries) != want {
				t.Fatalf("entry %d: %d attempts in room for %d", i, len(e.tries), cap(e.tries))
			}
		}
	}
	if want := shortestRing/each + 1; lent > want {
		t.Errorf("room for %d, want %d", lent, want)
	}
	// A call with more attempts than what is lent has room for leaves it behind.
	for len(several.attempts) < 2*manyTries+1 {
		several.attempts = append(several.attempts, several.attempts[0])
	}
	for range len(r.records.entries) {
		r.records.put(several, outcomeBusy, 486, 2)
	}
	if n := len(r.records.facts.many); n < lent {
		t.Errorf("%d of %d came back", n, lent)
	}
	for _, f := range r.records.facts.many {
		if len(f) != 0 || f[:1][0].card != nil {
			t.Fatalf("not empty: %v", f[:1])
		}
	}
}

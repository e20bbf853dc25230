//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
)

// remains is what is left in a router's process when nothing is on its way.
type remains struct {
	heap         float64 // Bytes that the garbage collector found in use.
	goroutines   float64
	transactions float64
	files        float64 // Descriptors that are open.
}

const (
	metricHeap   = "go_gc_heap_live_bytes"
	metricCycles = "go_gc_duration_seconds_count"
)

// collectWithin is how long that many garbage collections may take: the runtime begins one every two minutes in any
// case.
const collectWithin = 12 * time.Minute

// keepFew has the ring of call records full after the first calls, so that it is no growth of theirs.
const keepFew = "calls: {keep: 100}\n"

// collections is how many garbage collections are looked at: one frees what is garbage, the next what pools held, and
// the least of what all found is without what the reading itself had in use.
const collections = 5

// remains reads what is left after some more garbage collections. Reading the metrics makes garbage, so that asking
// often enough brings them about: no back door into the program is needed.
func (n *node) remains(ctx context.Context) (remains, error) {
	m, err := n.metrics(ctx)
	if err != nil {
		return remains{}, err
	}
	first, heap := m[metricCycles], math.Inf(1)
	for end := time.Now().Add(collectWithin); m[metricCycles] < first+collections; {
		if time.Now().After(end) {
			return remains{}, errors.New("the router does not collect its garbage")
		}
		if m, err = n.metrics(ctx); err != nil {
			return remains{}, err
		}
		if m[metricHeap] == 0 {
			return remains{}, fmt.Errorf("there is no %s on /metrics", metricHeap)
		}
		if m[metricCycles] > first+1 {
			heap = min(heap, m[metricHeap])
		}
	}
	return remains{heap, m["go_goroutines"], m["dialrouter_transactions"], m["process_open_fds"]}, nil
}

// rest waits until no transaction is left.
func (n *node) rest(ctx context.Context, within time.Duration) error {
	_, err := await(ctx, "no transaction left", within, func() (bool, error) {
		m, err := n.metrics(ctx)
		return err == nil && m["dialrouter_transactions"] == 0, errors.Join(err, pause(ctx, 200*time.Millisecond))
	})
	return err
}

// restWithin is more than a finished transaction lives.
const restWithin = 40 * time.Second

// runHeld weighs calls that are up. Two runs are alike, but that the calls of the second one stay up while it is weighed.
func runHeld(ctx context.Context, b *bench) (err error) {
	calls, rate := long(b, 100_000, 2000), long(b, 2000, 400)
	c, n, err := b.carried(ctx, parties(), settings{quick: b.Short, more: keepFew}, "")
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { err = errors.Join(err, n.stop()) }()
	offered := time.Duration(calls/rate) * time.Second
	plan := load.Plan{Scenario: load.A, Rate: rate, Calls: calls}
	var heap [3]float64
	for i := range heap {
		if i == 2 { // All are up for as long as it takes to forget their transactions, and to weigh.
			plan.Hold = offered + long(b, restWithin+30*time.Second, 12*time.Second)
		}
		on, err := c.begin(ctx, plan)
		if err != nil {
			return err
		}
		if i == 2 {
			err = pause(ctx, offered+200*time.Millisecond)
		} else {
			_, err = on.end()
		}
		if err == nil {
			err = n.rest(ctx, restWithin)
		}
		if err != nil {
			return err
		}
		r, err := n.remains(ctx)
		if err != nil {
			return err
		}
		heap[i] = r.heap
		if i < 2 {
			continue
		}
		select {
		case <-on.done:
			return errors.New("the calls were over before they were weighed")
		default:
		}
		result, err := on.end()
		if err != nil {
			return err
		}
		b.lost(fmt.Sprintf("%d calls held", calls), result)
	}
	per := (heap[2] - heap[1]) / float64(calls)
	b.note(per < long(b, 16.0, 500), fmt.Sprintf("heap for each of %d calls that are up", calls), fmt.Sprintf("%.1f bytes (of %.1f MB)", per, heap[1]/1e6), "nothing: what is there is the reading's error")
	return nil
}

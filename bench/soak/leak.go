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

// How much more may be left after the last round than after the first. In the short form the heap is so small that what
// is not a call's, statistics above all, weighs more than its share: there it may grow by so many bytes, 200 for each
// call.
const (
	growth    = 0.02
	shortHeap = 1 << 20
)

// runLeak carries calls in rounds with all that callers and providers do wrong, rests after each until nothing should
// be left, and compares what is. All rounds are alike, so that the first fills the pools as far as they ever get.
func runLeak(ctx context.Context, b *bench) (err error) {
	rounds, calls, rate := long(b, 10, 5), long(b, 10_000, 1000), long(b, 1000, 500)
	wild, err := newRude(ctx)
	if err != nil {
		return err
	}
	defer wild.close()
	c, n, err := b.carried(ctx, parties(), settings{listen: "udp://127.0.0.1:0, tcp://127.0.0.1:0", quick: b.Short, more: keepFew}, wild.provider())
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { err = errors.Join(err, n.stop()) }()
	var first, last remains
	lost := 0
	for i := range rounds {
		began := time.Now()
		failed, err := b.round(ctx, c, wild, n, calls, rate)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		lost += failed
		if err := pause(ctx, long(b, 40*time.Second, 4500*time.Millisecond)); err != nil {
			return err
		}
		if last, err = n.remains(ctx); err != nil {
			return err
		}
		if i == 0 {
			first = last
		}
		fmt.Fprintf(b.Log, "leak: round %d of %d in %v: heap %.2f MB, goroutines %.0f, transactions %.0f, files %.0f\n", i+1, rounds,
			time.Since(began).Round(time.Second), last.heap/1e6, last.goroutines, last.transactions, last.files)
	}
	after := fmt.Sprintf(" after %d calls", rounds*calls)
	b.equal(fmt.Sprintf("calls that behave and were lost, of %d", rounds*calls), lost, 0)
	limit := first.heap * (1 + growth)
	if b.Short {
		limit = max(limit, first.heap+shortHeap)
	}
	b.note(last.heap <= limit, "heap after garbage collection"+after, fmt.Sprintf("%.2f MB", last.heap/1e6),
		fmt.Sprintf("<= %.2f MB; after the first round %.2f MB", limit/1e6, first.heap/1e6))
	b.grown("goroutines"+after, first.goroutines, last.goroutines)
	b.grown("transactions and their timers"+after, first.transactions, last.transactions)
	b.grown("open files"+after, first.files, last.files)
	return nil
}

// grown keeps a number that must not grow.
func (b *bench) grown(what string, first, last float64) {
	limit := math.Ceil(first * (1 + growth))
	b.note(last <= limit, what, fmt.Sprintf("%.0f", last), fmt.Sprintf("<= %.0f; after the first round %.0f", limit, first))
}

// round is one round of calls. It returns how many of those that behave were lost.
func (b *bench) round(ctx context.Context, c *callers, wild *rude, n *node, calls, rate int) (lost int, err error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	misbehaving := make(chan error, 1)
	go func() { misbehaving <- wild.calls(inner, n, calls/5, rate/5) }()
	for _, part := range []load.Plan{
		{Scenario: load.A, Rate: rate, Calls: calls * 60 / 100},
		{Scenario: load.B, Rate: rate, Calls: calls * 10 / 100},
		{Scenario: load.C, Rate: rate, Calls: calls * 10 / 100},
	} {
		on, err := c.begin(inner, part)
		if err != nil {
			return 0, err
		}
		r, err := on.end()
		if err != nil {
			cancel()
			return 0, errors.Join(err, <-misbehaving)
		}
		lost += r.Failed
	}
	return lost, <-misbehaving
}

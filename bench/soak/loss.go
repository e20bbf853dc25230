//go:build linux

package soak

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
)

// runLoss carries calls over networks that lose, double and reorder datagrams on each of the two hops.
func runLoss(ctx context.Context, b *bench) error {
	networks := []struct {
		what  string
		net   load.Network
		share float64 // Of calls that must complete.
	}{
		{"1 % of datagrams lost on each hop", load.Network{Loss: 0.01}, 1},
		{"10 % lost on each hop", load.Network{Loss: 0.10}, 0.995},
		{"10 % come twice, 20 % up to 30 ms late", load.Network{Duplicate: 0.10, Reorder: 0.20, Delay: 30 * time.Millisecond}, 1},
		{"5 % lost, 10 % twice, 20 % late", load.Network{Loss: 0.05, Duplicate: 0.10, Reorder: 0.20, Delay: 30 * time.Millisecond}, 0.995},
	}
	results, errs := make([]load.Result, len(networks)), make([]error, len(networks))
	var all sync.WaitGroup
	for i, one := range networks { // Side by side: retransmissions take their time, and no CPU.
		all.Go(func() { results[i], errs[i] = b.overNetwork(ctx, one.net) })
	}
	all.Wait()
	for i, one := range networks {
		if errs[i] != nil {
			return errs[i]
		}
		r := results[i]
		share := float64(r.OK) / float64(r.Calls)
		b.note(share >= one.share, fmt.Sprintf("%s: calls complete, of %d", one.what, r.Calls), fmt.Sprintf("%.2f %%", 100*share), fmt.Sprintf(">= %g %%", 100*one.share))
		if one.net.Loss > 0 {
			b.note(r.Lost > 0, one.what+": datagrams lost, messages sent again", fmt.Sprintf("%d, %d", r.Lost, r.Retransmits()), "some")
		}
		b.note(r.Bad == 0, one.what+": messages that failed a check", strconv.Itoa(r.Bad), "0")
	}
	return nil
}

func (b *bench) overNetwork(ctx context.Context, net load.Network) (r load.Result, err error) {
	cfg := parties()
	cfg.Network = net
	c, n, err := b.carried(ctx, cfg, settings{}, "")
	if err != nil {
		return r, err
	}
	defer c.Close()
	defer func() { _ = n.stop() }()
	calls, err := c.begin(ctx, load.Plan{
		Scenario: load.A, Rate: rate, Calls: atRate(long(b, 30*time.Second, 4*time.Second)),
		Ring: 200 * time.Millisecond, Hold: 500 * time.Millisecond,
	})
	if err != nil {
		return r, err
	}
	return calls.end()
}

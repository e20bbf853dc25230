//go:build linux

package soak

import (
	"context"
	"net/netip"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

// parties opens a caller and three providers on free ports. The proxy's address is not known yet: see callers.at.
func parties() load.Config {
	free := netip.MustParseAddrPort("127.0.0.1:0")
	return load.Config{Caller: free, Answers: free, Busy: free, Silent: free, Proxy: netip.MustParseAddrPort("127.0.0.1:9")}
}

// callers is a generator and what it does in the background.
type callers struct {
	*load.Engine
	numbers map[table.Group][]table.Number
}

// newCallers opens the generator's sockets, so that a node can be told where the providers are.
func newCallers(ctx context.Context, cfg load.Config) (*callers, error) {
	e, err := load.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := table.New(table.MinPrefixes)
	c := &callers{Engine: e, numbers: make(map[table.Group][]table.Number)}
	for _, g := range []table.Group{table.A, table.B, table.C} {
		c.numbers[g] = t.Numbers(g, load.NumbersPerRun)
	}
	return c, nil
}

// only has all calls go to one number of group A.
func (c *callers) only(number string) {
	for _, n := range c.numbers[table.A] {
		if n.Dial == number {
			c.numbers[table.A] = []table.Number{n}
			return
		}
	}
}

// run is a plan on its way.
type run struct {
	done   chan struct{}
	result load.Result
	err    error
}

// begin offers the calls of a plan in the background. One plan at a time.
func (c *callers) begin(ctx context.Context, plan load.Plan) (*run, error) {
	group, err := plan.Scenario.Group()
	if err != nil {
		return nil, err
	}
	r := &run{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.result, r.err = c.Run(ctx, plan, c.numbers[group], nil)
	}()
	return r, nil
}

// end waits for the end of a plan.
func (r *run) end() (load.Result, error) {
	<-r.done
	return r.result, r.err
}

// carried opens callers and a node for them.
func (b *bench) carried(ctx context.Context, cfg load.Config, s settings, extra string) (*callers, *node, error) {
	c, err := newCallers(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	n, err := b.newNode(s, c.Config().Hosts(), extra)
	if err == nil {
		err = n.start(ctx)
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	c.Direct(n.udp)
	return c, n, nil
}

// lost keeps how many calls of a result failed, which must be none, and what else is wrong with it.
func (b *bench) lost(what string, r load.Result) {
	b.equal(what+": calls lost", r.Failed-r.Told, 0)
	if r.Bad > 0 {
		b.equal(what+": messages that failed a check", r.Bad, 0)
	}
}

// rate is how many calls a second are offered where the load is not what matters.
const rate = 100

// atRate is how many calls a time takes at that rate.
func atRate(d time.Duration) int { return int(rate * d.Seconds()) }

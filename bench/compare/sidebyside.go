//go:build linux

package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
)

// side is one of several proxies that run at the same time, on the same core, with a generator of its own. One of them has
// calls; the others rest, but for what is left of theirs.
//
//	kamailio     |load|      |load|      |load|
//	dialrouter         |load|      |load|      |load|
//	turn         <---- 1 ---><---- 2 ---><---- 3 --->    for kamailio; its CPU time is that of all of it
//
// A machine that others use has moods of many seconds. This way they meet all proxies alike.
type side struct {
	runner
	*stand

	turn           Turn // The one that is under way.
	before, during readings
}

// on moves all addresses to the n-th network of the loopback device.
func on(cfg load.Config, n int) load.Config {
	for _, at := range []*netip.AddrPort{&cfg.Proxy, &cfg.Caller, &cfg.Answers, &cfg.Busy, &cfg.Silent} {
		ip := at.Addr().As4()
		ip[2] = byte(n)
		*at = netip.AddrPortFrom(netip.AddrFrom4(ip), at.Port())
	}
	return cfg
}

// sideBySide measures all proxies in turns without an end between them.
func (r *runner) sideBySide(ctx context.Context, s load.Scenario, rate int, proxies []string, progress io.Writer) (turns []Turn, err error) {
	o := &r.options
	var sides []*side
	defer func() {
		for _, d := range sides {
			err = errors.Join(err, d.end(ctx, nil))
		}
		if err != nil {
			err = fmt.Errorf("measuring side by side: %w", err)
		}
	}()
	for i, kind := range proxies {
		d := &side{runner: *r}
		d.addresses = on(r.addresses, i)
		if d.stand, err = d.start(ctx, kind); err != nil {
			return nil, err
		}
		sides = append(sides, d)
		if d.turn.Idle, err = host.SessionMemory(d.proxy.Session()); err != nil {
			return nil, err
		}
		if o.Warmup > 0 {
			if _, err := d.gen.run(ctx, load.Plan{Scenario: s, Rate: rate, Calls: calls(rate, o.Warmup)}, nil); err != nil {
				return nil, err
			}
		}
	}
	if err := sleep(ctx, o.Settle); err != nil {
		return nil, err
	}
	plan := load.Plan{Scenario: s, Rate: rate, Calls: calls(rate, o.Length)}
	for number := 1; number <= o.Turns+1; number++ {
		if number > o.Turns {
			if err := sleep(ctx, o.Settle); err != nil {
				return turns, err
			}
		}
		for _, d := range sides {
			now, err := d.read(d.proxy, d.gen)
			if err != nil {
				return turns, err
			}
			if number > 1 {
				d.turn.account(d.before, d.during, now)
				d.turn.Discarded = judge(&d.turn, o.KeepNoisy)
				d.turn.progress(progress)
				turns = append(turns, d.turn)
			}
			if number > o.Turns {
				continue
			}
			d.before, d.turn = now, Turn{Proxy: d.kind, Number: number, Idle: d.turn.Idle}
			if err := d.load(ctx, plan); err != nil {
				return turns, err
			}
		}
	}
	return turns, nil
}

// load is the part of a turn in which this side has calls.
func (d *side) load(ctx context.Context, plan load.Plan) (err error) {
	if d.turn.Load, err = d.gen.run(ctx, plan, nil); err != nil {
		return fmt.Errorf("%s: %w%s", d.kind, err, lastLines(d.log.Name()))
	}
	if d.during, err = d.read(d.proxy, d.gen); err != nil {
		return err
	}
	select {
	case <-d.proxy.Ended():
		return fmt.Errorf("%s has ended under load: %s%s", d.kind, d.proxy.Status(), lastLines(d.log.Name()))
	default:
	}
	d.turn.Loaded, err = host.SessionMemory(d.proxy.Session())
	return err
}

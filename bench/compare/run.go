//go:build linux

package compare

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/kamailio"
	"github.com/voipbin/dialrouter/bench/load"
)

// Report is what a run came to.
type Report struct {
	Time     time.Time    `json:"time"`
	Machine  host.Machine `json:"machine"`
	Kamailio string       `json:"kamailio,omitempty"` // Its version.
	Sandbox  bool         `json:"sandbox"`            // Network and process namespaces of its own.
	Options  Options      `json:"options"`
	Cells    []Cell       `json:"cells"`
}

// Cell is one scenario at one rate.
type Cell struct {
	Scenario load.Scenario `json:"scenario"`
	Rate     int           `json:"rate"`
	Turns    []Turn        `json:"turns"`   // All of them, those thrown away too.
	Proxies  []Summary     `json:"proxies"` // In the order of Options.Proxies.
}

// Run measures all that the options ask for. Progress goes to a writer as it is made. When ctx ends early, the
// report holds what was measured until then, and is nil when that is nothing.
func Run(ctx context.Context, o Options, progress io.Writer) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("planning the comparison: %w", err)
	}
	if err := o.available(ctx); err != nil {
		return nil, fmt.Errorf("planning the comparison: %w", err)
	}
	r, err := newRunner(o)
	if err != nil {
		return nil, fmt.Errorf("planning the comparison: %w", err)
	}
	defer r.close()
	report := &Report{Time: time.Now().UTC().Truncate(time.Second), Machine: host.ThisMachine(), Sandbox: host.Inside(), Options: o}
	if slices.Contains(o.Proxies, KindKamailio) {
		if report.Kamailio, err = kamailio.Version(ctx); err != nil {
			return nil, err
		}
	}
	usual, most := o.Estimate()
	fmt.Fprintf(progress, "takes about %v, at most %v\n", usual.Round(time.Second), most.Round(time.Minute))

	for _, s := range o.Scenarios {
		for _, rate := range o.Rates {
			if !slices.ContainsFunc(o.Proxies, func(p string) bool { return plays(p, s) }) {
				continue
			}
			cell, err := r.cell(ctx, s, rate, progress)
			if len(cell.Turns) > 0 {
				report.Cells = append(report.Cells, cell)
			}
			switch {
			case err == nil:
			case len(report.Cells) > 0:
				return report, err
			default:
				return nil, err
			}
		}
	}
	return report, nil
}

// cell measures all proxies in turns until enough turns count, or too many do not.
func (r *runner) cell(ctx context.Context, s load.Scenario, rate int, progress io.Writer) (Cell, error) {
	o := &r.options
	cell := Cell{Scenario: s, Rate: rate}
	var proxies []string
	for _, p := range o.Proxies {
		if plays(p, s) {
			proxies = append(proxies, p)
		}
	}
	if o.SideBySide {
		turns, err := r.sideBySide(ctx, s, rate, proxies, progress)
		cell.Turns, cell.Proxies = turns, summarize(proxies, turns)
		return cell, err
	}
	good := 0
	for number := 1; good < o.Turns && number <= o.Turns+o.Retries; number++ {
		counts := true
		for _, p := range proxies {
			t, err := r.measure(ctx, p, s, rate, number)
			if err != nil {
				cell.Proxies = summarize(proxies, cell.Turns)
				return cell, err
			}
			cell.Turns = append(cell.Turns, t)
			counts = counts && len(t.Discarded) == 0
			t.progress(progress)
		}
		if counts {
			good++
		}
	}
	cell.Proxies = summarize(proxies, cell.Turns)
	return cell, nil
}

// Complete tells whether every proxy has a turn that counts wherever it plays.
func (r *Report) Complete() bool {
	for _, c := range r.Cells {
		for _, s := range c.Proxies {
			if s.Turns == 0 {
				return false
			}
		}
	}
	return true
}

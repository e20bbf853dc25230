//go:build linux

package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/stats"
)

// HighestReport is what a search for the highest rates came to.
type HighestReport struct {
	Time    time.Time     `json:"time"`
	Machine host.Machine  `json:"machine"`
	Fair    bool          `json:"fair"` // Each session got the same share of the core.
	Options Options       `json:"options"`
	Cells   []HighestCell `json:"cells"`
}

// HighestCell is one scenario.
type HighestCell struct {
	Scenario load.Scenario  `json:"scenario"`
	Proxies  []HighestProxy `json:"proxies"` // In the order of Options.Proxies.
}

// HighestProxy is the highest rate that one proxy took without loss, in calls per second.
type HighestProxy struct {
	Proxy  string        `json:"proxy"`
	Turns  []int         `json:"turns"`
	Rate   stats.Summary `json:"rate"`
	Ratios stats.Summary `json:"ratio"` // To the first proxy in the same turn; zero for the first itself.
}

// The search: rates grow by searchGrowth until one is too much, and then the gap is halved until its ends are closer
// than searchClose.
const (
	searchGrowth = 1.25
	searchClose  = 1.05
	searchWarmup = 3    // Trials long: memory is taken, caches are warm.
	searchTries  = 2    // A rate is too much when it is so as often in a row: others use the machine too.
	searchLost   = 1000 // Of so many calls one may need a message sent twice.
	searchMost   = 50_000
)

// Highest seeks the highest rate at which a proxy loses nothing, while programs that only count share its core: alone it
// would take more than the generator can make. Scenarios C and R are not for it.
func Highest(ctx context.Context, o Options, progress io.Writer) (*HighestReport, error) {
	err := errors.Join(o.validate(), o.available(ctx))
	if slices.Contains(o.Scenarios, load.C) || slices.Contains(o.Scenarios, load.R) {
		err = errors.Join(err, errors.New("scenarios C and R have no highest rate"))
	}
	if err != nil {
		return nil, fmt.Errorf("planning the search: %w", err)
	}
	r, err := newRunner(o)
	if err != nil {
		return nil, fmt.Errorf("planning the search: %w", err)
	}
	defer r.close()
	report := &HighestReport{Time: time.Now().UTC().Truncate(time.Second), Machine: host.ThisMachine(), Fair: host.FairSessions(), Options: o}
	for _, s := range o.Scenarios {
		cell := HighestCell{Scenario: s}
		for _, p := range o.Proxies {
			cell.Proxies = append(cell.Proxies, HighestProxy{Proxy: p})
		}
		for turn := range o.Turns {
			for i := range cell.Proxies {
				p := &cell.Proxies[i]
				rate, err := r.highest(ctx, p.Proxy, s)
				if err != nil {
					return report, err
				}
				p.Turns = append(p.Turns, rate)
				fmt.Fprintf(progress, "%s  turn %d  %-10s  %6d calls/s\n", s, turn+1, p.Proxy, rate)
			}
		}
		cell.summarize()
		report.Cells = append(report.Cells, cell)
	}
	return report, nil
}

func (c *HighestCell) summarize() {
	for i := range c.Proxies {
		p := &c.Proxies[i]
		var rates, ratios []float64
		for turn, rate := range p.Turns {
			rates = append(rates, float64(rate))
			if i > 0 && c.Proxies[0].Turns[turn] > 0 {
				ratios = append(ratios, float64(rate)/float64(c.Proxies[0].Turns[turn]))
			}
		}
		p.Rate, p.Ratios = stats.Summarize(rates), stats.Summarize(ratios)
	}
}

// highest runs a proxy for one search.
func (r *runner) highest(ctx context.Context, kind string, s load.Scenario) (rate int, err error) {
	o := &r.options
	d, err := r.start(ctx, kind)
	if err != nil {
		return 0, err
	}
	defer func() { err = d.end(ctx, err) }()
	stop, err := host.Burners(ctx, r.self, o.Burners, host.Placement{CPUs: o.ProxyCPU, Nice: o.Nice})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if _, err := d.gen.run(ctx, load.Plan{Scenario: s, Rate: o.Start, Calls: calls(o.Start, searchWarmup*o.Trial)}, nil); err != nil {
		return 0, err
	}
	return search(o.Start, func(rate int) (bool, error) {
		for range searchTries {
			got, err := d.gen.run(ctx, load.Plan{Scenario: s, Rate: rate, Calls: calls(rate, o.Trial)}, nil)
			if err != nil || takes(&got) {
				return err == nil, err
			}
		}
		return false, nil
	})
}

// takes tells whether a proxy took a load. A generator that was late had too little time itself.
func takes(l *load.Result) bool {
	return l.Failed == 0 && l.Retransmits()*searchLost <= l.OK && l.Failovers*searchLost <= l.OK && float64(l.Late) <= maxLate*float64(l.Calls)
}

// search returns the highest rate that was taken, 0 when start was not.
func search(start int, taken func(rate int) (bool, error)) (int, error) {
	good, bad := 0, 0
	for rate := start; bad == 0 || float64(bad) > searchClose*float64(good); {
		ok, err := taken(rate)
		switch {
		case err != nil:
			return good, err
		case ok:
			good = rate
		default:
			bad = rate
		}
		switch {
		case good == 0 || good >= searchMost:
			return good, nil
		case bad == 0:
			rate = int(searchGrowth * float64(rate))
		default:
			rate = (good + bad) / 2
		}
	}
	return good, nil
}

// Print writes the report as a table.
func (r *HighestReport) Print(w io.Writer) {
	o := &r.Options
	fmt.Fprintf(w, "\n%s, %d processors, Linux %s, %s; %s\n", r.Machine.Processor, r.Machine.Processors, r.Machine.Kernel, r.Machine.Go, r.Time.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(w, "highest rate without loss, calls/s; %d turns; proxy on core %s with %d programs that count, load on core %s; medians (lowest to highest)\n",
		o.Turns, orAny(o.ProxyCPU), o.Burners, orAny(o.LoadCPU))
	if !r.Fair && o.Burners > 0 {
		fmt.Fprintln(w, "the kernel shares a core out to threads, not to sessions: who has more of them gets more")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Cells {
		fmt.Fprintf(t, "scenario %s", c.Scenario)
		for i, p := range c.Proxies {
			fmt.Fprintf(t, "\t%s %s", p.Proxy, spread(p.Rate, 0))
			if i > 0 {
				fmt.Fprintf(t, "\tratio %s", spread(p.Ratios, 2))
			}
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

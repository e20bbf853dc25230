//go:build linux

package compare

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/stats"
)

// progress prints a turn in one line.
func (t *Turn) progress(w io.Writer) {
	l := &t.Load
	fmt.Fprintf(w, "%s %6d/s  turn %d  %-10s  %6d calls  %6.1f us/call (%.1f, %.1f)  pdd %.3f / %.3f ms  %4.0f MB  proxy %.0f %%  load %.0f %%  others %.1f %%",
		l.Scenario, l.Rate, t.Number, t.Proxy, l.OK, t.CPU, t.User, t.System, l.PDD.P50, l.PDD.P99, t.memory(), t.ProxyBusy, t.LoadBusy, t.Others)
	if len(t.Discarded) > 0 {
		fmt.Fprintf(w, "  thrown away: %s", strings.Join(t.Discarded, "; "))
	}
	fmt.Fprintln(w)
}

// Print writes the report as tables.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %d processors, Linux %s, %s", r.Machine.Processor, r.Machine.Processors, r.Machine.Kernel, r.Machine.Go)
	if r.Kamailio != "" {
		fmt.Fprintf(w, ", %s", r.Kamailio)
	}
	fmt.Fprintf(w, "; %s\n", r.Time.Format("2006-01-02 15:04 MST"))
	o := &r.Options
	fmt.Fprintf(w, "%d turns of %v after %v of warm-up; proxy on core %s, load on core %s; medians (lowest to highest)\n",
		o.Turns, o.Length, o.Warmup, orAny(o.ProxyCPU), orAny(o.LoadCPU))
	if !r.Sandbox {
		fmt.Fprintln(w, "without namespaces of its own: traffic of other programs may be among the figures")
	}
	if o.KeepNoisy {
		fmt.Fprintln(w, "noisy turns were kept: no figures for a record")
	}
	for i := range r.Cells {
		r.Cells[i].print(w)
	}
}

func orAny(cpus string) string {
	if cpus == "" {
		return "any"
	}
	return cpus
}

// print writes a cell with a column for each proxy, and one beside it for its ratio to the first.
func (c *Cell) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nscenario %s, %d calls/s", c.Scenario, c.Rate)
	for i := range c.Proxies {
		fmt.Fprintf(t, "\t%s", c.Proxies[i].Proxy)
		if i > 0 {
			fmt.Fprint(t, "\tratio")
		}
	}
	fmt.Fprintln(t)
	for _, row := range c.rows() {
		fmt.Fprintf(t, "  %s", row.title)
		for i := range c.Proxies {
			s := &c.Proxies[i]
			fmt.Fprintf(t, "\t%s", row.figure(s))
			switch {
			case i == 0:
			case row.ratio == nil:
				fmt.Fprint(t, "\t")
			default:
				fmt.Fprintf(t, "\t%s", spread(*row.ratio(s), 2))
			}
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	for i := range c.Proxies {
		s := &c.Proxies[i]
		if len(s.Discarded) > 0 {
			fmt.Fprintf(w, "  thrown away of %s: %s\n", s.Proxy, strings.Join(s.Discarded, "; "))
		}
		if s.Bad > 0 {
			fmt.Fprintf(w, "  %s does not do the work: %d messages failed a check\n", s.Proxy, s.Bad)
		}
	}
}

// row is a line of a cell's table. ratio is nil where there is none.
type row struct {
	title  string
	figure func(*Summary) string
	ratio  func(*Summary) *stats.Summary
}

func (c *Cell) rows() []row {
	rows := []row{
		{"turns that count", func(s *Summary) string { return strconv.Itoa(s.Turns) }, nil},
		{"calls completed, failed", func(s *Summary) string { return fmt.Sprintf("%d, %d", s.Calls, s.Failed) }, nil},
		{"180s heard, overtaken", func(s *Summary) string { return fmt.Sprintf("%d, %d", s.Rang, s.Overtaken) }, nil},
		{"retransmissions", func(s *Summary) string { return strconv.Itoa(s.Retransmits) }, nil},
		{
			"CPU us per call",
			func(s *Summary) string { return spread(s.CPU, 1) },
			func(s *Summary) *stats.Summary { return &s.CPURatio },
		},
		{"  user, system", func(s *Summary) string { return fmt.Sprintf("%.1f, %.1f", s.User.Median, s.System.Median) }, nil},
		{
			"post-dial delay p50 ms",
			func(s *Summary) string { return spread(s.PDD50, 3) },
			func(s *Summary) *stats.Summary { return &s.PDD50Ratio },
		},
		{
			"post-dial delay p99 ms",
			func(s *Summary) string { return spread(s.PDD99, 3) },
			func(s *Summary) *stats.Summary { return &s.PDD99Ratio },
		},
		{
			"memory MB (PSS)",
			func(s *Summary) string { return spread(s.Memory, 0) },
			func(s *Summary) *stats.Summary { return &s.MemRatio },
		},
		{"core busy %: proxy, load", func(s *Summary) string { return fmt.Sprintf("%.0f, %.0f", s.ProxyBusy.Median, s.LoadBusy.Median) }, nil},
	}
	if c.Scenario == load.R {
		rows = append(rows, row{
			"bytes per ringing call",
			func(s *Summary) string { return spread(s.MemoryPerCall, 0) },
			func(s *Summary) *stats.Summary { return &s.CallRatio },
		})
	}
	return rows
}

// spread writes a median with the lowest and highest value.
func spread(s stats.Summary, digits int) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

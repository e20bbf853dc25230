//go:build linux

package compare

import (
	"fmt"
	"io"
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
		o.Turns, o.Seconds, o.Warmup, orAny(o.ProxyCPU), orAny(o.LoadCPU))
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

func (c *Cell) print(w io.Writer) {
	fmt.Fprintf(w, "\nscenario %s, %d calls/s\n", c.Scenario, c.Rate)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	memory := "memory MB"
	if c.Scenario == load.R {
		memory = "memory MB (bytes/call)"
	}
	fmt.Fprintf(t, "  proxy\tturns\tcalls\tfailed\t180s\tovertaken\tretrans\tCPU us/call\tuser, system\tPDD p50 ms\tPDD p99 ms\t%s\tcore busy %%, load\tCPU ratio\tPDD ratio p50, p99\tmemory ratio\n", memory)
	for i := range c.Proxies {
		s := &c.Proxies[i]
		mem := fmt.Sprintf("%.0f", s.Memory.Median)
		if c.Scenario == load.R {
			mem += fmt.Sprintf(" (%.0f)", s.MemoryPerCall.Median)
		}
		fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%.1f, %.1f\t%s\t%s\t%s\t%.0f, %.0f\t%s\t%s, %s\t%s\n",
			s.Proxy, s.Turns, s.Calls, s.Failed, s.Rang, s.Overtaken, s.Retransmits,
			spread(s.CPU, 1), s.User.Median, s.System.Median, spread(s.PDD50, 3), spread(s.PDD99, 3), mem,
			s.ProxyBusy.Median, s.LoadBusy.Median,
			ratio(s.CPURatio), short(s.PDD50Ratio), short(s.PDD99Ratio), short(s.MemRatio))
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

func spread(s stats.Summary, digits int) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

func ratio(s stats.Summary) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max)
}

func short(s stats.Summary) string {
	if s.N == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", s.Median)
}

//go:build linux

package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What a turn may show and still count.
const (
	maxOthers = 5.0   // Percent of one core that other programs used.
	maxSteal  = 2.0   // Percent of one core that the machine below took away.
	maxLate   = 0.001 // Share of calls that the generator started more than 20 ms late.
)

// judge returns the reasons why a turn does not count; none when it does. Lost 180s are no reason: they are printed.
func judge(t *Turn, keepNoisy bool) []string {
	var reasons []string
	add := func(is bool, format string, args ...any) {
		if is {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	l := &t.Load
	add(l.Failed > 0, "%d calls failed", l.Failed)
	add(l.Bad > 0 || len(l.Faults) > 0, "%d messages failed a check (%s)", l.Bad, names(l.Faults))
	add(l.Retransmits() > 0, "%d retransmissions", l.Retransmits())
	add(l.Failovers > 0, "%d calls went to the second provider for no reason", l.Failovers)
	add(t.Drops > 0, "the kernel dropped %d datagrams", t.Drops)
	add(l.SendErrors > 0, "the generator could not send %d datagrams", l.SendErrors)
	add(l.OK == 0, "no call was completed")
	if !keepNoisy {
		add(float64(l.Late) > maxLate*float64(l.Calls), "the generator was late for %d calls", l.Late)
		add(t.Others > maxOthers, "other programs used %.0f %% of a core", t.Others)
		add(t.Steal > maxSteal, "the machine below took %.0f %% of a core", t.Steal)
	}
	return reasons
}

func names(faults map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		list = append(list, fmt.Sprintf("%s %d", name, faults[name]))
	}
	return strings.Join(list, ", ")
}

//go:build linux

package compare

import (
	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/stats"
)

// Summary is what the turns of one proxy in one cell say together. Counts are sums over the turns that count.
type Summary struct {
	Proxy     string   `json:"proxy"`
	Turns     int      `json:"turns"` // That count.
	Discarded []string `json:"discarded,omitempty"`

	Calls       int `json:"calls"`
	Failed      int `json:"failed"`      // In all turns, those thrown away too.
	Bad         int `json:"bad"`         // In all turns.
	Retransmits int `json:"retransmits"` // In all turns.
	Rang        int `json:"rang"`        // Calls that heard a 180.
	Overtaken   int `json:"overtaken"`

	CPU    stats.Summary `json:"cpu_us_per_call"`
	User   stats.Summary `json:"user_us_per_call"`
	System stats.Summary `json:"system_us_per_call"`
	PDD50  stats.Summary `json:"pdd_p50_ms"`
	PDD99  stats.Summary `json:"pdd_p99_ms"`
	Memory stats.Summary `json:"memory_mb"` // PSS, with finished transactions; in scenario R with all calls ringing.
	// MemoryPerCall is in bytes, in scenario R: what all ringing calls have added to the idle proxy.
	MemoryPerCall stats.Summary `json:"memory_per_call"`
	ProxyBusy     stats.Summary `json:"proxy_busy_percent"`
	LoadBusy      stats.Summary `json:"load_busy_percent"`

	// Ratios to the first proxy, over the turns that count for both; all zero for the first itself.
	CPURatio   stats.Summary `json:"cpu_ratio"`
	PDD50Ratio stats.Summary `json:"pdd_p50_ratio"`
	PDD99Ratio stats.Summary `json:"pdd_p99_ratio"`
	MemRatio   stats.Summary `json:"memory_ratio"`
	CallRatio  stats.Summary `json:"memory_per_call_ratio"`
}

const megabyte = 1e6

// memory returns the figure of a turn that its scenario is about, in megabytes.
func (t *Turn) memory() float64 {
	if t.Load.Scenario == load.R {
		return float64(t.AtRing.PSS) / megabyte
	}
	return float64(t.Loaded.PSS) / megabyte
}

// memoryPerCall returns what each ringing call has added to the idle proxy, in bytes; 0 in other scenarios.
func (t *Turn) memoryPerCall() float64 {
	if t.Load.Scenario != load.R || t.Load.Calls == 0 {
		return 0
	}
	return float64(t.AtRing.PSS-t.Idle.PSS) / float64(t.Load.Calls)
}

// summarize sums up the turns of a cell, one summary per proxy.
func summarize(proxies []string, turns []Turn) []Summary {
	first := map[int]*Turn{} // The good turns of the first proxy, by number.
	var list []Summary
	for i, name := range proxies {
		s := Summary{Proxy: name}
		var good []*Turn
		for k := range turns {
			t := &turns[k]
			if t.Proxy != name {
				continue
			}
			s.Failed += t.Load.Failed
			s.Bad += t.Load.Bad
			s.Retransmits += t.Load.Retransmits()
			if len(t.Discarded) > 0 {
				s.Discarded = append(s.Discarded, t.Discarded...)
				continue
			}
			s.Calls += t.Load.OK
			s.Rang += t.Load.Rang
			s.Overtaken += t.Load.Overtaken
			good = append(good, t)
			if i == 0 {
				first[t.Number] = t
			}
		}
		s.Turns = len(good)
		s.figures(good)
		if i > 0 {
			s.ratios(good, first)
		}
		list = append(list, s)
	}
	return list
}

func (s *Summary) figures(good []*Turn) {
	over := func(f func(*Turn) float64) stats.Summary {
		var values []float64
		for _, t := range good {
			values = append(values, f(t))
		}
		return stats.Summarize(values)
	}
	s.CPU = over(func(t *Turn) float64 { return t.CPU })
	s.User = over(func(t *Turn) float64 { return t.User })
	s.System = over(func(t *Turn) float64 { return t.System })
	s.PDD50 = over(func(t *Turn) float64 { return t.Load.PDD.P50 })
	s.PDD99 = over(func(t *Turn) float64 { return t.Load.PDD.P99 })
	s.Memory = over((*Turn).memory)
	s.ProxyBusy = over(func(t *Turn) float64 { return t.ProxyBusy })
	s.LoadBusy = over(func(t *Turn) float64 { return t.LoadBusy })
	s.MemoryPerCall = over((*Turn).memoryPerCall)
}

func (s *Summary) ratios(good []*Turn, first map[int]*Turn) {
	over := func(f func(*Turn) float64) stats.Summary {
		var values []float64
		for _, t := range good {
			if ref := first[t.Number]; ref != nil && f(ref) > 0 {
				values = append(values, f(t)/f(ref))
			}
		}
		return stats.Summarize(values)
	}
	s.CPURatio = over(func(t *Turn) float64 { return t.CPU })
	s.PDD50Ratio = over(func(t *Turn) float64 { return t.Load.PDD.P50 })
	s.PDD99Ratio = over(func(t *Turn) float64 { return t.Load.PDD.P99 })
	s.MemRatio = over((*Turn).memory)
	s.CallRatio = over((*Turn).memoryPerCall)
}

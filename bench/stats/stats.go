// Package stats sums up samples: percentiles of one run, medians and spread over several.
//
// A percentile is a sample that was really measured (nearest rank), never a value in between.
package stats

import (
	"math"
	"slices"
	"time"
)

// Percentiles of a set of delays, in the unit they were asked for. All are zero when there was no sample.
type Percentiles struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50"`
	P90     float64 `json:"p90"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
}

// PercentilesOf sorts samples, which are nanoseconds, and returns their percentiles in a unit.
func PercentilesOf(samples []int64, unit time.Duration) Percentiles {
	slices.Sort(samples)
	at := func(p float64) float64 { return float64(percentile(samples, p)) / float64(unit) }
	return Percentiles{Samples: len(samples), P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

// percentile returns the smallest sample that at least p percent do not exceed; sorted is in order.
func percentile(sorted []int64, p float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Summary of a figure over several turns.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Summarize returns the summary of values; all zero when there are none. The median of an even number of values is
// the mean of the middle two.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := len(v) / 2
	median := v[mid]
	if len(v)%2 == 0 {
		median = (v[mid-1] + v[mid]) / 2
	}
	return Summary{N: len(v), Median: median, Min: v[0], Max: v[len(v)-1]}
}

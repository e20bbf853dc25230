package stats_test

import (
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/stats"
)

func TestPercentiles(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[(i*37)%100] = int64(i+1) * int64(time.Millisecond) // Not in order.
	}
	tests := map[string]struct {
		samples []int64
		want    stats.Percentiles
	}{
		"none":    {nil, stats.Percentiles{}},
		"one":     {[]int64{3e6}, stats.Percentiles{Samples: 1, P50: 3, P90: 3, P99: 3, Max: 3}},
		"two":     {[]int64{4e6, 2e6}, stats.Percentiles{Samples: 2, P50: 2, P90: 4, P99: 4, Max: 4}},
		"hundred": {hundred, stats.Percentiles{Samples: 100, P50: 50, P90: 90, P99: 99, Max: 100}},
		"ties":    {[]int64{1e6, 1e6, 1e6, 9e6}, stats.Percentiles{Samples: 4, P50: 1, P90: 9, P99: 9, Max: 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := stats.PercentilesOf(test.samples, time.Millisecond); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	tests := map[string]struct {
		values []float64
		want   stats.Summary
	}{
		"none": {nil, stats.Summary{}},
		"odd":  {[]float64{9, 1, 4}, stats.Summary{N: 3, Median: 4, Min: 1, Max: 9}},
		"even": {[]float64{9, 1, 4, 2}, stats.Summary{N: 4, Median: 3, Min: 1, Max: 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := stats.Summarize(test.values); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			for i, v := range test.values {
				if want := map[string][]float64{"odd": {9, 1, 4}, "even": {9, 1, 4, 2}}[name][i]; v != want {
					t.Errorf("the values were changed: %v", test.values)
				}
			}
		})
	}
}

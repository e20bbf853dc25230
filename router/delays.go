package router

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// delayBounds are the upper bounds of the delay histograms.
var delayBounds = [...]time.Duration{ //nolint:gochecknoglobals // A table.
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second,
	12 * time.Second, 20 * time.Second, 30 * time.Second, 60 * time.Second, 90 * time.Second,
}

// delays is a histogram that costs two additions an observation: the client library's takes four times the time, most
// of it for exemplars and native histograms that are not used here.
type delays struct {
	counts [len(delayBounds) + 1]atomic.Uint64 // The last is for all that is longer.
	sum    atomic.Int64                        // Nanoseconds.
}

func (d *delays) observe(ns int64) {
	i := 0
	for i < len(delayBounds) && ns > int64(delayBounds[i]) {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(ns)
}

// metric is the histogram as it stands; nil when nothing was observed yet.
func (d *delays) metric(desc *prometheus.Desc, provider string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(delayBounds))
	sum, total := d.sum.Load(), uint64(0)
	for i := range delayBounds {
		total += d.counts[i].Load()
		buckets[delayBounds[i].Seconds()] = total
	}
	if total += d.counts[len(delayBounds)].Load(); total == 0 {
		return nil
	}
	return prometheus.MustNewConstHistogram(desc, total, time.Duration(sum).Seconds(), buckets, provider)
}

// delayHistograms is dialrouter_setup_seconds and dialrouter_answer_seconds. It implements prometheus.Collector.
type delayHistograms metrics

//nolint:gochecknoglobals // Constants.
var (
	setupDesc = prometheus.NewDesc("dialrouter_setup_seconds",
		"Time from an attempt's INVITE to the first 18x.", []string{"provider"}, nil)
	answerDesc = prometheus.NewDesc("dialrouter_answer_seconds",
		"Time from an attempt's INVITE to its 2xx.", []string{"provider"}, nil)
)

// Describe implements prometheus.Collector.
func (m *delayHistograms) Describe(ch chan<- *prometheus.Desc) {
	ch <- setupDesc
	ch <- answerDesc
}

// Collect implements prometheus.Collector.
func (m *delayHistograms) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, p := range m.providers {
		if h := p.setup.metric(setupDesc, name); h != nil {
			ch <- h
		}
		if h := p.answer.metric(answerDesc, name); h != nil {
			ch <- h
		}
	}
}

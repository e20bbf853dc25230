package router

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/router/transport"
)

// tally counts the messages of one worker. It is the worker's own, so counting one costs no more than a write to
// memory that nobody else writes to; they are added up when somebody asks.
type tally struct {
	in, out [transport.TLS + 1][numKinds]atomic.Uint64
}

func (t *tally) received(p transport.Proto, k kind) { t.in[p][k].Add(1) }

func (t *tally) sent(p transport.Proto, k kind) { t.out[p][k].Add(1) }

// traffic is dialrouter_messages_total: the sum of all tallies. It implements prometheus.Collector.
type traffic struct {
	mu      sync.Mutex
	tallies []*tally
	past    tally // Of workers that are gone.
}

// join adds a worker's tally, leave keeps its figures without it.
func (f *traffic) join() *tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := new(tally)
	f.tallies = append(f.tallies, t)
	return t
}

func (f *traffic) leave(t *tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.past.add(t)
	for i := range f.tallies {
		if f.tallies[i] == t {
			f.tallies = append(f.tallies[:i], f.tallies[i+1:]...)
			break
		}
	}
}

func (t *tally) add(o *tally) {
	for p := range t.in {
		for k := range t.in[p] {
			t.in[p][k].Add(o.in[p][k].Load())
			t.out[p][k].Add(o.out[p][k].Load())
		}
	}
}

// messagesDesc describes the metric.
var messagesDesc = prometheus.NewDesc("dialrouter_messages_total", //nolint:gochecknoglobals // A constant.
	"SIP messages by direction, transport and kind.", []string{"direction", "transport", "kind"}, nil)

// Describe implements prometheus.Collector.
func (f *traffic) Describe(ch chan<- *prometheus.Desc) { ch <- messagesDesc }

// Collect implements prometheus.Collector.
func (f *traffic) Collect(ch chan<- prometheus.Metric) {
	var sum tally
	f.mu.Lock()
	sum.add(&f.past)
	for _, t := range f.tallies {
		sum.add(t)
	}
	f.mu.Unlock()
	for p := transport.UDP; p <= transport.TLS; p++ {
		name := strings.ToLower(p.String())
		for k := range numKinds {
			in, out := float64(sum.in[p][k].Load()), float64(sum.out[p][k].Load())
			ch <- prometheus.MustNewConstMetric(messagesDesc, prometheus.CounterValue, in, "in", name, k.String())
			ch <- prometheus.MustNewConstMetric(messagesDesc, prometheus.CounterValue, out, "out", name, k.String())
		}
	}
}

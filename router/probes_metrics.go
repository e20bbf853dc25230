package router

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

var (
	upDesc = prometheus.NewDesc("dialrouter_provider_up", //nolint:gochecknoglobals // A constant.
		"Whether probes and calls find the provider healthy (1) or not (0); absent while nothing is known of it.",
		[]string{"provider"}, nil)
	probesDesc = prometheus.NewDesc("dialrouter_probes_total", //nolint:gochecknoglobals // A constant.
		"OPTIONS probes by how they ended: up and down are replies.", []string{"provider", "result"}, nil)
)

// reach is what metrics tell of providers' health, for those of the catalog. It implements prometheus.Collector.
type reach Router

// Describe implements prometheus.Collector.
func (r *reach) Describe(ch chan<- *prometheus.Desc) {
	ch <- upDesc
	ch <- probesDesc
}

// Collect implements prometheus.Collector.
func (r *reach) Collect(ch chan<- prometheus.Metric) {
	s := r.current.Load()
	if s == nil {
		return
	}
	now := (*Router)(r).clock()
	for i := range s.providers {
		p := &s.providers[i]
		switch p.state.Status(now).Health {
		case providers.HealthHealthy:
			ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 1, p.Name)
		case providers.HealthUnhealthy:
			ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 0, p.Name)
		default:
		}
		for result, n := range r.probes.prober.Results(p.ID) {
			if n > 0 {
				label := health.Result(result).String()
				ch <- prometheus.MustNewConstMetric(probesDesc, prometheus.CounterValue, float64(n), p.Name, label)
			}
		}
	}
}

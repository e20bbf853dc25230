package router

import (
	"sync"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// standing says how the router stands with its catalog: whether the newest one is in force, and for which routes nobody
// is there. It implements prometheus.Collector.
type standing struct {
	r *Router

	mu   sync.Mutex
	of   *snapshot // What routes was made from.
	legs []leg
	seen []routeState // By target; used again.
}

// leg is a route's provider, for the target that it shares with the routes which stand in for it.
type leg struct{ target, provider int32 }

// routeState is what is known of a target.
type routeState uint8

const (
	routeUnused routeState = iota // Its providers are disabled: somebody wants it so.
	routeDown
	routeUp
)

var (
	routesDownDesc = prometheus.NewDesc("dialrouter_routes_down", //nolint:gochecknoglobals // A constant.
		"Targets of routes, one for each customer who has it, whose enabled providers are all down or without an address.", nil, nil)
	outdatedDesc = prometheus.NewDesc("dialrouter_catalog_outdated", //nolint:gochecknoglobals // A constant.
		"1 while something keeps the newest catalog from being in force.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *standing) Describe(ch chan<- *prometheus.Desc) {
	ch <- routesDownDesc
	ch <- outdatedDesc
}

// Collect implements prometheus.Collector.
func (s *standing) Collect(ch chan<- prometheus.Metric) {
	outdated := 0.0
	if s.r.Trouble() != "" {
		outdated = 1
	}
	ch <- prometheus.MustNewConstMetric(outdatedDesc, prometheus.GaugeValue, outdated)
	if snap := s.r.current.Load(); snap != nil {
		n := float64(s.routesDown(snap, s.r.clock()))
		ch <- prometheus.MustNewConstMetric(routesDownDesc, prometheus.GaugeValue, n)
	}
}

// routesDown counts the targets whose calls nobody is there for. Routes of one customer to one target stand in for each
// other; those of others, or to shorter prefixes, do too, but are alarm enough by themselves.
func (s *standing) routesDown(snap *snapshot, now int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of != snap {
		s.layOutLocked(snap)
	}
	clear(s.seen)
	for _, l := range s.legs {
		p := &snap.providers[l.provider]
		switch {
		case !p.Enabled:
		case len(p.hops) > 0 && !p.state.Down(now):
			s.seen[l.target] = routeUp
		default:
			s.seen[l.target] = max(s.seen[l.target], routeDown)
		}
	}
	down := 0
	for _, state := range s.seen {
		if state == routeDown {
			down++
		}
	}
	return down
}

// layOutLocked finds the targets of a snapshot, once.
func (s *standing) layOutLocked(snap *snapshot) {
	type key struct {
		customer uuid.UUID
		target   string
	}
	s.of, s.legs = snap, s.legs[:0]
	targets := make(map[key]int32)
	for i := range snap.catalog.Routes {
		r := &snap.catalog.Routes[i]
		p, ok := snap.byID[r.ProviderID]
		if !ok || r.Deleted() {
			continue
		}
		k := key{r.CustomerID, r.Target}
		t, ok := targets[k]
		if !ok {
			t = int32(len(targets))
			targets[k] = t
		}
		s.legs = append(s.legs, leg{t, p})
	}
	s.seen = make([]routeState, len(targets))
}

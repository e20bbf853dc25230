package router

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/router/transport"
)

// certificates knows when the certificates end that our peers showed last, good or not. It keeps those of the catalog's
// providers only.
type certificates struct {
	own func() time.Time // When ours ends; nil: we have none.

	mu    sync.Mutex
	shown map[proofKey]time.Time // Zero: none was seen yet.
}

// proofKey is whom a connection is made to: an address, and who has to be there.
type proofKey struct {
	remote netip.AddrPort
	peer   uint16
}

// keep makes room for the TLS addresses of a snapshot, and forgets all others.
func (c *certificates) keep(s *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[proofKey]time.Time)
	for i := range s.providers {
		for _, hop := range s.providers[i].hops {
			if hop.Proto == transport.TLS {
				key := proofKey{hop.Remote, hop.Peer}
				next[key] = c.shown[key]
			}
		}
	}
	c.shown = next
}

// watched is the configuration of a connection to a peer, from which the end of its certificate is taken before that is
// judged: one that has ended is refused, and is what somebody has to hear of.
func (c *certificates) watched(cfg *tls.Config, remote netip.AddrPort, peer uint16) *tls.Config {
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) > 0 {
			c.note(proofKey{remote, peer}, cs.PeerCertificates[0].NotAfter)
		}
		return verify(cs)
	}
	return cfg
}

func (c *certificates) note(key proofKey, ends time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.shown[key]; ok {
		c.shown[key] = ends
	}
}

// ends is when the first of a provider's certificates ends; zero: none was seen.
func (c *certificates) ends(hops []transport.Flow) time.Time {
	var first time.Time
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, hop := range hops {
		at := c.shown[proofKey{hop.Remote, hop.Peer}]
		if hop.Proto == transport.TLS && !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

var certificateDesc = prometheus.NewDesc("dialrouter_certificate_expiry_timestamp_seconds", //nolint:gochecknoglobals // A constant.
	"When a certificate ends: ours (owner router), or the first of those that a provider's addresses showed last (owner provider).",
	[]string{"owner", "provider"}, nil)

// expiries is dialrouter_certificate_expiry_timestamp_seconds. It implements prometheus.Collector.
type expiries Router

// Describe implements prometheus.Collector.
func (r *expiries) Describe(ch chan<- *prometheus.Desc) { ch <- certificateDesc }

// Collect implements prometheus.Collector.
func (r *expiries) Collect(ch chan<- prometheus.Metric) {
	tell := func(at time.Time, owner, provider string) {
		ch <- prometheus.MustNewConstMetric(certificateDesc, prometheus.GaugeValue, float64(at.Unix()), owner, provider)
	}
	if r.proofs.own != nil {
		tell(r.proofs.own(), "router", "")
	}
	s := r.current.Load()
	if s == nil {
		return
	}
	for i := range s.providers {
		if at := r.proofs.ends(s.providers[i].hops); !at.IsZero() {
			tell(at, "provider", s.providers[i].Name)
		}
	}
}

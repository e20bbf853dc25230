//go:build linux

package load_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
)

// TestNetwork has calls survive what a network does, and the faults be there.
func TestNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		net     load.Network
		happens func(r *load.Result) bool
	}{
		"loss":       {load.Network{Loss: 0.1}, func(r *load.Result) bool { return r.Lost > 50 && r.Retransmits() > 0 }},
		"duplicates": {load.Network{Duplicate: 0.2}, func(r *load.Result) bool { return r.Lost == 0 && r.AgainINVITE > 0 && r.AgainBYE > 0 }},
		"order": {
			load.Network{Reorder: 0.5, Delay: 5 * time.Millisecond},
			func(r *load.Result) bool { return r.Lost == 0 && r.PDD.Max > 0.5 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := loopback()
			cfg.T1, cfg.Network = shortT1, c.net
			e := direct(t, cfg, answers)
			r := run(t, e, load.Plan{Scenario: load.A, Rate: 500, Calls: 200})
			if r.OK != 200 || r.MissingACKs > 0 && c.net.Loss == 0 || !c.happens(&r) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestNetworksAreChecked refuses what makes no sense.
func TestNetworksAreChecked(t *testing.T) {
	for _, net := range []load.Network{{Loss: -0.1}, {Loss: 1}, {Duplicate: 1.5}, {Reorder: 0.1}, {Reorder: 0.1, Delay: time.Minute}} {
		cfg := loopback()
		cfg.Network = net
		if e, err := load.New(t.Context(), cfg); err == nil {
			e.Close()
			t.Errorf("%+v was accepted", net)
		}
	}
}

// TestRenewal sends a re-INVITE in each call.
func TestRenewal(t *testing.T) {
	e := direct(t, loopback(), answers)
	r := run(t, e, load.Plan{Scenario: load.A, Rate: 1000, Calls: 200, Hold: 20 * time.Millisecond, Renew: true})
	if r.OK != 200 || r.Renewed != 200 || r.Retransmits() != 0 || r.MissingACKs != 0 || r.Stray != 0 {
		t.Errorf("%+v", r)
	}
}

// TestRedirect has calls go on at another proxy: here the provider itself, found only after the first went nowhere.
func TestRedirect(t *testing.T) {
	cfg := loopback()
	cfg.T1 = shortT1
	e := open(t, cfg)
	e.Direct(netip.MustParseAddrPort("127.0.0.1:9"))
	e.Redirect(e.Config().Answers)
	if r := run(t, e, load.Plan{Scenario: load.A, Rate: 500, Calls: 50}); r.OK != 50 {
		t.Errorf("%+v", r)
	}
}

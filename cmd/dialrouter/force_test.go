package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// largeCatalog is a file of so many providers and routes, as an operator's script writes it.
func largeCatalog(all, routes int) string {
	var b strings.Builder
	b.WriteString("providers:\n")
	for i := range all {
		fmt.Fprintf(&b, "  - name: carrier-%d\n    hostname: 127.%d.%d.1:5060\n    tech_prefix: \"9#\"\n"+
			"    tech_headers: {X-Account: \"42\"}\n    codecs: PCMU,PCMA\n    transport: udp\n", i, i/250, i%250)
	}
	b.WriteString("routes:\n")
	for i := range routes {
		fmt.Fprintf(&b, "  - target: \"+%d\"\n    provider: carrier-%d\n    priority: 1\n    weight: 100\n", 1_000_000+i, i%all)
	}
	return b.String()
}

// BenchmarkWriteInForce is one write into a file of 10,000 providers and 100,000 routes, from the call of the store to
// its being what calls are routed by.
func BenchmarkWriteInForce(b *testing.B) {
	dir := b.TempDir()
	for name, text := range map[string]string{"dialrouter.yaml": testConfig + "health: {interval: 0}\n", "providers.yaml": largeCatalog(10_000, 100_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cfg, problems := config.Load(filepath.Join(dir, "dialrouter.yaml"))
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	store, err := filestore.Open(cfg.Catalog.File)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	r, err := dialrouter.New(dialrouter.Options{Config: cfg, Store: store, Registry: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	r.Start()
	slowest := time.Duration(0)
	for b.Loop() {
		began := time.Now()
		c, err := store.Update(b.Context(), providers.Actor{}, func(d *providers.Draft) error {
			p, err := d.ProviderNamed("carrier-7")
			if err != nil {
				return err
			}
			p.Limits.Calls++
			_, err = d.ReplaceProvider(*p)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		for r.Revision() != c.Revision {
			time.Sleep(100 * time.Microsecond)
		}
		slowest = max(slowest, time.Since(began))
	}
	b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-slowest")
}

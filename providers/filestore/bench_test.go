package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// many is a file as an operator's script writes it.
func many(all, routes int) []byte {
	var b strings.Builder
	b.WriteString("providers:\n")
	for i := range all {
		fmt.Fprintf(&b, "  - name: carrier-%d\n    hostname: 192.0.2.1:5060\n    tech_prefix: \"9#\"\n"+
			"    tech_headers: {X-Account: \"42\"}\n    codecs: PCMU,PCMA\n    transport: udp\n", i)
	}
	b.WriteString("routes:\n")
	for i := range routes {
		fmt.Fprintf(&b, "  - target: \"+%d\"\n    provider: carrier-%d\n    priority: 1\n    weight: 100\n", 1_000_000+i, i%all)
	}
	return []byte(b.String())
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []struct{ providers, routes int }{{10, 100}, {10_000, 100_000}} {
		b.Run(fmt.Sprintf("%d+%d", size.providers, size.routes), func(b *testing.B) {
			data := many(size.providers, size.routes)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := Parse("providers.yaml", data, time.Time{}); len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}

// BenchmarkUpdate is one write by the API, from the call to its being in force and on disk.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []struct{ providers, routes int }{{10, 100}, {10_000, 100_000}} {
		b.Run(fmt.Sprintf("%d+%d", size.providers, size.routes), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "providers.yaml")
			if err := os.WriteFile(path, many(size.providers, size.routes), 0o600); err != nil {
				b.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			for b.Loop() {
				_, err := s.Update(b.Context(), providers.Actor{}, func(d *providers.Draft) error {
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
			}
		})
	}
}

package filestore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers/filestore"
)

func TestExample(t *testing.T) {
	t.Parallel()
	c, problems := filestore.Load("../../config/example/providers.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(c.Providers) != 2 || len(c.Routes) != 3 {
		t.Errorf("%+v", c)
	}
}

func many(providers, routes int) []byte {
	var b strings.Builder
	b.WriteString("providers:\n")
	for i := range providers {
		fmt.Fprintf(&b, "  - name: carrier-%d\n    hostname: 127.0.0.1:5090\n    tech_prefix: \"9#\"\n    tech_headers: {X-Account: \"42\"}\n    codecs: PCMU,PCMA\n    transport: udp\n", i)
	}
	b.WriteString("routes:\n")
	for i := range routes {
		fmt.Fprintf(&b, "  - target: \"+%d\"\n    provider: carrier-%d\n    priority: 1\n    weight: 100\n", 1000000+i, i%providers)
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	data := many(10_000, 100_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, problems := filestore.Parse("providers.yaml", data, time.Time{}); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

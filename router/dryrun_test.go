package router

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
)

// TestDryRunMasksSecrets checks that a plan shows no value of a secret header, in whichever form it is printed.
func TestDryRunMasksSecrets(t *testing.T) {
	cfg, problems := config.Parse(t.TempDir()+"/dialrouter.yaml", []byte("catalog: {file: providers.yaml}\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	cat, bad := filestore.Parse("providers.yaml", []byte(`providers:
  - {name: a, hostname: 127.0.0.1, priority: 1, tech_headers: {X-Open: "42", X-Token: hush}, secret_headers: [X-Token]}
`), time.Unix(0, 0))
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	p, err := DryRun(t.Context(), cfg, cat, &providers.PlanRequest{Number: "+15551234567"})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Attempts) != 1 {
		t.Fatalf("%d attempts, want 1", len(p.Attempts))
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range p.Attempts[0].Headers {
		text = append(text, h.Value...)
	}
	if strings.Contains(string(text), "hush") || !strings.Contains(string(text), "42") {
		t.Errorf("the plan says %s", text)
	}
	if cat.Providers[0].TechHeaders[1].Value != "hush" {
		t.Error("the catalog was changed")
	}
}

package pgstore

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// TestStoredForm compares with what databases and snapshot files out there hold: that must stay readable.
func TestStoredForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 23, 10, 0, 0, 123456000, time.UTC)
	no := false
	id := uuid.MustParse("4dbeabd6-f397-4375-95d2-a38411e07ed1")
	p := providers.Provider{
		ID: id, Type: "sip", Hostname: "h.example", TechPrefix: "9#", TechPostfix: ";x",
		TechHeaders: []providers.Header{{Name: "X-Token", Value: "s3cret", Secret: true}}, Name: "a", Detail: "d",
		Metadata: map[string]string{"k": "v"}, Codecs: "PCMU", TmCreate: at, TmUpdate: at, TmDelete: at,
		Transport: "tls", Enabled: true, RawUser: true, FollowRedirects: true,
		Budgets: providers.Budgets{NoReply: 1, NoRinging: 2, Answer: 3},
		Failover: providers.Failover{
			Next: []string{"404"}, AfterRinging: &no, Preset: "telnyx",
			Rules: []providers.Rule{{Code: "403", Cause: 21, Reason: "r", Header: "h", Then: providers.ActionRest, For: 4, As: "limit"}},
		},
		Limits:      providers.Limits{Calls: 7, CPS: 0.5},
		Credentials: providers.Credentials{Username: "u", Password: "p", Realm: "r"},
		Probing:     providers.Probing{Off: true, Interval: 4, Up: []string{"2xx"}},
	}
	r := providers.Route{
		ID: id, CustomerID: id, Name: "n", Detail: "d", ProviderID: id, Priority: 1, Target: "+1", Weight: 2,
		TmCreate: at, TmUpdate: at, TmDelete: at,
	}
	body, err := encodeProvider(&p)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "provider.json", body)
	if got, err := decodeProvider(body); err != nil || !reflect.DeepEqual(*got, p) {
		t.Errorf("read %+v, %v", got, err)
	}
	old, err := os.ReadFile(filepath.Join("testdata", "provider_before_rules.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.Failover.Preset, p.Failover.Rules = "", nil
	if got, err := decodeProvider(old); err != nil || !reflect.DeepEqual(*got, p) {
		t.Errorf("read %+v, %v", got, err)
	}
	body, err = encodeRoute(&r)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "route.json", body)
	if got, err := decodeRoute(body); err != nil || *got != r {
		t.Errorf("read %+v, %v", got, err)
	}
}

func compare(t *testing.T, name string, body []byte) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Error(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != got.String() {
		t.Errorf("%s: got\n%s", name, &got)
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	all, err := steps(migrations)
	if err != nil || len(all) == 0 {
		t.Errorf("%d migrations, %v", len(all), err)
	}
	for name, files := range map[string]fstest.MapFS{
		"a gap":       {"migrations/0001_a.sql": {}, "migrations/0003_c.sql": {}},
		"twice":       {"migrations/0001_a.sql": {}, "migrations/0001_b.sql": {}},
		"no number":   {"migrations/a.sql": {}},
		"not the 1st": {"migrations/0002_a.sql": {}},
	} {
		if _, err := steps(files); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSnapshotFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "snapshot.json")
	if c, err := loadSnapshot(path, "s"); c != nil || err != nil {
		t.Errorf("no file: %v, %v", c, err)
	}
	gone := uuid.New()
	c := providers.NewCatalog("7-x", []providers.Provider{{ID: uuid.New(), Name: "a"}}, []providers.Route{{ID: uuid.New(), ProviderID: gone}})
	c.DeletedNames = map[uuid.UUID]string{gone: "g"}
	if err := saveSnapshot(path, "s", c); err != nil {
		t.Fatal(err)
	}
	got, err := loadSnapshot(path, "s")
	if err != nil || got.Revision != "7-x" || !got.Providers[0].Same(&c.Providers[0]) || got.Routes[0] != c.Routes[0] || got.DeletedNames[gone] != "g" {
		t.Errorf("read %+v, %v", got, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty": "", "torn": string(whole[:len(whole)/2]), "another format": `{"format": 2}`,
		"of another database": strings.Replace(string(whole), `"source":"s"`, `"source":"t"`, 1),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := loadSnapshot(path, "s"); c != nil || err == nil {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}

	// One that cannot be written leaves the old one, and nothing else.
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.MkdirAll(filepath.Join(folder, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := saveSnapshot(filepath.Join(folder, "in the way"), "s", c); err == nil {
		t.Error("written over a folder")
	}
	old, young := filepath.Join(folder, "f.1.new"), filepath.Join(folder, "f.2.new")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	removeLeftovers(filepath.Join(folder, "f"), time.Now())
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 2 || left[0].Name() != "f.2.new" {
		t.Errorf("left %v, %v", left, err)
	}
}

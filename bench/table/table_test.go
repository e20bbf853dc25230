package table_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/bench/table"
)

func TestShape(t *testing.T) {
	for _, count := range []int{table.MinPrefixes, 5000} {
		tab := table.New(count)
		groups := map[table.Group]int{}
		seen := map[string]bool{}
		for _, r := range tab.Routes {
			groups[r.Group]++
			if seen[r.Prefix] {
				t.Errorf("prefix %s is there twice", r.Prefix)
			}
			seen[r.Prefix] = true
			first, second := tab.Providers[r.First].Kind, tab.Providers[r.Second].Kind
			want := map[table.Group]table.Kind{table.A: table.Answers, table.B: table.Busy, table.C: table.Silent}[r.Group]
			if first != want || second != table.Answers || r.First == r.Second {
				t.Errorf("%+v goes to kinds %v and %v", r, first, second)
			}
		}
		if len(tab.Routes) != count || groups[table.B] != 20 || groups[table.C] != 20 {
			t.Errorf("%d routes, groups %v", len(tab.Routes), groups)
		}
	}
}

func TestNumbersBelongToTheirGroup(t *testing.T) {
	tab := table.New(table.MinPrefixes)
	for _, g := range []table.Group{table.A, table.B, table.C} {
		numbers := tab.Numbers(g, 2000)
		if len(numbers) != 2000 {
			t.Fatalf("group %c: %d numbers", g, len(numbers))
		}
		for _, n := range numbers {
			r, ok := tab.Match(n.Dial)
			if !ok || r.Group != g || strings.HasPrefix(n.Dial, "+") {
				t.Fatalf("group %c: number %s matches %+v", g, n.Dial, r)
			}
			if n.First != tab.Providers[r.First].TechPrefix+n.Dial || n.Second != tab.Providers[r.Second].TechPrefix+n.Dial {
				t.Fatalf("%+v does not go with %+v", n, r)
			}
		}
		if !slices.Equal(numbers, table.New(table.MinPrefixes).Numbers(g, 2000)) {
			t.Errorf("group %c: two tables give other numbers", g)
		}
	}
}

func TestMatchIsTheLongest(t *testing.T) {
	tab := table.New(table.MinPrefixes)
	for number, want := range map[string]string{"15551234567": "155512", "15559999999": "1555", "19005550100": "1", "442071838750": "44207"} {
		if r, _ := tab.Match(number); r.Prefix != want {
			t.Errorf("%s matches %s, want %s", number, r.Prefix, want)
		}
	}
	if r, ok := tab.Match("999"); ok {
		t.Errorf("999 matches %+v", r)
	}
}

func TestFiles(t *testing.T) {
	tab := table.New(table.MinPrefixes)
	hosts := table.Hosts{
		Answers: netip.MustParseAddrPort("127.0.0.2:5060"),
		Busy:    netip.MustParseAddrPort("127.0.0.3:5060"),
		Silent:  netip.MustParseAddrPort("127.0.0.4:5060"),
	}
	dir := t.TempDir()
	if err := tab.WriteDBText(dir, hosts); err != nil {
		t.Fatal(err)
	}
	if err := tab.WriteProviders(dir, hosts); err != nil {
		t.Fatal(err)
	}

	mtree, err := os.ReadFile(filepath.Join(dir, "mtree"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(mtree)), "\n")
	if len(lines) != 1+len(tab.Routes) {
		t.Errorf("mtree has %d lines", len(lines))
	}
	r := tab.Routes[0]
	want := "1:" + r.Prefix + ":" + tab.Providers[r.First].TechPrefix + `,127.0.0.2\:5060|` + tab.Providers[r.Second].TechPrefix + `,127.0.0.2\:5060`
	if lines[1] != want {
		t.Errorf("first row %q, want %q", lines[1], want)
	}

	text, err := os.ReadFile(filepath.Join(dir, "providers.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Providers []struct {
			Name, Hostname, Codecs, Transport string
			TechPrefix                        string            `yaml:"tech_prefix"`
			TechHeaders                       map[string]string `yaml:"tech_headers"`
		}
		Routes []struct {
			Target, Provider string
			Priority         int
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Providers) != 20 || len(doc.Routes) != 2*len(tab.Routes) {
		t.Fatalf("%d providers, %d routes", len(doc.Providers), len(doc.Routes))
	}
	if p := doc.Providers[12]; p.Name != "p13" || p.Hostname != "127.0.0.3:5060" || p.TechPrefix != "7713" || len(p.TechHeaders) != 2 || p.Codecs != "PCMU,PCMA" {
		t.Errorf("provider 13 is %+v", p)
	}
	if r := doc.Routes[1]; r.Target != "+"+tab.Routes[0].Prefix || r.Priority != 2 || r.Provider != tab.Providers[tab.Routes[0].Second].Name {
		t.Errorf("second route is %+v", r)
	}
}

func BenchmarkNewMillion(b *testing.B) {
	for b.Loop() {
		table.New(1_000_000)
	}
}

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/filestore"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// What deploy holds is for other programs, so nothing but these tests says that it fits the code.

// exported are the metrics of a router as it is served, by name, with their labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	catalog := filepath.Join(dir, "providers.yaml")
	if err := os.WriteFile(catalog, []byte("providers: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Parse(filepath.Join(dir, "dialrouter.yaml"), []byte("sip: {listen: [udp://127.0.0.1:0]}\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	store, err := filestore.Open(catalog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	reg, err := newRegistry()
	if err != nil {
		t.Fatal(err)
	}
	r, err := dialrouter.New(dialrouter.Options{Config: cfg, Store: store, Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(func() { r.Close() })

	descs := make(chan *prometheus.Desc)
	go func() {
		reg.Describe(descs)
		close(descs)
	}()
	all := make(map[string][]string)
	// A Desc tells what it is in words only.
	form := regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .*constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	for d := range descs {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s is no description as this test knows them", d)
		}
		labels := []string{}
		for _, one := range strings.FieldsFunc(m[2]+","+m[3], func(r rune) bool { return r == ',' }) {
			name, _, _ := strings.Cut(one, "=")
			labels = append(labels, name)
		}
		all[m[1]] = labels
		if strings.HasSuffix(m[1], "_seconds") { // A histogram, or a gauge to which nobody adds these.
			all[m[1]+"_bucket"], all[m[1]+"_sum"], all[m[1]+"_count"] = append([]string{"le"}, labels...), labels, labels
		}
	}
	for _, name := range []string{"dialrouter_build_info", "dialrouter_calls_total", "dialrouter_setup_seconds_bucket"} {
		if all[name] == nil {
			t.Fatalf("%s is not among %v", name, all)
		}
	}
	return all
}

// query is an expression, and where it stands.
type query struct{ place, text string }

// alertQueries reads the expressions of the alerts, and the names of those.
func alertQueries(t *testing.T) (queries []query, alerts []string, recorded map[string]bool) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	readYAML(t, "alerts.yml", &file)
	recorded = make(map[string]bool)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			queries = append(queries, query{r.Record + r.Alert, r.Expr})
			if r.Alert != "" {
				alerts = append(alerts, r.Alert)
			} else {
				recorded[r.Record] = true
			}
		}
	}
	return queries, alerts, recorded
}

func readYAML(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../deploy/prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// dashboard is what the tests look at of a dashboard.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	data, err := os.ReadFile("../../deploy/grafana/dialrouter.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	metricName = regexp.MustCompile(`\b(dialrouter|process|go)_[a-z_]+(?:\{([^}]*)\})?`)
	selector   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping   = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
	legend     = regexp.MustCompile(`\{\{\s*([a-z_]+)\s*\}\}`)
	labelsOf   = regexp.MustCompile(`^label_values\((.*), ([a-z_]+)\)$`)
)

// checkQuery holds an expression against what is exported.
func checkQuery(t *testing.T, q query, legends string, metrics map[string][]string) {
	t.Helper()
	known := []string{"job", "instance", "le"} // Those that Prometheus adds, and a histogram's.
	found := metricName.FindAllStringSubmatch(q.text, -1)
	for _, m := range found {
		name, _, _ := strings.Cut(m[0], "{")
		labels, ok := metrics[name]
		if !ok {
			t.Errorf("%s: %s is not exported", q.place, name)
			continue
		}
		known = append(known, labels...)
		for _, s := range selector.FindAllStringSubmatch(m[2], -1) {
			if s[1] != "job" && s[1] != "instance" && !slices.Contains(labels, s[1]) {
				t.Errorf("%s: %s has no label %s", q.place, name, s[1])
			}
		}
	}
	if len(found) == 0 {
		return // Of recorded series, or of Prometheus' own.
	}
	for _, g := range grouping.FindAllStringSubmatch(q.text, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(known, label) {
				t.Errorf("%s: nothing in it has a label %s", q.place, label)
			}
		}
	}
	for _, l := range legend.FindAllStringSubmatch(legends, -1) {
		if !slices.Contains(known, l[1]) {
			t.Errorf("%s: the legend names %s, which nothing in it has", q.place, l[1])
		}
	}
}

// TestAlertsNameWhatIsExported, so that no alert sleeps because a metric has another name by now.
func TestAlertsNameWhatIsExported(t *testing.T) {
	metrics := exported(t)
	queries, alerts, recorded := alertQueries(t)
	series := regexp.MustCompile(`\bdialrouter:[a-z_:0-9]+`)
	for _, q := range queries {
		checkQuery(t, q, "", metrics)
		for _, name := range series.FindAllString(q.text, -1) {
			if !recorded[name] {
				t.Errorf("%s: nothing records %s", q.place, name)
			}
		}
	}
	if len(alerts) < 7 {
		t.Errorf("only %v", alerts)
	}
}

// TestAlertsArePlayed runs promtool, and checks that each alert has a case in which it fires and one in which it does not.
func TestAlertsArePlayed(t *testing.T) {
	_, alerts, _ := alertQueries(t)
	var file struct {
		Tests []struct {
			Cases []struct {
				Name   string `yaml:"alertname"`
				Expect []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
			Series []struct{ Series string } `yaml:"input_series"`
		}
	}
	readYAML(t, "alerts_test.yml", &file)
	fires, sleeps := make(map[string]bool), make(map[string]bool)
	metrics := exported(t)
	for _, one := range file.Tests {
		for _, c := range one.Cases {
			// Other series in the same case for which it does not fire would do as well.
			fires[c.Name] = fires[c.Name] || len(c.Expect) > 0
			sleeps[c.Name] = sleeps[c.Name] || len(c.Expect) < len(one.Series)
		}
		for _, s := range one.Series {
			checkQuery(t, query{"alerts_test.yml", s.Series}, "", metrics)
		}
	}
	for _, name := range alerts {
		if !fires[name] || !sleeps[name] {
			t.Errorf("%s is not played both ways", name)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v; it is in Debian's package prometheus", err)
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = "../../deploy/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestDashboardNamesWhatIsExported checks each panel of the dashboard.
func TestDashboardNamesWhatIsExported(t *testing.T) {
	metrics := exported(t)
	d := readDashboard(t)
	variables := make(map[string]bool)
	for _, v := range d.Templating.List {
		variables[v.Name] = true
		asked, ok := v.Query.(map[string]any)
		if !ok {
			continue
		}
		text, _ := asked["query"].(string)
		m := labelsOf.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("variable %s asks %q", v.Name, text)
			continue
		}
		checkQuery(t, query{"variable " + v.Name, "sum by (" + m[2] + ") (" + m[1] + ")"}, "", metrics)
	}
	used := regexp.MustCompile(`\$\{?([a-z_]+)`)
	ids := make(map[int]bool)
	shown := ""
	for i, p := range d.Panels {
		place := p.Type + " " + p.Title
		if p.Title == "" || ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("%s: no title, an id that is another's, or no place: %+v", place, p.GridPos)
		}
		ids[p.ID] = true
		for _, o := range d.Panels[:i] {
			if p.GridPos.X < o.GridPos.X+o.GridPos.W && o.GridPos.X < p.GridPos.X+p.GridPos.W &&
				p.GridPos.Y < o.GridPos.Y+o.GridPos.H && o.GridPos.Y < p.GridPos.Y+p.GridPos.H {
				t.Errorf("%s lies upon %s", place, o.Title)
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", place)
		}
		for _, q := range p.Targets {
			checkQuery(t, query{place, q.Expr}, q.LegendFormat, metrics)
			shown += q.Expr
			for _, m := range used.FindAllStringSubmatch(q.Expr, -1) {
				if m[1] != "__rate_interval" && !variables[m[1]] {
					t.Errorf("%s: there is no variable %s", place, m[1])
				}
			}
		}
	}
	for _, name := range []string{
		"calls_total", "attempts_total", "failovers_total", "calls_in_progress", "setup_seconds", "answer_seconds", "provider_up",
		"provider_calls", "messages_total", "messages_dropped_total", "catalog_revision_info", "catalog_reload_failures_total",
		"build_info",
	} {
		if !strings.Contains(shown, "dialrouter_"+name) {
			t.Errorf("no panel shows dialrouter_%s", name)
		}
	}
}

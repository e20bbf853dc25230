package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
)

const importCatalogText = `# Mine.
providers:
  - name: mine # stays
    hostname: mine.example
  - name: old name
    id: 4dbeabd6-f397-4375-95d2-a38411e07ed1
    hostname: old.example
    transport: tcp
    tech_headers: {X-Telnyx-Token: abc, X-Old: "1"}
    secret_headers: [X-Telnyx-Token]
    credentials: {username: us, password: hush}
routes:
  - target: all
    provider: mine
    weight: 7
    id: 491b6858-5357-11ed-b753-8fd49cd36340
`

// imports runs an import and returns what it prints.
func imports(t *testing.T, config string, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, got := runCommand(t, nil, append([]string{"import", "--config", config}, args...)...)
	if got != code {
		t.Fatalf("exit code %d, want %d\n%s\n%s", got, code, stdout, stderr)
	}
	return stdout, stderr
}

func loaded(t *testing.T, config string) *providers.Catalog {
	t.Helper()
	c, problems := filestore.Load(filepath.Join(filepath.Dir(config), "providers.yaml"))
	if err := providers.Join(problems); err != nil || c == nil {
		t.Fatal(err)
	}
	return c
}

func TestImport(t *testing.T) {
	config := configured(t, testConfig, importCatalogText)
	catalog := filepath.Join(filepath.Dir(config), "providers.yaml")
	const change = `replace provider 4dbeabd6-f397-4375-95d2-a38411e07ed1 "telnyx basic": codecs, detail, hostname, metadata, name, tech_headers
create provider dccfd81b-5f11-4c49-8e3f-70730ef1a4d3 "telnyx basic (dccfd81b)"
  named "telnyx basic (dccfd81b)", because "telnyx basic" is taken or no name
left out provider e5a2f6a4-1111-4222-8333-444455556666 "gone": it was deleted there
replace route 491b6858-5357-11ed-b753-8fd49cd36340 to all by "telnyx basic": priority, provider_id
create route 491b6858-5357-11ed-b753-8fd49cd36341 to +82 by "telnyx basic (dccfd81b)"
left out route 491b6858-5357-11ed-b753-8fd49cd36342 to "+1": there is no provider e5a2f6a4-1111-4222-8333-444455556666
left out route 491b6858-5357-11ed-b753-8fd49cd36343 to "+1": it was deleted there
providers: 1 created, 1 replaced, 0 unchanged, 1 left out
routes: 1 created, 1 replaced, 0 unchanged, 2 left out
`
	files := []string{"testdata/voipbin-providers.json", "testdata/voipbin-routes.json"}
	// A dry run writes nothing, not even beside the catalog.
	out, _ := imports(t, config, 0, append([]string{"--dry-run"}, files...)...)
	if out != change+"dry run: nothing was written\n" {
		t.Errorf("dry run says\n%s", out)
	}
	beside, err := os.ReadDir(filepath.Dir(config))
	if err != nil || len(beside) != 2 || contentOf(t, catalog) != importCatalogText {
		t.Errorf("a dry run wrote: %v, %v", beside, err)
	}

	if out, _ = imports(t, config, 0, files...); out != change {
		t.Errorf("says\n%s\nwant\n%s", out, change)
	}
	c := loaded(t, config)
	telnyx := c.Provider(uuid.MustParse("4dbeabd6-f397-4375-95d2-a38411e07ed1"))
	want := providers.Provider{
		ID: telnyx.ID, Type: "sip", Hostname: "sip.telnyx.com", Name: "telnyx basic", Detail: "telnyx basic", Codecs: "PCMU,PCMA",
		TechHeaders: []providers.Header{{Name: "X-Account", Value: "42"}, {Name: "X-Telnyx-Token", Value: "abc", Secret: true}},
		Metadata:    map[string]string{"telnyx_profile_id": "17", "verified": "true"}, Transport: providers.TransportTCP, Enabled: true,
		Credentials: providers.Credentials{Username: "us", Password: "hush"},
	}
	if !telnyx.Same(&want) {
		t.Errorf("imported\n%+v\nwant\n%+v", *telnyx, want)
	}
	second := c.ProviderNamed("telnyx basic (dccfd81b)")
	if second == nil || second.Hostname != "203.0.113.7:5080" || second.TechPrefix != "9#" || !second.Enabled {
		t.Errorf("imported %+v", second)
	}
	first, other := c.Route(uuid.MustParse("491b6858-5357-11ed-b753-8fd49cd36340")), c.Route(uuid.MustParse("491b6858-5357-11ed-b753-8fd49cd36341"))
	if first.Weight != 7 || first.ProviderID != telnyx.ID || first.Priority != 1 || first.CustomerID != providers.Everyone {
		t.Errorf("imported %+v", first)
	}
	if other.Target != "+82" || other.Name != "korea" || other.CustomerID.String() != "5e4a0680-804e-11ec-8477-2fea5968d85b" || other.Weight != 100 {
		t.Errorf("imported %+v", other)
	}
	if len(c.Providers) != 3 || len(c.Routes) != 2 || !strings.Contains(contentOf(t, catalog), "mine # stays") {
		t.Errorf("the catalog is\n%s", contentOf(t, catalog))
	}
	if audit := contentOf(t, catalog+".audit.jsonl"); !strings.Contains(audit, `"by":{"name":"dialrouter import"`) || strings.Contains(audit, "hush") {
		t.Errorf("audit\n%s", audit)
	}

	// Again, it changes nothing.
	written := contentOf(t, catalog)
	if out, _ = imports(t, config, 0, files...); !strings.Contains(out, "providers: 0 created, 0 replaced, 2 unchanged, 1 left out\n"+
		"routes: 0 created, 0 replaced, 2 unchanged, 2 left out\n") || contentOf(t, catalog) != written {
		t.Errorf("again\n%s", out)
	}
}

// TestImportKeepsTheOrderOfHeaders imports headers that are there in another order: nothing changes.
func TestImportKeepsTheOrderOfHeaders(t *testing.T) {
	config := configured(t, testConfig, `providers:
  - {name: a, hostname: h.example, id: 4dbeabd6-f397-4375-95d2-a38411e07ed1, tech_headers: {X-B: "1", X-A: "2"}}
`)
	file := filepath.Join(t.TempDir(), "x.json")
	const text = `{"id":"4dbeabd6-f397-4375-95d2-a38411e07ed1","type":"sip","hostname":"h.example","name":"a","tech_headers":{"X-A":"2","X-B":"1"}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := imports(t, config, 0, file); !strings.Contains(out, "providers: 0 created, 0 replaced, 1 unchanged") {
		t.Errorf("says\n%s", out)
	}
}

// TestImportShapes reads what a page may be wrapped in.
func TestImportShapes(t *testing.T) {
	entry := func(n int) string {
		return fmt.Sprintf(`{"id":"00000000-0000-4000-8000-00000000000%d","type":"sip","hostname":"h.example","name":"n%d"}`, n, n)
	}
	route := `{"id":"00000000-0000-4000-8000-0000000000aa","provider_id":"00000000-0000-4000-8000-000000000001","target":"+1",` +
		`"customer_id":"00000000-0000-0000-0000-000000000001","priority":1}`
	for name, c := range map[string]struct {
		text              string
		providers, routes int
	}{
		"a page":          {`{"result":[` + entry(1) + `,` + entry(2) + `],"next_page_token":"x"}`, 2, 0},
		"pages":           {`{"result":[` + entry(1) + `]}` + "\n" + `{"result":[` + entry(2) + `]}{"result":[` + route + `]}`, 2, 1},
		"a list of pages": {`[{"result":[` + entry(1) + `]},{"result":[` + route + `]}]`, 1, 1},
		"routes first":    {`[` + route + `,` + entry(1) + `]`, 1, 1},
		"an entry":        {entry(1), 1, 0},
		"lines":           {entry(1) + "\n" + entry(2) + "\n" + entry(3), 3, 0},
		"no result":       {`{"result":null,"next_page_token":""}`, 0, 0},
		"nothing in it":   {`[]`, 0, 0},
	} {
		config := configured(t, testConfig, "providers: []\n")
		file := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		imports(t, config, 0, file)
		if got := loaded(t, config); len(got.Providers) != c.providers || len(got.Routes) != c.routes {
			t.Errorf("%s: %d providers, %d routes", name, len(got.Providers), len(got.Routes))
		}
	}
}

// TestImportRefuses imports all or nothing.
func TestImportRefuses(t *testing.T) {
	const good = `{"id":"00000000-0000-4000-8000-000000000001","type":"sip","hostname":"h.example","name":"good"}`
	const id = `"id":"00000000-0000-4000-8000-000000000002"`
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":        {`{"result":[`, "document 1: unexpected EOF"},
		"nothing":        {``, "is empty"},
		"a number":       {good + ` 5`, "document 2: is neither a page nor an entry"},
		"null":           {`null`, "is neither a page nor an entry"},
		"an error":       {`{"error":{"status":"UNAUTHENTICATED"}}`, "is an error, not a list"},
		"something":      {`{"result":[{"id":"x","call":"y"}]}`, "element 1: is neither a provider"},
		"no id":          {`{"hostname":"h.example","name":"x"}`, "has no id"},
		"a bad id":       {`{"id":"x","hostname":"h.example","name":"x"}`, "invalid UUID"},
		"a wrong type":   {`{` + id + `,"hostname":5}`, "cannot unmarshal number"},
		"a bad host":     {`[` + good + `,{` + id + `,"type":"sip","hostname":"a b","name":"x"}]`, `provider 00000000-0000-4000-8000-000000000002: hostname: "a b" is not`},
		"a bad header":   {`[` + good + `,{` + id + `,"type":"sip","hostname":"h","name":"x","tech_headers":{"Via":"x"}}]`, `tech_headers[Via]`},
		"a bad name":     {`[` + good + `,{` + id + `,"type":"sip","hostname":"h","name":"a\nb"}]`, `"a\nb" holds a control character`},
		"a mask":         {`[` + good + `,{` + id + `,"type":"sip","hostname":"h","name":"x","tech_headers":{"X-A":"********"}}]`, `the value is masked`},
		"another kind":   {`[` + good + `,{` + id + `,"type":"pstn","hostname":"h","name":"x"}]`, `"pstn" must be sip`},
		"a bad target":   {`[` + good + `,{` + id + `,"provider_id":"00000000-0000-4000-8000-000000000001","target":"x"}]`, `route 00000000-0000-4000-8000-000000000002: customer_id: is missing; target: "x" is neither`},
		"the same twice": {`[` + good + `,` + strings.Replace(good, "good", "a\\u0001b", 1) + `]`, "control character"},
	} {
		config := configured(t, testConfig, importCatalogText)
		file := filepath.Join(t.TempDir(), "x.json")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, flag := range []string{"--dry-run=false", "--dry-run"} {
			out, errs := imports(t, config, 1, flag, file)
			if !strings.Contains(errs, c.want) || out != "" {
				t.Errorf("%s: %s\n%s", name, out, errs)
			}
			if got := contentOf(t, filepath.Join(filepath.Dir(config), "providers.yaml")); got != importCatalogText {
				t.Errorf("%s: the catalog is\n%s", name, got)
			}
		}
	}
}

func TestImportOfOurOwn(t *testing.T) {
	config := configured(t, testConfig, importCatalogText)
	c := loaded(t, config)
	text, err := json.Marshal(map[string]any{"result": c.Providers})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := imports(t, config, 0, file)
	if !strings.Contains(out, "fields that are not VoIPBIN's were not looked at: budgets, credentials, enabled,") ||
		!strings.Contains(out, "2 unchanged") {
		t.Errorf("says\n%s", out)
	}
}

func TestImportNames(t *testing.T) {
	config := configured(t, testConfig, importCatalogText)
	long := strings.Repeat("ä", 127)
	var list []string
	for i, name := range []string{"", "mine", long, long, "mine"} {
		list = append(list, fmt.Sprintf(`{"id":"%08d-0000-4000-8000-000000000000","type":"sip","hostname":"h.example","name":%q}`, i+1, name))
	}
	file := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(file, []byte("["+strings.Join(list, ",")+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	imports(t, config, 0, file)
	c := loaded(t, config)
	for _, name := range []string{"provider 00000001", "mine", "mine (00000002)", long, strings.Repeat("ä", 120) + " (00000004)", "mine (00000005)"} {
		if c.ProviderNamed(name) == nil {
			t.Errorf("no provider %q", name)
		}
	}
}

// voipbin is VoIPBIN's API: pages by a bare time, whose token never ends before the list does.
type voipbin struct {
	mu      sync.Mutex
	asked   []string
	entries map[string][]string
}

func (v *voipbin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, r.URL.Path)
	if r.URL.Query().Get("token") != "hush-token" && r.Header.Get("Authorization") != "Bearer hush-token" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"status":"UNAUTHENTICATED","message":"hush-token"}}`))
		return
	}
	all, ok := v.entries[r.URL.Path]
	if !ok {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		return
	}
	if r.URL.Query().Get("page_size") != "100" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	from := 0
	if token := r.URL.Query().Get("page_token"); token != "" {
		_, _ = fmt.Sscanf(token, "2026-01-01T00:00:00.%06dZ", &from)
	}
	page := all[min(from, len(all)):min(from+2, len(all))]
	token := ""
	if len(page) > 0 {
		token = fmt.Sprintf("2026-01-01T00:00:00.%06dZ", from+len(page))
	}
	_, _ = fmt.Fprintf(w, `{"result":[%s],"next_page_token":%q}`, strings.Join(page, ","), token)
}

func TestImportByURL(t *testing.T) {
	v := &voipbin{entries: map[string][]string{"/v1.0/providers": nil, "/v1.0/routes": nil}}
	for i := range 5 {
		v.entries["/v1.0/providers"] = append(v.entries["/v1.0/providers"],
			fmt.Sprintf(`{"id":"%08d-0000-4000-8000-000000000000","type":"sip","hostname":"h.example","name":"p%d"}`, i+1, i))
		v.entries["/v1.0/routes"] = append(v.entries["/v1.0/routes"], fmt.Sprintf(
			`{"id":"%08d-0000-4000-8000-00000000000a","customer_id":%q,"provider_id":"%08d-0000-4000-8000-000000000000","target":"+%d"}`,
			i+1, providers.Everyone, i+1, i+1))
	}
	s := httptest.NewServer(v)
	defer s.Close()

	for name, c := range map[string]struct {
		url       string
		variables map[string]string
		providers int
		routes    int
		failure   string
	}{
		"by query":       {"/v1.0?token=hush-token", nil, 5, 5, ""},
		"slash":          {"/v1.0/?token=hush-token", nil, 5, 5, ""},
		"by environment": {"/v1.0", map[string]string{envImportToken: "hush-token"}, 5, 5, ""},
		"one list":       {"/v1.0/providers?token=hush-token", nil, 5, 0, ""},
		"no token":       {"/v1.0", nil, 0, 0, "it answers 401 Unauthorized"},
		"elsewhere":      {"/v2.0?token=hush-token", nil, 0, 0, "it answers 302 Found"},
	} {
		config := configured(t, testConfig, "providers: []\n")
		out, errs, code := runCommand(t, c.variables, "import", "--config", config, s.URL+c.url)
		if (code == 0) != (c.failure == "") || !strings.Contains(errs, c.failure) || strings.Contains(out+errs, "hush") {
			t.Errorf("%s: %d\n%s\n%s", name, code, out, errs)
		}
		if got := loaded(t, config); len(got.Providers) != c.providers || len(got.Routes) != c.routes {
			t.Errorf("%s: %d providers, %d routes", name, len(got.Providers), len(got.Routes))
		}
	}
}

// TestImportFromOddServers never ends by itself, or is no API.
func TestImportFromOddServers(t *testing.T) {
	answers := map[string]string{
		"the same token": `{"result":[{"id":"00000001-0000-4000-8000-000000000000","type":"sip","hostname":"h","name":"p"}],"next_page_token":"x"}`,
		"no list":        `{"hello":"world"}`, "no JSON": `<html>`, "null": `{"result":null}`,
		"large": `{"result":[],"x":"` + strings.Repeat("x", maxFetchPage) + `"}`,
	}
	for name, answer := range answers {
		asked := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			_, _ = w.Write([]byte(answer))
		}))
		config := configured(t, testConfig, "providers: []\n")
		_, errs, code := runCommand(t, nil, "import", "--config", config, s.URL+"/v1.0/providers")
		s.Close()
		if good := name == "the same token" || name == "null"; (code == 0) != good || asked > 2 {
			t.Errorf("%s: %d after %d requests\n%s", name, code, asked, errs)
		}
	}
}

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/providers"
)

// TestDocumentIsServed compares what is served with testdata/openapi.json, in which changes show.
func TestDocumentIsServed(t *testing.T) {
	const path = "testdata/openapi.json"
	r := newRig(t)
	a := r.good(t, http.MethodGet, "/v1.0/openapi.json", "")
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(a.body), "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the document changed; run go test -run %s -update and read what did", t.Name())
	}
}

// TestAllThatIsDocumentedHappens makes every answer that the document promises. That nothing else happens is checked
// wherever a test sends a request (spec.check).
func TestAllThatIsDocumentedHappens(t *testing.T) {
	seen := make(map[string]bool)
	everything := func(r *rig, change func(*http.Request), body func(e endpoint) string, id, n string) {
		r.api.logins = newLimiter()
		for _, e := range r.api.endpoints() {
			q := request(t, e.method, strings.NewReplacer("{id}", id, "{n}", n).Replace(e.path), body(e))
			if change != nil {
				change(q)
			}
			r.send(t, q)
		}
		for name := range r.spec.seen {
			seen[name] = true
		}
	}
	bodies := map[string]string{
		"ProviderWrite": strings.Replace(newProvider, "new", "carrier-a", 1), "RouteWrite": `{"provider_id":"` + carrierA + `","target":"+1"}`,
		"ProviderSetup": setupBody, "PlanRequest": `{"number":"+1"}`, "Login": `{"username":"admin","password":"correct horse"}`,
	}
	good := func(e endpoint) string { return bodies[e.body] }
	none := func(endpoint) string { return "" }
	large := func(e endpoint) string {
		if e.body == "" {
			return ""
		}
		return strings.Repeat(" ", maxBody+1)
	}
	fresh := func() *rig {
		r := newRig(t)
		r.carrier(t)
		return r
	}
	// 200: each on a catalog of its own.
	for _, e := range fresh().api.endpoints() {
		r := fresh()
		r.router.calls = []providers.CallRecord{aCall("{call_id}")}
		id := carrierA
		if e.tag == "Route" {
			id = routeA
		}
		body := bodies[e.body]
		if e.name == "createProvider" {
			body = newProvider
		}
		r.good(t, e.method, strings.NewReplacer("{id}", id, "{n}", "1").Replace(e.path), body)
		for name := range r.spec.seen {
			seen[name] = true
		}
	}
	r := fresh()
	everything(r, func(q *http.Request) { q.Header.Del("Authorization") }, good, carrierA, "1")                // 401
	everything(r, func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") }, good, carrierA, "1") // 403
	everything(r, nil, none, "x", "x")                                                                         // 400
	everything(r, func(q *http.Request) { q.URL.RawQuery = "page_size=x" }, none, "x", "x")                    // 400
	everything(r, nil, good, nobody, "999")                                                                    // 404
	everything(r, func(q *http.Request) { q.Header.Set("If-Match", `"x"`) }, good, carrierA, "999")            // 412
	everything(r, func(q *http.Request) { q.Header.Set("If-Match", `"x"`) }, good, routeA, "999")              // 412
	everything(r, nil, large, carrierA, "999")                                                                 // 413
	everything(r, nil, func(e endpoint) string { return strings.ReplaceAll(good(e), "correct", "wrong") }, nobody, "999")
	for range loginBurst + 1 { // 429
		r.send(t, bare(t, http.MethodPost, loginPath, `{"username":"admin","password":"wrong"}`))
	}
	for name := range r.spec.seen {
		seen[name] = true
	}
	for _, fail := range []string{"401{}", "500{}"} { // 422, 502
		r := newRig(t)
		r.carrier(t).fail["GET /whoami"] = fail
		everything(r, nil, good, nobody, "999")
	}
	for _, err := range []error{providers.ErrInvalid, providers.ErrUnavailable} { // 409, 503
		var f *failing
		r := rigOn(t, testCatalog, func(s providers.Store) providers.Store {
			f = &failing{s, s.(providers.History), err}
			return f
		})
		r.carrier(t)
		r.router.reload = err
		everything(r, nil, good, carrierA, "1")
		everything(r, nil, good, routeA, "1")
	}
	r = fresh()
	r.api.accounts.Store(nil) // 500: whatever is tried, it panics.
	everything(r, nil, good, carrierA, "1")

	for _, want := range r.spec.all() {
		if !seen[want] {
			t.Errorf("%s is in the document and never happened", want)
		}
	}
}

// TestDocumentIsClean does what a linter does: names, references, descriptions.
func TestDocumentIsClean(t *testing.T) {
	r := newRig(t)
	text := string(r.api.document)
	used := make(map[string]bool)
	for _, found := range regexp.MustCompile(`"\$ref":"([^"]+)"`).FindAllStringSubmatch(text, -1) {
		used[found[1]] = true
		if r.spec.resolve(map[string]any{"$ref": found[1]}) == nil {
			t.Errorf("%s leads nowhere", found[1])
		}
	}
	components := asObject(r.spec.doc["components"])
	for kind, all := range components {
		for name := range asObject(all) {
			if kind != "securitySchemes" && !used["#/components/"+kind+"/"+name] {
				t.Errorf("%s %s is used nowhere", kind, name)
			}
		}
	}
	ids, tags := make(map[string]bool), make(map[string]bool)
	for _, tag := range r.spec.doc["tags"].([]any) {
		tags[asObject(tag)["name"].(string)] = true
	}
	for path, item := range asObject(r.spec.doc["paths"]) {
		for method, v := range asObject(item) {
			op := asObject(v)
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == "" || !tags[op["tags"].([]any)[0].(string)] {
				t.Errorf("%s %s: %v", method, path, op)
			}
			ids[id] = true
			var inPath []string
			names := make(map[string]bool)
			for _, p := range op["parameters"].([]any) {
				parameter := r.spec.resolve(p)
				name := parameter["name"].(string)
				if names[name] {
					t.Errorf("%s %s: parameter %s twice", method, path, name)
				}
				if names[name] = true; parameter["in"] == "path" {
					inPath = append(inPath, "{"+name+"}")
				}
			}
			if want := regexp.MustCompile(`{\w+}`).FindAllString(path, -1); !slices.Equal(inPath, want) {
				t.Errorf("%s %s: parameters %q", method, path, inPath)
			}
			if (method == "get" || method == "delete") && op["requestBody"] != nil {
				t.Errorf("%s %s has a body", method, path)
			}
		}
	}
	for name, schema := range asObject(components["schemas"]) {
		lintSchema(t, name, schema)
	}
}

func lintSchema(t *testing.T, where string, schema any) {
	t.Helper()
	m := asObject(schema)
	if m["$ref"] != nil {
		return
	}
	if d, _ := m["description"].(string); d == "" || !strings.HasSuffix(d, ".") {
		t.Errorf("%s: description %q", where, d)
	}
	properties := asObject(m["properties"])
	required, _ := m["required"].([]any)
	for _, name := range required {
		if properties[name.(string)] == nil {
			t.Errorf("%s: %s is required and not there", where, name)
		}
	}
	for name, inner := range properties {
		if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(name) {
			t.Errorf("%s: name %q", where, name)
		}
		lintSchema(t, where+"."+name, inner)
	}
	if kind := fmt.Sprint(m["type"]); strings.Contains(kind, "array") {
		if m["items"] == nil {
			t.Errorf("%s: a list of what?", where)
		}
		lintSchema(t, where+"[]", m["items"])
	}
}

// TestBodiesAreDocumented sends every field of the document's bodies: none is unknown, and those that it calls
// required are.
func TestBodiesAreDocumented(t *testing.T) {
	r := newRig(t)
	schemas := asObject(asObject(r.spec.doc["components"])["schemas"])
	for _, e := range r.api.endpoints() {
		if e.body == "" {
			continue
		}
		schema := asObject(schemas[e.body])
		all := make(map[string]any)
		for name := range asObject(schema["properties"]) {
			all[name] = map[string]any{"no such field": 1} // Wrong, or an object with an unknown field: never unknown itself.
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		id := carrierA
		if e.tag == "Route" {
			id = routeA
		}
		r.api.logins = newLimiter()
		path := strings.ReplaceAll(e.path, "{id}", id)
		got := complained(t, r.do(t, e.method, path, string(text)))
		for name := range all {
			if name == "metadata" || name == "tech_headers" { // Maps: any name is good in them.
				continue
			}
			if !slices.ContainsFunc(got, func(field string) bool {
				return field == name || strings.HasPrefix(field, name+".") || strings.HasPrefix(field, name+"[")
			}) {
				t.Errorf("%s: nobody looks at %s: %q", e.name, name, got)
			}
		}
		for _, field := range got {
			if strings.Contains(field, "no field of a") {
				t.Errorf("%s: %s", e.name, field)
			}
		}
		got = complained(t, r.do(t, e.method, path, "{}"))
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if !slices.Contains(got, name.(string)) {
				t.Errorf("%s: %s is not required: %q", e.name, name, got)
			}
		}
		if len(got) != len(required) {
			t.Errorf("%s: required are %q, in the document %q", e.name, got, required)
		}
	}
}

// complained returns the fields that an answer complains about.
func complained(t *testing.T, a answer) []string {
	t.Helper()
	var e errorBody
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.code != 400 {
		t.Errorf("%d %s", a.code, a.body)
	}
	var fields []string
	for _, d := range e.Error.Details {
		fields = append(fields, d.Field)
	}
	return fields
}

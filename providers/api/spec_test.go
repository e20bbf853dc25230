package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// spec is the OpenAPI document, read as a client would.
type spec struct {
	doc map[string]any

	mu   sync.Mutex
	seen map[string]bool // "GET /v1.0/providers 200"
}

func parseSpec(t *testing.T, text []byte) *spec {
	t.Helper()
	s := &spec{seen: make(map[string]bool)}
	if err := json.Unmarshal(text, &s.doc); err != nil {
		t.Fatal(err)
	}
	return s
}

func asObject(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// resolve follows a reference.
func (s *spec) resolve(v any) map[string]any {
	m := asObject(v)
	r, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	at := any(s.doc)
	for part := range strings.SplitSeq(strings.TrimPrefix(r, "#/"), "/") {
		at = asObject(at)[part]
	}
	return asObject(at)
}

// operation finds what the document says of a request.
func (s *spec) operation(method, target string) (op map[string]any, name string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parts := strings.Split(target, "/")
	best := ""
	for pattern, item := range asObject(s.doc["paths"]) {
		if _, ok := asObject(item)[strings.ToLower(method)]; !ok {
			continue
		}
		match := slices.EqualFunc(strings.Split(pattern, "/"), parts, func(p, part string) bool {
			return p == part || strings.HasPrefix(p, "{") && part != ""
		})
		if match && (best == "" || strings.Contains(best, "{")) {
			best = pattern
		}
	}
	if best == "" {
		return nil, ""
	}
	return asObject(asObject(asObject(s.doc["paths"])[best])[strings.ToLower(method)]), method + " " + best
}

// check compares an exchange with the document.
func (s *spec) check(t *testing.T, q *http.Request, a answer) {
	t.Helper()
	where := fmt.Sprintf("%s %s: %d", q.Method, q.URL.Path, a.code)
	if a.header.Get("Content-Type") != "application/json; charset=utf-8" || a.header.Get(requestIDHeader) == "" {
		t.Errorf("%s: headers %v", where, a.header)
	}
	var body any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Errorf("%s: %v in %s", where, err, a.body)
		return
	}
	target := q.URL.EscapedPath()
	op, name := s.operation(q.Method, target)
	if op == nil || path.Clean(target) != target {
		if !slices.Contains([]int{401, 403, 404, 405}, a.code) {
			t.Errorf("%s, which is not in the document", where)
		}
		s.validate(t, where, asObject(asObject(s.doc["components"])["schemas"])["Error"], body)
		return
	}
	response, ok := asObject(op["responses"])[strconv.Itoa(a.code)]
	if !ok {
		t.Errorf("%s is not a status of %s in the document: %s", where, name, a.body)
		return
	}
	s.mu.Lock()
	s.seen[fmt.Sprintf("%s %d", name, a.code)] = true
	s.mu.Unlock()
	documented := s.resolve(response)
	for header := range asObject(documented["headers"]) {
		if header != "Retry-After" && a.header.Get(header) == "" {
			t.Errorf("%s: no header %s", where, header)
		}
	}
	for _, header := range []string{"ETag", "Retry-After"} {
		if _, ok := asObject(documented["headers"])[header]; !ok && a.header.Get(header) != "" {
			t.Errorf("%s: the header %s is not in the document", where, header)
		}
	}
	s.validate(t, where, asObject(asObject(documented["content"])["application/json"])["schema"], body)
	if a.code >= 400 {
		e := asObject(asObject(body)["error"])
		reason, _ := e["reason"].(string)
		if !strings.Contains(documented["description"].(string), reason) {
			t.Errorf("%s: the reason %s is not in the document", where, reason)
		}
		if e["request_id"] != a.header.Get(requestIDHeader) {
			t.Errorf("%s: request id %v, header %v", where, e["request_id"], a.header)
		}
	}
}

// validate compares a value with a JSON schema, as far as the document uses it.
func (s *spec) validate(t *testing.T, where string, schema, value any) {
	t.Helper()
	m := s.resolve(schema)
	if m == nil {
		t.Errorf("%s: no schema", where)
		return
	}
	types, ok := m["type"].([]any)
	if !ok {
		types = []any{m["type"]}
	}
	whole := kindOf(value) == "integer" && slices.Contains(types, any("number"))
	if !whole && !slices.Contains(types, any(kindOf(value))) {
		t.Errorf("%s: %v is %s, not %v", where, value, kindOf(value), types)
		return
	}
	switch v := value.(type) {
	case map[string]any:
		properties := asObject(m["properties"])
		required, _ := m["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				t.Errorf("%s.%s is missing", where, name)
			}
		}
		for name, inner := range v {
			switch p, ok := properties[name]; {
			case ok:
				s.validate(t, where+"."+name, p, inner)
			case m["additionalProperties"] == false:
				t.Errorf("%s.%s is not in the document", where, name)
			case asObject(m["additionalProperties"]) != nil:
				s.validate(t, where+"."+name, m["additionalProperties"], inner)
			}
		}
	case []any:
		for i, one := range v {
			s.validate(t, fmt.Sprintf("%s[%d]", where, i), m["items"], one)
		}
	case string:
		s.validateText(t, where, m, v)
	}
}

var sixDigits = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

func (s *spec) validateText(t *testing.T, where string, m map[string]any, v string) {
	t.Helper()
	if values, ok := m["enum"].([]any); ok && !slices.Contains(values, any(v)) {
		t.Errorf("%s: %q is not one of %v", where, v, values)
	}
	switch m["format"] {
	case "uuid":
		if _, ok := parseID(v); !ok {
			t.Errorf("%s: %q is no UUID", where, v)
		}
	case "date-time":
		if _, err := time.Parse(time.RFC3339, v); err != nil || !sixDigits.MatchString(v) {
			t.Errorf("%s: %q is no time", where, v)
		}
	}
}

func kindOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	default:
		return "object"
	}
}

// names returns the properties of a schema, as they stand in the text of the document.
func propertyNames(t *testing.T, text []byte, schema string) []string {
	t.Helper()
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties json.RawMessage `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return keysOf(t, doc.Components.Schemas[schema].Properties)
}

// keysOf returns the names of an object's members in their order.
func keysOf(t *testing.T, text []byte) []string {
	t.Helper()
	o := newObject("", nil)
	if !o.read(text) {
		t.Fatalf("no object: %s", text)
	}
	return o.names
}

// all lists every operation and status of the document.
func (s *spec) all() []string {
	var all []string
	for pattern, item := range asObject(s.doc["paths"]) {
		for method, op := range asObject(item) {
			for code := range maps.Keys(asObject(asObject(op)["responses"])) {
				all = append(all, strings.ToUpper(method)+" "+pattern+" "+code)
			}
		}
	}
	slices.Sort(all)
	return all
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

// fixedStore has one catalog for ever. It keeps no history.
type fixedStore struct {
	catalog *providers.Catalog
	err     error
}

func (s fixedStore) Catalog(context.Context) (*providers.Catalog, error) { return s.catalog, s.err }
func (s fixedStore) Changed() <-chan struct{}                            { return nil }
func (s fixedStore) Reload(context.Context) (*providers.Catalog, error)  { return s.catalog, s.err }
func (s fixedStore) Close() error                                        { return nil }

func (s fixedStore) Update(context.Context, providers.Actor, func(*providers.Draft) error) (*providers.Catalog, error) {
	return nil, s.err
}

// failing is a store whose writes fail.
type failing struct {
	providers.Store
	providers.History
	err error
}

func (s *failing) Update(context.Context, providers.Actor, func(*providers.Draft) error) (*providers.Catalog, error) {
	return nil, s.err
}

func (s *failing) Audit(ctx context.Context, before int64, limit int) ([]providers.Revision, error) {
	if errors.Is(s.err, providers.ErrInvalid) { // What was can be read whatever is.
		return s.History.Audit(ctx, before, limit)
	}
	return nil, s.err
}

func (s *failing) Restore(context.Context, providers.Actor, int64) (*providers.Catalog, error) {
	return nil, s.err
}

const newProvider = `{"type":"sip","hostname":"h.example","name":"new"}`

func TestStoreFails(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   int
		reason string
	}{
		"away":      {fmt.Errorf("dial: %w", providers.ErrUnavailable), 503, "CATALOG_UNAVAILABLE"},
		"read-only": {fmt.Errorf("/secret/path: %w", providers.ErrReadOnly), 409, "CATALOG_READ_ONLY"},
		"broken":    {fmt.Errorf("x: %w", providers.ErrInvalid), 409, "CATALOG_INVALID"},
		"other":     {errTest, 500, "INTERNAL"},
		"cancelled": {context.Canceled, 500, "INTERNAL"},
	} {
		t.Run(name, func(t *testing.T) {
			var f *failing
			r := rigOn(t, testCatalog, func(s providers.Store) providers.Store {
				f = &failing{s, s.(providers.History), c.err}
				return f
			})
			for _, q := range [][3]string{
				{http.MethodPost, "/v1.0/providers", newProvider},
				{http.MethodPut, "/v1.0/providers/" + carrierA, newProvider},
				{http.MethodDelete, "/v1.0/providers/" + carrierA, ""},
				{http.MethodDelete, "/v1.0/routes/" + routeA, ""},
				{http.MethodPost, "/v1.0/revisions/1/restore", ""},
			} {
				a := r.do(t, q[0], q[1], q[2])
				a.must(t, c.code, c.reason)
				if (a.header.Get("Retry-After") != "") != (c.code == 503) {
					t.Errorf("headers %v", a.header)
				}
				if strings.Contains(a.body, "own error") || strings.Contains(a.body, "/secret") {
					t.Errorf("it tells too much: %s", a.body)
				}
			}
			// What can be read stays readable.
			r.good(t, http.MethodGet, "/v1.0/providers/"+carrierA, "")
			if log := r.log.String(); !strings.Contains(log, "request_id=test-1") || name == "other" && !strings.Contains(log, "own error") {
				t.Errorf("log %s", log)
			}
		})
	}
}

// TestBadEditByHand breaks the file: the old catalog is read on, writes say what is wrong, and nothing is lost.
func TestFileBadEdit(t *testing.T) {
	r := newRig(t)
	broken := strings.Replace(testCatalog, "hostname: 192.0.2.1:5060", "hostnam: 192.0.2.1:5060", 1)
	if err := os.WriteFile(r.file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	a := r.do(t, http.MethodPost, "/v1.0/providers", newProvider)
	a.must(t, 409, "CATALOG_INVALID")
	var e errorBody
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Error.Details) == 0 || e.Error.Details[0].Line == 0 || strings.Contains(a.body, r.file) {
		t.Errorf("answer %s", a.body)
	}
	r.good(t, http.MethodGet, "/v1.0/providers/"+carrierA, "")
	if r.content(t) != broken {
		t.Error("the edit is gone")
	}
	if err := os.WriteFile(r.file, []byte(testCatalog), 0o600); err != nil {
		t.Fatal(err)
	}
	r.good(t, http.MethodPost, "/v1.0/providers", newProvider)
}

// TestHandAndAPI edits by hand between reading and writing through the API: neither loses the other's edit.
func TestFileHandAndAPI(t *testing.T) {
	r := newRig(t)
	read := r.good(t, http.MethodGet, "/v1.0/providers/"+carrierA, "")
	byHand := strings.Replace(r.content(t), "codecs: PCMU,PCMA", "codecs: G722 # by hand", 1)
	if err := os.WriteFile(r.file, []byte(byHand), 0o600); err != nil {
		t.Fatal(err)
	}
	q := request(t, http.MethodPut, "/v1.0/providers/"+carrierA, strings.Replace(newProvider, "new", "carrier-a", 1))
	q.Header.Set("If-Match", read.header.Get("ETag"))
	r.send(t, q).must(t, 412, "ETAG_MISMATCH")
	made := r.good(t, http.MethodPost, "/v1.0/routes", `{"provider_id":"`+carrierA+`","target":"+49"}`).fields(t)
	text := r.content(t)
	for _, want := range []string{"G722 # by hand", "# the first", "# north", "# The catalog of the tests.", made["id"].(string)} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the file:\n%s", want, text)
		}
	}
	if got := r.good(t, http.MethodGet, "/v1.0/providers/"+carrierA, "").fields(t)["codecs"]; got != "G722" {
		t.Errorf("codecs %v", got)
	}
}

// TestInjection writes what was made to break out of YAML, SQL, JSON, HTTP and logs, and reads it back.
func TestInjection(t *testing.T) {
	r := newRig(t)
	for i, text := range []string{
		`'; DROP TABLE providers; --`, `" or ""="`, `1 OR 1=1`, `\`, `"}],"result":[{"`, `</script><script>alert(1)</script>`,
		`{{.}}`, `${HOME}`, "`id`", `%s%n%x`, `%0d%0aSet-Cookie: x=y`, `a: b`, `- a`, `a # b`, `*anchor`, `&anchor x`, `!!binary x`,
		`[a, b]`, `{a: b}`, `yes`, `null`, `~`, `1e3`, `0x10`, `---`, `...`, `level=ERROR msg="forged"`, `😀`, "a\u202eb", `=cmd|' /C calc'!A0`,
	} {
		name, err := json.Marshal(fmt.Sprintf("%d%s", i, text))
		if err != nil {
			t.Fatal(err)
		}
		detail, err := json.Marshal(text + "\n---\nproviders: []\n" + text + "\r\n\ttime=x level=ERROR msg=forged\u2028")
		if err != nil {
			t.Fatal(err)
		}
		value, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"type":"sip","hostname":"h.example","name":%s,"detail":%s,"tech_headers":{"X-A":%s},
			"credentials":{"username":%s,"password":%s,"realm":%s}}`, name, detail, value, value, value, value)
		a := r.do(t, http.MethodPost, "/v1.0/providers", body)
		if a.code != 200 {
			t.Errorf("%q: %s", text, a.body)
			continue
		}
		m := a.fields(t)
		again := r.good(t, http.MethodGet, "/v1.0/providers/"+m["id"].(string), "").fields(t)
		if again["name"] != fmt.Sprintf("%d%s", i, text) || asObject(again["tech_headers"])["X-A"] != text ||
			asObject(again["credentials"])["realm"] != text {
			t.Errorf("%q became %v", text, again)
		}
		stored := r.catalog(t).Provider(uuid.MustParse(m["id"].(string)))
		if stored.Credentials.Password != text {
			t.Errorf("%q became %q", text, stored.Credentials.Password)
		}
	}
	var doc struct {
		Providers []map[string]any `yaml:"providers"`
	}
	if r.file == "" {
		doc.Providers = make([]map[string]any, len(r.catalog(t).Providers))
	} else if err := yaml.Unmarshal([]byte(r.content(t)), &doc); err != nil {
		t.Error(err)
	}
	if len(doc.Providers) != 32 {
		t.Errorf("%d providers are stored", len(doc.Providers))
	}
	// In what goes into the log of each request: the path, the id, the address.
	for _, target := range []string{"/v1.0/providers/%0Alevel=ERROR%20msg=forged", "/v1.0/%22%20level=ERROR", "/%1b[31m"} {
		r.do(t, http.MethodGet, target, "")
	}
	for line := range strings.Lines(r.log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.HasPrefix(line, "time=x") || strings.Contains(line, "level=ERROR msg=forged\n") ||
			strings.ContainsRune(line, 0x1b) {
			t.Errorf("forged line %q", line)
		}
	}
}

// TestWriters has 20 writers at once, each upon what it read: nothing is lost, and nobody's edit is written over.
func TestWriters(t *testing.T) {
	r := newRig(t)
	at := "/v1.0/providers/" + carrierA
	var writers sync.WaitGroup
	const count, rounds = 20, 5
	for w := range count {
		writers.Go(func() {
			for i := range rounds {
				r.good(t, http.MethodPost, "/v1.0/providers",
					fmt.Sprintf(`{"type":"sip","hostname":"h.example","name":"w%d-%d"}`, w, i))
				for {
					read := r.do(t, http.MethodGet, at, "")
					m := read.fields(t)
					limits := asObject(m["limits"])
					limits["calls"] = limits["calls"].(float64) + 1
					text, err := json.Marshal(m)
					if err != nil {
						t.Error(err)
						return
					}
					q := request(t, http.MethodPut, at, string(text))
					q.Header.Set("If-Match", read.header.Get("ETag"))
					put := r.send(t, q)
					if put.code == 200 {
						break
					}
					if put.code != 412 {
						t.Errorf("%d %s", put.code, put.body)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	c := r.catalog(t)
	if got := c.Provider(uuid.MustParse(carrierA)).Limits.Calls; got != count*rounds || len(c.Providers) != 2+count*rounds {
		t.Errorf("counted %d of %d; %d providers", got, count*rounds, len(c.Providers))
	}
}

// TestWriteIsInForce checks that a write waits for calls to see it, and not for ever.
func TestWriteIsInForce(t *testing.T) {
	r := newRig(t)
	start := time.Now()
	r.good(t, http.MethodPost, "/v1.0/providers", newProvider)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	r.router.late = true
	start = time.Now()
	r.good(t, http.MethodDelete, "/v1.0/routes/"+routeA, "")
	if took := time.Since(start); took < inForceWait {
		t.Errorf("took %v: it did not wait", took)
	}
}

func TestNoCatalogAtAll(t *testing.T) {
	s := fixedStore{err: providers.ErrUnavailable}
	a := &API{store: s, router: &fakeRouter{}}
	if _, err := a.catalog(t.Context()); !errors.Is(err, providers.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if _, err := a.history(); faultOf(err).reason != "HISTORY_UNAVAILABLE" {
		t.Errorf("error %v", err)
	}
}

func TestNewNeedsAStore(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("an API on nothing")
	}
}

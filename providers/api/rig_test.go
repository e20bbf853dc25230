package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	evidence "github.com/voipbin/dialrouter/providers/health"
)

// The tokens and users of a rig.
const (
	adminToken  = "admin-token-0123456789"
	viewerToken = "viewer-token-0123456789"

	// Of the password "correct horse", with a cost for tests.
	adminHash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8"
)

// The entries of testCatalog.
const (
	carrierA   = "4dbeabd6-f397-4375-95d2-a38411e07ed1"
	carrierS   = "4dbeabd6-f397-4375-95d2-a38411e07ed2"
	routeA     = "491b6858-5357-41ed-b753-8fd49cd36341"
	routeGone  = "491b6858-5357-41ed-b753-8fd49cd36342"
	nobody     = "00000000-0000-4000-8000-00000000dead"
	customerX  = "11111111-1111-4111-8111-111111111111"
	setupFQDN  = "sip.example.com"
	carrierKey = "KEY-carrier-key-very-secret"
)

const testCatalog = `# The catalog of the tests.
providers:
  - name: carrier-a # the first
    id: ` + carrierA + `
    hostname: 192.0.2.1:5060
    codecs: PCMU,PCMA
  - name: carrier-s
    id: ` + carrierS + `
    hostname: s.example
    tech_headers: {X-Account: "42", X-Token: hush-header}
    secret_headers: [X-Token]
    credentials: {username: us, password: hush-password, realm: r}
    metadata: {telnyx_fqdn: f.example}
routes:
  - target: "+1" # north
    id: ` + routeA + `
    provider: carrier-a
    priority: 1
  - target: "+44"
    id: ` + routeGone + `
    provider: ` + nobody + `
    customer_id: ` + customerX + `
`

// fakeRouter is a router that takes every catalog.
type fakeRouter struct {
	mu       sync.Mutex
	store    providers.Store
	plan     func(*providers.PlanRequest) (*providers.Plan, error)
	calls    []providers.CallRecord // The newest first; the page token is the index of the next one.
	asked    providers.CallQuery
	reload   error
	trouble  string
	draining bool
	registry *evidence.Registry
	health   map[uuid.UUID]providers.Health
	checked  time.Time
	late     bool // The catalog does not come into force.
}

func (r *fakeRouter) Plan(q *providers.PlanRequest) (*providers.Plan, error) {
	if r.plan != nil {
		return r.plan(q)
	}
	return &providers.Plan{Number: q.Number, Attempts: []providers.PlanAttempt{}, Skipped: []providers.SkippedProvider{}, FinalStatus: 404}, nil
}

func (r *fakeRouter) Calls(q providers.CallQuery) ([]providers.CallRecord, uint64) {
	r.asked = q
	from := int(q.Before)
	to := min(from+q.Limit, len(r.calls))
	if from >= to {
		return nil, 0
	}
	return r.calls[from:to], uint64(to)
}

func (r *fakeRouter) Call(callID string) (providers.CallRecord, bool) {
	for _, c := range r.calls {
		if c.CallID == callID {
			return c, true
		}
	}
	return providers.CallRecord{}, false
}

func (r *fakeRouter) Reload(context.Context) error { return r.reload }

func (r *fakeRouter) Revision() string {
	if r.late {
		return "old"
	}
	c, _ := r.store.Catalog(context.Background())
	return c.Revision
}

func (r *fakeRouter) CallsInProgress() int { return 7 }
func (r *fakeRouter) Draining() bool       { return r.draining }
func (r *fakeRouter) Trouble() string      { return r.trouble }

func (r *fakeRouter) Health(id uuid.UUID) (providers.Health, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.health[id]; ok {
		return h, r.checked
	}
	return providers.HealthUnknown, time.Time{}
}

func (r *fakeRouter) Reach(id uuid.UUID) (string, []evidence.PlaceFound) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.health[id] != providers.HealthUnhealthy {
		return "", nil
	}
	return "no reply within 4s", []evidence.PlaceFound{
		{Address: "udp:192.0.2.1:5060", Health: providers.HealthUnhealthy, CheckedAt: r.checked, Detail: "no reply within 4s"},
		{Address: "tcp:192.0.2.2:5060", Health: providers.HealthUnknown},
	}
}

// rig is an API on a file or a database of its own.
type rig struct {
	api    *API
	router *fakeRouter
	store  providers.Store
	file   string // "" when the store is a database.
	url    string // Of the database, "" when there is none.
	log    *syncBuffer
	spec   *spec
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, testCatalog, nil)
}

// rigOn makes a rig on a catalog; wrap, when not nil, puts a store around the file's or database's.
func rigOn(t *testing.T, catalog string, wrap func(providers.Store) providers.Store) *rig {
	t.Helper()
	r := &rig{log: &syncBuffer{}, router: &fakeRouter{}}
	store := r.open(t, catalog)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	r.store = store
	if wrap != nil {
		r.store = wrap(store)
	}
	r.router.store = r.store
	var err error
	r.api, err = New(Options{
		Store: r.store, Router: r.router, Version: "test",
		Log:    slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Telnyx: Telnyx{URL: "http://127.0.0.1:1/v2", FQDN: setupFQDN},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.api.Authorize(testTokens(), testUsers(), testKey()); err != nil {
		t.Fatal(err)
	}
	r.spec = parseSpec(t, r.api.document)
	return r
}

func testTokens() []Token {
	return []Token{
		{Name: "ops", SHA256: sha256.Sum256([]byte(adminToken)), Permission: ProjectSuperAdmin},
		{Name: "look", SHA256: sha256.Sum256([]byte(viewerToken)), Permission: ProjectViewer},
		{Name: "none", SHA256: sha256.Sum256([]byte("a-token-without-permission"))},
	}
}

func testUsers() []User {
	return []User{
		{Name: "admin", Password: adminHash, Permission: ProjectSuperAdmin},
		{Name: "viewer", Password: adminHash, Permission: ProjectViewer},
	}
}

func testKey() []byte { return bytes.Repeat([]byte{7}, 32) }

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
}

// request makes a request with the admin's token.
func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, b)
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set(requestIDHeader, "test-1")
	return r
}

// do sends a request, and checks what comes back against the OpenAPI document.
func (r *rig) do(t *testing.T, method, target, body string) answer {
	t.Helper()
	return r.send(t, request(t, method, target, body))
}

func (r *rig) send(t *testing.T, q *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, q)
	a := answer{w.Code, w.Header(), w.Body.String()}
	r.spec.check(t, q, a)
	return a
}

// good sends a request that must succeed.
func (r *rig) good(t *testing.T, method, target, body string) answer {
	t.Helper()
	a := r.do(t, method, target, body)
	if a.code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, target, a.code, a.body)
	}
	return a
}

// fields reads an answer as an object.
func (a answer) fields(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return m
}

// reason returns the reason of an error.
func (a answer) reason(t *testing.T) string {
	t.Helper()
	var e errorBody
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return e.Error.Reason
}

// must says what an answer has to be.
func (a answer) must(t *testing.T, code int, reason string) {
	t.Helper()
	if a.code != code || reason != "" && a.reason(t) != reason {
		t.Errorf("answer %d %s, want %d %s", a.code, a.body, code, reason)
	}
}

func (r *rig) catalog(t *testing.T) *providers.Catalog {
	t.Helper()
	c, err := r.store.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var errTest = errors.New("the test's own error, which only the log may have")

package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

func TestBodies(t *testing.T) {
	r := newRig(t)
	const head, tail = `{"type":"sip","hostname":"h.example","name":"n"`, `}`
	fits := head + strings.Repeat(" ", maxBody-len(head)-len(tail)) + tail
	r.do(t, http.MethodPost, "/v1.0/providers", fits).must(t, 200, "")
	for _, q := range [][2]string{
		{http.MethodPost, "/v1.0/providers"},
		{http.MethodPut, "/v1.0/providers/" + carrierA},
		{http.MethodPost, "/v1.0/routes"},
		{http.MethodPut, "/v1.0/routes/" + routeA},
		{http.MethodPost, "/v1.0/providers/setup"},
		{http.MethodPost, "/v1.0/plan"},
		{http.MethodPost, "/auth/login"},
	} {
		a := r.do(t, q[0], q[1], fits+" ")
		a.must(t, 413, "REQUEST_TOO_LARGE")
		if a.body != `{"error":{"status":"INVALID_ARGUMENT","reason":"REQUEST_TOO_LARGE","message":"The body is larger than 1 MiB.",`+
			`"request_id":"test-1","details":[]}}`+"\n" {
			t.Errorf("%s %s: %s", q[0], q[1], a.body)
		}
		// Without a length that would give it away.
		endless := request(t, q[0], q[1], "x")
		endless.Body, endless.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(fits), endlessSpaces{})), -1
		r.send(t, endless).must(t, 413, "REQUEST_TOO_LARGE")
		// One that breaks off.
		broken := request(t, q[0], q[1], "x")
		broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), brokenReader{}))
		r.send(t, broken).must(t, 400, "INVALID_JSON_BODY")
	}
	r.do(t, http.MethodPost, "/v1.0/providers", strings.Repeat("[", 100_000)).must(t, 400, "INVALID_JSON_BODY")
	r.do(t, http.MethodPost, "/v1.0/providers", `{"a":`+strings.Repeat(`{"a":`, 20_000)).must(t, 400, "INVALID_JSON_BODY")
	r.do(t, http.MethodPost, "/v1.0/providers", "{\"name\":\"\xff\"}").must(t, 400, "INVALID_JSON_BODY")
}

// TestHostileBodies sends the most of what costs the most: the answer is quick, and short.
func TestHostileBodies(t *testing.T) {
	r := newRig(t)
	many := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < maxBody-100_000; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	const start = `{"type":"sip","hostname":"h.example","name":"n",`
	for name, body := range map[string]string{
		"unknown fields": `{` + many(`"f%d":1,`) + `}`,
		"one field":      `{` + many(`"name":"%d",`) + `}`,
		"headers":        start + `"tech_headers":{` + many(`"X-%d":"",`) + `}}`,
		"masks":          start + `"tech_headers":{` + many(`"X-%d":"********",`) + `}}`,
		"secret headers": start + `"tech_headers":{` + many(`"X-%d":"",`)[:400_000] + `"X":""},"secret_headers":[` + many(`"X-%d",`)[:500_000] + `""]}`,
		"codes":          start + `"failover":{"next":[` + many(`"%d",`) + `]}}`,
		"rules":          start + `"failover":{"rules":[` + many(`{"a":%d},`) + `]}}`,
		"empty rules":    start + `"failover":{"rules":[` + strings.Repeat("{},", 300_000) + `{}]}}`,
		"long texts":     start + `"detail":"` + strings.Repeat(`\u0000`, 100_000) + `"}`,
		"deep":           start + `"limits":` + strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000) + `}`,
	} {
		started := time.Now()
		a := r.do(t, http.MethodPost, "/v1.0/providers", body)
		if took := time.Since(started); a.code != 400 || took > 10*time.Second || len(a.body) > 10_000 {
			t.Errorf("%s: %d in %v, %d bytes: %.200s", name, a.code, took, len(a.body), a.body)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

type endlessSpaces struct{}

func (endlessSpaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestPanicIsAnError(t *testing.T) {
	r := newRig(t)
	r.router.plan = func(*providers.PlanRequest) (*providers.Plan, error) { panic("hush-panic") }
	a := r.do(t, http.MethodPost, "/v1.0/plan", `{"number":"+1"}`)
	a.must(t, 500, "INTERNAL")
	if strings.Contains(a.body, "hush") || !strings.Contains(r.log.String(), "hush-panic") || !strings.Contains(r.log.String(), "level=ERROR") {
		t.Errorf("answer %s, log %s", a.body, r.log.String())
	}
	r.good(t, http.MethodGet, "/v1.0/status", "")
}

func TestHeadersOfAnswers(t *testing.T) {
	r := newRig(t)
	for _, target := range []string{"/v1.0/providers", "/v1.0/nowhere"} {
		h := r.do(t, http.MethodGet, target, "").header
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", requestIDHeader: "test-1",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s %q", target, name, h.Get(name))
			}
		}
	}
	if allow := r.do(t, http.MethodPatch, "/v1.0/routes/"+routeA, "").header.Get("Allow"); allow != "DELETE, GET, HEAD, PUT" {
		t.Errorf("Allow %q", allow)
	}
	// A refusal never has the tag of an entry.
	a := r.do(t, http.MethodGet, "/v1.0/routes/"+nobody, "")
	if a.header.Get("ETag") != "" {
		t.Errorf("headers %v", a.header)
	}
}

// TestLogLevels checks that reading is only logged when asked for, and what goes wrong here always.
func TestLogLevels(t *testing.T) {
	r := newRig(t)
	r.good(t, http.MethodGet, "/v1.0/status", "")
	r.good(t, http.MethodPost, "/v1.0/reload", "")
	r.do(t, http.MethodPost, "/v1.0/providers", "{").must(t, 400, "")
	log := strings.Split(strings.TrimSpace(r.log.String()), "\n")
	for i, want := range []string{
		`level=DEBUG msg="api request" request_id=test-1 method=GET path=/v1.0/status remote=192.0.2.1:1234 actor=ops status=200 took=`,
		`level=INFO msg="api request" request_id=test-1 method=POST path=/v1.0/reload remote=192.0.2.1:1234 actor=ops status=200 took=`,
		`level=INFO msg="api request" request_id=test-1 method=POST path=/v1.0/providers remote=192.0.2.1:1234 actor=ops status=400 took=`,
	} {
		if i >= len(log) || !strings.Contains(log[i], want) {
			t.Errorf("log %q, want %s", log, want)
		}
	}
	if !strings.HasSuffix(log[2], "reason=INVALID_JSON_BODY") {
		t.Errorf("log %s", log[2])
	}
}

// TestOverSockets speaks real HTTP: HEAD, keep-alive, an old client, a large body that nobody reads.
func TestOverSockets(t *testing.T) {
	r := newRig(t)
	s := httptest.NewServer(r.api)
	defer s.Close()
	client := s.Client()
	do := func(method, path, body string) *http.Response {
		q, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+adminToken)
		resp, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	get := do(http.MethodGet, "/v1.0/providers", "")
	text, err := io.ReadAll(get.Body)
	_ = get.Body.Close()
	head := do(http.MethodHead, "/v1.0/providers", "")
	none, _ := io.ReadAll(head.Body)
	_ = head.Body.Close()
	if err != nil || get.StatusCode != 200 || head.StatusCode != 200 || len(none) > 0 || head.ContentLength != int64(len(text)) {
		t.Errorf("get %d (%d bytes), head %d (%d bytes)", get.StatusCode, len(text), head.StatusCode, head.ContentLength)
	}
	large := do(http.MethodPost, "/v1.0/providers", strings.Repeat(" ", 2<<20))
	text, _ = io.ReadAll(large.Body)
	_ = large.Body.Close()
	if large.StatusCode != 413 || !strings.Contains(string(text), "REQUEST_TOO_LARGE") {
		t.Errorf("%d %s", large.StatusCode, text)
	}
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /v1.0/status?token=%s HTTP/1.0\r\n\r\n", adminToken)
	text, err = io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 200 OK\r\n") {
		t.Errorf("%s, %v", text, err)
	}
}

package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// carrier is Telnyx as far as it is seen from here; providers/telnyx tests against the whole of it.
type carrier struct {
	mu    sync.Mutex
	calls []string
	fail  map[string]string // Call to status and body: "422 {...}".
	delay time.Duration
}

func (r *rig) carrier(t *testing.T) *carrier {
	t.Helper()
	c := &carrier{fail: make(map[string]string)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		call := q.Method + " " + q.URL.Path
		c.calls = append(c.calls, call)
		time.Sleep(c.delay)
		w.Header().Set("Content-Type", "application/json")
		if q.Header.Get("Authorization") != "Bearer "+carrierKey {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"errors":[{"code":"10009","title":"Authentication failed","detail":"` + q.Header.Get("Authorization") + `"}]}`))
			return
		}
		if text, ok := c.fail[call]; ok {
			var status int
			_, _ = fmt.Sscan(text, &status)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text[3:]))
			return
		}
		if q.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = fmt.Fprintf(w, `{"data":{"id":"id%d"}}`, len(c.calls))
	}))
	t.Cleanup(s.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r.api.UseTelnyx(Telnyx{URL: s.URL, FQDN: setupFQDN, Transport: transport})
	return c
}

func (c *carrier) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

const setupBody = `{"carrier":"telnyx","name":"carrier-t","detail":"d","credentials":{"api_key":"` + carrierKey + `"}}`

var setUp = []string{"GET /whoami", "POST /outbound_voice_profiles", "POST /fqdn_connections", "POST /fqdns"}

func TestSetup(t *testing.T) {
	r := newRig(t)
	c := r.carrier(t)
	a := r.good(t, http.MethodPost, "/v1.0/providers/setup", setupBody)
	m := a.fields(t)
	if got := c.seen(); !slices.Equal(got, setUp) {
		t.Errorf("calls %q", got)
	}
	if m["name"] != "carrier-t" || m["detail"] != "d" || m["type"] != "sip" || m["hostname"] != "sip.telnyx.com" || m["codecs"] != "" ||
		fmt.Sprint(m["metadata"]) != "map[telnyx_connection_id:id3 telnyx_fqdn:sip.example.com:5060 telnyx_fqdn_id:id4 telnyx_profile_id:id2]" {
		t.Errorf("provider %s", a.body)
	}
	p := r.catalog(t).Provider(uuid.MustParse(m["id"].(string)))
	if len(p.Credentials.Password) != 32 || p.Credentials.Username == "" || !strings.Contains(r.content(t), p.Credentials.Password) {
		t.Errorf("credentials %+v", p.Credentials)
	}
	if a.header.Get("ETag") == "" {
		t.Errorf("headers %v", a.header)
	}
	for name, text := range map[string]string{"answer": a.body, "log": r.log.String(), "audit": r.good(t, http.MethodGet, "/v1.0/audit", "").body} {
		if strings.Contains(text, p.Credentials.Password) || strings.Contains(text, carrierKey) {
			t.Errorf("a secret in the %s", name)
		}
	}
	// What setup made can be edited, and keeps what it has.
	read := r.good(t, http.MethodGet, "/v1.0/providers/"+p.ID.String(), "")
	r.good(t, http.MethodPut, "/v1.0/providers/"+p.ID.String(), read.body)
	if again := r.catalog(t).Provider(p.ID); again.Credentials != p.Credentials || again.Metadata["telnyx_profile_id"] != "id2" {
		t.Errorf("credentials %+v", again.Credentials)
	}
}

// TestSetupFails fails at each step, and in each undo: the answer says what is left, and nothing is saved.
func TestSetupFails(t *testing.T) {
	const away = `503{"errors":[{"code":"10016","title":"Phone number must be in +E.164 format","detail":"x ` + carrierKey + `"}]}`
	const connectionFails = "POST /fqdn_connections"
	for name, c := range map[string]struct {
		fail map[string]string
		body string
		want string // After the request id.
		code int
	}{
		"key refused": {
			map[string]string{"GET /whoami": `401{"errors":[{"code":"10009","title":"Authentication failed","detail":"no ` + carrierKey + `"}]}`},
			setupBody, `"status":"INVALID_ARGUMENT","reason":"CARRIER_CREDENTIALS_REJECTED","message":"The carrier rejected the supplied credentials.",` +
				`"request_id":"test-1","details":[{"message":"10009 Authentication failed no ********"}]`, 422,
		},
		"key refused later": {
			map[string]string{"POST /fqdns": "403{}"},
			setupBody,
			`"status":"INVALID_ARGUMENT","reason":"CARRIER_CREDENTIALS_REJECTED","message":"The carrier rejected the supplied credentials.",` +
				`"request_id":"test-1","details":[]`, 422,
		},
		"away": {
			map[string]string{"GET /whoami": away},
			setupBody,
			`"status":"UNAVAILABLE","reason":"CARRIER_FAILED","message":"The carrier could not be set up.","request_id":"test-1",` +
				`"details":[{"message":"10016 Phone number must be in +E.164 format x ********"}]`, 502,
		},
		"refused": {
			map[string]string{connectionFails: `422{"errors":[{"code":"10015","title":"Bad Request","detail":"must be verified","source":{"pointer":"/user_name"}}]}`},
			setupBody, `"status":"UNAVAILABLE","reason":"CARRIER_FAILED","message":"The carrier could not be set up.","request_id":"test-1",` +
				`"details":[{"field":"/user_name","message":"10015 Bad Request must be verified"}]`, 502,
		},
		"answer lost": {
			map[string]string{connectionFails: "201<html>"},
			setupBody,
			`"status":"UNAVAILABLE","reason":"CARRIER_FAILED","message":"The carrier could not be set up. This is left at the carrier: ` +
				`perhaps fqdn_connection \"carrier-t\".","request_id":"test-1","details":[{"resource":"fqdn_connection","message":` +
				`"It may have been made at the carrier, whose answer was lost; look for \"carrier-t\" there."}]`, 502,
		},
		"undo fails": {
			map[string]string{"POST /fqdns": "422{}", "DELETE /fqdn_connections/id3": away, "DELETE /outbound_voice_profiles/id2": away},
			setupBody,
			`"status":"UNAVAILABLE","reason":"CARRIER_FAILED","message":"The carrier could not be set up. This is left at the carrier: ` +
				`fqdn_connection id3, outbound_voice_profile id2.","request_id":"test-1","details":[` +
				`{"resource":"fqdn_connection","id":"id3","message":"It could not be removed at the carrier; remove it there."},` +
				`{"resource":"outbound_voice_profile","id":"id2","message":"It could not be removed at the carrier; remove it there."}]`, 502,
		},
		"wrong key": {
			nil, strings.Replace(setupBody, carrierKey, "KEYwrong", 1),
			`"status":"INVALID_ARGUMENT","reason":"CARRIER_CREDENTIALS_REJECTED","message":"The carrier rejected the supplied credentials.",` +
				`"request_id":"test-1","details":[{"message":"10009 Authentication failed Bearer ********"}]`, 422,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			before := r.content(t)
			r.carrier(t).fail = c.fail
			a := r.do(t, http.MethodPost, "/v1.0/providers/setup", c.body)
			if want := `{"error":{` + c.want + "}}\n"; a.code != c.code || a.body != want {
				t.Errorf("%d\n%s, want %d\n%s", a.code, a.body, c.code, want)
			}
			if r.content(t) != before {
				t.Error("something was saved")
			}
			if log := r.log.String(); strings.Contains(log, carrierKey) || strings.Contains(log, "KEYwrong") || strings.Contains(log, "E.164") {
				t.Errorf("the log has what it must not: %s", log)
			}
		})
	}
}

// TestSetupThatCannotBeSaved removes at the carrier what cannot be saved here.
func TestSetupThatCannotBeSaved(t *testing.T) {
	var f *failing
	r := rigOn(t, testCatalog, func(s providers.Store) providers.Store {
		f = &failing{s, s.(providers.History), providers.ErrUnavailable}
		return f
	})
	c := r.carrier(t)
	a := r.do(t, http.MethodPost, "/v1.0/providers/setup", setupBody)
	a.must(t, 503, "CATALOG_UNAVAILABLE")
	undone := []string{"DELETE /fqdns/id4", "DELETE /fqdn_connections/id3", "DELETE /outbound_voice_profiles/id2"}
	if got := c.seen(); !slices.Equal(got, append(slices.Clone(setUp), undone...)) {
		t.Errorf("calls %q", got)
	}
	c.mu.Lock()
	c.calls, c.fail["DELETE /fqdns/id4"] = nil, "500{}"
	c.mu.Unlock()
	a = r.do(t, http.MethodPost, "/v1.0/providers/setup", setupBody)
	a.must(t, 503, "CATALOG_UNAVAILABLE")
	if !strings.Contains(a.body, `{"resource":"fqdn","id":"id4","message":"It could not be removed at the carrier; remove it there."}`) {
		t.Errorf("answer %s", a.body)
	}
}

// TestSetupAsksFirst finds out before anything is made at the carrier.
func TestSetupAsksFirst(t *testing.T) {
	r := newRig(t)
	c := r.carrier(t)
	r.do(t, http.MethodPost, "/v1.0/providers/setup", strings.Replace(setupBody, "carrier-t", "carrier-a", 1)).must(t, 409, "ALREADY_EXISTS")
	r.do(t, http.MethodPost, "/v1.0/providers/setup", strings.Replace(setupBody, "carrier-t", `a\nb`, 1)).must(t, 400, "INVALID_ARGUMENT")
	without := *r.api.telnyx.Load()
	without.FQDN = ""
	r.api.UseTelnyx(without)
	a := r.do(t, http.MethodPost, "/v1.0/providers/setup", setupBody)
	a.must(t, 400, "INVALID_ARGUMENT")
	if !strings.Contains(a.body, `"details":[{"field":"telnyx.sip_fqdn",`) {
		t.Errorf("answer %s", a.body)
	}
	if got := c.seen(); got != nil {
		t.Errorf("calls %q", got)
	}
	for err, want := range map[error]string{
		providers.ErrUnavailable: "503 CATALOG_UNAVAILABLE", providers.ErrInvalid: "409 CATALOG_INVALID", errTest: "409 CATALOG_INVALID",
	} {
		r.api.store = fixedStore{catalog: r.catalog(t), err: err}
		err := r.api.canCreate(t.Context(), providers.Provider{Type: "sip", Name: "n", Hostname: "h.example"})
		if f := faultOf(err); fmt.Sprint(f.code, " ", f.reason) != want {
			t.Errorf("%v: %v", err, f)
		}
	}
}

// TestSetupMayTakeLong has a carrier that is slower than other requests may be.
func TestSetupMayTakeLong(t *testing.T) {
	r := newRig(t)
	r.carrier(t).delay = 200 * time.Millisecond // Each of four calls.
	s := httptest.NewUnstartedServer(r.api)
	s.Config.ReadTimeout, s.Config.WriteTimeout = 600*time.Millisecond, 600*time.Millisecond
	s.Start()
	defer s.Close()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1.0/providers/setup", strings.NewReader(setupBody))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := s.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
		t.Errorf("%d %s, %v\n%s", resp.StatusCode, text, err, r.log.String())
	}
}

// TestSetupWithAPort takes our port from the configuration.
func TestSetupWithAPort(t *testing.T) {
	r := newRig(t)
	r.carrier(t)
	ours := *r.api.telnyx.Load()
	ours.Port = 5070
	r.api.UseTelnyx(ours)
	a := r.good(t, http.MethodPost, "/v1.0/providers/setup", setupBody)
	var m struct {
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || m.Metadata["telnyx_fqdn"] != "sip.example.com:5070" {
		t.Errorf("provider %s", a.body)
	}
}

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

const fullProvider = `{"type":"sip","hostname":"[2001:db8::1]:5061","tech_prefix":"9#","tech_postfix":"@sip.example",
	"tech_headers":{"X-B":"2","x-a":"1","X-Secret":"hush"},"name":"full","detail":"two\nlines <&>","codecs":"PCMU, opus",
	"transport":"tls","enabled":false,"raw_user":true,"follow_redirects":true,
	"budgets":{"no_reply":"1500ms","no_ringing":"10s","answer":"1h"},"failover":{"next":["404","5XX"],"after_ringing":true,"preset":"twilio",
	"rules":[{"code":"5XX","cause":34,"reason":"busy","header":"Warning","then":"retry after","for":"1500ms","as":"limit"},{"reason":"D22","then":"final"}]},
	"limits":{"calls":7,"cps":0.5},"credentials":{"username":"u","password":"hush","realm":"r"},"secret_headers":["X-SECRET"],
	"health":{"probe":false,"interval":"90s","up":["2XX","404"]}}`

func TestProviderLives(t *testing.T) {
	r := newRig(t)
	made := r.good(t, http.MethodPost, "/v1.0/providers", fullProvider)
	m := made.fields(t)
	id, err := uuid.Parse(m["id"].(string))
	if err != nil || id.Version() != 4 {
		t.Errorf("id %v", m["id"])
	}
	const want = `"type":"sip","hostname":"[2001:db8::1]:5061","tech_prefix":"9#","tech_postfix":"@sip.example",` +
		`"tech_headers":{"x-a":"1","X-B":"2","X-Secret":"********"},"name":"full","detail":"two\nlines \u003c\u0026\u003e",` +
		`"metadata":{},"codecs":"PCMU, opus","health_status":"unknown","health_checked_at":null,"tm_create":%q,"tm_update":%q,` +
		`"tm_delete":"9999-01-01T00:00:00.000000Z","transport":"tls","enabled":false,"raw_user":true,"follow_redirects":true,` +
		`"budgets":{"no_reply":"1.5s","no_ringing":"10s","answer":"1h"},"failover":{"next":["404","5xx"],"after_ringing":true,"preset":"twilio",` +
		`"rules":[{"code":"5xx","cause":34,"reason":"busy","header":"Warning","then":"retry after","for":"1.5s","as":"limit"},` +
		`{"code":"","cause":0,"reason":"D22","header":"","then":"final","for":"0s","as":""}]},` +
		`"limits":{"calls":7,"cps":0.5},"credentials":{"username":"u","password":"********","realm":"r"},"secret_headers":["X-Secret"],` +
		`"health":{"probe":false,"interval":"1m30s","up":["2xx","404"]}}`
	if got, want := made.body, fmt.Sprintf(`{"id":%q,`+want+"\n", id, m["tm_create"], m["tm_create"]); got != want {
		t.Errorf("made\n%s\nwant\n%s", got, want)
	}
	at := "/v1.0/providers/" + id.String()
	if got := r.good(t, http.MethodGet, at, ""); got.body != made.body || got.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("read\n%s, made\n%s", got.body, made.body)
	}
	if got := r.good(t, http.MethodGet, "/v1.0/providers?page_size=1", ""); got.body !=
		`{"result":[`+strings.TrimSpace(made.body)+`],"next_page_token":"`+m["tm_create"].(string)+","+id.String()+"\"}\n" {
		t.Errorf("listed\n%s", got.body)
	}
	if p := r.catalog(t).Provider(id); p.Credentials.Password != "hush" || p.TechHeaders[2].Value != "hush" {
		t.Errorf("stored %+v", p)
	}

	// PUT replaces: what is left out has its default.
	put := r.good(t, http.MethodPut, at, `{"type":"sip","hostname":"h.example","name":"plain"}`)
	plain := put.fields(t)
	const wantPlain = `"type":"sip","hostname":"h.example","tech_prefix":"","tech_postfix":"","tech_headers":{},"name":"plain",` +
		`"detail":"","metadata":{},"codecs":"","health_status":"unknown","health_checked_at":null,"tm_create":%q,"tm_update":%q,` +
		`"tm_delete":"9999-01-01T00:00:00.000000Z","transport":"","enabled":true,"raw_user":false,"follow_redirects":false,` +
		`"budgets":{"no_reply":"0s","no_ringing":"0s","answer":"0s"},"failover":{"next":null,"after_ringing":null,"preset":"","rules":null},` +
		`"limits":{"calls":0,"cps":0},"credentials":{"username":"","password":"","realm":""},"secret_headers":[],` +
		`"health":{"probe":true,"interval":"0s","up":null}}`
	if got, want := put.body, fmt.Sprintf(`{"id":%q,`+wantPlain+"\n", id, m["tm_create"], plain["tm_update"]); got != want {
		t.Errorf("replaced\n%s\nwant\n%s", got, want)
	}
	if plain["tm_update"].(string) <= m["tm_update"].(string) || put.header.Get("ETag") == made.header.Get("ETag") {
		t.Errorf("tm_update %v after %v, ETag %s", plain["tm_update"], m["tm_update"], put.header.Get("ETag"))
	}

	// DELETE is soft: the record comes back, and is gone.
	gone := r.good(t, http.MethodDelete, at, "").fields(t)
	if gone["tm_delete"] != gone["tm_update"] || gone["tm_delete"].(string) >= "9999" || gone["name"] != "plain" {
		t.Errorf("deleted %v", gone)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		r.do(t, method, at, `{"type":"sip","hostname":"h.example","name":"plain"}`).must(t, 404, "PROVIDER_NOT_FOUND")
	}
	if strings.Contains(r.good(t, http.MethodGet, "/v1.0/providers", "").body, id.String()) {
		t.Error("a deleted provider is listed")
	}
	// The name is free again, for another one.
	again := r.good(t, http.MethodPost, "/v1.0/providers", `{"type":"sip","hostname":"h.example","name":"plain"}`).fields(t)
	if again["id"] == id.String() {
		t.Error("the same id again")
	}
}

func TestRouteLives(t *testing.T) {
	r := newRig(t)
	made := r.good(t, http.MethodPost, "/v1.0/routes",
		`{"provider_id":"`+carrierS+`","target":"44","customer_id":"`+customerX+`","name":"n","detail":"d","priority":3,"weight":7}`)
	m := made.fields(t)
	want := `{"id":"` + m["id"].(string) + `","customer_id":"` + customerX + `","name":"n","detail":"d","provider_id":"` + carrierS +
		`","priority":3,"target":"+44","tm_create":"` + m["tm_create"].(string) + `","tm_update":"` + m["tm_create"].(string) +
		`","tm_delete":"9999-01-01T00:00:00.000000Z","weight":7}` + "\n"
	if made.body != want {
		t.Errorf("made\n%s\nwant\n%s", made.body, want)
	}
	at := "/v1.0/routes/" + m["id"].(string)
	if got := r.good(t, http.MethodGet, at, ""); got.body != want {
		t.Errorf("read %s", got.body)
	}
	put := r.good(t, http.MethodPut, at, `{"provider_id":"`+carrierA+`","target":"all"}`).fields(t)
	if put["customer_id"] != providers.Everyone.String() || put["priority"] != 0.0 || put["weight"] != 100.0 ||
		put["name"] != "" || put["detail"] != "" || put["target"] != "all" || put["provider_id"] != carrierA {
		t.Errorf("replaced %v", put)
	}
	gone := r.good(t, http.MethodDelete, at, "").fields(t)
	if gone["tm_delete"].(string) >= "9999" {
		t.Errorf("deleted %v", gone)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		r.do(t, method, at, `{"provider_id":"`+carrierA+`","target":"all"}`).must(t, 404, "ROUTE_NOT_FOUND")
	}
}

// TestDeletedProviderLeavesItsRoutes checks that they stay, and that they may be given another one.
func TestDeletedProviderLeavesItsRoutes(t *testing.T) {
	r := newRig(t)
	r.good(t, http.MethodDelete, "/v1.0/providers/"+carrierA, "")
	left := r.good(t, http.MethodGet, "/v1.0/routes/"+routeA, "").fields(t)
	if left["provider_id"] != carrierA {
		t.Errorf("route %v", left)
	}
	if name := r.catalog(t).DeletedNames[uuid.MustParse(carrierA)]; name != "carrier-a" {
		t.Errorf("deleted name %q", name)
	}
	r.good(t, http.MethodPut, "/v1.0/routes/"+routeA, `{"provider_id":"`+carrierS+`","target":"+1"}`)
}

// TestGetEditPut sends back what was read, with everything in it.
func TestGetEditPut(t *testing.T) {
	r := newRig(t)
	at := "/v1.0/providers/" + carrierS
	read := r.good(t, http.MethodGet, at, "")
	before := r.catalog(t).Provider(uuid.MustParse(carrierS)).Clone()
	put := r.good(t, http.MethodPut, at, strings.Replace(read.body, `"detail":""`, `"detail":"edited"`, 1))
	after := r.catalog(t).Provider(uuid.MustParse(carrierS)).Clone()
	if after.Detail != "edited" || after.Credentials != before.Credentials || after.Metadata["telnyx_fqdn"] != "f.example" ||
		!slices.Equal(after.TechHeaders, before.TechHeaders) {
		t.Errorf("stored %+v, before %+v", after, before)
	}
	if put.fields(t)["detail"] != "edited" || strings.Contains(put.body, "hush") {
		t.Errorf("answer %s", put.body)
	}

	route := r.good(t, http.MethodGet, "/v1.0/routes/"+routeA, "")
	r.good(t, http.MethodPut, "/v1.0/routes/"+routeA, strings.Replace(route.body, `"priority":1`, `"priority":2`, 1))

	// The times may come in VoIPBIN's older spelling, null too.
	m := r.good(t, http.MethodGet, at, "").fields(t)
	for _, name := range []string{"tm_create", "tm_update"} {
		at, err := time.Parse(time.RFC3339, m[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		m[name] = at.Format("2006-01-02 15:04:05.000000")
	}
	m["tm_delete"] = "9999-01-01 00:00:00.000000"
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	m = r.good(t, http.MethodPut, at, string(text)).fields(t)
	m["tm_create"], m["tm_update"], m["tm_delete"], m["health_checked_at"] = nil, nil, nil, nil
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	r.good(t, http.MethodPut, at, string(text))
}

// TestClientOfVoIPBINsFields edits as a client does that knows nothing of ours.
func TestClientOfVoIPBINsFields(t *testing.T) {
	r := newRig(t)
	at := "/v1.0/providers/" + carrierS
	m := r.good(t, http.MethodGet, at, "").fields(t)
	known := map[string]any{}
	for _, name := range []string{
		"id", "type", "hostname", "tech_prefix", "tech_postfix", "tech_headers", "name", "detail", "metadata", "codecs",
		"health_status", "health_checked_at", "tm_create", "tm_update", "tm_delete",
	} {
		known[name] = m[name]
	}
	known["hostname"] = "other.example"
	text, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	put := r.good(t, http.MethodPut, at, string(text))
	p := r.catalog(t).Provider(uuid.MustParse(carrierS))
	// A secret header stays secret, though nobody said so; what was left out has its default.
	if p.Hostname != "other.example" || p.TechHeaders[1] != (providers.Header{Name: "X-Token", Value: "hush-header", Secret: true}) ||
		p.Credentials != (providers.Credentials{}) {
		t.Errorf("stored %+v", p)
	}
	if strings.Contains(put.body, "hush") {
		t.Errorf("answer %s", put.body)
	}
}

// TestSecretsCannotBeMadeReadable tries to get at what is behind a mask.
func TestSecretsCannotBeMadeReadable(t *testing.T) {
	r := newRig(t)
	at := "/v1.0/providers/" + carrierS
	const base = `"type":"sip","hostname":"s.example","name":"carrier-s",`
	for _, body := range []string{
		`{` + base + `"tech_headers":{"X-Token":"********"}}`,
		`{` + base + `"tech_headers":{"X-Token":"********"},"secret_headers":[]}`,
		`{` + base + `"tech_headers":{"x-token":"********"},"secret_headers":[]}`,
	} {
		put := r.good(t, http.MethodPut, at, body)
		if strings.Contains(put.body, "hush") || !strings.Contains(put.body, `"secret_headers":["`) {
			t.Errorf("%s: %s", body, put.body)
		}
	}
	r.do(t, http.MethodPut, at, `{`+base+`"tech_headers":{"X-Other":"********"}}`).must(t, 400, "INVALID_ARGUMENT")
	// Given anew, it is as secret as one says.
	put := r.good(t, http.MethodPut, at, `{`+base+`"tech_headers":{"X-Token":"open"}}`)
	if !strings.Contains(put.body, `{"X-Token":"open"}`) {
		t.Errorf("answer %s", put.body)
	}
	for name, text := range map[string]string{
		"audit": r.good(t, http.MethodGet, "/v1.0/audit", "").body, "log": r.log.String(),
		"list": r.good(t, http.MethodGet, "/v1.0/providers", "").body,
	} {
		if strings.Contains(text, "hush") {
			t.Errorf("a secret in the %s: %s", name, text)
		}
	}
}

func TestHealthIsShownAndForgotten(t *testing.T) {
	r := newRig(t)
	checked := time.Date(2026, 4, 23, 10, 0, 0, 0, time.UTC)
	r.router.health = map[uuid.UUID]providers.Health{uuid.MustParse(carrierA): providers.HealthHealthy}
	r.router.checked = checked
	at := "/v1.0/providers/" + carrierA
	listed := func() string { return r.good(t, http.MethodGet, "/v1.0/providers", "").body }
	if first := listed(); strings.Count(first, `"health_status":"healthy","health_checked_at":"2026-04-23T10:00:00.000000Z"`) != 1 || first != listed() {
		t.Errorf("listed %s", first)
	}
	r.router.health[uuid.MustParse(carrierS)] = providers.HealthUnhealthy
	if again := listed(); strings.Count(again, `"health_status":"unhealthy"`) != 1 {
		t.Errorf("listed again %s", again)
	}
	read := r.good(t, http.MethodGet, at, "")
	m := read.fields(t)
	if m["health_status"] != "healthy" || m["health_checked_at"] != "2026-04-23T10:00:00.000000Z" {
		t.Errorf("read %s", read.body)
	}
	// A probe in between is no reason to refuse, and no other entry.
	r.router.checked = checked.Add(time.Minute)
	if again := r.good(t, http.MethodGet, at, ""); again.header.Get("ETag") != read.header.Get("ETag") {
		t.Error("a probe changed the ETag")
	}
	put := r.good(t, http.MethodPut, at, read.body).fields(t)
	if put["health_status"] != "healthy" || put["tm_create"] != m["tm_create"] {
		t.Errorf("replaced %v", put)
	}
	moved := r.good(t, http.MethodPut, at, `{"type":"sip","hostname":"192.0.2.99","name":"carrier-a"}`).fields(t)
	if moved["health_status"] != "unknown" || moved["health_checked_at"] != nil {
		t.Errorf("at another host %v", moved)
	}
}

// TestHealthIsNoPartOfAnEntry compares tags: a store may keep health, and a probe is no change.
func TestHealthIsNoPartOfAnEntry(t *testing.T) {
	r := newRig(t)
	p := r.catalog(t).Providers[0].Clone()
	tag := r.api.providers().tag
	before, err := tag(p)
	if err != nil {
		t.Fatal(err)
	}
	p.HealthStatus, p.HealthCheckedAt = providers.HealthHealthy, time.Unix(1e9, 0)
	if after, err := tag(p); err != nil || after != before {
		t.Errorf("tags %s and %s, %v", before, after, err)
	}
}

// TestFieldOrder compares answers with the document, which has VoIPBIN's fields first and in VoIPBIN's order.
func TestFieldOrder(t *testing.T) {
	r := newRig(t)
	voipbin := map[string][]string{
		"Provider": {
			"id", "type", "hostname", "tech_prefix", "tech_postfix", "tech_headers", "name", "detail", "metadata", "codecs",
			"health_status", "health_checked_at", "tm_create", "tm_update", "tm_delete",
		},
		"Route": {
			"id", "customer_id", "name", "detail", "provider_id", "priority", "target", "tm_create", "tm_update", "tm_delete",
		},
	}
	for schema, target := range map[string]string{
		"Provider": "/v1.0/providers/" + carrierS, "Route": "/v1.0/routes/" + routeA, "ProviderList": "/v1.0/providers",
		"RouteList": "/v1.0/routes", "Status": "/v1.0/status", "RevisionList": "/v1.0/audit",
	} {
		got := keysOf(t, []byte(r.good(t, http.MethodGet, target, "").body))
		if want := propertyNames(t, r.api.document, schema); !slices.Equal(got, want) {
			t.Errorf("%s: fields %q, in the document %q", schema, got, want)
		}
		if want := voipbin[schema]; !slices.Equal(got[:len(want)], want) {
			t.Errorf("%s: fields %q, VoIPBIN's %q", schema, got, want)
		}
	}
}

func TestOddGoodBodies(t *testing.T) {
	r := newRig(t)
	for name, body := range map[string]string{
		"nulls": `{"type":"sip","hostname":"h.example","name":"a","codecs":null,"tech_headers":null,"budgets":null,
			"failover":{"next":null,"after_ringing":null,"preset":null,"rules":null},"limits":{"calls":null},"credentials":{"password":null},"secret_headers":null,
			"enabled":null,"id":null,"metadata":null,"tm_create":null,"tm_delete":null,"health_status":null,"health_checked_at":null}`,
		"what a new one has": `{"type":"sip","hostname":"h.example","name":"b","metadata":{},"health_status":"unknown",
			"health_checked_at":null,"tm_delete":"9999-01-01T00:00:00.000000Z"}`,
		"no codes":   `{"type":"sip","hostname":"h.example","name":"c","failover":{"next":[]}}`,
		"names":      `{"type":"sip","hostname":"h.example","name":"😀 \ud83d\ude00 \ufffd"}`,
		"white":      "\n\t {\"type\" : \"sip\", \"hostname\":\"h.example\",\"name\":\"d\"}\r\n ",
		"raw header": `{"type":"sip","hostname":"h.example","name":"e","tech_headers":{"X-A":"<sip:x@y;z=\"1\">","X-Tab":"a\tb"}}`,
		"long":       `{"type":"sip","hostname":"h.example","name":"f","detail":"` + strings.Repeat("d", 65535) + `"}`,
		"spaces":     `{"type":"sip","hostname":"h.example","name":"g","codecs":" PCMU ,\tPCMA "}`,
	} {
		a := r.do(t, http.MethodPost, "/v1.0/providers", body)
		if a.code != 200 {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
		if name == "no codes" && !strings.Contains(a.body, `"failover":{"next":[],`) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}

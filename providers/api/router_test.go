package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

func TestPlan(t *testing.T) {
	r := newRig(t)
	var got providers.PlanRequest
	route := uuid.MustParse(routeA)
	r.router.plan = func(q *providers.PlanRequest) (*providers.Plan, error) {
		got = *q
		return &providers.Plan{
			Number: q.Number,
			Attempts: []providers.PlanAttempt{{
				ProviderID: uuid.MustParse(carrierS), ProviderName: "carrier-s", RequestURI: "sip:+1@s.example", Destination: "udp:192.0.2.1:5060",
				Headers: providers.PlanHeaders{{Name: "X-B", Value: `"b"`}, {Name: "X-A", Value: "hush", Secret: true}},
				SDP:     "v=0\r\n", RouteID: &route, Reason: "why",
			}, {Headers: nil}},
			Skipped: []providers.SkippedProvider{{ProviderID: uuid.MustParse(nobody), Reason: "gone"}},
		}, nil
	}
	a := r.good(t, http.MethodPost, "/v1.0/plan", `{"number":"+1555","customer_id":"`+customerX+`","provider_ids":["`+carrierS+`","`+carrierA+
		`"],"codecs":"PCMU","sdp":"v=0\r\n"}`)
	want := `{"number":"+1555","attempts":[{"provider_id":"` + carrierS + `","provider_name":"carrier-s","request_uri":"sip:+1@s.example",` +
		`"destination":"udp:192.0.2.1:5060","headers":{"X-B":"\"b\"","X-A":"********"},"sdp":"v=0\r\n","route_id":"` + routeA + `","reason":"why"},` +
		`{"provider_id":"00000000-0000-0000-0000-000000000000","provider_name":"","request_uri":"","destination":"","headers":{},"sdp":"",` +
		`"route_id":null,"reason":""}],"skipped":[{"provider_id":"` + nobody + `","provider_name":"","reason":"gone"}],"final_status":0}` + "\n"
	if a.body != want {
		t.Errorf("plan\n%s\nwant\n%s", a.body, want)
	}
	if got.Number != "+1555" || got.Customer.String() != customerX || len(got.Providers) != 2 || got.Codecs != "PCMU" || string(got.SDP) != "v=0\r\n" {
		t.Errorf("asked %+v", got)
	}
	r.good(t, http.MethodPost, "/v1.0/plan", `{"number":""}`)
	if got.Providers != nil || got.SDP != nil || got.Customer != uuid.Nil {
		t.Errorf("asked %+v", got)
	}
	r.good(t, http.MethodPost, "/v1.0/plan", `{"number":"1","provider_ids":[]}`)
	if got.Providers == nil {
		t.Error("no providers at all became all providers by route")
	}
	many := `{"number":"1","provider_ids":["` + strings.Repeat(nobody+`","`, maxPlanProviders) + nobody + `"]}`
	r.do(t, http.MethodPost, "/v1.0/plan", many).must(t, 400, "INVALID_ARGUMENT")
	r.router.plan = func(*providers.PlanRequest) (*providers.Plan, error) { return nil, errors.New("names no codec") }
	r.do(t, http.MethodPost, "/v1.0/plan", `{"number":"1","codecs":"x"}`).must(t, 400, "INVALID_CODECS")
	// A dry run changes nothing, so who may only read may plan.
	r.router.plan = nil
	r.as(t, viewerToken, http.MethodPost, "/v1.0/plan", `{"number":"1"}`).must(t, 200, "")
}

func TestStatus(t *testing.T) {
	r := newRig(t)
	r.router.trouble, r.router.draining = "x", true
	r.router.health = map[uuid.UUID]providers.Health{uuid.MustParse(carrierS): providers.HealthUnhealthy}
	r.router.checked = time.Date(2026, 4, 23, 10, 0, 0, 0, time.UTC)
	r.api.now = func() time.Time { return r.api.started.Add(90*time.Second + time.Millisecond) }
	want := `{"version":"test","revision":"` + r.catalog(t).Revision + `","uptime":90,"calls_in_progress":7,"draining":true,"warning":"x","providers":[` +
		`{"id":"` + carrierA + `","name":"carrier-a","enabled":true,"health_status":"unknown","health_checked_at":null,"reason":"","addresses":[]},` +
		`{"id":"` + carrierS + `","name":"carrier-s","enabled":true,"health_status":"unhealthy","health_checked_at":"2026-04-23T10:00:00.000000Z",` +
		`"reason":"no reply within 4s","addresses":[{"address":"udp:192.0.2.1:5060","health_status":"unhealthy",` +
		`"health_checked_at":"2026-04-23T10:00:00.000000Z","detail":"no reply within 4s"},` +
		`{"address":"tcp:192.0.2.2:5060","health_status":"unknown","health_checked_at":null,"detail":""}]}]}` + "\n"
	if got := r.good(t, http.MethodGet, "/v1.0/status", "").body; got != want {
		t.Errorf("status\n%s\nwant\n%s", got, want)
	}
}

func TestReload(t *testing.T) {
	r := newRig(t)
	if got, want := r.good(t, http.MethodPost, "/v1.0/reload", "").body, `{"revision":"`+r.catalog(t).Revision+"\"}\n"; got != want {
		t.Errorf("reloaded %s, want %s", got, want)
	}
	r.router.reload = providers.Join([]providers.Problem{{File: "/secret/providers.yaml", Line: 3, Message: "no"}, {Line: 4, Message: "nor this"}})
	a := r.do(t, http.MethodPost, "/v1.0/reload", "")
	a.must(t, 409, "CATALOG_INVALID")
	if !strings.Contains(a.body, `"details":[{"line":3,"message":"no"},{"line":4,"message":"nor this"}]`) || strings.Contains(a.body, "/secret") {
		t.Errorf("answer %s", a.body)
	}
	r.router.reload = fmt.Errorf("x: %w", providers.ErrUnavailable)
	r.do(t, http.MethodPost, "/v1.0/reload", "").must(t, 503, "CATALOG_UNAVAILABLE")
}

// TestAuditAndRestore makes changes, reads who made them, and goes back.
func TestAuditAndRestore(t *testing.T) {
	r := newRig(t)
	made := r.good(t, http.MethodPost, "/v1.0/providers", fullProvider).fields(t)
	at := "/v1.0/providers/" + made["id"].(string)
	q := request(t, http.MethodDelete, at, "")
	q.Header.Set(requestIDHeader, "delete-1")
	q.RemoteAddr = "203.0.113.9:4711"
	r.send(t, q).must(t, 200, "")
	r.good(t, http.MethodDelete, "/v1.0/routes/"+routeA, "")

	all := r.good(t, http.MethodGet, "/v1.0/audit", "").fields(t)["result"].([]any)
	if len(all) != 4 {
		t.Fatalf("%d revisions", len(all))
	}
	deleted := asObject(all[1])
	entry := asObject(deleted["entries"].([]any)[0])
	if fmt.Sprint(deleted["by"]) != "map[name:ops remote:203.0.113.9:4711 request_id:delete-1]" || entry["verb"] != "delete" ||
		entry["kind"] != "provider" || entry["name"] != "full" || entry["id"] != made["id"] {
		t.Errorf("noted %v", deleted)
	}
	before, after := asObject(entry["before"]), asObject(entry["after"])
	if asObject(before["credentials"])["password"] != providers.Mask || asObject(before["tech_headers"])["X-Secret"] != providers.Mask ||
		after["tm_delete"].(string) >= "9999" || before["tm_delete"].(string) < "9999" {
		t.Errorf("before %v, after %v", before, after)
	}
	if first := asObject(all[3]); asObject(first["by"])["name"] != "file" || len(first["entries"].([]any)) != 0 {
		t.Errorf("first %v", first)
	}
	created := asObject(asObject(all[2])["entries"].([]any)[0])
	if created["before"] != nil || created["verb"] != "create" {
		t.Errorf("created %v", created)
	}

	// By pages, to the end.
	var numbers []float64
	token := ""
	for {
		m := r.good(t, http.MethodGet, "/v1.0/audit?page_size=3&page_token="+token, "").fields(t)
		for _, one := range m["result"].([]any) {
			numbers = append(numbers, asObject(one)["n"].(float64))
		}
		if token = m["next_page_token"].(string); token == "" {
			break
		}
	}
	if !slices.Equal(numbers, []float64{4, 3, 2, 1}) {
		t.Errorf("numbers %v", numbers)
	}

	restored := r.good(t, http.MethodPost, "/v1.0/revisions/2/restore", "")
	if want := `{"restored":2,"revision":"` + r.catalog(t).Revision + `","providers":3,"routes":2}` + "\n"; restored.body != want {
		t.Errorf("restored %s, want %s", restored.body, want)
	}
	if p := r.catalog(t).Provider(uuid.MustParse(made["id"].(string))); p == nil || p.Credentials.Password != "hush" {
		t.Errorf("restored %+v", p)
	}
	r.good(t, http.MethodGet, "/v1.0/routes/"+routeA, "")
	r.as(t, viewerToken, http.MethodPost, "/v1.0/revisions/1/restore", "").must(t, 403, "PERMISSION_DENIED")
	r.as(t, viewerToken, http.MethodGet, "/v1.0/audit", "").must(t, 200, "")
	if text := r.content(t); r.file != "" && !strings.Contains(text, "# The catalog of the tests.") {
		t.Errorf("comments are gone:\n%s", text)
	}
}

package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// aCall is a record with everything in it.
func aCall(callID string) providers.CallRecord {
	at := time.Date(2026, 4, 23, 10, 0, 0, 0, time.UTC)
	return providers.CallRecord{
		CallID: callID, Number: "+15551234567", CustomerID: uuid.MustParse(customerX), Start: at, End: at.Add(time.Second),
		FinalStatus: 200, Outcome: "answered",
		Attempts: []providers.CallAttempt{
			{ProviderID: uuid.MustParse(carrierS), ProviderName: "carrier-s", Cause: "no_reply", Next: "no reply within 2s; carrier-a next"},
			{
				ProviderID: uuid.MustParse(carrierA), ProviderName: "carrier-a", RequestURI: "sip:+15551234567@192.0.2.1:5060",
				Destination: "udp:192.0.2.1:5060", Status: 200, Cause: "answered", Reply: time.Millisecond, Ringing: 2 * time.Millisecond,
				Answer: 3 * time.Millisecond, Next: "answered",
			},
		},
		Skipped: []providers.SkippedProvider{{ProviderID: uuid.MustParse(nobody), Reason: "no such provider"}},
	}
}

func TestCalls(t *testing.T) {
	r := newRig(t)
	if a := r.good(t, http.MethodGet, "/v1.0/calls", ""); a.body != `{"result":[],"next_page_token":""}`+"\n" {
		t.Errorf("no calls are %s", a.body)
	}
	for i := range 7 {
		r.router.calls = append(r.router.calls, aCall(fmt.Sprint("call-", i)))
	}
	for _, size := range []int{1, 3, 7, 100} {
		var ids []string
		token := ""
		for {
			m := r.good(t, http.MethodGet, fmt.Sprintf("/v1.0/calls?page_size=%d&page_token=%s", size, token), "").fields(t)
			for _, one := range m["result"].([]any) {
				ids = append(ids, asObject(one)["call_id"].(string))
			}
			if token = m["next_page_token"].(string); token == "" {
				break
			}
		}
		if want := []string{"call-0", "call-1", "call-2", "call-3", "call-4", "call-5", "call-6"}; !slices.Equal(ids, want) {
			t.Errorf("by %d: %q", size, ids)
		}
	}
	r.good(t, http.MethodGet, "/v1.0/calls?page_size=5&number=+1555&outcome=busy&page_token=3&customer_id="+customerX+"&provider_id="+carrierA, "")
	want := providers.CallQuery{
		Number: "+1555", Outcome: "busy", Before: 3, Limit: 5,
		CustomerID: uuid.MustParse(customerX), ProviderID: uuid.MustParse(carrierA),
	}
	if r.router.asked != want {
		t.Errorf("asked for %+v, want %+v", r.router.asked, want)
	}
	for _, query := range []string{
		"page_size=x", "page_token=x", "page_token=0", "page_token=-1", "outcome=good", "customer_id=1", "provider_id=carrier-a",
	} {
		r.do(t, http.MethodGet, "/v1.0/calls?"+query, "").must(t, 400, "INVALID_REQUEST_PARAMETER")
	}
	r.as(t, viewerToken, http.MethodGet, "/v1.0/calls", "").must(t, 200, "")
	r.as(t, "", http.MethodGet, "/v1.0/calls", "").must(t, 401, "")
	r.do(t, http.MethodPost, "/v1.0/calls", "{}").must(t, 405, "METHOD_NOT_ALLOWED")
}

// TestCall reads calls by their Call-IDs, which may hold what has a meaning in paths.
func TestCall(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{
		"abc@192.0.2.1", "a b", "a/b", "//", "..", ".", "a?b#c", "%2F", "a+b", "{call_id}", "<sip:x>", strings.Repeat("x", 256),
	} {
		r.router.calls = []providers.CallRecord{aCall("other"), aCall(id)}
		a := r.good(t, http.MethodGet, "/v1.0/calls/"+strings.ReplaceAll(url.PathEscape(id), ".", "%2E"), "")
		if got := a.fields(t)["call_id"]; got != id {
			t.Errorf("%q: got %q", id, got)
		}
		r.router.calls = nil
		r.do(t, http.MethodGet, "/v1.0/calls/"+strings.ReplaceAll(url.PathEscape(id), ".", "%2E"), "").must(t, 404, "CALL_NOT_FOUND")
	}
	r.router.calls = []providers.CallRecord{aCall("x")}
	want := `{"call_id":"x","number":"+15551234567","customer_id":"` + customerX + `","tm_start":"2026-04-23T10:00:00.000000Z",` +
		`"tm_end":"2026-04-23T10:00:01.000000Z","final_status":200,"outcome":"answered","attempts":[` +
		`{"provider_id":"` + carrierS + `","provider_name":"carrier-s","request_uri":"","destination":"","status":null,"cause":"no_reply",` +
		`"reply_ms":null,"ringing_ms":null,"answer_ms":null,"next":"no reply within 2s; carrier-a next"},` +
		`{"provider_id":"` + carrierA + `","provider_name":"carrier-a","request_uri":"sip:+15551234567@192.0.2.1:5060",` +
		`"destination":"udp:192.0.2.1:5060","status":200,"cause":"answered","reply_ms":1,"ringing_ms":2,"answer_ms":3,"next":"answered"}],` +
		`"skipped":[{"provider_id":"` + nobody + `","provider_name":"","reason":"no such provider"}]}` + "\n"
	if got := r.good(t, http.MethodGet, "/v1.0/calls/x", "").body; got != want {
		t.Errorf("call\n%s\nwant\n%s", got, want)
	}
	r.as(t, viewerToken, http.MethodGet, "/v1.0/calls/x", "").must(t, 200, "")
	r.as(t, "", http.MethodGet, "/v1.0/calls/x", "").must(t, 401, "")
	r.do(t, http.MethodDelete, "/v1.0/calls/x", "").must(t, 405, "METHOD_NOT_ALLOWED")
	r.do(t, http.MethodGet, "/v1.0/calls/x/y", "").must(t, 404, "ENDPOINT_NOT_FOUND")
}

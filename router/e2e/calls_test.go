package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/api"
	"github.com/voipbin/dialrouter/router"
)

// callRecord is the contract's record of a call, as a client reads it.
type callRecord struct {
	CallID      string          `json:"call_id"`
	Number      string          `json:"number"`
	CustomerID  string          `json:"customer_id"`
	TmStart     time.Time       `json:"tm_start"`
	TmEnd       time.Time       `json:"tm_end"`
	FinalStatus int             `json:"final_status"`
	Outcome     string          `json:"outcome"`
	Attempts    []attemptRecord `json:"attempts"`
	Skipped     []struct {
		ProviderID   string `json:"provider_id"`
		ProviderName string `json:"provider_name"`
		Reason       string `json:"reason"`
	} `json:"skipped"`
}

type attemptRecord struct {
	ProviderID   string   `json:"provider_id"`
	ProviderName string   `json:"provider_name"`
	RequestURI   string   `json:"request_uri"`
	Destination  string   `json:"destination"`
	Status       *int     `json:"status"`
	Cause        string   `json:"cause"`
	ReplyMS      *float64 `json:"reply_ms"`
	RingingMS    *float64 `json:"ringing_ms"`
	AnswerMS     *float64 `json:"answer_ms"`
	Next         string   `json:"next"`
}

// summary writes what a record says of the way of a call, with - for what did not happen:
//
//	486 busy; b 486 busy reply: 486: the callee has spoken; skipped c: disabled
func (r *callRecord) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", r.FinalStatus, r.Outcome)
	for _, a := range r.Attempts {
		fmt.Fprintf(&b, "\n%s", a.ProviderName)
		if a.Status == nil {
			b.WriteString(" -")
		} else {
			fmt.Fprintf(&b, " %d", *a.Status)
		}
		b.WriteString(" " + a.Cause)
		for i, ms := range []*float64{a.ReplyMS, a.RingingMS, a.AnswerMS} {
			if ms != nil {
				b.WriteString(" " + []string{"reply", "ringing", "answer"}[i])
			}
		}
		fmt.Fprintf(&b, ": %s", a.Next)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "\nskipped %s: %s", s.ProviderName, s.Reason)
	}
	return b.String()
}

// apiOf is the router as the API sees it, as far as records go.
type apiOf struct {
	api.Router

	r *router.Router
}

func (a apiOf) Calls(q providers.CallQuery) ([]providers.CallRecord, uint64) { return a.r.Calls(q) }
func (a apiOf) Call(callID string) (providers.CallRecord, bool)              { return a.r.Call(callID) }

// noStore has the API's requests for a catalog fail: records are not of the catalog.
type noStore struct{ providers.Store }

// client reads a router's records over HTTP.
type client struct{ url string }

func (n *node) client(t *testing.T) *client {
	t.Helper()
	const token = "a-token-of-the-tests"
	a, err := api.New(api.Options{Store: noStore{}, Router: apiOf{r: n.Router}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Authorize([]api.Token{{Name: "look", SHA256: sha256.Sum256([]byte(token)), Permission: api.ProjectViewer}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		a.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return &client{s.URL}
}

// get reads a path into v, which must have all fields that come.
func (c *client) get(t *testing.T, path string, v any) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Close = true
	rep, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rep.Body.Close()
	text, err := io.ReadAll(rep.Body)
	if err != nil {
		t.Fatal(err)
	}
	if rep.StatusCode == http.StatusOK {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	return rep.StatusCode
}

// call reads the record of a call.
func (c *client) call(t *testing.T, callID string) *callRecord {
	t.Helper()
	var r callRecord
	if code := c.get(t, "/v1.0/calls/"+url.PathEscape(callID), &r); code != http.StatusOK {
		t.Fatalf("the record of %s: %d", callID, code)
	}
	return &r
}

// ended has a call end: the caller acknowledges what it got, and hangs up what was answered.
func ended(t *testing.T, a *peer, inv *draft, want int) {
	t.Helper()
	rep := a.expect(t, final().of(inv.get("Call-ID")).to("INVITE"))
	if rep.code() != want {
		t.Errorf("the caller got %s, want %d", rep.start, want)
	}
	if want >= 300 {
		a.send(t, ackFor(inv, rep))
	}
}

// TestCallRecords drives each kind of call and reads over HTTP what became of it, and why.
func TestCallRecords(t *testing.T) {
	t.Parallel()
	const budgets = "{no_reply: 500ms, no_ringing: 700ms, answer: 900ms, setup: 6s, max_attempts: 3}"
	type stage struct {
		a, b, c, d *peer
		n          *node
		inv        *draft
	}
	tests := map[string]struct {
		b, c, d []string // Keys of the providers; nil: there is no such provider, but for b.
		budgets string
		more    func(*draft)
		play    func(t *testing.T, s *stage)
		want    string
	}{
		"answered": {
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.answer(t, got, 100)
				s.b.answer(t, got, 180)
				s.b.answer(t, got, 200)
				ended(t, s.a, s.inv, 200)
			},
			want: "200 answered\nb 200 answered reply ringing answer: answered",
		},
		"answered without ringing": {
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 200)
				ended(t, s.a, s.inv, 200)
			},
			want: "200 answered\nb 200 answered reply answer: answered",
		},
		"busy": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.answer(t, got, 183)
				s.b.answer(t, got, 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nb 486 busy reply ringing: 486: the callee has spoken",
		},
		"declined": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 603)
				ended(t, s.a, s.inv, 603)
			},
			want: "603 rejected\nb 603 declined reply: 603: the callee has spoken",
		},
		"not named by failover.next": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 410)
				ended(t, s.a, s.inv, 410)
			},
			want: "410 rejected\nb 410 rejected reply: 410: final, because failover.next does not name it",
		},
		"failover": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.respond(t, got, s.b.reply(got, 503).add("Retry-After: 30"))
				s.c.answer(t, s.c.expect(t, request("INVITE")), 200)
				ended(t, s.a, s.inv, 200)
			},
			want: "200 answered\nb 503 overload reply: 503 with Retry-After: resting 30s; c next\nc 200 answered reply answer: answered",
		},
		"failover after ringing is off": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.answer(t, got, 180)
				s.b.answer(t, got, 500)
				ended(t, s.a, s.inv, 500)
			},
			want: "500 failed\nb 500 server_error reply ringing: 500: final, because it rang before",
		},
		"nobody is left": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 404)
				s.c.answer(t, s.c.expect(t, request("INVITE")), 503)
				ended(t, s.a, s.inv, 404)
			},
			want: "404 rejected\nb 404 not_found reply: 404; c next\nc 503 overload reply: 503; nobody is left to try",
		},
		"max attempts": {
			c: []string{}, d: []string{}, budgets: "{max_attempts: 2}",
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 404)
				s.c.answer(t, s.c.expect(t, request("INVITE")), 500)
				ended(t, s.a, s.inv, 404)
			},
			want: "404 rejected\nb 404 not_found reply: 404; c next\nc 500 server_error reply: 500; max_attempts 2 reached\n" +
				"skipped d: max_attempts 2 reached",
		},
		"silent": {
			c: []string{}, budgets: budgets,
			play: func(t *testing.T, s *stage) {
				s.c.answer(t, s.c.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nb - no_reply: no reply within 500ms; c next\nc 486 busy reply: 486: the callee has spoken",
		},
		"all silent": {
			budgets: budgets,
			play:    func(t *testing.T, s *stage) { ended(t, s.a, s.inv, 408) },
			want:    "408 timeout\nb - no_reply: no reply within 500ms; nobody is left to try",
		},
		"no ringing": {
			c: []string{}, budgets: budgets,
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 100)
				s.c.answer(t, s.c.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nb 100 no_ringing reply: no ringing within 700ms; c next\nc 486 busy reply: 486: the callee has spoken",
		},
		"no answer": {
			c: []string{}, budgets: budgets,
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 180)
				ended(t, s.a, s.inv, 408)
			},
			want: "408 timeout\nb 180 no_answer reply ringing: it rang for 900ms and nobody answered",
		},
		"setup budget": {
			c: []string{}, budgets: "{no_reply: 5s, no_ringing: 5s, answer: 5s, setup: 600ms}",
			play: func(t *testing.T, s *stage) { ended(t, s.a, s.inv, 408) },
			want: "408 timeout\nb - no_answer: no answer within the 600ms that a call may take",
		},
		"cancelled": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.answer(t, got, 180)
				s.a.expect(t, status(180))
				s.a.send(t, cancelFor(s.inv))
				s.b.answer(t, s.b.expect(t, request("CANCEL")), 200)
				s.b.answer(t, got, 487)
				ended(t, s.a, s.inv, 487)
			},
			want: "487 cancelled\nb 487 cancelled reply ringing: the caller hung up",
		},
		"cancelled while failing": {
			c: []string{},
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.answer(t, got, 180)
				s.a.expect(t, status(180))
				s.a.send(t, cancelFor(s.inv))
				s.b.answer(t, s.b.expect(t, request("CANCEL")), 200)
				s.b.answer(t, got, 503)
				ended(t, s.a, s.inv, 487)
			},
			want: "487 cancelled\nb 503 overload reply ringing: 503; the caller hung up",
		},
		"no route": {
			b:    []string{`targets: ["+44"]`},
			play: func(t *testing.T, s *stage) { ended(t, s.a, s.inv, 404) },
			want: "404 no_route",
		},
		"disabled": {
			b:    []string{"enabled: false"},
			play: func(t *testing.T, s *stage) { ended(t, s.a, s.inv, 480) },
			want: "480 no_route\nskipped b: disabled",
		},
		"no address": {
			b: []string{"transport: tls"}, c: []string{},
			play: func(t *testing.T, s *stage) {
				s.c.answer(t, s.c.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nc 486 busy reply: 486: the callee has spoken\nskipped b: no tls socket of ours reaches ADDRESS",
		},
		"no such provider": {
			more: func(d *draft) {
				d.add("VB-PROVIDER-IDS: 00000000-0000-4000-8000-00000000dead, " + idOf("b"))
			},
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nb 486 busy reply: 486: the callee has spoken\nskipped : no such provider",
		},
		"codecs": {
			b: []string{"codecs: AMR"}, c: []string{"codecs: PCMA"},
			more: func(d *draft) { d.offering(wideOffer()) },
			play: func(t *testing.T, s *stage) {
				s.c.answer(t, s.c.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nc 486 busy reply: 486: the callee has spoken\nskipped b: its codec list leaves nothing of the offer",
		},
		"no codec at all": {
			b:    []string{"codecs: AMR"},
			more: func(d *draft) { d.offering(wideOffer()) },
			play: func(t *testing.T, s *stage) { ended(t, s.a, s.inv, 488) },
			want: "488 no_route\nskipped b: its codec list leaves nothing of the offer",
		},
		"limit between attempts": {
			c: []string{"limits: {calls: 1}"}, d: []string{},
			play: func(t *testing.T, s *stage) {
				first := s.b.expect(t, request("INVITE"))
				// Another call takes c's place.
				other := s.inv.again()
				s.a.send(t, other)
				of := other.get("Call-ID")
				s.b.answer(t, s.b.expect(t, request("INVITE").of(of)), 500)
				second := s.c.expect(t, request("INVITE").of(of))

				s.b.answer(t, first, 500)
				s.d.answer(t, s.d.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
				s.c.answer(t, second, 486)
				ended(t, s.a, other, 486)
			},
			want: "486 busy\nb 500 server_error reply: 500; skipped c: 1 of 1 calls in use; d next\n" +
				"d 486 busy reply: 486: the callee has spoken\nskipped c: 1 of 1 calls in use",
		},
		"rate": {
			b: []string{"limits: {cps: 1}"}, c: []string{},
			play: func(t *testing.T, s *stage) {
				s.b.answer(t, s.b.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
				s.inv = s.inv.again()
				s.a.send(t, s.inv)
				s.c.answer(t, s.c.expect(t, request("INVITE").of(s.inv.get("Call-ID"))), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nc 486 busy reply: 486: the callee has spoken\nskipped b: its 1 calls per second are used up",
		},
		"redirect": {
			b: []string{"follow_redirects: true"}, c: []string{`targets: ["+44"]`},
			play: func(t *testing.T, s *stage) {
				got := s.b.expect(t, request("INVITE"))
				s.b.respond(t, got, s.b.reply(got, 302).add(fmt.Sprintf("Contact: <sip:there@%s>", s.c.addr)))
				s.c.answer(t, s.c.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nb 302 redirected reply: 302; redirected to sip:there@ADDRESS\nb 486 busy reply: 486: the callee has spoken",
		},
		"transport error": {
			b: []string{"transport: tcp", "hostname: 127.0.0.1:1"}, c: []string{},
			play: func(t *testing.T, s *stage) {
				s.c.answer(t, s.c.expect(t, request("INVITE")), 486)
				ended(t, s.a, s.inv, 486)
			},
			want: "486 busy\nb - transport: it could not be reached; c next\nc 486 busy reply: 486: the callee has spoken",
		},
		"bad wishes": {
			more: func(d *draft) { d.add("VB-CUSTOMER-ID: me") },
			play: func(t *testing.T, s *stage) { ended(t, s.a, s.inv, 400) },
			want: "400 rejected",
		},
	}
	addresses := regexp.MustCompile(`127\.[0-9.]+(:[0-9]+)?`)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stage{b: newPeer(t)}
			entries := []string{recordTrunk("b", s.b, 1, test.b)}
			if test.c != nil {
				s.c = newPeer(t)
				entries = append(entries, recordTrunk("c", s.c, 2, test.c))
			}
			if test.d != nil {
				s.d = newPeer(t)
				entries = append(entries, recordTrunk("d", s.d, 3, test.d))
			}
			s.n = startRouter(t, setup{providers: catalog(entries...), budgets: test.budgets})
			http := s.n.client(t)
			s.a = s.n.caller(t)
			s.inv = s.a.invite("+15551234567")
			if test.more != nil {
				test.more(s.inv)
			}
			before := time.Now()
			s.a.send(t, s.inv)
			test.play(t, s)
			got := http.call(t, s.inv.get("Call-ID"))
			if text := addresses.ReplaceAllString(got.summary(), "ADDRESS"); text != test.want {
				t.Errorf("the record says\n%s\nwant\n%s", text, test.want)
			}
			if got.Number != "+15551234567" || got.CallID != s.inv.get("Call-ID") || got.CustomerID != providers.Everyone.String() {
				t.Errorf("of another call: %+v", got)
			}
			if got.TmStart.Before(before.Add(-time.Second)) || got.TmEnd.Before(got.TmStart) || got.TmEnd.After(time.Now().Add(time.Second)) {
				t.Errorf("from %v to %v, sent at %v", got.TmStart, got.TmEnd, before)
			}
			for _, a := range got.Attempts {
				last := 0.0
				for _, ms := range []*float64{a.ReplyMS, a.RingingMS, a.AnswerMS} {
					if ms != nil && (*ms < last || *ms > float64(time.Since(before).Milliseconds()+1)) {
						t.Errorf("%s: %v ms after %v ms", a.ProviderName, *ms, last)
					} else if ms != nil {
						last = *ms
					}
				}
			}
		})
	}
}

// recordTrunk is a provider's entry in which keys may stand in place of the usual ones.
func recordTrunk(name string, at *peer, priority int, keys []string) string {
	text := trunk(name, at, append([]string{fmt.Sprintf("priority: %d", priority), "id: " + idOf(name)}, keys...)...)
	for _, key := range keys {
		if strings.HasPrefix(key, "hostname:") {
			text = strings.Replace(text, fmt.Sprintf("    hostname: %s\n", at.addr), "", 1)
		}
	}
	return text
}

// TestCallRecordAttempts checks what a record says of where an attempt went, and whose call it was.
func TestCallRecordAttempts(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		recordTrunk("b", b, 1, []string{`tech_prefix: "9#"`, `tech_postfix: "@provider.example"`}),
		recordTrunk("c", c, 2, []string{`tech_prefix: "9#"`, "raw_user: true", "transport: tcp"}),
	)})
	http := n.client(t)
	a := n.caller(t)
	inv := a.invite("+1-555-1234567").add("VB-CUSTOMER-ID: " + customerOne)
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.answer(t, got, 404)
	second := c.expect(t, request("INVITE"))
	c.answer(t, second, 486)
	ended(t, a, inv, 486)
	r := http.call(t, inv.get("Call-ID"))
	if r.Number != "+15551234567" || r.CustomerID != customerOne {
		t.Errorf("the record is of %s for %s", r.Number, r.CustomerID)
	}
	for i, want := range []struct{ uri, to, id string }{
		{got.uri(), "udp:" + b.addr.String(), idOf("b")}, {second.uri(), "tcp:" + c.addr.String(), idOf("c")},
	} {
		if a := r.Attempts[i]; a.RequestURI != want.uri || a.Destination != want.to || a.ProviderID != want.id {
			t.Errorf("attempt %d: %+v, want %+v", i, a, want)
		}
	}
}

// TestCallList checks the list and its filters, and that requests other than INVITEs and calls that are still being set
// up are not in it.
func TestCallList(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(recordTrunk("b", b, 1, nil)), more: []string{"calls: {keep: 3}"}})
	http := n.client(t)
	a := n.caller(t)
	var ids []string
	for i := range 5 {
		inv := a.invite(fmt.Sprintf("+1555000000%d", i))
		ids = append(ids, inv.get("Call-ID"))
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		if code := http.get(t, "/v1.0/calls/"+url.PathEscape(inv.get("Call-ID")), nil); code != 404 {
			t.Errorf("a call is on record before its end: %d", code)
		}
		b.answer(t, got, 486+i%2*117) // 486 and 603
		ended(t, a, inv, 486+i%2*117)
	}
	other := a.request("MESSAGE", "+15550000000")
	a.send(t, other)
	b.answer(t, b.expect(t, request("MESSAGE")), 486)
	a.expect(t, final().of(other.get("Call-ID")))
	list := func(query string) string {
		var page struct {
			Result []callRecord `json:"result"`
			Next   string       `json:"next_page_token"`
		}
		if code := http.get(t, "/v1.0/calls"+query, &page); code != 200 {
			t.Fatalf("%s: %d", query, code)
		}
		var found []string
		for i := range page.Result {
			for j, id := range ids {
				if id == page.Result[i].CallID {
					found = append(found, fmt.Sprint(j))
				}
			}
		}
		return strings.Join(found, " ")
	}
	for query, want := range map[string]string{
		"": "4 3 2", "?page_size=2": "4 3", "?outcome=busy": "4 2", "?outcome=answered": "", "?number=%2B15550000003": "3",
		"?number=+15550000004": "4", "?number=%2B15550000001": "", "?provider_id=" + idOf("b"): "4 3 2", "?provider_id=" + idOf("c"): "",
	} {
		if got := list(query); got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
	for i, id := range ids {
		want := 404
		if i >= 2 {
			want = 200
		}
		if code := http.get(t, "/v1.0/calls/"+url.PathEscape(id), new(callRecord)); code != want {
			t.Errorf("call %d: %d, want %d", i, code, want)
		}
	}
}

// TestCallRecordsOff checks that keep 0 keeps nothing, and that the log has its line all the same.
func TestCallRecordsOff(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), more: []string{"calls: {keep: 0}"}})
	http := n.client(t)
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	b.answer(t, b.expect(t, request("INVITE")), 486)
	ended(t, a, inv, 486)
	if code := http.get(t, "/v1.0/calls/"+url.PathEscape(inv.get("Call-ID")), nil); code != 404 {
		t.Errorf("the record: %d", code)
	}
	eventually(t, "a log line for the call", func() bool { return len(logLines(n, inv.get("Call-ID"))) > 0 })
}

// TestCallFileSaysTheSame compares the file of calls with what the API says, over the router's end.
func TestCallFileSaysTheSame(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), more: []string{"calls: {file: calls.jsonl}"}})
	http := n.client(t)
	a := n.caller(t)
	want := make(map[string]string)
	for i := range 5 {
		inv := a.invite("+15551234567").set("Call-ID", newToken("<&>\"")+"@e2e")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		code := []int{200, 404, 486, 503, 603}[i]
		b.answer(t, got, code)
		a.expect(t, final().of(inv.get("Call-ID")))
		var text json.RawMessage
		http.get(t, "/v1.0/calls/"+url.PathEscape(inv.get("Call-ID")), &text)
		want[inv.get("Call-ID")] = string(text)
	}
	n.stop(t)
	file, err := os.ReadFile(filepath.Join(n.dir, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		var r callRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if line != want[r.CallID] {
			t.Errorf("the file says\n%s\nthe API says\n%s", line, want[r.CallID])
		}
	}
}

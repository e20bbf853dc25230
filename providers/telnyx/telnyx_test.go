package telnyx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var order = Order{Name: "Carrier T (eu-1)", FQDN: "sip.example.com", Port: 5070}

// client makes a client whose connections end with the test.
func client(t *testing.T, base string) *Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return New(base, testKey, transport)
}

func TestSetUp(t *testing.T) {
	f := newFake(t)
	trunk, err := client(t, f.url+"/").SetUp(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"GET /whoami", "POST /outbound_voice_profiles", "POST /fqdn_connections", "POST /fqdns"}
	if got := f.seen(); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if got, want := f.left(), []string{"fqdn_connections/1002", "fqdns/1003", "outbound_voice_profiles/1001"}; !slices.Equal(got, want) {
		t.Errorf("made %q, want %q", got, want)
	}
	if trunk.ProfileID != "1001" || trunk.ConnectionID != "1002" || trunk.FQDNID != "1003" {
		t.Errorf("trunk %+v", trunk)
	}
	p, c, q := f.bodies["outbound_voice_profiles"], f.bodies["fqdn_connections"], f.bodies["fqdns"]
	if p["name"] != order.Name || p["traffic_type"] != "conversational" || p["service_plan"] != "global" {
		t.Errorf("profile %v", p)
	}
	if n := len(p["whitelisted_destinations"].([]any)); n != len(allCountries()) {
		t.Errorf("%d countries", n)
	}
	if c["user_name"] != trunk.Username || c["password"] != trunk.Password || len(trunk.Password) != 32 ||
		!strings.HasPrefix(trunk.Username, "CarrierTeu1") ||
		fmt.Sprint(c["inbound"], c["outbound"]) !=
			"map[ani_number_format:+E.164 dnis_number_format:+e164] map[outbound_voice_profile_id:1001]" {
		t.Errorf("connection %v, trunk %+v", c, trunk)
	}
	if fmt.Sprint(q) != "map[connection_id:1002 dns_record_type:a fqdn:sip.example.com port:5070]" {
		t.Errorf("fqdn %v", q)
	}
	if err := client(t, f.url).TearDown(t.Context(), trunk); err != nil || len(f.left()) > 0 {
		t.Errorf("torn down: %v, left %q", err, f.left())
	}
}

func TestCountriesThatAreRefusedAreLeftOut(t *testing.T) {
	for _, test := range []struct {
		refused []string
		tries   int
		good    bool
	}{
		{nil, 1, true},
		{[]string{"KP"}, 2, true},
		{[]string{"CU", "IR", "KP", "SY"}, 3, true},             // Two at a time.
		{[]string{"CU", "IR", "KP", "RU", "SD", "SY"}, 4, true}, // The fourth request is the third repetition.
		{[]string{"BY", "CU", "IR", "KP", "RU", "SD", "SY"}, 4, false},
	} {
		f := newFake(t)
		f.refused = test.refused
		_, err := client(t, f.url).SetUp(t.Context(), order)
		if (err == nil) != test.good {
			t.Errorf("%q: %v", test.refused, err)
		}
		tries := 0
		for _, call := range f.seen() {
			if call == "POST /outbound_voice_profiles" {
				tries++
			}
		}
		if tries != test.tries {
			t.Errorf("%q: %d tries, want %d", test.refused, tries, test.tries)
		}
		if !test.good {
			continue
		}
		for _, country := range f.bodies["outbound_voice_profiles"]["whitelisted_destinations"].([]any) {
			if slices.Contains(test.refused, country.(string)) {
				t.Errorf("%s is still asked for", country)
			}
		}
		if got, want := len(f.bodies["outbound_voice_profiles"]["whitelisted_destinations"].([]any)),
			len(allCountries())-len(test.refused); got != want {
			t.Errorf("%q: %d countries, want %d", test.refused, got, want)
		}
	}
}

func TestReadsRefusedCountries(t *testing.T) {
	for detail, want := range map[string]string{
		"use the following countries: US, CA":         "US CA",
		"use the following countries: US, CA and KP.": "US CA KP",
		"IN NO case: AD":                   "",
		"the following countries are fine": "",
	} {
		e := &APIError{Problems: []Problem{{Detail: detail}}}
		if got := strings.Join(e.countries(allCountries()), " "); got != want {
			t.Errorf("%q: %q, want %q", detail, got, want)
		}
	}
	e := &APIError{Problems: []Problem{{Detail: "KP is not allowed", Pointer: "/whitelisted_destinations"}}}
	if got := e.countries(allCountries()); !slices.Equal(got, []string{"KP"}) {
		t.Errorf("by pointer: %q", got)
	}
}

// TestUndo fails at each step in each way. What was made must be gone, and what cannot be known must be named.
func TestUndo(t *testing.T) {
	steps := []string{"GET /whoami", "POST /outbound_voice_profiles", "POST /fqdn_connections", "POST /fqdns"}
	ways := map[string]struct {
		fail    func(w http.ResponseWriter, r *http.Request)
		key     bool // The key is what is wrong.
		unknown bool // Whether the step was made cannot be known.
		status  int
	}{
		"401": {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 401, "10009", testKey, "") }, true, false, 401},
		"403": {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "10010", testKey, "") }, true, false, 403},
		"422": {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 422, "10015", "x", "/name") }, false, false, 422},
		"429": {func(w http.ResponseWriter, _ *http.Request) { say(w, 429, "") }, false, false, 429},
		"500": {func(w http.ResponseWriter, _ *http.Request) { say(w, 500, "<html>") }, false, true, 500},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
		}, false, true, 307},
		"no JSON":     {func(w http.ResponseWriter, _ *http.Request) { say(w, 200, testKey) }, false, true, 0},
		"no id":       {func(w http.ResponseWriter, _ *http.Request) { say(w, 200, `{"data":{}}`) }, false, true, 0},
		"hangs up":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, true, 0},
		"half answer": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99"); say(w, 200, "{") }, false, true, 0},
	}
	for i, step := range steps {
		for name, way := range ways {
			if i == 0 && way.unknown && way.status == 0 && name != "hangs up" {
				continue // Nothing of what whoami says is used.
			}
			t.Run(step+" "+name, func(t *testing.T) {
				f := newFake(t)
				f.fail = func(w http.ResponseWriter, r *http.Request, call string) bool {
					if call == step {
						way.fail(w, r)
					}
					return call == step
				}
				trunk, err := client(t, f.url).SetUp(t.Context(), order)
				if err == nil || trunk != nil {
					t.Fatal("it did not fail")
				}
				if errors.Is(err, ErrKeyRejected) != way.key {
					t.Errorf("error %v", err)
				}
				if e, ok := errors.AsType[*APIError](err); ok != (way.status > 0) || ok && e.Status != way.status {
					t.Errorf("error %v", err)
				}
				if left := f.left(); len(left) > 0 {
					t.Errorf("left %q", left)
				}
				calls := f.seen()
				var undone []string
				for _, call := range calls[slices.Index(calls, step)+1:] {
					undone = append(undone, strings.TrimRight(call, "0123456789"))
				}
				wantUndone := []string{"DELETE /fqdn_connections/", "DELETE /outbound_voice_profiles/"}[min(2, 3-i):]
				if i == 0 {
					wantUndone = nil
				}
				if !slices.Equal(undone, wantUndone) {
					t.Errorf("undone %q, want %q", undone, wantUndone)
				}
				left, ok := errors.AsType[*LeftError](err)
				if ok != (way.unknown && i > 0) {
					t.Errorf("error %v", err)
				}
				if ok && (len(left.Left) != 1 || left.Left[0].ID != "" || left.Left[0].Kind+"s" != strings.TrimPrefix(step, "POST /")) {
					t.Errorf("left %+v", left.Left)
				}
				mustBeClean(t, err)
			})
		}
	}
}

// mustBeClean says that no secret is in an error.
func mustBeClean(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v", err, err)
	if e, ok := errors.AsType[*APIError](err); ok {
		text += fmt.Sprintf("%+v", e.Problems)
	}
	if strings.Contains(text, testKey) || strings.Contains(text, "Bearer") {
		t.Errorf("a secret in %s", text)
	}
}

// TestUndoThatFails names each thing that is still there.
func TestUndoThatFails(t *testing.T) {
	for mask := range 8 {
		f := newFake(t)
		failing := func(kind string) bool {
			i := slices.Index([]string{"fqdns", "fqdn_connections", "outbound_voice_profiles"}, kind)
			return mask&(1<<i) != 0
		}
		c := client(t, f.url)
		trunk, err := c.SetUp(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		f.fail = func(w http.ResponseWriter, _ *http.Request, call string) bool {
			if kind := strings.Split(call, "/")[1]; !failing(kind) {
				return false
			}
			refuse(w, 503, "10016", testKey+" "+trunk.Password, "")
			return true
		}
		err = c.TearDown(t.Context(), trunk)
		var want []string
		for _, thing := range []struct{ kind, id string }{
			{"fqdn", "1003"}, {"fqdn_connection", "1002"}, {"outbound_voice_profile", "1001"},
		} {
			// A parent cannot go while its child is there.
			if len(want) > 0 || failing(thing.kind+"s") {
				want = append(want, thing.kind+" "+thing.id)
			}
		}
		if (err == nil) != (len(want) == 0) || err != nil && err.Error() != "left at the carrier: "+strings.Join(want, ", ") {
			t.Errorf("%03b: %v, want %q", mask, err, want)
		}
		if err != nil && strings.Contains(err.Error(), trunk.Password) {
			t.Error("the password is in the error")
		}
		if got := len(f.seen()); got != 4+3 {
			t.Errorf("%03b: %d calls: one that fails must not keep the others from being tried", mask, got)
		}
	}
}

func TestUndoOfWhatIsGone(t *testing.T) {
	f := newFake(t)
	c := client(t, f.url)
	trunk, err := c.SetUp(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.TearDown(t.Context(), trunk); err != nil {
			t.Error(err)
		}
	}
}

// TestUndoAfterTheClientLeft cancels in the middle: what was made goes all the same.
func TestUndoAfterTheClientLeft(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.fail = func(_ http.ResponseWriter, r *http.Request, call string) bool {
		if call == "POST /fqdns" {
			_, _ = io.Copy(io.Discard, r.Body) // Only then does the server notice that the client is gone.
			cancel()
			<-r.Context().Done()
		}
		return call == "POST /fqdns"
	}
	_, err := client(t, f.url).SetUp(ctx, order)
	if !errors.Is(err, context.Canceled) || len(f.left()) > 0 {
		t.Errorf("error %v, left %q", err, f.left())
	}
	if left, ok := errors.AsType[*LeftError](err); !ok || left.Left[0] != (Left{Kind: "fqdn", Name: "sip.example.com"}) {
		t.Errorf("error %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	_, err := client(t, "http://127.0.0.1:1/v2").SetUp(t.Context(), order)
	if err == nil || strings.Contains(err.Error(), "left") || strings.Contains(err.Error(), "http://") {
		t.Errorf("error %v", err)
	}
}

// TestNobodyThereAnyMore loses the carrier half-way: what was never sent was never made.
func TestNobodyThereAnyMore(t *testing.T) {
	f := newFake(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := New(f.url, testKey, roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/fqdn_connections") {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}
		return transport.RoundTrip(r)
	}))
	_, err := c.SetUp(t.Context(), order)
	if _, ok := errors.AsType[*LeftError](err); err == nil || ok || len(f.left()) > 0 {
		t.Errorf("error %v, left %q", err, f.left())
	}
}

func TestAnswersAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	text := `{"errors":[` + strings.Repeat(`{"code":"1","title":"`+long[:9]+`\n","detail":"`+long[:10_000]+`"},`, 20) + `{"code":"x","title":1}]}`
	if e := newAPIError(400, []byte(text)); len(e.Problems) != 0 { // The last one is not as documented.
		t.Errorf("problems %+v", e.Problems)
	}
	text = strings.Replace(text, `"title":1`, `"title":"t"`, 1)
	e := newAPIError(400, []byte(text))
	if len(e.Problems) != maxProblems || len(e.Problems[0].Detail) != maxText || e.Problems[0].Title != "xxxxxxxxx " {
		t.Errorf("%d problems: %+v", len(e.Problems), e.Problems[0])
	}
	for code, want := range map[string]string{`"10015"`: "10015", `10015`: "10015", `"x"`: "", `"123456789"`: "", `null`: "", ``: ""} {
		if got := digits(code); got != want {
			t.Errorf("code %s: %q", code, got)
		}
	}
}

// TestEachCallIsBounded has a carrier that never answers, in virtual time.
func TestEachCallIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New("https://carrier.example/v2", testKey, roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		trunk := &Trunk{ProfileID: "1", ConnectionID: "2", FQDNID: "3"}
		start := time.Now()
		err := c.TearDown(t.Context(), trunk)
		if left, ok := errors.AsType[*LeftError](err); !ok || len(left.Left) != 3 {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 3*callTimeout {
			t.Errorf("took %v", took)
		}
		start = time.Now()
		if _, err := c.SetUp(t.Context(), order); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != callTimeout {
			t.Errorf("took %v", took)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestUserNames(t *testing.T) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for _, name := range []string{"", "x", "日本", "a-b c", strings.Repeat("long", 50)} {
		one, other := userName(name), userName(name)
		if one == other || len(one) < 4 || len(one) > maxUserName || strings.Trim(one, allowed) != "" {
			t.Errorf("%q: %q, %q", name, one, other)
		}
	}
}

func TestCountries(t *testing.T) {
	all := allCountries()
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || len(all) != 244 {
		t.Errorf("%d countries", len(all))
	}
	for _, country := range all {
		if len(country) != 2 || strings.ToUpper(country) != country {
			t.Errorf("%q", country)
		}
	}
}

package providers_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2022, 10, 22, 16, 16, 16, 874761000, time.UTC)
	for in, want := range map[string]time.Time{
		"2022-10-22T16:16:16.874761Z":      at,
		"2022-10-22 16:16:16.874761":       at,
		"2022-10-22T18:16:16.874761+02:00": at,
		"2022-10-22T16:16:16.8747619Z":     at,
		"2022-10-22 16:16:16":              at.Truncate(time.Second),
		"9999-01-01T00:00:00.000000Z":      {},
		"9999-01-01 00:00:00.000000":       {},
		"null":                             {},
		"":                                 {},
	} {
		if got, err := providers.ParseTime(in); err != nil || !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"now", "2022-10-22", "2022-13-22 16:16:16", "1666455376", "2022-10-22T16:16:16"} {
		if got, err := providers.ParseTime(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
	for want, in := range map[string]time.Time{
		"2026-04-23T10:00:00.000000Z": time.Date(2026, 4, 23, 12, 0, 0, 999, time.FixedZone("", 7200)),
		"9999-01-01T00:00:00.000000Z": {},
	} {
		if got := providers.FormatTime(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestPages walks through a list by tokens: nothing is skipped or shown twice, also where times are equal.
func TestPages(t *testing.T) {
	t.Parallel()
	var all []*providers.Route
	for i := range 50 {
		all = append(all, &providers.Route{ID: uuid.New(), TmCreate: providers.Microseconds(noon).Add(time.Duration(i/7) * time.Microsecond)})
	}
	slices.SortFunc(all, providers.CompareRoutes)
	for i := 1; i < len(all); i++ {
		if all[i].TmCreate.After(all[i-1].TmCreate) {
			t.Fatal("the newest is not first")
		}
	}
	var seen []*providers.Route
	token := ""
	for {
		page := all
		if token != "" {
			after, err := providers.ParsePageToken(token)
			if err != nil {
				t.Fatal(err)
			}
			page = slices.Collect(func(yield func(*providers.Route) bool) {
				for _, r := range all {
					if after.Follows(r.TmCreate, r.ID) && !yield(r) {
						return
					}
				}
			})
		}
		if len(page) == 0 {
			break
		}
		page = page[:min(3, len(page))]
		seen = append(seen, page...)
		last := page[len(page)-1]
		token = providers.PageToken{TmCreate: last.TmCreate, ID: last.ID}.String()
	}
	if len(seen) != len(all) {
		t.Fatalf("%d of %d", len(seen), len(all))
	}
	for i := range seen {
		if seen[i] != all[i] && seen[i].ID != all[i].ID {
			t.Errorf("%d is another one", i)
		}
	}
	// A bare time is the end of all that share it.
	bare, err := providers.ParsePageToken("2022-10-22 16:16:16.874761")
	if err != nil || bare.Follows(bare.TmCreate, uuid.New()) || !bare.Follows(bare.TmCreate.Add(-1000), uuid.New()) {
		t.Errorf("%v, %v", bare, err)
	}
	for _, in := range []string{"x", "", ",", "9999-01-01T00:00:00.000000Z", "2022-10-22 16:16:16,", "2022-10-22 16:16:16,x", "," + uuid.NewString()} {
		if got, err := providers.ParsePageToken(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("4dbeabd6-f397-4375-95d2-a38411e07ed1")
	no := false
	for _, c := range []struct {
		in   any
		want string
	}{
		{providers.Provider{ID: id, Type: "sip", Hostname: "h", Name: "n", TmCreate: noon, TmUpdate: noon}, `{
"id":"4dbeabd6-f397-4375-95d2-a38411e07ed1","type":"sip","hostname":"h","tech_prefix":"","tech_postfix":"","tech_headers":{},
"name":"n","detail":"","metadata":{},"codecs":"","health_status":"unknown","health_checked_at":null,
"tm_create":"2026-04-23T12:00:00.123456Z","tm_update":"2026-04-23T12:00:00.123456Z","tm_delete":"9999-01-01T00:00:00.000000Z",
"transport":"","enabled":false,"raw_user":false,"follow_redirects":false,
"budgets":{"no_reply":"0s","no_ringing":"0s","answer":"0s"},"failover":{"next":null,"after_ringing":null,"preset":"","rules":null},
"limits":{"calls":0,"cps":0},"credentials":{"username":"","password":"","realm":""},"secret_headers":[],
"health":{"probe":true,"interval":"0s","up":null}}`},
		{&providers.Provider{
			ID: id, TechHeaders: []providers.Header{{Name: "X-Z", Value: "1"}, {Name: "X-A", Value: "s3cret", Secret: true}},
			Metadata: map[string]string{"a": "b"}, HealthStatus: providers.HealthHealthy, HealthCheckedAt: noon, Enabled: true,
			Budgets: providers.Budgets{Answer: 90 * time.Second}, Failover: providers.Failover{
				Next: []string{"5xx"}, AfterRinging: &no, Preset: "telnyx",
				Rules: []providers.Rule{{Code: "503", Cause: 34, Then: providers.ActionRest, For: 90 * time.Second, As: "limit"}},
			},
			Limits: providers.Limits{CPS: 0.5}, Credentials: providers.Credentials{Username: "u", Password: "s3cret"},
			Probing: providers.Probing{Off: true, Interval: time.Minute, Up: []string{"2xx"}}, TmDelete: noon,
		}, `{
"id":"4dbeabd6-f397-4375-95d2-a38411e07ed1","type":"","hostname":"","tech_prefix":"","tech_postfix":"",
"tech_headers":{"X-Z":"1","X-A":"********"},"name":"","detail":"","metadata":{"a":"b"},"codecs":"",
"health_status":"healthy","health_checked_at":"2026-04-23T12:00:00.123456Z",
"tm_create":"9999-01-01T00:00:00.000000Z","tm_update":"9999-01-01T00:00:00.000000Z","tm_delete":"2026-04-23T12:00:00.123456Z",
"transport":"","enabled":true,"raw_user":false,"follow_redirects":false,
"budgets":{"no_reply":"0s","no_ringing":"0s","answer":"1m30s"},"failover":{"next":["5xx"],"after_ringing":false,"preset":"telnyx","rules":[
{"code":"503","cause":34,"reason":"","header":"","then":"next and rest","for":"1m30s","as":"limit"}]},
"limits":{"calls":0,"cps":0.5},"credentials":{"username":"u","password":"********","realm":""},"secret_headers":["X-A"],
"health":{"probe":false,"interval":"1m","up":["2xx"]}}`},
		{providers.Route{ID: id, CustomerID: providers.Everyone, Name: "n", ProviderID: id, Priority: 1, Target: "+1", Weight: 100}, `{
"id":"4dbeabd6-f397-4375-95d2-a38411e07ed1","customer_id":"00000000-0000-0000-0000-000000000001","name":"n","detail":"",
"provider_id":"4dbeabd6-f397-4375-95d2-a38411e07ed1","priority":1,"target":"+1","tm_create":"9999-01-01T00:00:00.000000Z",
"tm_update":"9999-01-01T00:00:00.000000Z","tm_delete":"9999-01-01T00:00:00.000000Z","weight":100}`},
	} {
		got, err := json.Marshal(c.in)
		if want := strings.ReplaceAll(c.want, "\n", ""); err != nil || string(got) != want {
			t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
		}
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	d := providers.NewDraft(providers.NewCatalog("1", nil, nil), noon)
	same, changed, gone := create(t, d, "same"), create(t, d, "changed"), create(t, d, "gone")
	r1, r2 := createRoute(t, d, same.ID, "+1"), createRoute(t, d, gone.ID, "+2")
	base := d.Catalog("2")
	next := providers.NewCatalog("3", []providers.Provider{*same.Clone(), *changed.Clone(), provider("new")}, []providers.Route{*r1})
	next.Providers[1].Limits.Calls = 5
	next.Providers[2].ID = uuid.New()
	next.Routes[0].Priority = 7
	for i := range next.Providers {
		next.Providers[i].TmCreate, next.Providers[i].TmUpdate = time.Time{}, time.Time{}
	}
	at := noon.Add(time.Hour)
	var got []string
	for _, c := range providers.Difference(base, next, at) {
		name := c.Name()
		if c.Kind == providers.KindRoute {
			name = c.RouteAfter.Target
		}
		got = append(got, string(c.Kind)+" "+string(c.Verb)+" "+name)
	}
	want := []string{
		"provider replace changed", "provider create new", "provider delete gone", "route replace +1", "route delete +2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := next.Providers[0]; !p.TmUpdate.Equal(same.TmUpdate) || !p.TmCreate.Equal(same.TmCreate) {
		t.Errorf("same: %v", p.TmUpdate)
	}
	if p := next.Providers[1]; !p.TmUpdate.Equal(at) || !p.TmCreate.Equal(changed.TmCreate) {
		t.Errorf("changed: %v", p.TmUpdate)
	}
	if p := next.Providers[2]; !p.TmUpdate.Equal(at) || !p.TmCreate.Equal(at) {
		t.Errorf("new: %v", p.TmCreate)
	}
	_ = r2
}

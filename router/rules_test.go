package router

import (
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/message"
)

// refusal is a parsed final response with this start line and these headers.
func refusal(t *testing.T, start string, headers ...string) *message.Message {
	t.Helper()
	var m message.Message
	text := "SIP/2.0 " + start + "\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n" +
		"Call-ID: x\r\nCSeq: 1 INVITE\r\n" + strings.Join(append(headers, ""), "\r\n") + "Content-Length: 0\r\n\r\n"
	if err := m.Parse([]byte(text)); err != nil {
		t.Fatalf("%s: %v", start, err)
	}
	return &m
}

func compiled(t *testing.T, preset string, rules ...providers.Rule) []rule {
	t.Helper()
	all, err := compileRules(preset, rules)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPresets holds the presets against replies as the carriers' documents have them.
func TestPresets(t *testing.T) {
	none := providers.Action("")
	for _, c := range []struct {
		preset, start, header string
		then                  providers.Action // "": no rule fits.
		cause                 cause
		wait                  time.Duration
	}{
		{"telnyx", "403 User channel limit exceeded D1", "", providers.ActionNext, causeLimit, 0},
		{"telnyx", "403 OB profile channel limit exceeded D2", "", providers.ActionNext, causeLimit, 0},
		{"telnyx", "403 Connection channel limit exceeded D3", "", providers.ActionNext, causeLimit, 0},
		{"telnyx", "403 Channel limit exceeded D22", "", providers.ActionNext, causeLimit, 0},
		{"telnyx", "403 Unable to locate an account/number using IP 192.0.2.1 and username acme D25", "", providers.ActionNext, causeAuth, 0},
		{"telnyx", "403 Connection for caller not present D26", "", providers.ActionNext, causeAuth, 0},
		{"telnyx", "403 Forbidden D27", "", providers.ActionNext, causeAuth, 0},
		{"telnyx", "403 Forbidden D28", "", providers.ActionNext, causeAuth, 0},
		{"telnyx", "403 Invalid X-Telnyx-Token 0123 or IP 192.0.2.1 D29", "", providers.ActionNext, causeAuth, 0},
		{"telnyx", "503 CPS Limit Reached", "", providers.ActionRest, causeLimit, 2 * time.Second},
		{"telnyx", "503 Service Unavailable", "", none, causeOverload, 0},
		{"telnyx", "503 No Routes Found PE2", "", none, causeOverload, 0},
		{"telnyx", "403 Forbidden D10", "", none, causeForbidden, 0},
		{"telnyx", "403 Dialed number +2125 is not included in whitelisted countries: US D13", "", none, causeForbidden, 0},
		{"telnyx", "403 Maximum destination rate limit exceeded D24", "", none, causeForbidden, 0},
		{"telnyx", "403 Invalid Caller Origination Number D35", "", none, causeForbidden, 0},
		{"telnyx", "403 Forbidden D36", "", none, causeForbidden, 0},
		{"telnyx", "404 Dialed number is not valid D14", "", none, causeNotFound, 0},
		{"telnyx", "486 User Busy D4", "", none, causeBusy, 0},
		{"telnyx", "480 Temporarily Unavailable D21", "", none, causeUnavailable, 0},
		{"telnyx", "603 Restricted origination number D52", "", none, causeDeclined, 0},
		{"telnyx", "403 Forbidden", `Reason: Q.850;cause=21;text="CALL_REJECTED"`, none, causeForbidden, 0},

		{"twilio", "503 Trunk CPS limit exceeded", "", providers.ActionRest, causeLimit, time.Second},
		{"twilio", "503 Service Unavailable", "X-Twilio-Error: 32001 Trunk CPS limit exceeded", providers.ActionRest, causeLimit, time.Second},
		{"twilio", "503 Service Unavailable", "X-Twilio-Error: 32012 Parent account pooled Trunking CPS limit exceeded", providers.ActionRest, causeLimit, time.Second},
		{"twilio", "403 Forbidden", "X-Twilio-Error: 10004 Call concurrency limit exceeded", providers.ActionNext, causeLimit, 0},
		{"twilio", "403 Forbidden", "X-Twilio-Error: 32201 Authentication failure - source IP Address not in ACL", providers.ActionNext, causeAuth, 0},
		{"twilio", "403 Forbidden", "x-twilio-error: 32200 Insufficient permissions", providers.ActionNext, causeAuth, 0},
		{"twilio", "403 Forbidden", "X-Twilio-Error: 32204 Invalid Caller ID", none, causeForbidden, 0},
		{"twilio", "488 Secure SIP transport required", "X-Twilio-Error: 32209", none, causeCodec, 0},
		{"twilio", "503 Service Unavailable", "", none, causeOverload, 0},
		{"twilio", "486 Busy Here", "", none, causeBusy, 0},

		{"vonage", "503 Service Unavailable", "", providers.ActionRest, causeLimit, time.Second},
		{"vonage", "403 Forbidden", "", none, causeForbidden, 0},
		{"vonage", "401 Unauthorized", "", none, causeAuth, 0},
		{"vonage", "480 Temporarily Unavailable", "", none, causeUnavailable, 0},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header}
		}
		m := refusal(t, c.start, headers...)
		r := ruling(compiled(t, c.preset), m)
		then, why, wait := none, causeOf(m.Status), time.Duration(0)
		if r != nil {
			then, why, wait = r.then, r.cause, time.Duration(r.wait)
		}
		if then != c.then || why != c.cause || wait != c.wait {
			t.Errorf("%s, %s %s: %q as %v for %v", c.preset, c.start, c.header, then, why, wait)
		}
	}
}

// TestRulings checks each condition, alone and together, and that the first rule that fits decides.
func TestRulings(t *testing.T) {
	reason := `Reason: SIP;cause=503;text="No trunk", Q.850;cause=34;text="No circuit available"`
	for _, c := range []struct {
		rule    providers.Rule
		start   string
		headers []string
		want    bool
	}{
		{providers.Rule{Code: "403"}, "403 Forbidden", nil, true},
		{providers.Rule{Code: "403"}, "404 Not Found", nil, false},
		{providers.Rule{Code: "5xx"}, "599 x", nil, true},
		{providers.Rule{Code: "5xx"}, "600 x", nil, false},
		{providers.Rule{Code: "500-504"}, "504 x", nil, true},
		{providers.Rule{Code: "500-504"}, "505 x", nil, false},
		{providers.Rule{Cause: 34}, "503 x", []string{reason}, true},
		{providers.Rule{Cause: 34}, "503 x", []string{"Reason: Q.850;cause=31", "Reason: q.850;cause=34"}, true},
		{providers.Rule{Cause: 34}, "503 x", nil, false},
		{providers.Rule{Cause: 34}, "503 x", []string{"Reason: SIP;cause=34"}, false},
		{providers.Rule{Code: "500", Cause: 34}, "503 x", []string{reason}, false},
		{providers.Rule{Reason: "no trunk"}, "503 x", []string{reason}, true},
		{providers.Rule{Reason: "*circuit*"}, "503 x", []string{reason}, true},
		{providers.Rule{Reason: "no circuit available*"}, "503 x", []string{reason}, true},
		{providers.Rule{Reason: "unavailable"}, "503 Service Unavailable", nil, true},
		{providers.Rule{Reason: "x"}, "503 ", nil, false},
		{providers.Rule{Cause: 34, Reason: "no trunk"}, "503 x", []string{reason}, true},
		{providers.Rule{Cause: 34, Reason: "x"}, "503 y", []string{reason}, false},
		{providers.Rule{Reason: "D22", Header: "Warning"}, "403 Forbidden D22", nil, false},
		{providers.Rule{Reason: "D22", Header: "warning"}, "403 x", []string{`Warning: 399 host "x"`, `WARNING: 399 host "limit D22"`}, true},
	} {
		c.rule.Then = providers.ActionNext
		if got := ruling(compiled(t, "", c.rule), refusal(t, c.start, c.headers...)) != nil; got != c.want {
			t.Errorf("%+v for %s %q: %v", c.rule, c.start, c.headers, got)
		}
	}
	rules := compiled(t, "telnyx",
		providers.Rule{Code: "403", Reason: "D22", Then: providers.ActionRetry},
		providers.Rule{Code: "403", Then: providers.ActionFinal},
	)
	for start, want := range map[string]providers.Action{
		"403 Channel limit exceeded D22": providers.ActionRetry, "403 User channel limit exceeded D1": providers.ActionFinal,
		"503 CPS Limit Reached": providers.ActionRest,
	} {
		if r := ruling(rules, refusal(t, start)); r == nil || r.then != want {
			t.Errorf("%s: %+v, want %q", start, r, want)
		}
	}
}

// TestRulesJudge enumerates what a rule makes of a reply.
func TestRulesJudge(t *testing.T) {
	for _, then := range []providers.Action{providers.ActionFinal, providers.ActionNext, providers.ActionRest, providers.ActionRetry} {
		for i := range 8 {
			rang, after, mayWait := i&1 != 0, i&2 != 0, i&4 != 0
			want := next
			switch {
			case then == providers.ActionFinal, rang && !after:
				want = relay
			case then == providers.ActionRetry && mayWait:
				want = again
			}
			r := rule{then: then}
			if got := r.judge(rang, after, mayWait); got != want {
				t.Errorf("%s, rang %v, after %v, may wait %v: %d, want %d", then, rang, after, mayWait, got, want)
			}
		}
	}
}

// TestRuleLists checks what a provider takes from the configuration.
func TestRuleLists(t *testing.T) {
	limit := config.FailoverRule{Code: "403", Reason: "limit", Then: "final"}
	cfg := &config.Failover{Preset: "telnyx", Rules: []config.FailoverRule{limit}}
	lists := newRuleLists(cfg)
	telnyx, vonage := len(providers.PresetRules("telnyx")), len(providers.PresetRules("vonage"))
	own := []providers.Rule{{Code: "404", Then: providers.ActionFinal}, {Code: "405", Then: providers.ActionFinal}}
	for _, c := range []struct {
		own  providers.Failover
		want int
		low  int // Of the first rule.
	}{
		{providers.Failover{}, 1 + telnyx, 403},
		{providers.Failover{Preset: "vonage"}, 1 + vonage, 403},
		{providers.Failover{Preset: providers.NoPreset}, 1, 403},
		{providers.Failover{Rules: own}, 2 + telnyx, 404},
		{providers.Failover{Rules: []providers.Rule{}}, telnyx, 403},
		{providers.Failover{Rules: []providers.Rule{}, Preset: providers.NoPreset}, 0, 0},
		{providers.Failover{Rules: own, Preset: "vonage"}, 2 + vonage, 404},
	} {
		got, err := lists.compile(&c.own)
		if err != nil || len(got) != c.want || c.want > 0 && got[0].low != c.low {
			t.Errorf("%+v: %d rules, %v", c.own, len(got), err)
		}
	}
	if _, err := lists.compile(&providers.Failover{Preset: "x"}); err == nil {
		t.Error("a preset that nobody knows")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = lists.compile(&providers.Failover{Preset: "vonage"}) }); n != 0 {
		t.Errorf("%v allocations for one more provider", n)
	}
	if errs := CheckFailover(&config.Failover{Preset: "x", Rules: []config.FailoverRule{limit, {Code: "1"}}}); len(errs) != 3 {
		t.Errorf("%v", errs)
	}
}

// TestRuleCauses: each cause that a rule may name is one of ours, and a reply's.
func TestRuleCauses(t *testing.T) {
	for _, name := range providers.RuleCauses() {
		if c := causeNamed(name); c.String() != name || c == causeNone || c == causeAnswered || c == causeRedirected ||
			c >= causeNoReply && c != causeLimit {
			t.Errorf("%s is %v", name, c)
		}
	}
	if causeNamed("") != causeNone {
		t.Error("no name has a cause")
	}
}

// TestRulingAllocatesNothing: many replies may come when a carrier is at its limit.
func TestRulingAllocatesNothing(t *testing.T) {
	rules := compiled(t, "twilio", providers.Rule{Cause: 99, Reason: "*a*b*", Then: providers.ActionNext})
	m := refusal(t, "503 Service Unavailable", `Reason: SIP;cause=503;text="x",Q.850;cause=99;text="b a"`)
	if n := testing.AllocsPerRun(100, func() { ruling(rules, m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

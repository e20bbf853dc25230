package providers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

func TestValidateRules(t *testing.T) {
	t.Parallel()
	next := providers.ActionNext
	for _, c := range []struct {
		name string
		rule providers.Rule
		want string // "" is no fault.
	}{
		{"code", providers.Rule{Code: "403", Then: next}, ""},
		{"class", providers.Rule{Code: "6xx", Then: providers.ActionFinal}, ""},
		{"range", providers.Rule{Code: "500-504", Then: next}, ""},
		{"cause", providers.Rule{Cause: 127, Then: next}, ""},
		{"reason", providers.Rule{Reason: "*limit*", Then: next}, ""},
		{"header", providers.Rule{Header: "X-Twilio-Error", Reason: "32001*", Then: next, As: "limit"}, ""},
		{"rest", providers.Rule{Code: "503", Then: providers.ActionRest, For: 10 * time.Minute}, ""},
		{"retry", providers.Rule{Code: "503", Then: providers.ActionRetry, For: 10 * time.Second}, ""},
		{"2xx", providers.Rule{Code: "200", Then: next}, `failover.rules[0].code: "200" is neither a status code from 300 to 699 nor a class from 3xx to 6xx, nor a range such as 500-504`},
		{"1xx", providers.Rule{Code: "1xx", Then: next}, `failover.rules[0].code: "1xx" is neither`},
		{"range down", providers.Rule{Code: "504-500", Then: next}, `failover.rules[0].code: "504-500" is neither`},
		{"range of classes", providers.Rule{Code: "4xx-5xx", Then: next}, `failover.rules[0].code: "4xx-5xx" is neither`},
		{"range open", providers.Rule{Code: "500-", Then: next}, `failover.rules[0].code: "500-" is neither`},
		{"range too long", providers.Rule{Code: "500-504-505", Then: next}, `failover.rules[0].code: "500-504-505" is neither`},
		{"no cause", providers.Rule{Cause: 128, Then: next}, `failover.rules[0].cause: "128" is not a cause of Q.850, from 1 to 127`},
		{"negative cause", providers.Rule{Cause: -1, Then: next}, `failover.rules[0].cause: "-1" is not a cause of Q.850, from 1 to 127`},
		{"no condition", providers.Rule{Then: next}, `failover.rules[0]: names no code, cause or reason: it would be for every reply`},
		{"stars", providers.Rule{Code: "403", Reason: "**", Then: next}, `failover.rules[0].reason: "**" is for every text; leave it out`},
		{"long", providers.Rule{Reason: strings.Repeat("x", 65), Then: next}, `failover.rules[0].reason: "` + strings.Repeat("x", 65) + `" is longer than 64 bytes`},
		{"break", providers.Rule{Reason: "a\nb", Then: next}, `failover.rules[0].reason: "a\nb" holds a control character`},
		{"header alone", providers.Rule{Code: "403", Header: "Warning", Then: next}, `failover.rules[0].header: "Warning" needs a reason, the pattern for its value`},
		{"no header", providers.Rule{Header: "X Y", Reason: "x", Then: next}, `failover.rules[0].header: "X Y" `},
		{"no action", providers.Rule{Code: "403"}, `failover.rules[0].then: is missing`},
		{"action", providers.Rule{Code: "403", Then: "retry"}, `failover.rules[0].then: "retry" is not one of final, next, next and rest, retry after`},
		{"for", providers.Rule{Code: "403", Then: next, For: time.Second}, `failover.rules[0].for: "1s" goes with "next and rest" and "retry after" only`},
		{"long rest", providers.Rule{Code: "403", Then: providers.ActionRest, For: time.Hour}, `failover.rules[0].for: "1h0m0s" is not from 1ms to 10m0s, nor 0 for the default`},
		{"long wait", providers.Rule{Code: "403", Then: providers.ActionRetry, For: time.Minute}, `failover.rules[0].for: "1m0s" is not from 1ms to 10s, nor 0 for the default`},
		{"as", providers.Rule{Code: "403", Then: next, As: "answered"}, `failover.rules[0].as: "answered" is not one of auth, `},
	} {
		got := ""
		if errs := providers.ValidateRules("", []providers.Rule{c.rule}); len(errs) > 0 {
			got = errs[0].Error()
			if len(errs) > 1 {
				t.Errorf("%s: %v", c.name, errs)
			}
		}
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	if errs := providers.ValidateRules("telnix", nil); len(errs) != 1 ||
		errs[0].Error() != `failover.preset: "telnix" is not one of telnyx, twilio, vonage, none` {
		t.Errorf("%v", errs)
	}
	if errs := providers.ValidateRules(providers.NoPreset, make([]providers.Rule, 65)); len(errs) != 1 ||
		errs[0].Error() != "failover.rules: holds 65 rules, more than 64" {
		t.Errorf("%v", errs)
	}
	p := providers.Provider{Type: "sip", Name: "a", Hostname: "a.example", Failover: providers.Failover{Preset: "x", Rules: make([]providers.Rule, 1)}}
	if errs := p.Validate(); len(errs) != 3 {
		t.Errorf("a provider's rules: %v", errs)
	}
}

// TestPresetsAreValid: what we ship passes the rules for what others write, and leaves alone what the callee says.
func TestPresetsAreValid(t *testing.T) {
	t.Parallel()
	for _, name := range providers.Presets() {
		rules := providers.PresetRules(name)
		if len(rules) == 0 {
			t.Errorf("%s has no rules", name)
		}
		if errs := providers.ValidateRules(name, rules); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
		for _, r := range rules {
			low, high, _ := r.Codes()
			for _, code := range []int{480, 484, 486, 487, 600, 603} {
				// A header of the carrier's own may stand beside any code.
				if low <= code && code <= high && r.Header == "" {
					t.Errorf("%s judges %d by %+v", name, code, r)
				}
			}
			if r.Then == providers.ActionFinal || r.As == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		rules[0].Then = "x"
		if slices.Equal(rules, providers.PresetRules(name)) {
			t.Errorf("%s can be changed from outside", name)
		}
	}
	if providers.PresetRules("x") != nil || providers.PresetRules(providers.NoPreset) != nil {
		t.Error("a preset that is none has rules")
	}
}

func TestRulesAreCompared(t *testing.T) {
	t.Parallel()
	with := func(preset string, rules ...providers.Rule) *providers.Provider {
		return &providers.Provider{Failover: providers.Failover{Preset: preset, Rules: rules}}
	}
	rule := providers.Rule{Code: "403", Then: providers.ActionNext}
	if !with("telnyx", rule).Same(with("telnyx", rule)) {
		t.Error("the same rules differ")
	}
	for _, other := range []*providers.Provider{
		with("telnyx"), with("", rule), with("telnyx", rule, rule), with("telnyx", providers.Rule{Code: "403", Then: providers.ActionFinal}),
	} {
		if with("telnyx", rule).Same(other) {
			t.Errorf("%+v is taken for the same", other.Failover)
		}
	}
	if none := with("", []providers.Rule{}...); none.Failover.Rules == nil || with("").Same(none) {
		t.Error("no rules and the configuration's are taken for the same")
	}
	p := with("", rule)
	p.Clone().Failover.Rules[0].Code = "404"
	if p.Failover.Rules[0].Code != "403" {
		t.Error("a clone shares its rules")
	}
}

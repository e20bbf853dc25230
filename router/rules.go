package router

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/message"
)

// rule is a providers.Rule made ready for replies.
type rule struct {
	low, high int // Status codes.
	q850      int // 0: any.
	text      providers.Pattern
	hasText   bool
	header    string // In lower case; "": the reason phrase and the Reason headers.
	then      providers.Action
	wait      int64 // How long to rest or to wait, in nanoseconds; 0: the default.
	cause     cause // causeNone: that of the code.
}

// configuredRules are the rules and the preset of the configuration as the domain has them.
func configuredRules(f *config.Failover) []providers.Rule {
	rules := make([]providers.Rule, len(f.Rules))
	for i, r := range f.Rules {
		rules[i] = providers.Rule{
			Code: r.Code, Cause: r.Cause, Reason: r.Reason, Header: r.Header, Then: providers.Action(r.Then), For: r.For, As: r.As,
		}
	}
	return rules
}

// CheckFailover returns all that is wrong with the rules of a configuration, by their keys.
func CheckFailover(f *config.Failover) providers.FieldErrors {
	return providers.ValidateRules(f.Preset, configuredRules(f))
}

// compileRules makes rules ready, those of the preset behind them. It allocates nothing when there are none.
func compileRules(preset string, rules []providers.Rule) ([]rule, error) {
	if err := providers.ValidateRules(preset, rules).Err(); err != nil {
		return nil, err
	}
	var all []rule
	for _, r := range slices.Concat(rules, providers.PresetRules(preset)) {
		low, high, _ := r.Codes() // They are valid.
		all = append(all, rule{
			low: low, high: high, q850: r.Cause, text: providers.CompilePattern(r.Reason), hasText: r.Reason != "",
			header: strings.ToLower(r.Header), then: r.Then, wait: int64(r.For), cause: causeNamed(r.As),
		})
	}
	return all, nil
}

// ruleLists are the rules of a snapshot: those of the configuration, with each preset that a provider may have behind
// them, once for all providers without rules of their own.
type ruleLists struct {
	cfg    *config.Failover
	rules  []providers.Rule
	preset map[string][]rule
}

func newRuleLists(cfg *config.Failover) *ruleLists {
	return &ruleLists{cfg: cfg, rules: configuredRules(cfg), preset: make(map[string][]rule)}
}

// compile returns the rules for a provider: what it does not say itself is as configured.
func (l *ruleLists) compile(own *providers.Failover) ([]rule, error) {
	preset := cmp.Or(own.Preset, l.cfg.Preset)
	if own.Rules != nil {
		return compileRules(preset, own.Rules)
	}
	known, ok := l.preset[preset]
	if !ok {
		var err error
		if known, err = compileRules(preset, l.rules); err != nil {
			return nil, err
		}
		l.preset[preset] = known
	}
	return known, nil
}

// ruling returns the first rule that fits a final response, nil when there is none.
func ruling(rules []rule, m *message.Message) *rule {
	for i := range rules {
		if rules[i].fits(m) {
			return &rules[i]
		}
	}
	return nil
}

func (r *rule) fits(m *message.Message) bool {
	switch {
	case m.Status < r.low || m.Status > r.high:
		return false
	case r.q850 != 0 && !hasQ850(m, r.q850):
		return false
	case !r.hasText:
		return true
	case r.header != "":
		return r.fitsHeader(m)
	default:
		return r.text.Match(m.Bytes(m.Reason)) || r.fitsReason(m)
	}
}

func (r *rule) fitsHeader(m *message.Message) bool {
	for i := range m.Headers {
		h := &m.Headers[i]
		if message.EqualFold(m.Bytes(h.Name), r.header) && r.text.Match(m.Bytes(h.Value)) {
			return true
		}
	}
	return false
}

// fitsReason looks at the texts of the Reason headers.
func (r *rule) fitsReason(m *message.Message) bool {
	for v := range m.Reasons() {
		if r.text.Match(unquoted(v.Text)) {
			return true
		}
	}
	return false
}

func hasQ850(m *message.Message, cause int) bool {
	for v := range m.Reasons() {
		if v.Cause == cause && message.EqualFold(v.Protocol, "q.850") {
			return true
		}
	}
	return false
}

// unquoted is a text without its quotes. What is escaped within stays so: a pattern has no backslash in it.
func unquoted(b []byte) []byte { return bytes.Trim(b, `"`) }

// causeNamed is the cause that a rule names, causeNone for none.
func causeNamed(name string) cause {
	for c := range numCauses {
		if causeNames[c] == name {
			return c
		}
	}
	return causeNone
}

// judge is what a rule makes of a reply, given whether the provider has rung already, whether the next one may try
// after that, and whether the call may wait for this one. The rule may speak where the callee has spoken: who wrote it
// knows better what this carrier means by 480 or 603.
func (r *rule) judge(rang, afterRinging, mayWait bool) verdict {
	switch {
	case r.then == providers.ActionFinal, rang && !afterRinging:
		return relay
	case r.then == providers.ActionRetry && mayWait:
		return again
	default:
		return next
	}
}

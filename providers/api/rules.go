package api

import (
	"encoding/json"
	"strings"

	"github.com/voipbin/dialrouter/providers"
)

// rules reads a list of rules. Of one that is too long it reads no more than shows that.
func (o *object) rules(f *providers.Failover) {
	rules := []providers.Rule{}
	given := o.list("rules", func(name string, raw json.RawMessage) {
		if len(rules) <= providers.MaxRules {
			rules = append(rules, o.rule(name, raw))
		}
	})
	if given {
		f.Rules = rules
	}
}

// rule reads one element of a list of rules.
func (o *object) rule(name string, raw json.RawMessage) (r providers.Rule) {
	inner := newObject(o.path+name+".", o.errs)
	if !inner.read(raw) {
		o.wrong(name, "is not an object")
		return r
	}
	inner.text("code", &r.Code)
	r.Code = strings.ToLower(r.Code)
	inner.integer("cause", &r.Cause)
	inner.text("reason", &r.Reason)
	inner.text("header", &r.Header)
	inner.text("then", (*string)(&r.Then))
	inner.duration("for", &r.For)
	inner.text("as", &r.As)
	_ = inner.done("a rule")
	return r
}

// ruleSchema describes a rule of failover. What is left out of one that is written has its default.
func ruleSchema() dict {
	fields := []property{
		{name: "code", schema: with(text("A code, a class or a range: 403, 5xx, 500-504; none is any from 300 on."), "")},
		{name: "cause", schema: with(integer("A Q.850 cause in a Reason header; 0 is any."), 0)},
		{name: "reason", schema: with(text("Words of the reason phrase or of a Reason header's text; with stars, a pattern for "+
			"all of it; none is any."), "")},
		{name: "header", schema: with(text("The reason stands in this header instead."), "")},
		{name: "then", schema: oneOf("What becomes of the call.", providers.ActionFinal, providers.ActionNext,
			providers.ActionRest, providers.ActionRetry), required: true},
		{name: "for", schema: with(text("How long to rest or to wait; 0s is the default of each."), "0s")},
		{name: "as", schema: with(oneOf("The cause by which it is counted; none is that of the code.",
			values(providers.RuleCauses(), "")...), "")},
	}
	return written("What a reply means.", fields...)
}

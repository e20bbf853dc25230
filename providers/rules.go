package providers

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Action is what a rule makes of a reply.
type Action string

// The actions of rules.
const (
	// ActionFinal ends the call with the reply.
	ActionFinal Action = "final"
	// ActionNext lets the next provider try.
	ActionNext Action = "next"
	// ActionRest is ActionNext, and keeps other calls from the provider for a while.
	ActionRest Action = "next and rest"
	// ActionRetry waits, and lets the same provider try again; after MaxRetries the next one.
	ActionRetry Action = "retry after"
)

// Rule says what a reply means that has a certain code, cause or text. Every condition that it names must hold, and it
// names at least one.
type Rule struct {
	Code   string // A status code, a class or a range: "403", "5xx", "500-504". "": any from 300 on.
	Cause  int    // A cause of ITU-T Q.850 in a Reason header (RFC 3326, RFC 6432); 0: any.
	Reason string // A pattern for the reason phrase and the texts of Reason headers (see Pattern); "": any.
	Header string // The pattern is for this header instead.
	Then   Action
	For    time.Duration // How long to rest, or to wait. 0: DefaultRest or DefaultRetry.
	As     string        // The cause by which the attempt is counted, one of RuleCauses; "": that of its code.
}

// Bounds of rules.
const (
	// DefaultRest is how long a provider rests when neither the rule nor the reply says so.
	DefaultRest = 30 * time.Second
	// MaxRest bounds how long a rule lets a provider rest.
	MaxRest = 10 * time.Minute

	// DefaultRetry is how long a call waits to try a provider again when neither the rule nor the reply says so: most
	// limits are of calls in a second.
	DefaultRetry = time.Second
	// MaxRetry bounds that wait: a caller hears nothing in the meantime. A provider that wants more time is not
	// waited for.
	MaxRetry = 10 * time.Second
	// MaxRetries bounds how often a call tries a provider again.
	MaxRetries = 2

	// MaxRules bounds a list of rules.
	MaxRules   = 64
	maxPattern = 64
	maxQ850    = 127
)

// RuleCauses returns the causes that a rule may give an attempt. They are those that replies have by themselves, and
// "limit".
func RuleCauses() []string {
	return []string{
		"auth", "forbidden", "not_found", "busy", "unavailable", "declined", "codec", "rejected", "timeout", "overload",
		"server_error", "limit",
	}
}

// Codes returns the range of status codes that the rule is for. It is false when Code is none.
func (r *Rule) Codes() (low, high int, ok bool) {
	if r.Code == "" {
		return lowestFinal, highestCode, true
	}
	from, to, isRange := strings.Cut(r.Code, "-")
	if low, high, ok = parseCodes(from); !ok || low < lowestFinal {
		return 0, 0, false
	}
	if !isRange {
		return low, high, true
	}
	end, last, ok := parseCodes(to)
	if !ok || low != high || end != last || end <= low {
		return 0, 0, false
	}
	return low, end, true
}

// lowestFinal is where rules begin: a 1xx decides nothing, and after a 2xx nothing can follow.
const lowestFinal = 300

// ValidateRules returns all that is wrong with a preset and rules. The fields are named as those of a provider:
// "failover.rules[1].code".
func ValidateRules(preset string, rules []Rule) FieldErrors {
	var v validator
	v.rules(preset, rules)
	return v.errs
}

func (v *validator) rules(preset string, rules []Rule) {
	if preset != "" && preset != NoPreset && PresetRules(preset) == nil {
		v.addf("failover.preset", preset, "is not one of %s, %s", strings.Join(Presets(), ", "), NoPreset)
	}
	if len(rules) > MaxRules {
		v.addf("failover.rules", "", "holds %d rules, more than %d", len(rules), MaxRules)
		return
	}
	for i := range rules {
		v.rule("failover.rules["+strconv.Itoa(i)+"]", &rules[i])
	}
}

func (v *validator) rule(field string, r *Rule) {
	if _, _, ok := r.Codes(); !ok {
		v.addf(field+".code", r.Code,
			"is neither a status code from 300 to 699 nor a class from 3xx to 6xx, nor a range such as 500-504")
	}
	if r.Cause < 0 || r.Cause > maxQ850 {
		v.addf(field+".cause", strconv.Itoa(r.Cause), "is not a cause of Q.850, from 1 to %d", maxQ850)
	}
	if r.Code == "" && r.Cause == 0 && r.Reason == "" {
		v.addf(field, "", "names no code, cause or reason: it would be for every reply")
	}
	v.pattern(field+".reason", r.Reason)
	if r.Header != "" {
		v.ruleHeader(field, r)
	}
	v.then(field, r)
	if r.As != "" && !slices.Contains(RuleCauses(), r.As) {
		v.addf(field+".as", r.As, "is not one of %s", strings.Join(RuleCauses(), ", "))
	}
}

func (v *validator) pattern(field, value string) {
	switch err := checkText(value); {
	case err != nil:
		v.add(field, value, err)
	case len(value) > maxPattern:
		v.addf(field, value, "is longer than %d bytes", maxPattern)
	case value != "" && strings.Trim(value, "* ") == "":
		v.addf(field, value, "is for every text; leave it out")
	}
}

func (v *validator) ruleHeader(field string, r *Rule) {
	if len(r.Header) > maxTechHeaderName || strings.ContainsFunc(r.Header, func(c rune) bool { return c > 0x7F || !isTokenByte(byte(c)) }) {
		v.add(field+".header", r.Header, errHeaderToken)
	}
	if r.Reason == "" {
		v.addf(field+".header", r.Header, "needs a reason, the pattern for its value")
	}
}

func (v *validator) then(field string, r *Rule) {
	high := MaxRest
	switch r.Then {
	case ActionRest:
	case ActionRetry:
		high = MaxRetry
	case ActionFinal, ActionNext:
		if r.For != 0 {
			v.addf(field+".for", r.For.String(), "goes with %q and %q only", ActionRest, ActionRetry)
		}
		return
	case "":
		v.addf(field+".then", "", "is missing")
		return
	default:
		v.addf(field+".then", string(r.Then), "is not one of %s, %s, %s, %s", ActionFinal, ActionNext, ActionRest, ActionRetry)
		return
	}
	if r.For != 0 && (r.For < time.Millisecond || r.For > high) {
		v.addf(field+".for", r.For.String(), "is not from 1ms to %s, nor 0 for the default", high)
	}
}

package providers

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Bounds of fields, in bytes unless said otherwise.
const (
	maxText     = 255
	maxDetail   = 65535
	maxMetadata = 64 // Entries.

	// MaxAttemptBudget bounds no_reply and no_ringing, MaxAnswerBudget bounds answer.
	MaxAttemptBudget = 5 * time.Minute
	MaxAnswerBudget  = time.Hour

	// MinProbeInterval and MaxProbeInterval bound the time between two probes.
	MinProbeInterval = 10 * time.Millisecond
	MaxProbeInterval = 24 * time.Hour

	maxCalls = 10_000_000
	maxCPS   = 1_000_000

	// DefaultWeight is the weight of a route that names none.
	DefaultWeight = 100
	maxWeight     = 65535
	maxPriority   = math.MaxInt32
)

var (
	errNotUTF8   = errors.New("is not UTF-8")
	errControl   = errors.New("holds a control character")
	errLong      = errors.New("is longer than 255 bytes")
	errUserBytes = errors.New("holds a space, a line break, <, > or a control character, which no SIP URI may")
)

// FieldError is one field of a provider or route that breaks a rule. Value is empty where it is a secret.
type FieldError struct {
	Field string // As in JSON and YAML.
	Value string // As given, shortened.
	Rule  string // What is wrong with it, to be read after the value.
}

// Error names the field, the value and the rule.
func (e FieldError) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Rule
	}
	return fmt.Sprintf("%s: %q %s", e.Field, e.Value, e.Rule)
}

// FieldErrors is all that is wrong with a provider or route; none when it is empty.
type FieldErrors []FieldError

// Error joins all messages.
func (e FieldErrors) Error() string {
	all := make([]string, len(e))
	for i, one := range e {
		all[i] = one.Error()
	}
	return strings.Join(all, "; ")
}

// Err returns e as an error, nil when nothing is wrong.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Clip bounds what a message repeats of a value that somebody else wrote.
func Clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

type validator struct{ errs FieldErrors }

func (v *validator) add(field, value string, err error) {
	v.errs = append(v.errs, FieldError{Field: field, Value: Clip(value), Rule: err.Error()})
}

func (v *validator) addf(field, value, format string, args ...any) {
	v.errs = append(v.errs, FieldError{Field: field, Value: Clip(value), Rule: fmt.Sprintf(format, args...)})
}

// text checks a short line of text.
func (v *validator) text(field, value string) {
	if err := checkText(value); err != nil {
		v.add(field, value, err)
	}
}

func checkText(value string) error {
	switch {
	case len(value) > maxText:
		return errLong
	case !utf8.ValidString(value):
		return errNotUTF8
	case strings.ContainsFunc(value, isControl):
		return errControl
	}
	return nil
}

// isControl finds what may not stand in one line of text: a break in any spelling would start a line of its own in a
// log, a metric or a YAML file.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7F && r < 0xA0 || r == 0x2028 || r == 0x2029 || r == 0xFEFF
}

func (v *validator) detail(value string) {
	switch {
	case len(value) > maxDetail:
		v.addf("detail", "", "is longer than %d bytes", maxDetail)
	case !utf8.ValidString(value):
		v.add("detail", "", errNotUTF8)
	case strings.ContainsRune(value, 0):
		v.addf("detail", "", "holds a NUL")
	}
}

// Validate returns all that is wrong with p. Ids, times, metadata's owner and what needs other entries (that the
// name is free) are the business of a Draft.
func (p *Provider) Validate() FieldErrors {
	var v validator
	if p.Type != "sip" {
		v.addf("type", p.Type, "must be sip")
	}
	if p.Name == "" {
		v.addf("name", "", "is missing")
	}
	v.text("name", p.Name)
	if _, err := uuid.Parse(p.Name); err == nil {
		v.addf("name", p.Name, "looks like an id")
	}
	v.detail(p.Detail)
	if p.Hostname == "" {
		v.addf("hostname", "", "is missing")
	} else if _, _, _, err := ParseHostname(p.Hostname); err != nil {
		v.add("hostname", p.Hostname, err)
	}
	v.userPart("tech_prefix", p.TechPrefix)
	v.userPart("tech_postfix", p.TechPostfix)
	v.at(p)
	v.techHeaders(p.TechHeaders)
	v.metadata(p.Metadata)
	if err := ValidateCodecs(p.Codecs); err != nil {
		v.add("codecs", p.Codecs, err)
	}
	switch p.Transport {
	case TransportAny, TransportUDP, TransportTCP, TransportTLS:
	default:
		v.addf("transport", string(p.Transport), `is not one of udp, tcp, tls, ""`)
	}
	v.duration("budgets.no_reply", p.Budgets.NoReply, MaxAttemptBudget)
	v.duration("budgets.no_ringing", p.Budgets.NoRinging, MaxAttemptBudget)
	v.duration("budgets.answer", p.Budgets.Answer, MaxAnswerBudget)
	v.failover(p.Failover)
	if p.Limits.Calls < 0 || p.Limits.Calls > maxCalls {
		v.addf("limits.calls", strconv.Itoa(p.Limits.Calls), "is not from 0 to %d", maxCalls)
	}
	if !(p.Limits.CPS >= 0 && p.Limits.CPS <= maxCPS) { // Also refuses NaN.
		v.addf("limits.cps", fmt.Sprint(p.Limits.CPS), "is not from 0 to %d", maxCPS)
	}
	v.credentials(p.Credentials)
	v.probing(p.Probing)
	return v.errs
}

// userPart checks what is put around a dial string.
func (v *validator) userPart(field, value string) {
	switch {
	case len(value) > maxText:
		v.add(field, value, errLong)
	case !utf8.ValidString(value):
		v.add(field, "", errNotUTF8)
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == '<' || r == '>' || isControl(r) }):
		v.add(field, value, errUserBytes)
	}
}

// at checks the "@" in a postfix, behind which the host of the Request-URI stands.
func (v *validator) at(p *Provider) {
	if strings.Contains(p.TechPrefix, "@") {
		v.addf("tech_prefix", p.TechPrefix, `holds an "@", which only a postfix may`)
	}
	_, host, found := strings.Cut(p.TechPostfix, "@")
	if !found {
		return
	}
	if strings.Contains(host, "@") {
		v.addf("tech_postfix", p.TechPostfix, `holds more than one "@"`)
	} else if _, _, _, err := ParseHostname(host); err != nil {
		v.addf("tech_postfix", p.TechPostfix, `names a host after its "@" that %s`, err)
	}
}

func (v *validator) metadata(m map[string]string) {
	if len(m) > maxMetadata {
		v.addf("metadata", "", "holds more than %d entries", maxMetadata)
		return
	}
	for key, value := range m {
		if err := checkText(key); err != nil || key == "" {
			v.addf("metadata", key, "has a key that is empty, longer than 255 bytes or no plain text")
		}
		if err := checkText(value); err != nil {
			v.add("metadata."+Clip(key), value, err)
		}
	}
}

func (v *validator) duration(field string, value, high time.Duration) {
	if value != 0 && (value < time.Millisecond || value > high) {
		v.addf(field, value.String(), "is not from 1ms to %s, nor 0 for the default", high)
	}
}

func (v *validator) failover(f Failover) {
	for _, e := range f.Next {
		// After a 2xx nothing can follow, and a 1xx decides nothing.
		if low, _, ok := parseCodes(e); !ok || low < 300 {
			v.addf("failover.next", e, "is neither a status code from 300 to 699 nor a class from 3xx to 6xx")
		}
	}
	if len(f.Next) > highestCode-lowestCode+1 {
		v.addf("failover.next", "", "holds more elements than there are codes")
	}
	v.rules(f.Preset, f.Rules)
}

func (v *validator) probing(p Probing) {
	if p.Interval != 0 && (p.Interval < MinProbeInterval || p.Interval > MaxProbeInterval) {
		v.addf("health.interval", p.Interval.String(), "is not from %s to %s, nor 0 for the default", MinProbeInterval, MaxProbeInterval)
	}
	for _, e := range p.Up {
		// A 1xx says nothing yet.
		if low, _, ok := parseCodes(e); !ok || low < 200 {
			v.addf("health.up", e, "is neither a status code from 200 to 699 nor a class from 2xx to 6xx")
		}
	}
	if len(p.Up) > highestCode-lowestCode+1 {
		v.addf("health.up", "", "holds more elements than there are codes")
	}
}

func (v *validator) credentials(c Credentials) {
	v.text("credentials.username", c.Username)
	v.text("credentials.realm", c.Realm)
	if err := checkText(c.Password); err != nil {
		v.addf("credentials.password", "", "the value (kept out of this message) %s", err)
	}
	if c.Username == "" && (c.Password != "" || c.Realm != "") {
		v.addf("credentials.username", "", "is missing, though a password or realm is given")
	}
}

// Validate returns all that is wrong with r. That its provider exists is the business of a Draft.
func (r *Route) Validate() FieldErrors {
	var v validator
	v.text("name", r.Name)
	v.detail(r.Detail)
	if r.CustomerID == uuid.Nil {
		v.addf("customer_id", "", "is missing")
	}
	if r.ProviderID == uuid.Nil {
		v.addf("provider_id", "", "is missing")
	}
	switch target, err := ParseTarget(r.Target); {
	case r.Target == "":
		v.addf("target", "", "is missing")
	case err != nil:
		v.add("target", r.Target, err)
	case target != r.Target:
		v.addf("target", r.Target, "is not in its one spelling %s", target)
	}
	if r.Priority < 0 || r.Priority > maxPriority {
		v.addf("priority", strconv.Itoa(r.Priority), "is not from 0 to %d", maxPriority)
	}
	if r.Weight < 1 || r.Weight > maxWeight {
		v.addf("weight", strconv.Itoa(r.Weight), "is not from 1 to %d", maxWeight)
	}
	return v.errs
}

package filestore

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// fieldValue is one key of an entry with its value as it is written in one line.
type fieldValue struct {
	key  string
	text string
	flow string // The same, to stand inside of braces.
	// plain is the value's default as it is written; an entry that has no such key means this.
	plain string
	// within has the keys of a mapping. Those of an open mapping are data and vanish when they are not there; those of
	// any other are fixed and go back to their default.
	within []fieldValue
	open   bool
}

func field(key, text, plain string) fieldValue {
	return fieldValue{key: key, text: text, flow: text, plain: plain}
}

// textField is a field that holds any text.
func textField(key, value, plain string) fieldValue {
	return fieldValue{key: key, text: scalar(value), flow: flowScalar(value), plain: plain}
}

func mappingField(key string, open bool, within []fieldValue) fieldValue {
	f := fieldValue{key: key, plain: "{}", within: within, open: open}
	parts := make([]string, 0, len(within))
	for _, w := range within {
		if open || w.text != w.plain {
			parts = append(parts, flowScalar(w.key)+": "+w.flow)
		}
	}
	f.text = "{" + strings.Join(parts, ", ") + "}"
	f.flow = f.text
	return f
}

func listField(key string, items []string, plain string) fieldValue {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = flowScalar(item)
	}
	return field(key, "["+strings.Join(parts, ", ")+"]", plain)
}

// providerFields returns the keys of an entry in the order in which they are written.
func providerFields(e *providerEntry) []fieldValue {
	p := &e.Provider
	var headers, metadata []fieldValue
	var secret []string
	for _, h := range p.TechHeaders {
		headers = append(headers, textField(h.Name, h.Value, ""))
		if h.Secret {
			secret = append(secret, h.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.Metadata)) {
		metadata = append(metadata, textField(key, p.Metadata[key], ""))
	}
	fields := []fieldValue{
		textField("name", p.Name, ""),
		textField("hostname", p.Hostname, ""),
		textField("type", p.Type, "sip"),
		field("id", idText(p.ID), ""),
		textField("detail", p.Detail, `""`),
		textField("tech_prefix", p.TechPrefix, `""`),
		textField("tech_postfix", p.TechPostfix, `""`),
		mappingField("tech_headers", true, headers),
		listField("secret_headers", secret, "[]"),
		textField("codecs", p.Codecs, `""`),
		textField("transport", string(p.Transport), `""`),
		field("enabled", strconv.FormatBool(p.Enabled), "true"),
		field("raw_user", strconv.FormatBool(p.RawUser), "false"),
		field("follow_redirects", strconv.FormatBool(p.FollowRedirects), "false"),
		mappingField("budgets", false, []fieldValue{
			field("no_reply", durationText(p.Budgets.NoReply), "0s"),
			field("no_ringing", durationText(p.Budgets.NoRinging), "0s"),
			field("answer", durationText(p.Budgets.Answer), "0s"),
		}),
		mappingField("failover", false, failoverFields(p.Failover)),
		mappingField("limits", false, []fieldValue{
			field("calls", strconv.Itoa(p.Limits.Calls), "0"),
			field("cps", strconv.FormatFloat(p.Limits.CPS, 'f', -1, 64), "0"),
		}),
		mappingField("credentials", false, []fieldValue{
			textField("username", p.Credentials.Username, `""`),
			textField("password", p.Credentials.Password, `""`),
			textField("realm", p.Credentials.Realm, `""`),
		}),
		mappingField("health", false, []fieldValue{
			field("probe", strconv.FormatBool(!p.Probing.Off), "true"),
			field("interval", durationText(p.Probing.Interval), "0s"),
			codesField("up", p.Probing.Up),
		}),
		mappingField("metadata", true, metadata),
	}
	if e.hasPriority {
		fields = append(fields, field("priority", strconv.Itoa(e.priority), "0"))
	}
	if e.hasTargets {
		var targets []string
		for _, t := range e.targets {
			targets = append(targets, t.text)
		}
		fields = append(fields, listField("targets", targets, ""))
	}
	return fields
}

// codesField is a list of status codes: plain, though they look like numbers.
func codesField(key string, codes []string) fieldValue {
	if codes == nil {
		return field(key, "null", "null")
	}
	return field(key, "["+strings.Join(codes, ", ")+"]", "null")
}

func failoverFields(f providers.Failover) []fieldValue {
	next, after := codesField("next", f.Next), field("after_ringing", "null", "null")
	if f.AfterRinging != nil {
		after = field("after_ringing", strconv.FormatBool(*f.AfterRinging), "null")
	}
	rules := field("rules", "null", "null")
	if f.Rules != nil {
		all := make([]string, len(f.Rules))
		for i := range f.Rules {
			all[i] = mappingField("", false, ruleFields(&f.Rules[i])).flow
		}
		rules = field("rules", "["+strings.Join(all, ", ")+"]", "null")
	}
	return []fieldValue{textField("preset", f.Preset, `""`), rules, next, after}
}

// routeFields returns the keys of an entry in the order in which they are written.
func routeFields(e *routeEntry) []fieldValue {
	return []fieldValue{
		textField("target", e.Target, ""),
		textField("provider", e.provider, ""),
		field("priority", strconv.Itoa(e.Priority), ""),
		field("weight", strconv.Itoa(e.Weight), strconv.Itoa(providers.DefaultWeight)),
		field("customer_id", e.CustomerID.String(), providers.Everyone.String()),
		field("id", idText(e.ID), ""),
		textField("name", e.Name, `""`),
		textField("detail", e.Detail, `""`),
	}
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// durationText writes a duration without the zeros at its end: 1h, not 1h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// newEntry writes an entry as it is added to a list.
func newEntry(fields []fieldValue, indent int) string {
	var b strings.Builder
	lead := strings.Repeat(" ", indent) + "- "
	for _, f := range fields {
		if f.text == f.plain {
			continue
		}
		b.WriteString(lead + f.key + ": " + f.text + "\n")
		lead = strings.Repeat(" ", indent+2)
	}
	return b.String()
}

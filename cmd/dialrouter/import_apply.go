package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// apply makes a draft hold what was imported. An entry that is there already, by its id, is changed only in what
// VoIPBIN knows of; what is not among the imported stays.
func (all *imported) apply(d *providers.Draft, told *importReport) error {
	for i := range all.providers {
		all.providers[i].apply(d, told)
	}
	for i := range all.routes {
		all.routes[i].apply(d, told)
	}
	if len(all.ignored) > 0 {
		told.addf("fields that are not VoIPBIN's were not looked at: %s",
			strings.Join(slices.Sorted(maps.Keys(all.ignored)), ", "))
	}
	if len(told.problems) > 0 {
		return errImport
	}
	return nil
}

func (q *importedProvider) apply(d *providers.Draft, told *importReport) {
	count := &told.counts[countProviders]
	if isDeleted(q.TmDelete) {
		told.addf("left out provider %s %q: it was deleted there", q.ID, providers.Clip(q.Name))
		count.leftOut++
		return
	}
	before, err := d.Provider(q.ID)
	if err != nil {
		before = nil
	}
	after, err := q.onto(before, freeName(d, q.ID, q.Name))
	if err != nil {
		told.problem(providers.KindProvider, q.ID.String(), err)
		return
	}
	switch {
	case before == nil:
		if after, err = d.CreateProvider(*after); err == nil {
			told.addf("create provider %s %q", after.ID, after.Name)
			count.created++
		}
	case before.Same(after):
		count.unchanged++
	default:
		if after, err = d.ReplaceProvider(*after); err == nil {
			told.addf("replace provider %s %q: %s", after.ID, after.Name, changedFields(before, after))
			count.replaced++
		}
	}
	if err != nil {
		told.problem(providers.KindProvider, q.ID.String(), err)
	}
	if err == nil && after.Name != q.Name {
		told.addf("  named %q, because %q is taken or no name", after.Name, providers.Clip(q.Name))
	}
}

// onto returns the provider as it is to be; before is nil for a new one.
func (q *importedProvider) onto(before *providers.Provider, name string) (*providers.Provider, error) {
	p := &providers.Provider{ID: q.ID, Enabled: true}
	if before != nil {
		p = before.Clone()
	}
	old := p.TechHeaders
	p.Type, p.Hostname, p.TechPrefix, p.TechPostfix = q.Type, q.Hostname, q.TechPrefix, q.TechPostfix
	p.Name, p.Detail, p.Codecs = name, q.Detail, q.Codecs
	p.TechHeaders = nil
	for _, name := range slices.Sorted(maps.Keys(q.TechHeaders)) {
		h := providers.Header{Name: name, Value: q.TechHeaders[name]}
		i := slices.IndexFunc(old, func(o providers.Header) bool { return strings.EqualFold(o.Name, name) })
		if i >= 0 {
			h.Secret = old[i].Secret
		}
		if h.Value == providers.Mask {
			if i < 0 || !old[i].Secret {
				return nil, fmt.Errorf("tech_headers[%s]: the value is masked, and not known here", name)
			}
			h.Value = old[i].Value
		}
		p.TechHeaders = append(p.TechHeaders, h)
	}
	p.TechHeaders = inOrderOf(old, p.TechHeaders)
	p.Metadata = nil
	for key, value := range q.Metadata {
		if p.Metadata == nil {
			p.Metadata = make(map[string]string, len(q.Metadata))
		}
		text, ok := value.(string)
		if !ok { // Ours holds text only.
			raw, err := json.Marshal(value)
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		p.Metadata[key] = text
	}
	return p, nil
}

// inOrderOf returns headers in the order that they had, which no JSON object tells: only so do they compare as the same.
func inOrderOf(old, headers []providers.Header) []providers.Header {
	place := func(h providers.Header) int {
		i := slices.IndexFunc(old, func(o providers.Header) bool { return strings.EqualFold(o.Name, h.Name) })
		if i < 0 {
			return len(old)
		}
		return i
	}
	slices.SortStableFunc(headers, func(a, b providers.Header) int { return place(a) - place(b) })
	return headers
}

// freeName returns a name for a provider: names are unique here, and they label the metrics, but VoIPBIN's need not be.
func freeName(d *providers.Draft, id uuid.UUID, name string) string {
	const most = 240 // Bytes; room for what is put behind.
	short := id.String()[:8]
	if name == "" {
		return "provider " + short
	}
	if owner, err := d.ProviderNamed(name); err != nil || owner.ID == id {
		return name
	}
	for len(name) > most {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name + " (" + short + ")"
}

func (q *importedRoute) apply(d *providers.Draft, told *importReport) {
	count := &told.counts[countRoutes]
	leaveOut := func(why string) {
		told.addf("left out route %s to %q: %s", q.ID, providers.Clip(q.Target), why)
		count.leftOut++
	}
	if isDeleted(q.TmDelete) {
		leaveOut("it was deleted there")
		return
	}
	before, err := d.Route(q.ID)
	if err != nil {
		before = nil
	}
	provider, err := d.Provider(q.ProviderID)
	if errors.Is(err, providers.ErrNotFound) {
		leaveOut("there is no provider " + q.ProviderID.String())
		return
	}
	after := &providers.Route{ID: q.ID, Weight: providers.DefaultWeight}
	if before != nil {
		*after = *before
	}
	after.CustomerID, after.Name, after.Detail = q.CustomerID, q.Name, q.Detail
	after.ProviderID, after.Priority, after.Target = q.ProviderID, q.Priority, q.Target
	if target, err := providers.ParseTarget(q.Target); err == nil {
		after.Target = target
	}
	switch {
	case before == nil:
		if after, err = d.CreateRoute(*after); err == nil {
			told.addf("create route %s to %s by %q", after.ID, after.Target, provider.Name)
			count.created++
		}
	case before.Same(after):
		count.unchanged++
	default:
		if after, err = d.ReplaceRoute(*after); err == nil {
			told.addf("replace route %s to %s by %q: %s", after.ID, after.Target, provider.Name, changedFields(before, after))
			count.replaced++
		}
	}
	if err != nil {
		told.problem(providers.KindRoute, q.ID.String(), err)
	}
}

// isDeleted reads a tm_delete. What is no time is not deleted.
func isDeleted(tmDelete string) bool {
	at, err := providers.ParseTime(tmDelete)
	return err == nil && !at.IsZero()
}

// changedFields names the fields that differ, as JSON has them. Secrets are masked in both, so never named.
func changedFields(before, after any) string {
	var old, now map[string]json.RawMessage
	for v, to := range map[any]*map[string]json.RawMessage{before: &old, after: &now} {
		text, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(text, to)
		}
		if err != nil {
			return "?"
		}
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if name != "tm_update" && string(old[name]) != string(now[name]) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

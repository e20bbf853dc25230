package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
)

// imported is what was read: entries as VoIPBIN's API lists them.
type imported struct {
	providers []importedProvider
	routes    []importedRoute
	ignored   map[string]bool // Fields that are not VoIPBIN's.
}

// importedProvider has the fields of VoIPBIN that say something to us.
type importedProvider struct {
	ID          uuid.UUID         `json:"id"`
	Type        string            `json:"type"`
	Hostname    string            `json:"hostname"`
	TechPrefix  string            `json:"tech_prefix"`
	TechPostfix string            `json:"tech_postfix"`
	TechHeaders map[string]string `json:"tech_headers"`
	Name        string            `json:"name"`
	Detail      string            `json:"detail"`
	Metadata    map[string]any    `json:"metadata"`
	Codecs      string            `json:"codecs"`
	TmDelete    string            `json:"tm_delete"`
}

// importedRoute has the fields of VoIPBIN that say something to us.
type importedRoute struct {
	ID         uuid.UUID `json:"id"`
	CustomerID uuid.UUID `json:"customer_id"`
	Name       string    `json:"name"`
	Detail     string    `json:"detail"`
	ProviderID uuid.UUID `json:"provider_id"`
	Priority   int       `json:"priority"`
	Target     string    `json:"target"`
	TmDelete   string    `json:"tm_delete"`
}

// knownFields are those that importing looks at, or that every entry makes anew.
func knownFields() []string {
	return []string{
		"id", "type", "hostname", "tech_prefix", "tech_postfix", "tech_headers", "name", "detail", "metadata", "codecs",
		"health_status", "health_checked_at", "tm_create", "tm_update", "tm_delete", "customer_id", "provider_id", "priority", "target",
	}
}

// read reads pages, lists of pages or entries, and entries, one after the other.
func (all *imported) read(name string, r io.Reader) error {
	d := json.NewDecoder(r)
	for n := 1; ; n++ {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) && n > 1 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("is empty")
		}
		if err == nil {
			_, err = all.take(raw)
		}
		if err != nil {
			return fmt.Errorf("%s: document %d: %w", name, n, err)
		}
	}
}

// take takes a page, a list or an entry in, and returns how many entries it held.
func (all *imported) take(raw json.RawMessage) (n int, err error) {
	if raw[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return 0, err
		}
		for i, one := range list {
			m, err := all.take(one)
			if err != nil {
				return 0, fmt.Errorf("element %d: %w", i+1, err)
			}
			n += m
		}
		return n, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return 0, errors.New("is neither a page nor an entry of one")
	}
	if result, ok := fields["result"]; ok {
		if string(result) == "null" {
			return 0, nil
		}
		return all.take(result)
	}
	all.noteIgnored(fields)
	_, isProvider := fields["hostname"]
	_, isRoute := fields["provider_id"]
	switch {
	case isProvider && !isRoute:
		return 1, takeEntry(raw, &all.providers, func(p *importedProvider) uuid.UUID { return p.ID })
	case isRoute && !isProvider:
		return 1, takeEntry(raw, &all.routes, func(r *importedRoute) uuid.UUID { return r.ID })
	case fields["error"] != nil:
		return 0, errors.New("is an error, not a list")
	default:
		return 0, errors.New("is neither a provider, which has a hostname, nor a route, which has a provider_id")
	}
}

// takeEntry reads one entry, which must have an id: that is what makes importing it again the same.
func takeEntry[T any](raw json.RawMessage, to *[]T, id func(*T) uuid.UUID) error {
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	if id(&one) == uuid.Nil {
		return errors.New("has no id")
	}
	*to = append(*to, one)
	return nil
}

// noteIgnored notes the fields that importing leaves out, so that it can say so.
func (all *imported) noteIgnored(fields map[string]json.RawMessage) {
	known := knownFields()
	for name := range fields {
		if !slices.Contains(known, name) {
			if all.ignored == nil {
				all.ignored = make(map[string]bool)
			}
			all.ignored[name] = true
		}
	}
}

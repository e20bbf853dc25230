package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// object reads a JSON object field by field and notes all that is wrong. It is stricter than encoding/json: names
// compare with case, a name that nobody asks for or that comes twice is wrong, and so is text that is no Unicode.
//
// A field that is null is one that was left out.
type object struct {
	path  string // Of the object within the body, with a dot at its end.
	names []string
	raw   map[string]json.RawMessage
	asked map[string]bool
	errs  *providers.FieldErrors // Shared with the objects within.
}

// parseObject reads one object and nothing behind it.
func parseObject(data []byte) (*object, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, invalidBody("The request has no body.")
	}
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, invalidBody("The request body is not valid JSON.")
	}
	o := newObject("", new(providers.FieldErrors))
	if !o.read(data) {
		return nil, invalidBody("The request body is not a JSON object.")
	}
	return o, nil
}

func newObject(path string, errs *providers.FieldErrors) *object {
	return &object{path: path, raw: make(map[string]json.RawMessage), asked: make(map[string]bool), errs: errs}
}

// read takes the members of a valid JSON text apart, and says whether it is an object.
func (o *object) read(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return false
		}
		key, _ := name.(string)
		if _, twice := o.raw[key]; twice {
			o.wrong(key, "is given twice")
			continue
		}
		o.raw[key] = value
		o.names = append(o.names, key)
	}
	_, err := d.Token()
	return err == nil || err == io.EOF
}

func (o *object) wrong(name, rule string) {
	*o.errs = append(*o.errs, providers.FieldError{Field: o.path + providers.Clip(name), Rule: rule})
}

// take returns what a field holds, nil when it was left out.
func (o *object) take(name string) json.RawMessage {
	o.asked[name] = true
	raw := o.raw[name]
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// done notes the fields that nobody asked for, and returns all that is wrong.
func (o *object) done(what string) error {
	for _, name := range o.names {
		if !o.asked[name] {
			o.wrong(name, "is no field of "+what)
		}
	}
	if o.path == "" {
		return o.errs.Err()
	}
	return nil
}

// text reads a string and says whether it was given.
func (o *object) text(name string, dst *string) bool {
	raw := o.take(name)
	if raw == nil {
		return false
	}
	s, rule := textOf(raw)
	if rule != "" {
		o.wrong(name, rule)
		return false
	}
	*dst = s
	return true
}

// given reads a string that must be given, but may be empty.
func (o *object) given(name string, dst *string) {
	before := len(*o.errs)
	if !o.text(name, dst) && len(*o.errs) == before {
		o.wrong(name, missing)
	}
}

// required reads a string that must be given, and not empty.
func (o *object) required(name string, dst *string) {
	before := len(*o.errs)
	if o.given(name, dst); *dst == "" && len(*o.errs) == before {
		o.wrong(name, missing)
	}
}

const missing = "is missing"

// textOf returns the string that a JSON value is, or the rule that it breaks.
func textOf(raw json.RawMessage) (s, rule string) {
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", "is not a string"
	}
	// Half of a surrogate pair becomes U+FFFD; that would store something else than what was sent.
	if strings.ContainsRune(s, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) &&
		!bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return "", "holds half a character"
	}
	return s, ""
}

func (o *object) boolean(name string, dst *bool) bool {
	raw := o.take(name)
	if raw == nil {
		return false
	}
	if json.Unmarshal(raw, dst) != nil {
		o.wrong(name, "is not true or false")
		return false
	}
	return true
}

func (o *object) integer(name string, dst *int) {
	raw := o.take(name)
	if raw == nil {
		return
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		o.wrong(name, "is not a whole number")
		return
	}
	*dst = n
}

func (o *object) number(name string, dst *float64) {
	raw := o.take(name)
	if raw == nil {
		return
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil {
		o.wrong(name, "is not a number")
		return
	}
	*dst = n
}

func (o *object) duration(name string, dst *time.Duration) {
	var s string
	if !o.text(name, &s) {
		return
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		o.wrong(name, "is not a duration such as 2s or 500ms")
		return
	}
	*dst = d
}

func (o *object) id(name string, dst *uuid.UUID) bool {
	var s string
	if !o.text(name, &s) {
		return false
	}
	id, ok := parseID(s)
	if !ok {
		o.wrong(name, "is not a UUID")
		return false
	}
	*dst = id
	return true
}

// parseID reads a UUID in its usual spelling only.
func parseID(s string) (uuid.UUID, bool) {
	id, err := uuid.Parse(s)
	return id, err == nil && len(s) == 36
}

// list calls each with the elements of a field and their names; a field that was left out has none. It says whether the
// field was given.
func (o *object) list(name string, each func(name string, raw json.RawMessage)) bool {
	raw := o.take(name)
	if raw == nil {
		return false
	}
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		o.wrong(name, "is not a list")
		return false
	}
	for i, one := range all {
		each(fmt.Sprintf("%s[%d]", name, i), one)
	}
	return true
}

// texts reads a list of strings, nil when it was left out.
func (o *object) texts(name string) []string {
	all := []string{}
	given := o.list(name, func(name string, raw json.RawMessage) {
		s, rule := textOf(raw)
		if rule != "" {
			o.wrong(name, rule)
			return
		}
		all = append(all, s)
	})
	if !given {
		return nil
	}
	return all
}

// object reads an object within this one, nil when it was left out.
func (o *object) object(name string) *object {
	raw := o.take(name)
	if raw == nil {
		return nil
	}
	inner := newObject(o.path+name+".", o.errs)
	if !inner.read(raw) {
		o.wrong(name, "is not an object")
		return nil
	}
	return inner
}

// textMap reads an object of strings. The names come sorted.
func (o *object) textMap(name string, each func(name, value string)) bool {
	inner := o.object(name)
	if inner == nil {
		return false
	}
	for _, key := range slices.Sorted(maps.Keys(inner.raw)) {
		value, rule := textOf(inner.raw[key])
		if rule != "" {
			o.wrong(name+"["+providers.Clip(key)+"]", rule)
			continue
		}
		each(key, value)
	}
	return true
}

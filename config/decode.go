package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// decoder walks a YAML tree and collects all that is wrong with it. It works on nodes and not on Go types,
// because only nodes know their lines and still hold keys that nobody asked for.
type decoder struct {
	file     string
	lines    map[string]int
	problems []Problem
}

// field reads the value at path into its place.
type field func(path string, n *yaml.Node)

// add notes that the value at n breaks a rule.
func (d *decoder) add(n *yaml.Node, path, format string, args ...any) {
	line := 1
	if n != nil {
		line = max(n.Line, 1)
	}
	message := fmt.Sprintf(format, args...)
	if path != "" {
		message = path + ": " + message
	}
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Message: message})
}

// document returns the root of the one document in data, nil when there is none or it is no YAML.
func (d *decoder) document(data []byte) *yaml.Node {
	if line, what := unreadable(data); line > 0 {
		d.problems = append(d.problems, Problem{File: d.file, Line: line, Message: what})
		return nil
	}
	decode := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decode.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		d.problems = append(d.problems, syntaxProblem(d.file, data, err))
		return nil
	}
	switch err := decode.Decode(&second); {
	case err == nil:
		d.add(&second, "", "a second document begins here; a configuration is one document")
	case !errors.Is(err, io.EOF):
		d.problems = append(d.problems, syntaxProblem(d.file, data, err))
	}
	if len(first.Content) == 0 {
		return nil
	}
	return resolve(first.Content[0])
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// mapping reads the keys of n, each with its field. An absent or null mapping leaves all defaults.
func (d *decoder) mapping(path string, n *yaml.Node, fields map[string]field) {
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			d.add(n, path, "%s where a mapping of keys to values must stand", describe(n))
		}
		return
	}
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		name := key.Value
		full := strings.TrimPrefix(path+"."+name, ".")
		if key.Kind != yaml.ScalarNode {
			d.add(key, path, "%s where the name of a key must stand", describe(key))
			continue
		}
		if line, ok := first[name]; ok {
			d.add(key, full, "is given twice, first on line %d", line)
			continue
		}
		first[name] = key.Line
		read, ok := fields[name]
		if !ok {
			d.unknown(key, path, slices.Sorted(maps.Keys(fields)))
			continue
		}
		d.lines[full] = key.Line
		if value.Tag == "!!null" {
			continue
		}
		// An aliased value is written elsewhere; what is wrong with it is wrong here.
		if value != n.Content[i+1] {
			copied := *value
			copied.Line = key.Line
			value = &copied
		}
		read(full, value)
	}
}

func (d *decoder) unknown(key *yaml.Node, path string, known []string) {
	hint := "known here: " + strings.Join(known, ", ")
	if s := suggest(key.Value, known); s != "" {
		hint = fmt.Sprintf("did you mean %q?", s)
	}
	d.add(key, strings.TrimPrefix(path+"."+shorten(key.Value), "."), "unknown key; %s", hint)
}

// list reads each element of a sequence.
func (d *decoder) list(each field) field {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			d.add(n, path, "%s where a list must stand", describe(n))
			return
		}
		for i, item := range n.Content {
			full := fmt.Sprintf("%s[%d]", path, i)
			d.lines[full] = item.Line
			each(full, resolve(item))
		}
	}
}

// text reads a string; check, when not nil, returns the rule that the value breaks, or "".
func (d *decoder) text(dst *string, check func(string) string) field {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			d.add(n, path, "%s where a string must stand", describe(n))
			return
		}
		if check != nil {
			if rule := check(n.Value); rule != "" {
				d.add(n, path, "%q %s", shorten(n.Value), rule)
				return
			}
		}
		*dst = n.Value
	}
}

// secret reads a string whose value no message may repeat.
func (d *decoder) secret(dst *string, check func(string) string) field {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
			d.add(n, path, "a string must stand here")
			return
		}
		if rule := check(n.Value); rule != "" {
			d.add(n, path, "the value (kept out of this message) %s", rule)
			return
		}
		*dst = n.Value
	}
}

// digits reads a scalar that is made of characters, though YAML may take it for a number: 404, 5xx, 011.
func (d *decoder) digits(dst *string, check func(string) string) field {
	return func(path string, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && (n.Tag == "!!int" || n.Tag == "!!float") {
			copied := *n
			copied.Tag = "!!str"
			n = &copied
		}
		d.text(dst, check)(path, n)
	}
}

// integer reads a whole number from low to high.
func (d *decoder) integer(dst *int, low, high int) field {
	return func(path string, n *yaml.Node) {
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
			d.add(n, path, "%s where a whole number from %d to %d must stand", describe(n), low, high)
			return
		}
		if v < low || v > high {
			d.add(n, path, "%d is not from %d to %d", v, low, high)
			return
		}
		*dst = v
	}
}

func (d *decoder) boolean(dst *bool) field {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			d.add(n, path, "%s where true or false must stand", describe(n))
			return
		}
		*dst = strings.EqualFold(n.Value, "true")
	}
}

// duration reads a time such as 500ms, 2s or 1m30s from a millisecond to high.
func (d *decoder) duration(dst *time.Duration, high time.Duration) field {
	return d.durationFrom(dst, time.Millisecond, high, false)
}

// durationOrZero reads a duration for which 0 may stand too, meaning that something is off.
func (d *decoder) durationOrZero(dst *time.Duration, low, high time.Duration) field {
	return d.durationFrom(dst, low, high, true)
}

func (d *decoder) durationFrom(dst *time.Duration, low, high time.Duration, zero bool) field {
	return func(path string, n *yaml.Node) {
		v, err := time.ParseDuration(n.Value)
		isText := n.Tag == "!!str" || n.Tag == "!!int" && n.Value == "0"
		switch {
		case n.Kind != yaml.ScalarNode || !isText || err != nil:
			hint := ""
			if n.Kind == yaml.ScalarNode && n.Tag == "!!int" {
				hint = fmt.Sprintf("; for seconds write %ss", n.Value)
			}
			d.add(n, path, "%s where a duration such as 500ms, 2s or 1m30s must stand%s", describe(n), hint)
		case zero && v == 0:
			*dst = 0
		case v < low || v > high:
			off := ""
			if zero {
				off = ", or 0"
			}
			d.add(n, path, "%s is not from %s to %s%s", n.Value, plain(low), plain(high), off)
		default:
			*dst = v
		}
	}
}

// plain prints a duration without the zeros at its end: 1h, not 1h0m0s.
func plain(v time.Duration) string {
	s := v.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// describe names what stands at n, for "X where Y must stand".
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!str":
		return fmt.Sprintf("the string %q", shorten(n.Value))
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "the number " + shorten(n.Value)
	default:
		return "the value " + shorten(n.Value)
	}
}

// shorten bounds what a message repeats of a file.
func shorten(s string) string {
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

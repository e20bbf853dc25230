package filestore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

// decoder turns YAML nodes into values and collects all that is wrong with them, by line. It works on nodes and not
// on Go types, because only nodes know their lines and still hold keys that nobody asked for.
type decoder struct {
	file     string
	shift    int // What to add to a node's line: nodes of one entry count from its own first line.
	problems []providers.Problem

	// The entry at hand. Paths within it are relative to it: building them in full for what has no fault would take
	// most of the time.
	list string
	at   int
	bad  []string // Paths that are noted already, so that what follows from them is not noted too.
}

// entry begins another entry.
func (d *decoder) entry(list string, at int) { d.list, d.at, d.bad = list, at, d.bad[:0] }

// full returns the whole path of a key of the entry at hand.
func (d *decoder) full(path string) string {
	entry := d.list + "[" + strconv.Itoa(d.at) + "]"
	if path == "" {
		return entry
	}
	return entry + "." + path
}

// within returns the path of a key in what stands at path.
func within(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) add(line int, format string, args ...any) {
	d.problems = append(d.problems, providers.Problem{
		File: d.file, Line: max(line+d.shift, 1), Message: fmt.Sprintf(format, args...),
	})
}

// wrong notes that the value at n breaks a rule.
func (d *decoder) wrong(n *yaml.Node, path, format string, args ...any) {
	d.bad = append(d.bad, path)
	d.add(n.Line, "%s: %s", d.full(providers.Clip(path)), fmt.Sprintf(format, args...))
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// mapping calls each with every key and value of n. A null value is as good as an absent key. What each returns
// false for is an unknown key. Without known keys all are good, and each gets null values too.
func (d *decoder) mapping(path string, n *yaml.Node, known []string, each func(key string, path string, value *yaml.Node) bool) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, path, "%s where a mapping of keys to values must stand", describe(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			d.wrong(key, path, "%s where the name of a key must stand", describe(key))
			continue
		}
		full := within(path, key.Value)
		if line := firstLine(n.Content[:i], key.Value); line > 0 {
			d.wrong(key, full, "is given twice, first on line %d", line+d.shift)
			continue
		}
		if known != nil && value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null" {
			if !slices.Contains(known, key.Value) {
				d.unknown(key, full, known)
			}
			continue
		}
		if value != n.Content[i+1] {
			// What is aliased is written elsewhere; what is wrong with it is wrong here.
			copied := *value
			copied.Line = key.Line
			value = &copied
		}
		if !each(key.Value, full, value) {
			d.unknown(key, full, known)
		}
	}
}

// firstLine finds the line of a key among nodes of keys and values, 0 if it is not there.
func firstLine(content []*yaml.Node, key string) int {
	for i := 0; i < len(content); i += 2 {
		if content[i].Kind == yaml.ScalarNode && content[i].Value == key {
			return content[i].Line
		}
	}
	return 0
}

func (d *decoder) unknown(key *yaml.Node, path string, known []string) {
	d.wrong(key, path, "%s", unknownKey(key.Value, known))
}

// unknownKey says what is wrong with a key that nobody knows.
func unknownKey(key string, known []string) string {
	hint := "known here: " + strings.Join(known, ", ")
	if s := suggest(key, known); s != "" {
		hint = fmt.Sprintf("did you mean %q?", s)
	}
	return "unknown key; " + hint
}

// elements calls each with every element of n.
func (d *decoder) elements(path string, n *yaml.Node, each func(path string, item *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, path, "%s where a list must stand", describe(n))
		return
	}
	for i, item := range n.Content {
		each(path+"["+strconv.Itoa(i)+"]", resolve(item))
	}
}

// word reads a string that nobody would write as a number.
func (d *decoder) word(dst *string, path string, n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		d.wrong(n, path, "%s where a string must stand", describe(n))
		return false
	}
	*dst = n.Value
	return true
}

// text reads a string that may look like a number, such as a prefix: it is taken as it is written.
func (d *decoder) text(dst *string, path string, n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float":
			*dst = n.Value
			return true
		}
	}
	d.wrong(n, path, "%s where a string must stand; a string in quotes is always one", describe(n))
	return false
}

// isSecretMapping is for a mapping that has secrets in it. What stands there instead may be one, and is not repeated.
func (d *decoder) isSecretMapping(path string, n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode {
		return true
	}
	d.wrong(n, path, "a mapping of keys to values must stand here")
	return false
}

// secret reads a string whose value no message may repeat.
func (d *decoder) secret(dst *string, path string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float":
			*dst = n.Value
			return
		}
	}
	d.wrong(n, path, "a string must stand here, best in quotes")
}

func (d *decoder) integer(dst *int, path string, n *yaml.Node) {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil {
		d.wrong(n, path, "%s where a whole number must stand", describe(n))
		return
	}
	*dst = v
}

func (d *decoder) number(dst *float64, path string, n *yaml.Node) {
	v, err := strconv.ParseFloat(n.Value, 64)
	isNumber := n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float")
	if !isNumber || err != nil {
		d.wrong(n, path, "%s where a number must stand", describe(n))
		return
	}
	*dst = v
}

func (d *decoder) boolean(dst *bool, path string, n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		d.wrong(n, path, "%s where true or false must stand", describe(n))
		return false
	}
	*dst = strings.EqualFold(n.Value, "true")
	return true
}

// duration reads a time such as 500ms, 2s or 1m30s; 0 is the default of the daemon's configuration.
func (d *decoder) duration(dst *time.Duration, path string, n *yaml.Node) {
	v, err := time.ParseDuration(n.Value)
	isText := n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.Value == "0")
	if !isText || err != nil {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!int" {
			hint = "; for seconds write " + n.Value + "s"
		}
		d.wrong(n, path, "%s where a duration such as 500ms, 2s or 1m30s must stand%s", describe(n), hint)
		return
	}
	*dst = v
}

func (d *decoder) id(dst *uuid.UUID, path string, n *yaml.Node) {
	var s string
	if !d.word(&s, path, n) {
		return
	}
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || id == uuid.Nil {
		d.wrong(n, path, "%q is no id such as 4dbeabd6-f397-4375-95d2-a38411e07ed1", providers.Clip(s))
		return
	}
	*dst = id
}

// describe names what stands at n, for "X where Y must stand".
func describe(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!str":
		return fmt.Sprintf("the string %q", providers.Clip(n.Value))
	case "!!int", "!!float":
		return "the number " + providers.Clip(n.Value)
	default:
		return "the value " + providers.Clip(n.Value)
	}
}

package filestore

import (
	"bytes"
	"slices"

	"gopkg.in/yaml.v3"
)

// parseQuick reads a good file in the form that nearly all have (see layout) entry by entry, and simple entries
// without the YAML parser, which takes ten times as long and, for a tree of the whole file, a hundred times the
// file's size of memory. Whenever anything is unusual or wrong it says no, and the file is read whole: that reading
// alone decides what a file says and what is wrong with it. A fuzz test holds the two together.
func parseQuick(file string, data []byte) (entries, bool) {
	l, ok := findLayout(data)
	if !ok || len(l.providers.entries) == 0 && !l.providers.inline {
		return entries{}, false
	}
	all := entries{
		providers: make([]providerEntry, 0, len(l.providers.entries)),
		routes:    make([]routeEntry, 0, len(l.routes.entries)),
	}
	d := &decoder{file: file}
	q := &quick{}
	lines := lineCounter{data: data}
	for i, e := range l.providers.entries {
		n := q.read(data[e.start:l.providers.limit(i)], l.providers.indent)
		if n == nil {
			return entries{}, false
		}
		d.shift = lines.at(e.start) - 1
		if all.providers = append(all.providers, d.provider(i, n)); len(d.problems) > 0 {
			return entries{}, false
		}
	}
	lines = lineCounter{data: data}
	for i, e := range l.routes.entries {
		n := q.read(data[e.start:l.routes.limit(i)], l.routes.indent)
		if n == nil {
			return entries{}, false
		}
		d.shift = lines.at(e.start) - 1
		if all.routes = append(all.routes, d.route(i, n)); len(d.problems) > 0 {
			return entries{}, false
		}
	}
	return all, true
}

// lineCounter finds the number of the line in which a byte stands; it is asked in ascending order.
type lineCounter struct {
	data       []byte
	from, line int
}

func (c *lineCounter) at(offset int) int {
	c.line += bytes.Count(c.data[c.from:offset], []byte("\n"))
	c.from = offset
	return c.line + 1
}

// quick reads simple entries into nodes that are used again for the next entry.
type quick struct {
	entry   yaml.Node
	content []*yaml.Node
	nodes   []yaml.Node
}

// read returns the mapping of an entry, good until the next call; nil if it is not an entry.
func (q *quick) read(text []byte, indent int) *yaml.Node {
	if q.simple(text, indent) {
		return &q.entry
	}
	return parseEntry(string(text))
}

// simple reads an entry that consists of lines "key: value" only.
func (q *quick) simple(text []byte, indent int) bool {
	q.nodes = q.nodes[:0]
	number := 0
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		number++
		line = bytes.TrimRight(line, " \r")
		at := indent + 2
		switch {
		case number == 1:
			if len(line) <= at || line[indent] != '-' || line[indent+1] != ' ' || line[at] == ' ' {
				return false
			}
		case isTrivia(line):
			continue
		case len(line) <= at || len(bytes.TrimLeft(line, " ")) != len(line)-at:
			return false
		}
		key, value, ok := bytes.Cut(line[at:], []byte(": "))
		name := known(key)
		if !ok || name == "" {
			return false
		}
		v, ok := quickScalar(bytes.TrimLeft(value, " "))
		if !ok {
			return false
		}
		v.Line, v.Column = number, at+len(key)+3
		q.nodes = append(q.nodes, yaml.Node{Kind: yaml.ScalarNode, Value: name, Line: number, Column: at + 1}, v)
	}
	q.content = q.content[:0]
	for i := range q.nodes {
		q.content = append(q.content, &q.nodes[i])
	}
	q.entry = yaml.Node{Kind: yaml.MappingNode, Content: q.content, Line: 1, Column: indent + 3}
	return true
}

// known returns the key that is written in text without copying it, "" for one we do not know.
func known(text []byte) string {
	for _, keys := range [][]string{routeKeys, providerKeys} {
		if i := slices.IndexFunc(keys, func(key string) bool { return key == string(text) }); i >= 0 {
			return keys[i]
		}
	}
	return ""
}

// quickScalar reads a value in quotes without escapes, or one of characters that mean nothing else in YAML, with or
// without a comment behind it.
func quickScalar(text []byte) (yaml.Node, bool) {
	if len(text) == 0 {
		return yaml.Node{}, false
	}
	n := yaml.Node{Kind: yaml.ScalarNode}
	var rest []byte
	if q := text[0]; q == '"' || q == '\'' {
		value, behind, ok := bytes.Cut(text[1:], text[:1])
		if !ok || bytes.IndexByte(value, '\\') >= 0 || bytes.IndexByte(value, '\t') >= 0 || len(behind) > 0 && behind[0] == q {
			return yaml.Node{}, false
		}
		n.Value, rest = string(value), behind
		n.Style = yaml.DoubleQuotedStyle
	} else {
		end := 0
		for end < len(text) && isPlainByte(text[end]) {
			end++
		}
		if end == 0 || !isWordByte(text[0]) || text[end-1] == ':' {
			return yaml.Node{}, false
		}
		n.Value, rest = string(text[:end]), text[end:]
	}
	if len(rest) > 0 && (rest[0] != ' ' || len(bytes.TrimLeft(rest, " ")) == 0 || bytes.TrimLeft(rest, " ")[0] != '#') {
		return yaml.Node{}, false
	}
	return n, true
}

func isWordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '/' || c == '+'
}

func isPlainByte(c byte) bool {
	return isWordByte(c) || c == '.' || c == ':' || c == '@' || c == ',' || c == '-'
}

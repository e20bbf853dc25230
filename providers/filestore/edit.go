package filestore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

var errEntry = errors.New("the entry is not written as a mapping")

// editor changes the values of one entry in its text, line by line: lines that nobody changes stay byte for byte as
// they are, and a comment behind a changed value stays behind it.
type editor struct {
	lines  []string   // Without their breaks.
	gone   []bool     // Lines to leave out.
	behind [][]string // Lines to put in behind each.
}

// editEntry returns the text of an entry whose fields are to be after instead of before. The text is one or more
// whole lines, the first with the entry's dash; lines end with LF.
func editEntry(text string, before, after []fieldValue) (string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return "", fmt.Errorf("reading an entry: %w", err)
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.SequenceNode || len(root.Content[0].Content) != 1 {
		return "", errEntry
	}
	entry := root.Content[0].Content[0]
	if entry.Kind != yaml.MappingNode || len(entry.Content) == 0 {
		return "", errEntry
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	e := &editor{lines: lines, gone: make([]bool, len(lines)), behind: make([][]string, len(lines))}
	if entry.Style&yaml.FlowStyle != 0 {
		e.replaceFlow(entry, before, after)
	} else {
		e.mapping(entry, len(lines), before, after, false)
	}
	return e.text(), nil
}

func (e *editor) text() string {
	var b strings.Builder
	for i, line := range e.lines {
		if !e.gone[i] {
			b.WriteString(line + "\n")
		}
		for _, more := range e.behind[i] {
			b.WriteString(more + "\n")
		}
	}
	return b.String()
}

func find(fields []fieldValue, key string) *fieldValue {
	i := slices.IndexFunc(fields, func(f fieldValue) bool { return f.key == key })
	if i < 0 {
		return nil
	}
	return &fields[i]
}

// mapping changes the keys of a mapping in block style, which ends before line end.
func (e *editor) mapping(n *yaml.Node, end int, before, after []fieldValue, open bool) {
	last := n.Content[0].Line - 1
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		stop := end
		if i+2 < len(n.Content) {
			stop = n.Content[i+2].Line - 1
		}
		stop = e.trim(key, stop)
		last = max(last, stop-1)
		f := find(after, key.Value)
		switch {
		case f == nil && open:
			for line := key.Line - 1; line < stop; line++ {
				e.gone[line] = true
			}
		case f == nil:
		case sameText(find(before, key.Value), f):
		case canDescend(value, key, f):
			e.mapping(value, stop, find(before, key.Value).within, f.within, f.open)
		default:
			e.replace(key, value, stop, f.text)
		}
	}
	lead := strings.Repeat(" ", n.Content[0].Column-1)
	for i := range after {
		f := &after[i]
		present := slices.ContainsFunc(n.Content, func(k *yaml.Node) bool { return k.Value == f.key && isKey(n, k) })
		if !present && !sameText(find(before, f.key), f) {
			e.behind[last] = append(e.behind[last], lead+scalarKey(f.key)+": "+f.text)
		}
	}
}

func sameText(before, after *fieldValue) bool {
	return before != nil && before.text == after.text
}

func isKey(n, k *yaml.Node) bool { return slices.Index(n.Content, k)%2 == 0 }

// scalarKey writes a key; names of ours and of headers are plain nearly always.
func scalarKey(key string) string { return flowScalar(key) }

// trim returns where the lines of a key really end: blank lines and comments before the next key belong to that,
// unless they are indented deeper than the key is.
func (e *editor) trim(key *yaml.Node, stop int) int {
	for stop > key.Line {
		line := e.lines[stop-1]
		text := strings.TrimLeft(line, " \t")
		if text != "" && (text[0] != '#' || len(line)-len(text) >= key.Column) {
			break
		}
		stop--
	}
	return stop
}

// canDescend says whether a changed value is a mapping in block style in which the keys can be changed one by one.
func canDescend(value, key *yaml.Node, f *fieldValue) bool {
	if value.Kind != yaml.MappingNode || value.Style&yaml.FlowStyle != 0 || value.Line == key.Line || value.Anchor != "" {
		return false
	}
	if !f.open {
		return true
	}
	// The order of these keys counts: those that stay must stand as they are wanted, those that come behind them.
	var order []string
	for i := 0; i < len(value.Content); i += 2 {
		if find(f.within, value.Content[i].Value) != nil {
			order = append(order, value.Content[i].Value)
		}
	}
	if len(order) == 0 {
		return false // Nothing may stand where a mapping must.
	}
	for _, w := range f.within {
		if !slices.Contains(order, w.key) {
			order = append(order, w.key)
		}
	}
	return slices.EqualFunc(order, f.within, func(key string, w fieldValue) bool { return key == w.key })
}

// replace puts text in the place of a key's value, whose lines end before stop.
func (e *editor) replace(key, value *yaml.Node, stop int, text string) {
	at := key.Line - 1
	line := e.lines[at]
	colon := keyEnd(line, byteColumn(line, key.Column))
	rest := line[colon:]
	if stop == key.Line {
		comment := commentIn(rest)
		e.lines[at] = line[:colon] + " " + text
		if comment >= 0 {
			e.lines[at] += padding(rest[:comment], 1+len(text)) + rest[comment:]
		}
		return
	}
	// The value has several lines: it becomes one, and the comments in it get lines of their own.
	e.lines[at] = line[:colon] + " " + text
	region := rest + "\n" + strings.Join(e.lines[key.Line:stop], "\n")
	for i := key.Line; i < stop; i++ {
		e.gone[i] = true
	}
	lead := strings.Repeat(" ", key.Column-1)
	for _, c := range append(comments(value, nil), strings.Split(key.LineComment, "\n")...) {
		if c = strings.TrimSpace(c); c != "" && strings.Contains(region, c) {
			e.behind[at] = append(e.behind[at], lead+c)
		}
	}
}

// replaceFlow writes an entry in braces anew, its keys in their order.
func (e *editor) replaceFlow(n *yaml.Node, before, after []fieldValue) {
	var parts []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		if f := find(after, n.Content[i].Value); f != nil {
			parts = append(parts, flowScalar(f.key)+": "+f.flow)
		}
	}
	for i := range after {
		if f := &after[i]; firstLine(n.Content, f.key) == 0 && !sameText(find(before, f.key), f) {
			parts = append(parts, flowScalar(f.key)+": "+f.flow)
		}
	}
	at := n.Line - 1
	line := e.lines[at]
	open := byteColumn(line, n.Column)
	text := "{" + strings.Join(parts, ", ") + "}"
	if len(e.lines) == n.Line {
		rest := line[open:]
		comment := commentIn(rest)
		e.lines[at] = line[:open] + text
		if comment >= 0 {
			e.lines[at] += padding(rest[:comment], len(text)) + rest[comment:]
		}
		return
	}
	region := strings.Join(e.lines[at:], "\n")
	e.lines[at] = line[:open] + text
	for i := n.Line; i < len(e.lines); i++ {
		e.gone[i] = true
	}
	lead := strings.Repeat(" ", n.Column-1)
	for _, c := range comments(n, nil) {
		if c = strings.TrimSpace(c); c != "" && strings.Contains(region, c) {
			e.behind[at] = append(e.behind[at], lead+c)
		}
	}
}

// comments collects the lines of all comments in and below a node.
func comments(n *yaml.Node, all []string) []string {
	for _, c := range []string{n.HeadComment, n.LineComment} {
		all = append(all, strings.Split(c, "\n")...)
	}
	for _, child := range n.Content {
		all = comments(child, all)
	}
	return append(all, strings.Split(n.FootComment, "\n")...)
}

// padding returns the spaces between a value of the given length and its comment, which was set off by before: as
// many as keep the comment in its column where comments are aligned, otherwise one.
func padding(before string, length int) string {
	if !strings.HasSuffix(before, "  ") {
		return " "
	}
	return strings.Repeat(" ", max(len(before)-length, 1))
}

// byteColumn turns a node's column, which counts characters from 1, into an index.
func byteColumn(line string, column int) int {
	at := 0
	for ; column > 1 && at < len(line); column-- {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	return at
}

// keyEnd returns the index behind the colon of the key that begins at.
func keyEnd(line string, at int) int {
	for at += quoted(line[at:]); at < len(line); at++ {
		if line[at] == ':' && (at+1 == len(line) || line[at+1] == ' ' || line[at+1] == '\t') {
			return at + 1
		}
	}
	return len(line)
}

// quoted returns the length of the quoted text that s begins with, 0 if it begins with none, len(s) if it does not
// end.
func quoted(s string) int {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[0] == '"' && s[i] == '\\':
			i++
		case s[i] == s[0] && s[0] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// commentIn finds the comment behind a value that stands in one line, -1 if there is none.
func commentIn(s string) int {
	depth := 0
	value := true // Whether a value may begin here, so that a quote opens one.
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case value && (c == '"' || c == '\''):
			i += quoted(s[i:]) - 1
			value = false
		case c == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t'):
			return i
		case value && (c == '{' || c == '['):
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth > 0 && (c == ',' || c == ':'):
			value = true
		case c != ' ' && c != '\t':
			value = false
		}
	}
	return -1
}

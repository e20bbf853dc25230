package filestore

import (
	"bytes"
)

// layout says where the entries of a file stand, so that one of them can be changed without touching a byte of the
// others. It is found by indentation alone:
//
//	providers:            <- section
//	  # text              <- trivia: blank lines and comments that are not indented deeper than the dashes
//	  - name: a           <- entry: from the line of its dash ...
//	    hostname: b       <- ... to its last line that is not trivia
//	routes: []            <- a section without entries
//
// Only files in which both lists are written like that have a layout. Others are brought into it first (see
// normalize).
type layout struct {
	providers, routes section
	crlf              bool // Lines end with CR LF.
}

// span is a range of bytes, always of whole lines.
type span struct{ start, end int }

// section is one of the two lists.
type section struct {
	found   bool
	inline  bool // Nothing but [] stands behind the key.
	head    span // The line with the key.
	entries []span
	indent  int // Of the dashes.
	reach   int // Where the section ends, trivia included.
}

// limit returns where the text of entry i ends when the trivia behind it is counted to it: a block scalar may hold
// blank lines at its end.
func (s *section) limit(i int) int {
	if i+1 < len(s.entries) {
		return s.entries[i+1].start
	}
	return s.reach
}

// findLayout returns the layout of a file that is known to be good, and whether it has one.
func findLayout(data []byte) (layout, bool) {
	l := layout{crlf: bytes.Contains(data, []byte("\r\n"))}
	if hasOddBreaks(data) {
		return l, false
	}
	var at *section // The section we are in.
	started := false
	for start := 0; start < len(data); {
		end := start + bytes.IndexByte(data[start:], '\n') + 1
		if end == start {
			end = len(data)
		}
		indent := start
		for indent < end && data[indent] == ' ' {
			indent++
		}
		text := data[indent:end] // With its break, which is trivia where nothing else stands.
		indent -= start
		switch {
		case isTrivia(text):
			// A comment that is indented deeper than the dashes belongs to the entry: it may even be text of a block scalar.
			if at != nil && len(at.entries) > 0 && len(bytes.TrimSpace(text)) > 0 && indent > at.indent {
				at.entries[len(at.entries)-1].end = end
			}
		case text[0] == '\t':
			return l, false
		case isDash(text) && at != nil && !at.inline && (len(at.entries) == 0 || indent == at.indent):
			at.indent = indent
			at.entries = append(at.entries, span{start, end})
		case at != nil && len(at.entries) > 0 && indent > at.indent:
			at.entries[len(at.entries)-1].end = end
		case indent == 0 && !started && string(bytes.TrimRight(text, " \r\n")) == "---":
			started = true
		case indent == 0:
			started = true
			next := l.named(bytes.TrimRight(text, "\r\n"))
			if next == nil || next.found {
				return l, false
			}
			if at != nil {
				at.reach = start
			}
			at = next
			*at = section{found: true, head: span{start, end}}
			value := string(valueOf(data, at.head))
			if at.inline = value == "[]"; !at.inline && value != "" {
				return l, false
			}
		default:
			return l, false
		}
		start = end
	}
	if at != nil {
		at.reach = len(data)
	}
	return l, l.providers.found
}

// named returns the section whose key stands in a line of the top level, nil if it is neither.
func (l *layout) named(line []byte) *section {
	key, rest, _ := bytes.Cut(line, []byte(":"))
	if len(rest) > 0 && rest[0] != ' ' {
		return nil
	}
	switch string(key) {
	case "providers":
		return &l.providers
	case "routes":
		return &l.routes
	}
	return nil
}

// valueOf returns what stands behind the key in the line of a section, without a comment.
func valueOf(data []byte, head span) []byte {
	_, value, _ := bytes.Cut(bytes.TrimRight(data[head.start:head.end], "\r\n"), []byte(":"))
	if i := commentStart(value); i >= 0 {
		value = value[:i]
	}
	return bytes.TrimSpace(value)
}

// commentStart finds the comment in the rest of a line that begins outside of quotes and brackets, -1 if there is
// none: a "#" at its start or behind a space.
func commentStart(text []byte) int {
	for i, c := range text {
		if c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
			return i
		}
	}
	return -1
}

// isTrivia says whether a line is blank or a comment; its break may be part of it.
func isTrivia(text []byte) bool {
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '#'
		}
	}
	return true
}

// isDash says whether an entry begins in a line; its break may be part of it.
func isDash(text []byte) bool {
	return text[0] == '-' && (len(text) == 1 || text[1] == ' ' || text[1] == '\r' || text[1] == '\n')
}

// hasOddBreaks says whether the file has line breaks that only YAML takes for such: a CR alone, NEL, LS or PS. Then
// our lines would not be the parser's.
func hasOddBreaks(data []byte) bool {
	for _, odd := range []string{"\u0085", "\u2028", "\u2029", "\uFEFF"} {
		if bytes.Contains(data, []byte(odd)) {
			return true
		}
	}
	return bytes.Count(data, []byte("\r")) != bytes.Count(data, []byte("\r\n"))
}

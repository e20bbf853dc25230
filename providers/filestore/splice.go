package filestore

import (
	"bytes"
	"slices"
	"strings"
)

// cut is a range of the file that is replaced by text.
type cut struct {
	span

	text string
}

// removal returns the cut of an entry. Comments above it stay: whether they are about this entry nobody can tell.
func (r *rewriter) removal(s span) cut {
	rest := r.data[s.end:]
	if isBlank(lastLine(r.data[:s.start])) {
		if line, _, _ := bytes.Cut(rest, []byte("\n")); len(rest) > 0 && isBlank(line) {
			s.end += min(len(line)+1, len(rest)) // Not two blank lines where there was one on each side.
		}
	}
	return cut{span: s}
}

func lastLine(data []byte) []byte {
	data = bytes.TrimSuffix(data, []byte("\n"))
	return data[bytes.LastIndexByte(data, '\n')+1:]
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

func (s *section) indentOr2() int {
	if len(s.entries) == 0 {
		return 2
	}
	return s.indent
}

// resize adds entries to a section and keeps it well-formed when the last goes or the first comes.
func (r *rewriter) resize(key string, s *section, removed int, added []string) {
	left := len(s.entries) - removed
	if !s.found {
		if len(added) > 0 {
			r.cuts = append(r.cuts, cut{span{len(r.data), len(r.data)}, "\n" + key + ":\n" + strings.Join(added, "")})
		}
		return
	}
	head := string(r.data[s.head.start:s.head.end])
	name, rest, _ := strings.Cut(head, ":")
	switch {
	case left == 0 && len(added) == 0 && removed > 0:
		r.cuts = append(r.cuts, cut{s.head, name + ": []" + rest})
	case s.inline && len(added) > 0:
		r.cuts = append(r.cuts, cut{s.head, name + ":" + strings.Replace(rest, " []", "", 1)})
	}
	if len(added) == 0 {
		return
	}
	at, blank := s.head.end, ""
	if n := len(s.entries); n > 0 {
		at = s.entries[n-1].end
		if n > 1 && r.isSpaced(s) {
			blank = "\n"
		}
	}
	r.cuts = append(r.cuts, cut{span{at, at}, blank + strings.Join(added, blank)})
}

// isSpaced says whether the entries of a section have blank lines between them.
func (r *rewriter) isSpaced(s *section) bool {
	n := len(s.entries)
	between := r.data[s.entries[n-2].end:s.entries[n-1].start]
	first, _, _ := bytes.Cut(between, []byte("\n"))
	return len(between) > 0 && isBlank(first)
}

// apply puts all cuts into the file.
func (r *rewriter) apply() []byte {
	slices.SortStableFunc(r.cuts, func(a, b cut) int { return a.start - b.start })
	grown := 0
	for _, c := range r.cuts {
		grown += len(c.text)
	}
	out := make([]byte, 0, len(r.data)+grown+grown/16+2)
	at := 0
	for _, c := range r.cuts {
		out = append(out, r.data[at:c.start]...)
		at = c.end
		text := c.text
		if len(out) > 0 && out[len(out)-1] != '\n' && text != "" {
			text = "\n" + text // The file's last line had no break.
		}
		text = strings.ReplaceAll(text, "\r\n", "\n")
		if r.layout.crlf {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		out = append(out, text...)
	}
	return append(out, r.data[at:]...)
}

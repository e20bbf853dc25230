package sdp

import "bytes"

// walker goes once through a description, line by line, and stops at each media section. It checks as it goes: when it
// ends with bad set, the body is no session description, or one that two readers could take for different ones.
type walker struct {
	body             []byte
	start, stop, end int // The line being looked at: its text is body[start:stop], the next line begins at end.
	returns          int // How many CRs belong to line endings.
	bad              bool
}

// open reads the session's own lines, and stops at the first media section or at the end.
func (w *walker) open() {
	if bytes.IndexByte(w.body, 0) >= 0 || !w.advance() || string(w.body[w.start:w.stop]) != "v=0" {
		w.bad = true
		return
	}
	for w.advance() && w.body[w.start] != 'm' {
		continue
	}
}

// more reports whether the walker stands on a media section that is still to be read.
func (w *walker) more() bool { return !w.bad && w.start < len(w.body) }

// section reads the media section whose m-line the walker stands on, and stops at the next one or at the end. It
// reports false when the section cannot be read.
func (w *walker) section(p *Policy, m *media) bool {
	if !m.open(p, w.body, w.start, w.stop) {
		w.bad = true
		return false
	}
	for w.advance() && w.body[w.start] != 'm' {
		if m.rtp && !m.describe(p, w.body, w.start, w.stop, w.end) {
			w.bad = true
			return false
		}
	}
	return !w.bad
}

// advance goes to the next line. It reports false at the end, and when the line cannot stand in a description.
func (w *walker) advance() bool {
	w.start = w.end
	if w.start == len(w.body) {
		// A CR inside a line ends it for some readers and not for others.
		w.bad = w.bad || bytes.Count(w.body, []byte{'\r'}) != w.returns
		return false
	}
	n := bytes.IndexByte(w.body[w.start:], '\n')
	if n < 0 {
		w.stop, w.end = len(w.body), len(w.body)
	} else if w.stop, w.end = w.start+n, w.start+n+1; n > 0 && w.body[w.stop-1] == '\r' {
		w.stop--
		w.returns++
	}
	text := w.body[w.start:w.stop]
	if len(text) == 0 {
		return w.tail()
	}
	if len(text) < 2 || text[1] != '=' || !isLetter(text[0]) || text[0] == 'v' && w.start > 0 {
		w.bad = true
		return false
	}
	return true
}

// tail is called on an empty line. Some append empty lines to a description; inside of one they mean nothing.
func (w *walker) tail() bool {
	for at := w.end; at < len(w.body); {
		stop, end := lineAt(w.body, at)
		if stop > at {
			w.bad = true
			return false
		}
		if end-stop == len("\r\n") {
			w.returns++
		}
		at = end
	}
	w.end = len(w.body)
	return w.advance()
}

// isLetter reports whether c is a letter, as the type of a line is.
func isLetter(c byte) bool {
	c |= 0x20
	return 'a' <= c && c <= 'z'
}

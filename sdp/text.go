package sdp

import "bytes"

// equalFold reports whether b is the lower-case text s when the case of ASCII letters does not count.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// lower puts ASCII letters into lower case and keeps every other byte.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// upper puts ASCII letters into upper case and keeps every other byte.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c + 'A' - 'a'
		}
	}
	return string(b)
}

// hasPrefix reports whether b begins with s.
func hasPrefix(b []byte, s string) bool {
	return len(b) >= len(s) && string(b[:len(s)]) == s
}

// isBlank reports whether c separates the words of a line.
func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isSpace reports whether c is white space in a header value, which may be folded over lines.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trimLeft cuts white space from the begin.
func trimLeft(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

// trim cuts white space from both ends.
func trim(b []byte) []byte {
	b = trimLeft(b)
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// number reads the decimal number that b begins with, up to limit, and returns how many bytes it takes; 0 bytes when
// there is none, or when it is above the limit.
func number(b []byte, limit uint32) (value uint32, size int) {
	total := uint64(0)
	for size < len(b) && '0' <= b[size] && b[size] <= '9' {
		total = total*10 + uint64(b[size]-'0')
		if total > uint64(limit) {
			return 0, 0
		}
		size++
	}
	return uint32(total), size
}

// word finds the first word of body[at:stop]: body[from:to], which is empty when there is none.
func word(body []byte, at, stop int) (from, to int) {
	for at < stop && isBlank(body[at]) {
		at++
	}
	from = at
	for at < stop && !isBlank(body[at]) {
		at++
	}
	return from, at
}

// lineAt returns the line that begins at body[at]: its text is body[at:stop], the next line begins at end. It ends
// with CRLF, with LF, or with the body.
func lineAt(body []byte, at int) (stop, end int) {
	n := bytes.IndexByte(body[at:], '\n')
	if n < 0 {
		return len(body), len(body)
	}
	stop, end = at+n, at+n+1
	if stop > at && body[stop-1] == '\r' {
		stop--
	}
	return stop, end
}

package transport

import "bytes"

// lengthCeiling is more than any message may have, and far from overflow.
const lengthCeiling = 1 << 30

// contentLength returns the size of the body that follows a header block, 0
// when it does not say. The field may be written out or compact, in any case,
// with space before the colon and its value on a continuation line (RFC 3261
// sections 7.3.1 and 20.14). Copies that agree are accepted: what they say is
// clear.
func contentLength(head []byte) (int, error) {
	length, found := 0, false
	rest := head[bytes.IndexByte(head, '\n')+1:]
	for len(rest) > 0 {
		size := fieldSize(rest)
		value, ok := lengthField(rest[:size])
		rest = rest[size:]
		if !ok {
			continue
		}
		n, ok := parseLength(value)
		if !ok || found && n != length {
			return 0, errLength
		}
		length, found = n, true
	}
	return length, nil
}

// fieldSize returns how many bytes the first header field has, continuation
// lines included.
func fieldSize(b []byte) int {
	size := 0
	for {
		i := bytes.IndexByte(b[size:], '\n')
		if i < 0 {
			return len(b)
		}
		size += i + 1
		if size == len(b) || b[size] != ' ' && b[size] != '\t' {
			return size
		}
	}
}

// lengthField returns the value of a header field if it is a Content-Length.
func lengthField(field []byte) (value []byte, ok bool) {
	if c := field[0] | 0x20; c != 'c' && c != 'l' {
		return nil, false
	}
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok {
		return nil, false
	}
	name = bytes.TrimRight(name, " \t")
	if len(name) != 1 && !bytes.EqualFold(name, []byte("Content-Length")) || len(name) == 1 && name[0]|0x20 != 'l' {
		return nil, false
	}
	return bytes.Trim(value, " \t\r\n"), true
}

// parseLength reads a decimal number. One that is far too large is as good as
// lengthCeiling.
func parseLength(value []byte) (n int, ok bool) {
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), lengthCeiling)
	}
	return n, len(value) > 0
}

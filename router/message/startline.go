package message

import "bytes"

// tokenChars has the characters of an RFC 3261 token.
var tokenChars = func() (t [256]bool) { //nolint:gochecknoglobals // A lookup table.
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = true, true
	}
	for _, c := range []byte("-.!%*_+`'~") {
		t[c] = true
	}
	return t
}()

// IsToken says whether a byte may stand in an RFC 3261 token.
func IsToken(c byte) bool { return tokenChars[c] }

// startLine reads [pos, end), the first line without its line end.
func (m *Message) startLine(pos, end int) *Fault {
	line := m.Buf[pos:end]
	if len(line) >= 4 && EqualFold(line[:4], "sip/") {
		m.Request = false
		return m.statusLine(pos, line)
	}
	m.Request = true
	return m.requestLine(pos, line)
}

// statusLine reads "SIP/2.0 180 Ringing"; the phrase may be empty, the code has exactly three digits.
func (m *Message) statusLine(pos int, line []byte) *Fault {
	if len(line) < 11 || !EqualFold(line[:8], "sip/2.0 ") || len(line) > 11 && line[11] != ' ' {
		return ErrStatusLine
	}
	code := 0
	for _, c := range line[8:11] {
		if c < '0' || c > '9' {
			return ErrStatusLine
		}
		code = code*10 + int(c-'0')
	}
	if code < 100 || code > 699 || bareCR(line) {
		return ErrStatusLine
	}
	m.Status = code
	m.Reason = Span{uint32(pos + min(12, len(line))), uint32(pos + len(line))}
	return nil
}

// requestLine reads "METHOD SP Request-URI SP SIP/2.0": single spaces, nothing behind.
func (m *Message) requestLine(pos int, line []byte) *Fault {
	sp1 := bytes.IndexByte(line, ' ')
	// The version may be followed by white space that must not be there; it is looked for all the same, to tell a
	// bad SIP request, which is answered, from noise, which is not.
	trimmed := line
	for n := len(trimmed); n > 0 && (trimmed[n-1] == ' ' || trimmed[n-1] == '\t'); n-- {
		trimmed = trimmed[:n-1]
	}
	sp2 := bytes.LastIndexByte(trimmed, ' ')
	if sp1 <= 0 || sp2 < 0 || len(trimmed)-sp2 < 5 || !EqualFold(trimmed[sp2+1:sp2+5], "sip/") {
		return ErrNotSIP
	}
	for _, c := range line[:sp1] {
		if !IsToken(c) {
			return ErrNotSIP
		}
	}
	p := uint32(pos)
	m.MethodText = Span{p, p + uint32(sp1)}
	m.Method = MethodOf(line[:sp1])
	if sp2 > sp1 {
		m.URI = Span{p + uint32(sp1) + 1, p + uint32(sp2)}
	}
	if v := trimmed[sp2+1:]; !EqualFold(v, "sip/2.0") {
		return ErrVersion
	}
	if len(trimmed) != len(line) || m.URI.Empty() {
		return ErrRequestLine
	}
	for _, c := range m.Bytes(m.URI) {
		if c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7f {
			return ErrRequestLine
		}
	}
	return nil
}

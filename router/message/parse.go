package message

import "bytes"

// maxHeaders bounds the index of a message; the longest real messages have some sixty header lines.
const maxHeaders = 1024

// Parse indexes buf, one whole datagram or framed message. Empty lines before the start line are skipped (RFC 3261
// section 7.5), bytes behind the body are cut off (section 18.3).
//
// The error is a *Fault. With a Fault of Status 400 or 505 the message is indexed as far as it could be read, so that
// it can be answered.
func (m *Message) Parse(buf []byte) error {
	return m.parse(buf, false)
}

// ParseHead indexes the head of a message that was cut short, such as the one an ICMP error carries: a line or a body
// that ends early is no fault.
func (m *Message) ParseHead(buf []byte) error {
	return m.parse(buf, true)
}

func (m *Message) parse(buf []byte, cut bool) error {
	m.Headers = m.Headers[:0]
	m.first, m.last = [numKinds]int16{}, [numKinds]int16{}
	m.Method, m.Status = MethodOther, 0
	m.MethodText, m.URI, m.Reason = Span{}, Span{}, Span{}
	m.Buf, m.BodyStart, m.HeadersEnd = buf, uint32(len(buf)), uint32(len(buf))

	pos := 0
	for pos < len(buf) && (buf[pos] == '\r' || buf[pos] == '\n') {
		pos++
	}
	n := bytes.IndexByte(buf[pos:], '\n')
	if n < 0 {
		return ErrNotSIP
	}
	end := pos + n
	if end > pos && buf[end-1] == '\r' {
		end--
	}
	fault := m.startLine(pos, end)
	if fault == ErrNotSIP || fault == ErrStatusLine {
		return fault
	}
	// From here on a fault is remembered, and the rest is read all the same for the reply that tells it.
	if f := m.headers(pos+n+1, cut); f != nil && fault == nil {
		fault = f
	}
	if fault == nil && !cut {
		fault = m.body()
	}
	if fault != nil {
		return fault
	}
	return nil
}

// headers indexes the lines from pos to the empty line.
func (m *Message) headers(pos int, cut bool) *Fault {
	buf := m.Buf
	start := pos
	returns := 0 // Carriage returns that end a line, with its line feed.
	var fault *Fault
	for {
		if pos >= len(buf) {
			m.HeadersEnd, m.BodyStart = uint32(len(buf)), uint32(len(buf))
			if !cut && fault == nil {
				fault = ErrHeadersEnd
			}
			return fault
		}
		if c := buf[pos]; c == '\n' {
			m.HeadersEnd, m.BodyStart = uint32(pos), uint32(pos+1)
			break
		} else if c == '\r' && pos+1 < len(buf) && buf[pos+1] == '\n' {
			m.HeadersEnd, m.BodyStart = uint32(pos), uint32(pos+2)
			break
		}
		// The end of the line, and of the lines folded into it; the text ends before its line break.
		end, text := pos, pos
		for {
			n := bytes.IndexByte(buf[end:], '\n')
			if n < 0 {
				if cut {
					return fault
				}
				m.HeadersEnd, m.BodyStart = uint32(len(buf)), uint32(len(buf))
				return ErrHeadersEnd
			}
			end += n + 1
			text = end - 1
			if n > 0 && buf[text-1] == '\r' {
				returns++
				text--
			}
			if end >= len(buf) || buf[end] != ' ' && buf[end] != '\t' {
				break
			}
		}
		if len(m.Headers) == maxHeaders {
			m.HeadersEnd, m.BodyStart = uint32(pos), uint32(len(buf))
			return ErrTooManyHeaders
		}
		if f := m.header(pos, text, end); f != nil && fault == nil {
			fault = f
		}
		pos = end
	}
	// A carriage return alone ends a line for some receivers and for others it does not.
	if fault == nil && bytes.Count(buf[start:m.HeadersEnd], carriageReturn) != returns {
		fault = ErrHeaderLine
	}
	return fault
}

var carriageReturn = []byte{'\r'} //nolint:gochecknoglobals // A constant; bytes.Count wants a slice.

// header indexes one header line [pos, end), its line break included, which begins at stop.
func (m *Message) header(pos, stop, end int) *Fault {
	line := m.Buf[pos:stop]
	kind, name := usual(m.Buf[pos:])
	start := name
	if name == 0 {
		// A name with anything but token characters would be read differently by the next element.
		for name < len(line) && tokenChars[line[name]] {
			name++
		}
		start = name
		for start < len(line) && (line[start] == ' ' || line[start] == '\t') {
			start++
		}
		if name == 0 || start == len(line) || line[start] != ':' {
			return ErrHeaderLine
		}
		kind = kindOf(line[:name])
		if kind == Other && line[0]|0x20 == 'v' && private(line[:name]) {
			kind = Private
		}
	}
	start++
	last := len(line)
	for last > start && isSpace(line[last-1]) {
		last--
	}
	for start < last && isSpace(line[start]) {
		start++
	}
	p := uint32(pos)
	m.Headers = append(m.Headers, Header{
		Line:  Span{p, uint32(end)},
		Name:  Span{p, p + uint32(name)},
		Value: Span{p + uint32(start), p + uint32(last)},
		Kind:  kind,
	})
	if kind == Other {
		return nil
	}
	i := int16(len(m.Headers))
	m.last[kind] = i
	if m.first[kind] == 0 {
		m.first[kind] = i
	} else if kind.singleton() {
		return ErrRepeated
	}
	return nil
}

// body finds the end of the body by Content-Length; without one it reaches to the end (RFC 3261 section 18.3).
func (m *Message) body() *Fault {
	h := m.First(ContentLength)
	if h == nil {
		return nil
	}
	n, ok := ParseUint(m.Bytes(h.Value), 1<<31)
	if !ok || int(n) > len(m.Buf)-int(m.BodyStart) {
		return ErrContentLength
	}
	m.Buf = m.Buf[:m.BodyStart+n]
	return nil
}

// bareCR says whether a carriage return stands without its line feed.
func bareCR(v []byte) bool {
	for i, c := range v {
		if c == '\r' && (i+1 == len(v) || v[i+1] != '\n') {
			return true
		}
	}
	return false
}

// ParseUint reads decimal digits only, up to and including limit.
func ParseUint(b []byte, limit uint64) (uint32, bool) {
	if len(b) == 0 || limit > 1<<32-1 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > limit {
			return 0, false
		}
	}
	return uint32(n), true
}

// isSpace asks first what is false of nearly all bytes.
func isSpace(c byte) bool { return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n') }

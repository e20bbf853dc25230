package message

import "bytes"

// MagicCookie begins the branch of every element that follows RFC 3261 (section 8.1.1.7).
const MagicCookie = "z9hG4bK"

// ViaElem is one element of a Via header:
//
//	SIP/2.0/UDP host:port;branch=z9hG4bKx;rport=5060;received=192.0.2.1, SIP/2.0/TCP ...
//	|           |         |                                            ||
//	Elem.Start  SentBy    Params                                 Elem.End Next
type ViaElem struct {
	Elem     Span // The whole element, without the comma.
	SentBy   Span // host[:port].
	Params   Span // From the first ";".
	Branch   Span // The value.
	RPort    Span // The parameter with its ";" and value; empty when it is not there.
	Received Span // The same for received.
	Next     uint32
	Proto    Span // "UDP".
	Port     uint16
	Host     Span
	V6       bool
	More     bool // A comma and another element follow at Next.
	HasRPort bool // There is an rport parameter, with or without value.
}

// TopVia reads the first element of the first Via header.
func (m *Message) TopVia() (ViaElem, *Fault) {
	h := m.First(Via)
	if h == nil {
		return ViaElem{}, ErrMissing
	}
	return ParseVia(m.Buf, h.Value)
}

// ParseVia reads the element that starts a span of a Via value. White space is allowed wherever RFC 3261 section
// 25.1 allows it.
func ParseVia(buf []byte, s Span) (ViaElem, *Fault) {
	var v ViaElem
	end := elemEnd(buf, s)
	v.Elem = Span{s.Start, end}
	v.Next = end
	if end < s.End {
		v.More, v.Next = true, skipSpace(buf, end+1, s.End)
		if v.Next == s.End {
			return v, ErrVia
		}
	}
	for v.Elem.End > v.Elem.Start && isSpace(buf[v.Elem.End-1]) {
		v.Elem.End--
	}
	limit := v.Elem.End
	pos := s.Start
	// sent-protocol: three tokens with slashes, the first two nearly always spelt like this.
	first := 0
	if limit-pos > 8 && string(buf[pos:pos+8]) == "SIP/2.0/" {
		first, pos = 2, pos+8
	}
	for i := first; i < 3; i++ {
		start := skipSpace(buf, pos, limit)
		pos = start
		for pos < limit && tokenChars[buf[pos]] {
			pos++
		}
		tok := Span{start, pos}
		switch {
		case tok.Empty(), i == 0 && !EqualFold(buf[tok.Start:tok.End], "sip"):
			return v, ErrVia
		case i == 2:
			v.Proto = tok
		default:
			if pos = skipSpace(buf, pos, limit); pos >= limit || buf[pos] != '/' {
				return v, ErrVia
			}
			pos++
		}
	}
	if pos >= limit || !isSpace(buf[pos]) {
		return v, ErrVia
	}
	pos = skipSpace(buf, pos, limit)
	v.SentBy.Start = pos
	pos = limit
	if n := bytes.IndexByte(buf[v.SentBy.Start:limit], ';'); n >= 0 {
		pos = v.SentBy.Start + uint32(n)
	}
	v.SentBy.End = pos
	for v.SentBy.End > v.SentBy.Start && isSpace(buf[v.SentBy.End-1]) {
		v.SentBy.End--
	}
	host, port, v6, ok := hostPort(buf[v.SentBy.Start:v.SentBy.End])
	if !ok {
		return v, ErrVia
	}
	v.Port, v.V6 = port, v6
	v.Host = Span{v.SentBy.Start, v.SentBy.Start + uint32(len(host))}
	if v6 {
		v.Host.Start, v.Host.End = v.Host.Start+1, v.Host.End+1
	}
	v.Params = Span{pos, limit}
	return v, v.params(buf)
}

// params finds the parameters that we read, and refuses what is no parameter at all.
func (v *ViaElem) params(buf []byte) *Fault {
	pos, end := v.Params.Start, v.Params.End
	for pos < end {
		// buf[pos] is the ";".
		start := skipSpace(buf, pos+1, end)
		i := start
		for i < end && tokenChars[buf[i]] {
			i++
		}
		name := buf[start:i]
		i = skipSpace(buf, i, end)
		value := Span{i, i}
		if i < end && buf[i] == '=' {
			value.Start = skipSpace(buf, i+1, end)
			i = paramEnd(buf, value.Start, end)
			value.End = i
			for value.End > value.Start && isSpace(buf[value.End-1]) {
				value.End--
			}
		}
		if len(name) == 0 || i < end && buf[i] != ';' {
			return ErrVia
		}
		whole := Span{pos, i}
		switch len(name) {
		case len("branch"):
			if EqualFold(name, "branch") {
				if !v.Branch.Empty() || value.Empty() {
					return ErrVia
				}
				v.Branch = value
			}
		case len("rport"):
			if EqualFold(name, "rport") {
				v.RPort, v.HasRPort = whole, true
			}
		case len("received"):
			if EqualFold(name, "received") {
				v.Received = whole
			}
		}
		pos = i
	}
	return nil
}

// paramEnd is where a parameter's value ends: at the next semicolon that is not in quotes.
func paramEnd(buf []byte, pos, end uint32) uint32 {
	n := bytes.IndexByte(buf[pos:end], ';')
	if n < 0 {
		return end
	}
	if first := pos + uint32(n); bytes.IndexByte(buf[pos:first], '"') < 0 {
		return first
	}
	quoted := false
	for ; pos < end; pos++ {
		switch c := buf[pos]; {
		case c == ';' && !quoted:
			return pos
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			pos++
		}
	}
	return end
}

// elemEnd is where an element of a comma-separated header ends: at the comma, or at the end of the span. Commas in
// quotes and in angle brackets do not count.
func elemEnd(buf []byte, s Span) uint32 {
	if bytes.IndexByte(buf[s.Start:s.End], ',') < 0 {
		return s.End
	}
	quoted, angle := false, false
	for i := s.Start; i < s.End; i++ {
		switch c := buf[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			return i
		}
	}
	return s.End
}

func skipSpace(buf []byte, pos, end uint32) uint32 {
	for pos < end && isSpace(buf[pos]) {
		pos++
	}
	return pos
}

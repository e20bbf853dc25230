package message

import "bytes"

// NameAddr is one element of From, To, Contact, Route or Record-Route:
//
//	"Alice" <sip:alice@example.net;lr>;tag=1, <sip:...>
type NameAddr struct {
	Elem    Span // The whole element, without the comma.
	URI     Span // Without the angle brackets.
	Params  Span // Header parameters, from the first ";".
	Next    uint32
	More    bool // A comma and another element follow at Next.
	Bracket bool // The URI was in angle brackets.
}

// ParseNameAddr reads the element that starts a span. ok is false when quotes or brackets do not match, when there
// is no URI, or when an unquoted display name holds a comma.
func ParseNameAddr(buf []byte, s Span) (n NameAddr, ok bool) {
	pos := skipSpace(buf, s.Start, s.End)
	n.Elem.Start = pos
	// Display name: quoted, or words up to "<".
	if pos < s.End && buf[pos] == '"' {
		for pos++; ; pos++ {
			if pos >= s.End {
				return n, false
			}
			if buf[pos] == '\\' {
				pos++
				continue
			}
			if buf[pos] == '"' {
				break
			}
		}
		pos = skipSpace(buf, pos+1, s.End)
		if pos >= s.End || buf[pos] != '<' {
			return n, false
		}
	}
	open := pos
	for open < s.End && buf[open] != '<' && buf[open] != ',' && buf[open] != '"' && buf[open] != ';' {
		open++
	}
	switch {
	case open < s.End && buf[open] == '<':
		end := bytes.IndexByte(buf[open:s.End], '>')
		if end < 0 {
			return n, false
		}
		n.Bracket = true
		n.URI = Span{open + 1, open + uint32(end)}
		pos = open + uint32(end) + 1
	case open < s.End && buf[open] == '"':
		return n, false
	default:
		// addr-spec: its parameters are the header's (RFC 3261 section 20.10).
		n.URI.Start = pos
		for pos < s.End && buf[pos] != ';' && buf[pos] != ',' && !isSpace(buf[pos]) {
			pos++
		}
		n.URI.End = pos
	}
	u := trimSpace(buf[n.URI.Start:n.URI.End])
	if bytes.IndexByte(u, ':') <= 0 {
		return n, false
	}
	n.URI.Start = skipSpace(buf, n.URI.Start, n.URI.End)
	n.URI.End = n.URI.Start + uint32(len(u))
	pos = skipSpace(buf, pos, s.End)
	end := elemEnd(buf, Span{pos, s.End})
	n.Params, n.Next = Span{pos, end}, end
	if end < s.End {
		n.More, n.Next = true, skipSpace(buf, end+1, s.End)
	}
	for n.Params.End > n.Params.Start && isSpace(buf[n.Params.End-1]) {
		n.Params.End--
	}
	n.Elem.End = n.Params.End
	if n.Params.Empty() {
		n.Elem.End = pos
		for n.Elem.End > n.Elem.Start && isSpace(buf[n.Elem.End-1]) {
			n.Elem.End--
		}
	} else if buf[n.Params.Start] != ';' {
		return n, false
	}
	return n, true
}

// Address reads a From or To header: its element and the value of its tag, nil when it has none.
func (m *Message) Address(k Kind) (n NameAddr, tag []byte, fault *Fault) {
	fault = ErrFrom
	if k == To {
		fault = ErrTo
	}
	h := m.First(k)
	if h == nil {
		return n, nil, ErrMissing
	}
	n, ok := ParseNameAddr(m.Buf, h.Value)
	if !ok || n.More {
		return n, nil, fault
	}
	tag, _ = Param(m.Bytes(n.Params), "tag")
	return n, tag, nil
}

// CSeqOf reads the CSeq header: the number and the method's text (RFC 3261 section 20.16).
func (m *Message) CSeqOf() (n uint32, method []byte, fault *Fault) {
	h := m.First(CSeq)
	if h == nil {
		return 0, nil, ErrMissing
	}
	v := m.Bytes(h.Value)
	i := 0
	for i < len(v) && !isSpace(v[i]) {
		i++
	}
	n, ok := ParseUint(v[:i], 1<<32-1)
	method = trimSpace(v[i:])
	if !ok || len(method) == 0 {
		return 0, nil, ErrCSeq
	}
	for _, c := range method {
		if !IsToken(c) {
			return 0, nil, ErrCSeq
		}
	}
	return n, method, nil
}

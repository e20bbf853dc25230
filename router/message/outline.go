package message

import "bytes"

// Outline is what the answer to a request needs of it (RFC 3261 section 8.2.6.2), for when there is no time to read the
// request. Spans are of whole lines, their line break included.
type Outline struct {
	Via                    Span // All Via lines.
	Top                    ViaElem
	From, To, CallID, CSeq Span
}

// Read finds the outline of a request outside a dialog that is written as nearly all are: each line ends by CR LF, none is
// folded, the five headers are there and spelt like in the RFC, the Via lines follow one another, and To has no
// parameters. It is false for every other one, which is for Parse to look at. Where it is true, Parse finds the same, if it
// finds no fault: what is wrong elsewhere in the request is not seen here.
func (o *Outline) Read(buf []byte) bool {
	*o = Outline{}
	pos := bytes.IndexByte(buf, '\n') + 1
	if pos < 2 || buf[pos-2] != '\r' {
		return false
	}
	lines := 1
	for ; ; lines++ {
		rest := buf[pos:]
		n := bytes.IndexByte(rest, '\n')
		if n < 1 || rest[n-1] != '\r' {
			return false
		}
		if n == 1 {
			break
		}
		if !o.line(rest, Span{uint32(pos), uint32(pos + n + 1)}) {
			return false
		}
		pos += n + 1
	}
	if o.Via.Empty() || o.From.Empty() || o.To.Empty() || o.CallID.Empty() || o.CSeq.Empty() ||
		bytes.Count(buf[:pos], carriageReturn) != lines {
		return false
	}
	to, ok := ParseNameAddr(buf, value(buf, o.To.Start+uint32(len("To:"))))
	if !ok || !to.Bracket || !to.Params.Empty() || to.More {
		return false
	}
	var fault *Fault
	o.Top, fault = ParseVia(buf, value(buf, o.Via.Start+uint32(len("Via:"))))
	return fault == nil
}

// TopViaOf reads the first element of a request's first header line, which is a Via nearly always. It is false when that is
// another one, or written in an unusual way.
func TopViaOf(buf []byte) (ViaElem, bool) {
	pos := bytes.IndexByte(buf, '\n') + 1
	if kind, _ := usual(buf[pos:]); pos == 0 || kind != Via || bytes.IndexByte(buf[pos:], '\n') < 0 {
		return ViaElem{}, false
	}
	v, fault := ParseVia(buf, value(buf, uint32(pos+len("Via:"))))
	return v, fault == nil
}

// value is the span from start to the end of its line, without white space around.
func value(buf []byte, start uint32) Span {
	s := Span{start, start + uint32(bytes.IndexByte(buf[start:], '\n'))}
	for s.End > s.Start && isSpace(buf[s.End-1]) {
		s.End--
	}
	s.Start = skipSpace(buf, s.Start, s.End)
	return s
}

// line notes one header line, which begins rest.
func (o *Outline) line(rest []byte, s Span) bool {
	kind, name := usual(rest)
	if name == 0 {
		return !unusual(rest[:s.Len()])
	}
	var to *Span
	switch kind {
	case Via:
		if !o.Via.Empty() && o.Via.End == s.Start {
			o.Via.End = s.End
			return true
		}
		to = &o.Via
	case From:
		to = &o.From
	case To:
		to = &o.To
	case CallID:
		to = &o.CallID
	case CSeq:
		to = &o.CSeq
	default:
		return true
	}
	if !to.Empty() {
		return false
	}
	*to = s
	return true
}

// unusual says whether a line is folded into the one before it, or one of the headers of an outline in another spelling.
func unusual(line []byte) bool {
	switch line[0] | 0x20 {
	case ' ', '\t' | 0x20:
		return true
	case 'v', 'f', 't', 'i', 'c':
		name := line[:max(bytes.IndexByte(line, ':'), 0)]
		switch kindOf(trimSpace(name)) { //nolint:exhaustive // Those of an outline.
		case Via, From, To, CallID, CSeq:
			return true
		}
	}
	return false
}

package sdp

// part is one part of a multipart body: its header fields, an empty line, and its content (RFC 2046 section 5.1).
type part struct {
	header, start, end int // The header is body[header:start], empty line included; the content body[start:end].
	kind               kind
	boundary           []byte // Of a composite part.
	encoded            bool   // The content is not what the type says, but an encoding of it.
	length, lengthEnd  int    // The number of its own Content-Length is body[length:lengthEnd], if that is not empty.
	lineBreak          int    // How many bytes of line break part the content from the delimiter.
}

// parts goes through the parts of a multipart body:
//
//	preamble CRLF
//	--boundary CRLF
//	Content-Type: application/sdp CRLF
//	CRLF
//	content CRLF               this line break belongs to the delimiter
//	--boundary-- CRLF
//	epilogue
//
// When it ends without bad set, it has seen the closing delimiter.
type parts struct {
	body, boundary []byte
	at             int // Where the next part begins.
	bad            bool
}

// open goes to the first part. It reports false when there is none.
func (s *parts) open() bool {
	s.bad = len(s.boundary) == 0
	if s.bad {
		return false
	}
	_, next, last := s.delimiter(0)
	s.at = next
	s.bad = next < 0
	return !s.bad && !last
}

// next reads the part that begins at s.at. It reports whether another one follows.
func (s *parts) next(p *part) bool {
	delimiter, next, last := s.delimiter(s.at)
	if next < 0 {
		s.bad = true
		*p = part{}
		return false
	}
	end := delimiter
	if end > s.at && s.body[end-1] == '\n' {
		end--
		if end > s.at && s.body[end-1] == '\r' {
			end--
		}
	}
	*p = part{header: s.at, end: end, lineBreak: delimiter - end}
	p.fields(s.body)
	s.at = next
	return !last
}

// delimiter finds the next delimiter line from a line's begin on: where it begins, and where the line behind it does
// (-1 without one), and whether it is the closing one.
func (s *parts) delimiter(at int) (begin, next int, last bool) {
	for at < len(s.body) {
		stop, end := lineAt(s.body, at)
		line := s.body[at:stop]
		if len(line) >= 2+len(s.boundary) && line[0] == '-' && line[1] == '-' &&
			string(line[2:2+len(s.boundary)]) == string(s.boundary) {
			rest := line[2+len(s.boundary):]
			closing := hasPrefix(rest, "--")
			if closing {
				rest = rest[2:]
			}
			if len(trim(rest)) == 0 {
				return at, end, closing
			}
		}
		at = end
	}
	return len(s.body), -1, false
}

// fields reads the header of a part, and sets where its content begins.
func (p *part) fields(body []byte) {
	for at := p.header; at < p.end; {
		stop, end := lineAt(body, at)
		if stop == at {
			p.start = min(end, p.end)
			return
		}
		for end < p.end && isBlank(body[end]) { // The value goes on in the next line.
			stop, end = lineAt(body, end)
		}
		p.field(body, at, min(stop, p.end))
		at = end
	}
	p.start = p.end
}

// field reads the header field body[at:stop]. The one-letter names are SIP's; some write them inside of bodies too.
func (p *part) field(body []byte, at, stop int) {
	raw := untilByte(body[at:stop], ':')
	if len(raw) == stop-at {
		return
	}
	value := body[at+len(raw)+1 : stop]
	switch name := trim(raw); {
	case equalFold(name, "content-type"), equalFold(name, "c"):
		p.kind, p.boundary = kindOf(value)
	case equalFold(name, "content-encoding"), equalFold(name, "e"):
		p.encoded = p.encoded || encodes(value)
	case equalFold(name, "content-transfer-encoding"):
		p.encoded = p.encoded || transforms(value)
	case equalFold(name, "content-length"), equalFold(name, "l"):
		p.length = stop - len(trimLeft(value))
		p.lengthEnd = p.length + len(trim(value))
	}
}

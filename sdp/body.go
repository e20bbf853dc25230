package sdp

import (
	"math"
	"slices"
	"strconv"
)

// maxNesting is how many multipart bodies may stand in one another. Real ones have two.
const maxNesting = 8

// FilterBody appends the body of a SIP message to dst with the policy applied to the session descriptions in it, and
// returns the longer dst; contentType and contentEncoding are the values of those header fields, nil when the message
// has none. As with Filter, dst comes back as it was when the outcome is not Edited.
//
// A body of type application/sdp is filtered. In a multipart body each application/sdp part is, at any depth; a
// Content-Length among the headers of a part is set right, and all else stays byte for byte. Other types are Untouched.
// What is signed or encrypted (multipart/signed, multipart/encrypted, application/pkcs7-mime), or has a
// Content-Encoding, or as a part a Content-Transfer-Encoding that changes bytes, is Protected, unless something beside
// it was edited.
//
// A multipart body with more than one session description is taken as a whole: with one of them the outcome is NoCodec
// or else Unreadable, it is so for the body.
func (p *Policy) FilterBody(dst, contentType, contentEncoding, body []byte) ([]byte, Outcome) {
	if p.Unrestricted() || len(body) == 0 {
		return dst, Untouched
	}
	what, boundary := kindOf(contentType)
	return p.filterKind(dst, body, what, boundary, encodes(contentEncoding), 0)
}

// filterKind filters a body or a part of one by what it is.
func (p *Policy) filterKind(dst, body []byte, what kind, boundary []byte, encoded bool, depth int) ([]byte, Outcome) {
	switch {
	case what == opaque:
		return dst, Untouched
	case what == locked || encoded:
		return dst, Protected
	case what == session:
		return p.Filter(dst, body)
	case depth == maxNesting:
		return dst, Unreadable
	}
	return p.filterParts(dst, body, boundary, depth+1)
}

// filterParts filters a multipart body.
func (p *Policy) filterParts(dst, body, boundary []byte, depth int) ([]byte, Outcome) {
	var seen [Protected + 1]bool // The outcomes of the parts.
	var one part
	out := dst
	copied := 0
	s := parts{body: body, boundary: boundary}
	for more := s.open(); more; {
		more = s.next(&one)
		if one.kind == opaque {
			continue
		}
		mark := len(out)
		out = slices.Grow(out, len(body)-copied)
		out = append(out, body[copied:one.start]...)
		begin := len(out)
		var outcome Outcome
		out, outcome = p.filterKind(out, body[one.start:one.end], one.kind, one.boundary, one.encoded, depth)
		seen[outcome] = true
		if outcome != Edited {
			out = out[:mark]
			continue
		}
		out = one.setLength(out, body, begin-one.start, len(out)-begin)
		copied = one.end
	}
	switch {
	case s.bad || seen[Unreadable] && !seen[NoCodec]:
		return dst, Unreadable
	case seen[NoCodec]:
		return dst, NoCodec
	case seen[Edited]:
		return append(out, body[copied:]...), Edited
	case seen[Protected]:
		return dst, Protected
	}
	return dst, Untouched
}

// setLength corrects the Content-Length of a part that was appended to out with content of a new size; shift is how far
// its header went from body to out. Some count the line break before the delimiter as content: the new number does so
// when the old one did.
func (p *part) setLength(out, body []byte, shift, size int) []byte {
	was, digits := number(body[p.length:p.lengthEnd], math.MaxInt32)
	if digits == 0 || digits < p.lengthEnd-p.length {
		return out
	}
	if int(was) == p.end-p.start+p.lineBreak {
		size += p.lineBreak
	}
	var buf [20]byte
	return slices.Replace(out, p.length+shift, p.lengthEnd+shift, strconv.AppendInt(buf[:0], int64(size), 10)...)
}

// ViolatesBody is Violates for the body of a SIP message: it looks at each session description in it that FilterBody
// would filter.
func (p *Policy) ViolatesBody(contentType, contentEncoding, body []byte) bool {
	if p.Unrestricted() || len(body) == 0 {
		return false
	}
	what, boundary := kindOf(contentType)
	return p.violatesKind(body, what, boundary, encodes(contentEncoding), 0)
}

// violatesKind checks a body or a part of one by what it is.
func (p *Policy) violatesKind(body []byte, what kind, boundary []byte, encoded bool, depth int) bool {
	if what == session && !encoded {
		return p.Violates(body)
	}
	if what != composite || encoded || depth == maxNesting {
		return false
	}
	var one part
	found := false
	s := parts{body: body, boundary: boundary}
	for more := s.open(); more; {
		more = s.next(&one)
		found = found || p.violatesKind(body[one.start:one.end], one.kind, one.boundary, one.encoded, depth+1)
	}
	return found && !s.bad
}

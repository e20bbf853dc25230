// Package message is a SIP message (RFC 3261 section 7) as a view over its bytes, and edits spliced into a copy.
//
// A message is never taken apart and printed again. Parse finds where things are; whatever no edit names leaves
// byte for byte as it came:
//
//	INVITE sip:+15551234567@example.net SIP/2.0\r\n      start line: Method, URI
//	v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n         Headers[0]: Kind Via, Line, Name, Value
//	Subject: a long\r\n                                  Headers[1]: Kind Other;
//	 story\r\n                                             its Value holds the folding
//	\r\n                                                 HeadersEnd: the empty line
//	v=0\r\n...                                           Body
//
// All positions are Spans into Buf. The fields that a proxy needs (Via, From, To, CSeq, the URI) are read from their
// spans when asked for, by functions that allocate nothing.
package message

// Span is a half-open range [Start, End) of a message's bytes.
type Span struct{ Start, End uint32 }

// Len is the number of bytes of the span.
func (s Span) Len() int { return int(s.End - s.Start) }

// Empty says whether the span holds nothing.
func (s Span) Empty() bool { return s.Start >= s.End }

// Header is one header line, folded lines included.
type Header struct {
	Line  Span // From the first byte of the name to past the line's end.
	Name  Span
	Value Span // Without surrounding white space; may contain folds.
	Kind  Kind
}

// Message is a parsed message. It is meant to be reused: Parse resets it and keeps its memory. It refers to the
// buffer given to Parse and is valid as long as that is.
type Message struct {
	Buf     []byte // The message; ends where its body ends.
	Request bool

	Method     Method
	MethodText Span
	URI        Span // Request-URI.

	Status int // Status code of a response, 100 to 699.
	Reason Span

	Headers    []Header
	HeadersEnd uint32 // Where the empty line starts: new headers go in here.
	BodyStart  uint32

	first [numKinds]int16 // Index of the first header of each kind, plus one.
	last  [numKinds]int16 // The same for the last.
}

// Bytes is the text of a span.
func (m *Message) Bytes(s Span) []byte { return m.Buf[s.Start:s.End] }

// Body is the message body; empty when there is none.
func (m *Message) Body() []byte { return m.Buf[m.BodyStart:] }

// BodySpan is where the body is.
func (m *Message) BodySpan() Span { return Span{m.BodyStart, uint32(len(m.Buf))} }

// Has says whether a header of this kind is there.
func (m *Message) Has(k Kind) bool { return m.first[k] != 0 }

// First returns the first header of a kind, or nil.
func (m *Message) First(k Kind) *Header {
	if i := m.first[k]; i != 0 {
		return &m.Headers[i-1]
	}
	return nil
}

// Value is the text of the first header of a kind, nil when there is none.
func (m *Message) Value(k Kind) []byte {
	if h := m.First(k); h != nil {
		return m.Bytes(h.Value)
	}
	return nil
}

// Range returns the indexes [from, to) of Headers between which all headers of a kind lie. Others may lie between
// them too.
func (m *Message) Range(k Kind) (from, to int) {
	if m.first[k] == 0 {
		return 0, 0
	}
	return int(m.first[k]) - 1, int(m.last[k])
}

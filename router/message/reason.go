package message

import "iter"

// ReasonValue is one value of a Reason header (RFC 3326): why, in the words of a protocol. Its texts are parts of the
// message.
type ReasonValue struct {
	Protocol []byte // "Q.850", "SIP".
	Cause    int    // -1 when there is none.
	Text     []byte // As written, quotes included; nil when there is none.
}

// maxReasons bounds how many values of Reason headers are read. RFC 3326 allows one for each protocol.
const maxReasons = 16

// Reasons are the values of all Reason headers, in their order. What cannot be read as one is left out.
func (m *Message) Reasons() iter.Seq[ReasonValue] {
	return func(yield func(ReasonValue) bool) {
		left := maxReasons
		first, end := m.Range(Reason)
		for i := first; i < end; i++ {
			h := &m.Headers[i]
			if h.Kind != Reason {
				continue
			}
			for rest := m.Bytes(h.Value); len(rest) > 0 && left > 0; left-- {
				var one []byte
				one, rest = nextElement(rest)
				if v, ok := parseReason(one); ok && !yield(v) {
					return
				}
			}
		}
	}
}

// nextElement splits a list at its first comma that does not stand in quotes.
func nextElement(b []byte) (one, rest []byte) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case b[i] == ',' && !quoted:
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// parseReason reads protocol *(";" parameter).
func parseReason(b []byte) (v ReasonValue, ok bool) {
	name, params := nextParam(b)
	v.Protocol, v.Cause = trimSpace(name), -1
	if len(v.Protocol) == 0 {
		return v, false
	}
	for _, c := range v.Protocol {
		if !IsToken(c) {
			return v, false
		}
	}
	if text, has := Param(params, "cause"); has {
		if n, good := ParseUint(text, 1<<16); good {
			v.Cause = int(n)
		}
	}
	v.Text, _ = Param(params, "text")
	return v, true
}

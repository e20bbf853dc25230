//go:build linux

package load

import (
	"bytes"
	"strconv"
)

const (
	maxVias   = 8
	maxRoutes = 8
)

// message is a view of a datagram. Header lines stand with their names and line ends, so that a reply can copy
// them as they came.
type message struct {
	request bool
	method  []byte // Of a request.
	uri     []byte // Of a request.
	code    int    // Of a reply.

	via          [maxVias][]byte
	recordRoute  [maxRoutes][]byte
	vias, routes int // How many Via and Record-Route lines there are.
	leftRoutes   int // How many Route lines there are.

	from, to, callID, cseq []byte // Whole lines.
	contact                []byte // Values.
	account, trace         []byte
	cseqMethod             []byte
	accounts, traces       int
	maxForwards            int // -1 when missing.
	contentLength          int // -1 when missing.
	retryAfter             int // -1 when missing.
	cseqNumber             int
	body                   []byte

	id, run uint32 // From the Call-ID.
}

// scan reads a datagram. It returns false for what is no SIP message of this generator's calls.
func (m *message) scan(b []byte) bool {
	*m = message{maxForwards: -1, contentLength: -1, retryAfter: -1}
	end := bytes.IndexByte(b, '\n')
	if end < 0 || !m.startLine(bytes.TrimSuffix(b[:end], []byte{'\r'})) {
		return false
	}
	for b = b[end+1:]; ; b = b[end+1:] {
		end = bytes.IndexByte(b, '\n')
		if end < 0 {
			return false
		}
		if end == 0 || end == 1 && b[0] == '\r' {
			m.body = b[end+1:]
			break
		}
		m.header(b[:end+1])
	}
	return m.identify()
}

func (m *message) startLine(line []byte) bool {
	const version = "SIP/2.0"
	first, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return false
	}
	if string(first) == version {
		if len(rest) < 3 {
			return false
		}
		code, err := strconv.Atoi(string(rest[:3]))
		m.code = code
		return err == nil
	}
	m.request, m.method = true, first
	uri, last, ok := bytes.Cut(rest, []byte{' '})
	m.uri = uri
	return ok && string(last) == version
}

// header takes one line with its end.
func (m *message) header(line []byte) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return
	}
	name, value = trim(name), trim(value)
	switch {
	case named(name, "via", 'v'):
		if m.vias < maxVias {
			m.via[m.vias] = line
		}
		m.vias++
	case named(name, "record-route", 0):
		if m.routes < maxRoutes {
			m.recordRoute[m.routes] = line
		}
		m.routes++
	case named(name, "route", 0):
		m.leftRoutes++
	case named(name, "from", 'f'):
		m.from = line
	case named(name, "to", 't'):
		m.to = line
	case named(name, "call-id", 'i'):
		m.callID = line
		m.id, _ = parseHex(value)
		if len(value) > 9 {
			m.run, _ = parseHex(value[9:])
		}
	case named(name, "cseq", 0):
		m.cseq = line
		n, method, _ := bytes.Cut(value, []byte{' '})
		m.cseqNumber, m.cseqMethod = number(n), method
	case named(name, "contact", 'm'):
		m.contact = value
	case named(name, "content-length", 'l'):
		m.contentLength = number(value)
	case named(name, "retry-after", 0):
		m.retryAfter = number(value)
	case named(name, "max-forwards", 0):
		m.maxForwards = number(value)
	case named(name, "x-account", 0):
		m.account = value
		m.accounts++
	case named(name, "x-trace-id", 0):
		m.trace = value
		m.traces++
	}
}

func (m *message) identify() bool {
	return m.vias > 0 && m.vias <= maxVias && m.routes <= maxRoutes &&
		m.from != nil && m.to != nil && m.callID != nil && len(m.cseqMethod) > 0
}

// trim cuts white space off both ends: bytes.TrimSpace for bytes alone.
func trim(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] <= ' ' {
		b = b[:len(b)-1]
	}
	for len(b) > 0 && b[0] <= ' ' {
		b = b[1:]
	}
	return b
}

// named compares without case; the length settles most comparisons.
func named(name []byte, long string, short byte) bool {
	if len(name) == 1 {
		return short != 0 && name[0]|0x20 == short
	}
	if len(name) != len(long) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != long[i] {
			return false
		}
	}
	return true
}

// number reads a number of at most nine digits, and -1 for anything else.
func number(b []byte) int {
	if len(b) == 0 || len(b) > 9 {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

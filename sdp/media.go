package sdp

import (
	"math"
	"sync"
)

// maxPayload is the highest payload type that the seven bits of an RTP header can hold.
const maxPayload = 127

// payload is one payload type of a media section.
type payload struct {
	clocks [2]uint32 // Its clock rate, and a second one when it is mapped twice.
	at     uint32    // Where its number stands in the body.
	order  uint16    // Its place among those that stay: lower goes first.
	size   uint8     // How many digits its number has.
	number uint8
	role   role
	rank   uint8 // The element of the policy that names it, or unlisted.
	mapped bool  // It has an rtpmap.
	tied   bool  // Its fmtp decided what becomes of it.
	kept   bool
}

// mark is one line below an m-line: its text is body[at:stop], the next line begins at end.
type mark struct {
	at, stop, end int
	payload       int // Of an rtpmap; else -1.
}

// scratch has media sections to work on: they are too large to be made anew for each body.
var scratch = sync.Pool{New: func() any { //nolint:gochecknoglobals // A pool.
	m := new(media)
	m.marks = m.room[:0]
	return m
}}

// media is one media section: where the parts of its m-line are, and what its payload types mean.
type media struct {
	start         int // Where the m-line begins.
	port, portEnd int
	first, last   int // The formats are body[first:last].

	audio bool // It carries sound: audio with a port.
	rtp   bool // It is audio over RTP, so its formats are payload types; only then is the rest of use.

	index    [maxPayload + 1]uint8 // A payload type's place in payloads, plus one.
	payloads [maxPayload + 1]payload
	count    int

	// The lines that may have to go with a payload type, so that they need not be looked for again.
	marks []mark
	room  [32]mark // Where marks begins: more than the section of an ordinary phone has.

	kept  [maxPayload + 1]uint8 // What chosen leaves: places in payloads, in their new order.
	stays int                   // How many of kept are used.
	off   bool                  // No codec stays: the section is to be switched off.

	memo memo // Not of the section, but of those before it.
}

// open reads an m-line, body[start:stop]. It reports false when it is none.
func (m *media) open(p *Policy, body []byte, start, stop int) bool {
	m.start, m.count, m.audio, m.rtp, m.marks = start, 0, false, false, m.marks[:0]
	kind := start + len("m=")
	from, to := word(body, kind, stop)
	if from != kind || to == from {
		return false
	}
	name := body[from:to]

	m.port, m.portEnd = word(body, to, stop)
	port, ok := portNumber(body[m.port:m.portEnd])
	if !ok {
		return false
	}

	from, to = word(body, m.portEnd, stop)
	transport := body[from:to]
	m.first, m.last = word(body, to, stop)
	if m.first == m.last {
		return false
	}

	m.audio = port > 0 && equalFold(name, "audio")
	m.rtp = m.audio && isRTP(transport)
	if !m.rtp {
		return true
	}
	clear(m.index[:])
	for from, to := m.first, m.last; from < to; from, to = word(body, to, stop) {
		if !m.add(p, body, from, to) {
			return false
		}
		m.last = to
	}
	return true
}

// portNumber reads port or port/count.
func portNumber(b []byte) (port uint32, ok bool) {
	port, size := number(b, math.MaxUint16)
	if size == 0 || size == len(b) {
		return port, size > 0
	}
	if b[size] != '/' {
		return 0, false
	}
	count, more := number(b[size+1:], math.MaxUint16)
	return port, count > 0 && size+1+more == len(b)
}

// isRTP reports whether a transport is one of the RTP profiles of RFC 3551, 3711, 4585 and 5124, over what RFC 4571,
// 5764 and 7850 carry them.
func isRTP(transport []byte) bool {
	if string(transport) == "RTP/AVP" {
		return true
	}
	for _, under := range [...]string{"udp/tls/", "tcp/tls/", "tcp/dtls/", "tcp/"} {
		if len(transport) > len(under) && equalFold(transport[:len(under)], under) {
			transport = transport[len(under):]
			break
		}
	}
	return equalFold(transport, "rtp/avp") || equalFold(transport, "rtp/savp") ||
		equalFold(transport, "rtp/avpf") || equalFold(transport, "rtp/savpf")
}

// add enters the payload type body[from:to]. One that stands twice counts once.
func (m *media) add(p *Policy, body []byte, from, to int) bool {
	n, size := number(body[from:to], maxPayload)
	if size != to-from || size == 0 || size > len("127") {
		return false
	}
	if m.index[n] > 0 {
		return true
	}
	e := &m.payloads[m.count]
	m.count++
	m.index[n] = uint8(m.count)
	*e = payload{at: uint32(from), size: uint8(size), number: uint8(n), rank: unlisted}
	if int(n) < len(staticTypes) && staticTypes[n].clock > 0 {
		e.role, e.rank = roleCodec, p.static[n]
		e.clocks[0] = staticTypes[n].clock
		if n == staticNoise {
			e.role = roleNoise
		}
	}
	return true
}

// find returns the payload type that a number stands for, or nil when the m-line does not have it.
func (m *media) find(n uint32) *payload {
	if i := m.index[n]; i > 0 {
		return &m.payloads[i-1]
	}
	return nil
}

// describe reads the line body[at:stop] of the section: what an rtpmap says, and whether it may have to go later; the
// next line begins at end. It reports false for an rtpmap that cannot be read.
func (m *media) describe(p *Policy, body []byte, at, stop, end int) bool {
	line := body[at:stop]
	if len(line) < len("a=x") || line[0] != 'a' {
		return true
	}
	switch line[2] {
	case 'r':
		if hasPrefix(line, "a=rtpmap:") {
			break
		}
		m.marks = append(m.marks, mark{at, stop, end, -1})
		return true
	case 'f', 'i':
		m.marks = append(m.marks, mark{at, stop, end, -1})
		return true
	default:
		return true
	}
	from, to := word(line, len("a=rtpmap:"), len(line))
	n, size := number(line[from:to], maxPayload)
	if size == 0 || size != to-from {
		return false
	}
	m.marks = append(m.marks, mark{at, stop, end, int(n)})
	e := m.find(n)
	if e == nil {
		return true
	}
	from, to = word(line, to, len(line))
	name, clock, channels, ok := encoding(line[from:to])
	if ok {
		e.assign(p, name, clock, channels)
	}
	return ok
}

// encoding reads name/clock/channels; one channel is what goes without saying (RFC 8866 section 6.6).
func encoding(b []byte) (name []byte, clock, channels uint32, ok bool) {
	slash := 0
	for slash < len(b) && b[slash] != '/' {
		slash++
	}
	if slash == 0 || slash == len(b) {
		return nil, 0, 0, false
	}
	name, b = b[:slash], b[slash+1:]
	clock, size := number(b, math.MaxUint32)
	if clock == 0 {
		return nil, 0, 0, false
	}
	if size == len(b) {
		return name, clock, 1, true
	}
	channels, more := number(b[size+1:], math.MaxUint32)
	return name, clock, channels, b[size] == '/' && channels > 0 && size+1+more == len(b)
}

// assign gives the payload type its meaning. Some carriers map one payload type twice, as telephone-event at two
// clock rates: then it stays when either meaning would.
func (e *payload) assign(p *Policy, name []byte, clock, channels uint32) {
	what := roleOf(name)
	clock = rtpClock(name, clock)
	rank := uint8(unlisted)
	if what == roleCodec {
		rank = p.rank(name, clock, channels)
	}
	switch {
	case !e.mapped:
		e.mapped, e.role, e.rank = true, what, rank
		e.clocks[0] = clock
	case e.role != what:
	case what != roleCodec:
		e.clocks[1] = clock
	case rank < e.rank:
		e.rank, e.clocks[0] = rank, clock
	}
}

package sdp

import (
	"bytes"
	"math"
	"slices"
)

// Filter appends body, a session description, to dst with the policy applied, and returns the longer dst. When the
// outcome is not Edited, dst comes back as it was and the caller goes on with body as it is; what lies behind dst's
// length may be overwritten all the same. Body is only read, and must not share its bytes with dst.
//
// In each audio section over RTP it keeps the listed codecs, in the list's order, and what serves them: telephone-event
// (RFC 4733 section 2.1), CN (RFC 3389) and error correction at a clock rate of theirs, red (RFC 2198) and rtx (RFC
// 4588) that carry only what stays. A telephone-event that fits no codec of the section, not even one that goes, stays
// when no other fits what is left. The others leave the m-line, with their rtpmap, fmtp, rtcp-fb and imageattr lines,
// and the rid lines that name nothing else. A section without a codec left gets port 0, and keeps its first format;
// when that befalls each audio section that was on, the outcome is NoCodec.
//
// The result is never longer than body. Filtering it again changes nothing.
func (p *Policy) Filter(dst, body []byte) ([]byte, Outcome) {
	if p.Unrestricted() || len(body) == 0 {
		return dst, Untouched
	}
	if len(body) > math.MaxInt32 {
		return dst, Unreadable
	}
	m, _ := scratch.Get().(*media)
	defer scratch.Put(m)
	w := walker{body: body}
	w.open()
	tail := w.tailAt()
	if tail == 0 {
		return p.filter(m, &w, dst)
	}
	if known, result := m.memo.find(p, asksFilter, body[tail:]); known != nil {
		if known.outcome != Edited {
			return dst, known.outcome
		}
		return append(append(slices.Grow(dst, len(body)), body[:tail]...), result...), Edited
	}
	out, outcome := p.filter(m, &w, dst)
	k := memoKey{policy: p, question: asksFilter, outcome: outcome}
	switch result := out[len(dst):]; {
	case outcome != Edited:
		m.memo.add(k, body[tail:], nil)
	case bytes.HasPrefix(result, body[:tail]): // Else the port became 0.
		m.memo.add(k, body[tail:], result[tail:])
	}
	return out, outcome
}

// filter filters from the first m-line on, on which the walker stands.
func (p *Policy) filter(m *media, w *walker, dst []byte) ([]byte, Outcome) {
	body := w.body
	out := dst
	copied := 0 // How much of body is in out.
	on, off, edited := 0, 0, false
	for w.more() {
		if !w.section(p, m) {
			break
		}
		if !m.rtp {
			if m.audio {
				on++
			}
			continue
		}
		changes := m.choose(body)
		if m.off {
			off++
		} else {
			on++
		}
		if !changes {
			continue
		}
		if !edited {
			edited = true
			out = slices.Grow(out, len(body))
		}
		out = append(out, body[copied:m.start]...)
		out, copied = m.appendTo(out, body)
	}
	switch {
	case w.bad:
		return dst, Unreadable
	case off > 0 && on == 0:
		return dst, NoCodec
	case !edited:
		return dst, Untouched
	}
	return append(out, body[copied:]...), Edited
}

// appendTo appends the section to out, up to some line, with what chose left of it, and returns where in body the rest
// of the section begins.
func (m *media) appendTo(out, body []byte) ([]byte, int) {
	if m.off {
		out = append(out, body[m.start:m.port]...)
		out = append(out, '0')
		out = append(out, body[m.portEnd:m.first]...)
	} else {
		out = append(out, body[m.start:m.first]...)
	}
	for i, place := range m.kept[:m.stays] {
		if i > 0 {
			out = append(out, ' ')
		}
		e := &m.payloads[place]
		out = append(out, body[e.at:e.at+uint32(e.size)]...)
	}

	copied := m.last
	for i := range m.marks {
		l := &m.marks[i]
		goes := false
		if l.payload >= 0 {
			goes = m.gone(uint32(l.payload))
		} else {
			goes = m.removes(body[l.at:l.stop])
		}
		if goes {
			out = append(out, body[copied:l.at]...)
			copied = l.end
		}
	}
	return out, copied
}

// Violates reports whether an answer names an audio codec that the policy does not leave in an offer. It is meant for
// counting: such an answer is the provider's fault, and passes. What cannot be read violates nothing.
func (p *Policy) Violates(answer []byte) bool {
	if p.Unrestricted() || len(answer) == 0 || len(answer) > math.MaxInt32 {
		return false
	}
	m, _ := scratch.Get().(*media)
	defer scratch.Put(m)
	w := walker{body: answer}
	w.open()
	tail := w.tailAt()
	if tail == 0 {
		return p.violates(m, &w)
	}
	if known, _ := m.memo.find(p, asksViolates, answer[tail:]); known != nil {
		return known.violates
	}
	found := p.violates(m, &w)
	m.memo.add(memoKey{policy: p, question: asksViolates, violates: found}, answer[tail:], nil)
	return found
}

// violates reads from the first m-line on, on which the walker stands.
func (p *Policy) violates(m *media, w *walker) bool {
	found := false
	for w.more() {
		if !w.section(p, m) {
			break
		}
		for i := range m.count {
			e := &m.payloads[i]
			found = found || e.role == roleCodec && e.rank == unlisted
		}
	}
	return found && !w.bad
}

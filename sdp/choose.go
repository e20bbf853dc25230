package sdp

import "math"

// behind is the order of what no codec of its own ties to a place: it follows all codecs, as it was offered.
const behind = math.MaxUint16

// choose decides which payload types of a section stay, and in which order: the listed codecs in the list's order,
// each followed by the redundancy and retransmission that carry it, then what serves them all. It reports whether
// that is another m-line than the one that came.
func (m *media) choose(body []byte) bool {
	var redundant, repaired bool
	codecs := 0
	for i := range m.count {
		e := &m.payloads[i]
		e.kept = e.rank != unlisted
		e.order = uint16(e.rank) * 2
		if e.kept {
			codecs++
		}
		redundant = redundant || e.role == roleRedundancy
		repaired = repaired || e.role == roleRepair
	}
	m.off = codecs == 0
	if m.off {
		// A section needs a format, even one that is off (RFC 3264 section 6).
		m.payloads[0].kept = true
		m.kept[0], m.stays = 0, 1
		return true
	}
	m.follow()
	if redundant {
		m.tie(body, roleRedundancy)
	}
	if repaired {
		m.tie(body, roleRepair)
	}
	return m.sort()
}

// follow decides on the payload types that serve whatever codec shares their clock rate.
func (m *media) follow() {
	events := false
	for i := range m.count {
		e := &m.payloads[i]
		if e.role != roleEvent && e.role != roleNoise && e.role != roleFEC {
			continue
		}
		e.order = behind
		e.kept = m.clocked(e, true)
		events = events || e.kept && e.role == roleEvent
	}
	if events {
		return
	}
	// Some offer a telephone-event at 8 kHz with codecs of other rates only. It belongs to no codec that goes, so it
	// does not go either: without it there would be no digits.
	for i := range m.count {
		e := &m.payloads[i]
		if e.role == roleEvent {
			e.kept = !m.clocked(e, false)
		}
	}
}

// clocked reports whether a codec runs at a clock rate of e: one that stays, or any.
func (m *media) clocked(e *payload, stays bool) bool {
	for i := range m.count {
		c := &m.payloads[i]
		if c.role != roleCodec || stays && !c.kept {
			continue
		}
		if c.clocks[0] == e.clocks[0] || c.clocks[0] == e.clocks[1] {
			return true
		}
	}
	return false
}

// tie decides on the payload types of one role, red or rtx, by the payload types that their fmtp names: they stay when
// all of those stay. One that names none of this section stays with its clock rate.
func (m *media) tie(body []byte, what role) {
	for i := range m.count {
		if e := &m.payloads[i]; e.role == what {
			e.order = behind
			e.kept = m.clocked(e, true)
		}
	}
	for i := range m.marks {
		line := body[m.marks[i].at:m.marks[i].stop]
		if !hasPrefix(line, "a=fmtp:") {
			continue
		}
		n, rest, ok := subject(line, len("a=fmtp:"))
		if !ok {
			continue
		}
		e := m.find(n)
		if e == nil || e.role != what || e.tied {
			continue
		}
		list, separator := rest, byte('/')
		if what == roleRepair {
			list, separator = parameter(rest, "apt="), 0
		}
		m.tieTo(e, list, separator)
	}
}

// tieTo ties e to the payload types in a list. Those of its own role are not decided on yet, and do not count.
func (m *media) tieTo(e *payload, list []byte, separator byte) {
	kept, order := true, uint16(0)
	for {
		n, size := number(list, maxPayload)
		if size == 0 {
			break
		}
		if c := m.find(n); c != nil && c.role != e.role {
			e.tied = true
			kept = kept && c.kept
			order = max(order, c.order|1)
		}
		if size == len(list) || list[size] != separator {
			break
		}
		list = list[size+1:]
	}
	if e.tied {
		e.kept, e.order = kept, order
	}
}

// sort puts what stays into its order; what has the same place stays as it was offered. It reports whether this changes
// the m-line.
func (m *media) sort() bool {
	m.stays = 0
	for i := range m.count {
		if !m.payloads[i].kept {
			continue
		}
		at := m.stays
		for at > 0 && m.payloads[m.kept[at-1]].order > m.payloads[i].order {
			m.kept[at] = m.kept[at-1]
			at--
		}
		m.kept[at] = uint8(i)
		m.stays++
	}
	if m.stays < m.count {
		return true
	}
	for i := range m.stays {
		if int(m.kept[i]) != i {
			return true
		}
	}
	return false
}

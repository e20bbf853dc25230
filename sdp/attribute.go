package sdp

// removes reports whether a marked line of the section, other than an rtpmap, goes because all payload types that it names
// go. A line that names none, or any ("*"), or one that the m-line never had, stays.
func (m *media) removes(line []byte) bool {
	switch line[2] {
	case 'r':
		switch {
		case hasPrefix(line, "a=rtcp-fb:"):
			return m.removed(line, len("a=rtcp-fb:"))
		case hasPrefix(line, "a=rid:"):
			return m.removedAll(parameter(line, "pt="))
		}
	case 'f':
		return hasPrefix(line, "a=fmtp:") && m.removed(line, len("a=fmtp:"))
	case 'i':
		return hasPrefix(line, "a=imageattr:") && m.removed(line, len("a=imageattr:"))
	}
	return false
}

// removed reports whether the payload type that stands in a line at a place is one that goes.
func (m *media) removed(line []byte, at int) bool {
	n, _, ok := subject(line, at)
	return ok && m.gone(n)
}

// removedAll reports whether a comma-separated list of payload types names only such that go.
func (m *media) removedAll(list []byte) bool {
	for {
		n, size := number(list, maxPayload)
		if size == 0 || !m.gone(n) {
			return false
		}
		if size == len(list) || list[size] != ',' {
			return true
		}
		list = list[size+1:]
	}
}

// gone reports whether a payload type was in the m-line and does not stay.
func (m *media) gone(n uint32) bool {
	e := m.find(n)
	return e != nil && !e.kept
}

// subject reads the payload type at a place of an attribute, and returns what follows it.
func subject(line []byte, at int) (n uint32, rest []byte, ok bool) {
	from, to := word(line, at, len(line))
	n, size := number(line[from:to], maxPayload)
	if size == 0 || size != to-from {
		return 0, nil, false
	}
	from, _ = word(line, to, len(line))
	return n, line[from:], true
}

// parameter returns what follows name in a list of parameters, which are parted by ";" or blanks; nil without it.
func parameter(list []byte, name string) []byte {
	for i := 0; i+len(name) <= len(list); i++ {
		if (i == 0 || list[i-1] == ';' || isBlank(list[i-1])) && equalFold(list[i:i+len(name)], name) {
			return list[i+len(name):]
		}
	}
	return nil
}

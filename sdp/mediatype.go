package sdp

// kind tells what the policy may do with a body or a part of one.
type kind uint8

const (
	opaque    kind = iota // Something else: stays as it is.
	session               // A session description.
	composite             // Parts, which are looked at each for itself.
	locked                // Signed or encrypted: a change inside would break it.
)

// kindOf reads a Content-Type value, folded or not, and for a composite body its boundary.
func kindOf(value []byte) (k kind, boundary []byte) {
	full := value
	value = trim(untilByte(value, ';'))
	major := untilByte(value, '/')
	if len(major) == len(value) {
		return opaque, nil
	}
	minor := trim(value[len(major)+1:])
	major = trim(major)
	switch {
	case equalFold(major, "application"):
		switch {
		case equalFold(minor, "sdp"):
			return session, nil
		case equalFold(minor, "pkcs7-mime"), equalFold(minor, "x-pkcs7-mime"), equalFold(minor, "cms"):
			return locked, nil
		}
	case equalFold(major, "multipart"):
		if equalFold(minor, "signed") || equalFold(minor, "encrypted") {
			return locked, nil
		}
		return composite, boundaryOf(full)
	}
	return opaque, nil
}

// boundaryOf finds the boundary among the parameters of a Content-Type value; nil when there is none that can be used.
func boundaryOf(value []byte) []byte {
	for {
		value = value[len(untilByte(value, ';')):]
		if len(value) == 0 {
			return nil
		}
		value = value[1:]
		name := untilByte(value, '=')
		if len(name) == len(value) {
			return nil
		}
		found := equalFold(trim(name), "boundary")
		text, rest := parameterValue(value[len(name)+1:])
		if found {
			return text
		}
		value = rest
	}
}

// parameterValue reads a token or quoted string, and returns what follows it. Escapes in a quoted string are passed
// over, but left in: no boundary needs one (RFC 2046 section 5.1.1).
func parameterValue(b []byte) (text, rest []byte) {
	b = trimLeft(b)
	if len(b) == 0 || b[0] != '"' {
		text = untilByte(b, ';')
		return trim(text), b[len(text):]
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:]
		}
	}
	return nil, nil
}

// encodes reports whether a Content-Encoding value says anything but identity.
func encodes(value []byte) bool {
	for {
		one := untilByte(value, ',')
		if name := trim(one); len(name) > 0 && !equalFold(name, "identity") {
			return true
		}
		if len(one) == len(value) {
			return false
		}
		value = value[len(one)+1:]
	}
}

// transforms reports whether a Content-Transfer-Encoding value says that the bytes of a part are not its content.
func transforms(value []byte) bool {
	value = trim(value)
	return len(value) > 0 && !equalFold(value, "7bit") && !equalFold(value, "8bit") && !equalFold(value, "binary")
}

// untilByte returns what stands before the first c, or all of b.
func untilByte(b []byte, c byte) []byte {
	for i := range b {
		if b[i] == c {
			return b[:i]
		}
	}
	return b
}

package dialplan

// AppendUser appends the user part of the Request-URI for a provider: its prefix, the dial string and its postfix,
// with nothing between them. What may not stand raw in a user part (RFC 3261 section 25.1: unreserved, escaped and
// user-unreserved may) is percent-escaped. The dial string came in as a user part, so an escape in it stays as it is;
// a percent sign of the prefix or postfix is meant literally. With raw nothing is escaped.
func AppendUser(dst []byte, prefix string, dial []byte, postfix string, raw bool) []byte {
	if raw {
		dst = append(dst, prefix...)
		dst = append(dst, dial...)
		return append(dst, postfix...)
	}
	for i := range len(prefix) {
		dst = appendEscaped(dst, prefix[i])
	}
	for i := 0; i < len(dial); i++ {
		if _, ok := unescape(dial[i:]); ok {
			dst = append(dst, dial[i:i+3]...)
			i += len("HH")
			continue
		}
		dst = appendEscaped(dst, dial[i])
	}
	for i := range len(postfix) {
		dst = appendEscaped(dst, postfix[i])
	}
	return dst
}

func appendEscaped(dst []byte, c byte) []byte {
	if inUser(c) {
		return append(dst, c)
	}
	const hex = "0123456789ABCDEF"
	return append(dst, '%', hex[c>>4], hex[c&0xF])
}

// inUser says whether c may stand raw in the user part of a SIP URI.
func inUser(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '.', '!', '~', '*', '\'', '(', ')': // mark
		return true
	case '&', '=', '+', '$', ',', ';', '?', '/': // user-unreserved
		return true
	}
	return false
}

// unescape reads the escape that s begins with.
func unescape(s []byte) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	return high<<4 | low&0xF, high|low <= 0xF
}

// unhex is the value of a hexadecimal digit, or 0xFF.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}

package dialplan

import "bytes"

// Number is what the user part of a Request-URI says.
type Number struct {
	// Dial is the dial string as it goes out: an optional plus and digits when the user part reads as a number,
	// then the telephone-subscriber parameters as they came (";npdi;rn=..."); else exactly the user part.
	Dial []byte
	// Digits is what routes are matched by: the number without plus and international prefix. Empty: no number.
	Digits []byte
}

// ParseUser reads the user part of a SIP URI, or a tel URI behind its scheme, and returns it together with dst
// extended by what had to be written. Both fields of the Number alias user or dst.
//
// A number is digits with at most one plus, before the first of them, and with the visual separators of RFC 3966
// section 3 (-.() ) anywhere, which are dropped. Each of these characters may be percent-escaped. The first raw
// semicolon ends it. A number without plus that begins with one of international ("00", "011") and goes on is matched
// without it; the longest counts, and Dial keeps it.
func ParseUser(dst, user []byte, international [][]byte) (Number, []byte) {
	subscriber, parameters := user, []byte(nil)
	if i := bytes.IndexByte(user, ';'); i >= 0 {
		subscriber, parameters = user[:i], user[i:]
	}
	start := len(dst)
	plus, clean := 0, true // Whether subscriber can go out as it is.
	for i := 0; i < len(subscriber); i++ {
		c := subscriber[i]
		if c == '%' {
			var ok bool
			if c, ok = unescape(subscriber[i:]); !ok {
				return Number{Dial: user}, dst[:start]
			}
			i += len("HH")
			clean = false
		}
		switch {
		case c-'0' <= 9:
		case c == '+' && len(dst) == start:
			plus = 1
		case c == '-' || c == '.' || c == '(' || c == ')':
			clean = false
			continue
		default:
			return Number{Dial: user}, dst[:start]
		}
		dst = append(dst, c)
	}
	if len(dst)-start == plus {
		return Number{Dial: user}, dst[:start]
	}
	n := Number{Dial: user, Digits: subscriber[plus:]}
	if clean {
		dst = dst[:start]
	} else {
		end := len(dst)
		dst = append(dst, parameters...)
		n = Number{Dial: dst[start:], Digits: dst[start+plus : end]}
	}
	if plus == 0 {
		n.Digits = national(n.Digits, international)
	}
	return n, dst
}

// national returns digits without the longest of prefixes that they begin with and go on behind.
func national(digits []byte, prefixes [][]byte) []byte {
	cut := 0
	for _, p := range prefixes {
		if len(p) > cut && len(p) < len(digits) && bytes.HasPrefix(digits, p) {
			cut = len(p)
		}
	}
	return digits[cut:]
}

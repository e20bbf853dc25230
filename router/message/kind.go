package message

// Kind names a header that the proxy looks at. Everything else is Other.
type Kind uint8

// The kinds of header.
const (
	Other Kind = iota
	Via
	From
	To
	CallID
	CSeq
	MaxForwards
	Route
	RecordRoute
	Contact
	ContentLength
	ContentType
	ContentEncoding
	ProxyRequire
	Require
	ProxyAuthorization
	Authorization
	ProxyAuthenticate
	WWWAuthenticate
	RetryAfter
	Timestamp
	PAssertedIdentity
	Privacy
	MaxBreadth
	Reason
	SessionExpires
	RAck
	RSeq
	Private // VB-* and VBOUT-*: headers between the media servers and us, never forwarded.
	numKinds
)

// singleton tells the headers that may stand only once (RFC 3261 section 7.3.1): to pick one of two would let
// two elements read one message differently.
func (k Kind) singleton() bool {
	switch k { //nolint:exhaustive // Whatever is not named may repeat.
	case From, To, CallID, CSeq, MaxForwards, ContentLength, ContentType:
		return true
	default:
		return false
	}
}

// kindOf finds the kind of a header name, full or compact (RFC 3261 section 7.3.3), in any case.
func kindOf(name []byte) Kind {
	switch len(name) {
	case 1:
		switch name[0] | 0x20 {
		case 'v':
			return Via
		case 'f':
			return From
		case 't':
			return To
		case 'i':
			return CallID
		case 'm':
			return Contact
		case 'l':
			return ContentLength
		case 'c':
			return ContentType
		case 'e':
			return ContentEncoding
		case 'x':
			return SessionExpires
		}
	case 2:
		return is(name, "to", To)
	case 3:
		return is(name, "via", Via)
	case 4:
		switch name[0] | 0x20 {
		case 'f':
			return is(name, "from", From)
		case 'c':
			return is(name, "cseq", CSeq)
		case 'r':
			if name[1]|0x20 == 's' {
				return is(name, "rseq", RSeq)
			}
			return is(name, "rack", RAck)
		}
	case 5:
		return is(name, "route", Route)
	case 6:
		return is(name, "reason", Reason)
	case 7:
		switch name[0] | 0x20 {
		case 'c':
			if name[1]|0x20 == 'a' {
				return is(name, "call-id", CallID)
			}
			return is(name, "contact", Contact)
		case 'r':
			return is(name, "require", Require)
		case 'p':
			return is(name, "privacy", Privacy)
		}
	case 9:
		return is(name, "timestamp", Timestamp)
	case 11:
		if name[0]|0x20 == 'm' {
			return is(name, "max-breadth", MaxBreadth)
		}
		return is(name, "retry-after", RetryAfter)
	case 12:
		switch name[0] | 0x20 {
		case 'm':
			return is(name, "max-forwards", MaxForwards)
		case 'c':
			return is(name, "content-type", ContentType)
		case 'r':
			return is(name, "record-route", RecordRoute)
		}
	case 13:
		switch name[0] | 0x20 {
		case 'p':
			return is(name, "proxy-require", ProxyRequire)
		case 'a':
			return is(name, "authorization", Authorization)
		}
	case 14:
		return is(name, "content-length", ContentLength)
	case 15:
		return is(name, "session-expires", SessionExpires)
	case 16:
		switch name[0] | 0x20 {
		case 'c':
			return is(name, "content-encoding", ContentEncoding)
		case 'w':
			return is(name, "www-authenticate", WWWAuthenticate)
		}
	case 18:
		return is(name, "proxy-authenticate", ProxyAuthenticate)
	case 19:
		if name[1] == '-' {
			return is(name, "p-asserted-identity", PAssertedIdentity)
		}
		return is(name, "proxy-authorization", ProxyAuthorization)
	}
	return Other
}

// is returns k when name is want (in lower case) without regard to case.
func is(name []byte, want string, k Kind) Kind {
	if EqualFold(name, want) {
		return k
	}
	return Other
}

// private tells the headers that media servers send to us alone.
func private(name []byte) bool {
	if len(name) < 3 || name[0]|0x20 != 'v' || name[1]|0x20 != 'b' {
		return false
	}
	return name[2] == '-' || len(name) >= 6 && EqualFold(name[2:6], "out-")
}

// EqualFold compares ASCII text without regard to case; lower must be in lower case.
func EqualFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

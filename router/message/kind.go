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
	Event
	Private // VB-* and VBOUT-*: headers between the media servers and us, never forwarded.
	numKinds
)

// singleton tells the headers that may stand only once (RFC 3261 section 7.3.1): to pick one of two would let
// two elements read one message differently.
func (k Kind) singleton() bool {
	switch k {
	case From, To, CallID, CSeq, MaxForwards, ContentLength, ContentType:
		return true
	default:
		return false
	}
}

// usual finds the kind of a line that begins with one of the headers of nearly every message in the RFC's spelling, its
// colon behind it, and the length of the name. It is only there for speed: the length is 0 for a line that kindOf has to
// look at. What it is given may go on behind the line.
func usual(line []byte) (Kind, int) {
	if len(line) < len("Content-Length:") {
		return Other, 0
	}
	switch line[0] {
	case 'V':
		if string(line[:4]) == "Via:" {
			return Via, len("Via")
		}
	case 'F':
		if string(line[:5]) == "From:" {
			return From, len("From")
		}
	case 'T':
		if string(line[:3]) == "To:" {
			return To, len("To")
		}
	case 'C':
		switch line[1] {
		case 'a':
			if string(line[:8]) == "Call-ID:" {
				return CallID, len("Call-ID")
			}
		case 'S':
			if string(line[:5]) == "CSeq:" {
				return CSeq, len("CSeq")
			}
		case 'o':
			if string(line[:8]) == "Contact:" {
				return Contact, len("Contact")
			}
			if string(line[:15]) == "Content-Length:" {
				return ContentLength, len("Content-Length")
			}
			if string(line[:13]) == "Content-Type:" {
				return ContentType, len("Content-Type")
			}
		}
	case 'M':
		if string(line[:13]) == "Max-Forwards:" {
			return MaxForwards, len("Max-Forwards")
		}
	case 'R':
		if string(line[:6]) == "Route:" {
			return Route, len("Route")
		}
		if string(line[:13]) == "Record-Route:" {
			return RecordRoute, len("Record-Route")
		}
	case 'U':
		if string(line[:11]) == "User-Agent:" {
			return Other, len("User-Agent")
		}
	case 'S':
		if string(line[:7]) == "Server:" {
			return Other, len("Server")
		}
		if string(line[:10]) == "Supported:" {
			return Other, len("Supported")
		}
	case 'A':
		if string(line[:6]) == "Allow:" {
			return Other, len("Allow")
		}
	}
	return Other, 0
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
		case 'o':
			return Event
		}
	case 2:
		return is(name, "To", "to", To)
	case 3:
		return is(name, "Via", "via", Via)
	case 4:
		switch name[0] | 0x20 {
		case 'f':
			return is(name, "From", "from", From)
		case 'c':
			return is(name, "CSeq", "cseq", CSeq)
		case 'r':
			if name[1]|0x20 == 's' {
				return is(name, "RSeq", "rseq", RSeq)
			}
			return is(name, "RAck", "rack", RAck)
		}
	case 5:
		if name[0]|0x20 == 'e' {
			return is(name, "Event", "event", Event)
		}
		return is(name, "Route", "route", Route)
	case 6:
		return is(name, "Reason", "reason", Reason)
	case 7:
		switch name[0] | 0x20 {
		case 'c':
			if name[1]|0x20 == 'a' {
				return is(name, "Call-ID", "call-id", CallID)
			}
			return is(name, "Contact", "contact", Contact)
		case 'r':
			return is(name, "Require", "require", Require)
		case 'p':
			return is(name, "Privacy", "privacy", Privacy)
		}
	case 9:
		return is(name, "Timestamp", "timestamp", Timestamp)
	case 11:
		if name[0]|0x20 == 'm' {
			return is(name, "Max-Breadth", "max-breadth", MaxBreadth)
		}
		return is(name, "Retry-After", "retry-after", RetryAfter)
	case 12:
		switch name[0] | 0x20 {
		case 'm':
			return is(name, "Max-Forwards", "max-forwards", MaxForwards)
		case 'c':
			return is(name, "Content-Type", "content-type", ContentType)
		case 'r':
			return is(name, "Record-Route", "record-route", RecordRoute)
		}
	case 13:
		switch name[0] | 0x20 {
		case 'p':
			return is(name, "Proxy-Require", "proxy-require", ProxyRequire)
		case 'a':
			return is(name, "Authorization", "authorization", Authorization)
		}
	case 14:
		return is(name, "Content-Length", "content-length", ContentLength)
	case 15:
		return is(name, "Session-Expires", "session-expires", SessionExpires)
	case 16:
		switch name[0] | 0x20 {
		case 'c':
			return is(name, "Content-Encoding", "content-encoding", ContentEncoding)
		case 'w':
			return is(name, "WWW-Authenticate", "www-authenticate", WWWAuthenticate)
		}
	case 18:
		return is(name, "Proxy-Authenticate", "proxy-authenticate", ProxyAuthenticate)
	case 19:
		if name[1] == '-' {
			return is(name, "P-Asserted-Identity", "p-asserted-identity", PAssertedIdentity)
		}
		return is(name, "Proxy-Authorization", "proxy-authorization", ProxyAuthorization)
	}
	return Other
}

// is returns k when name is the given one without regard to case. Nearly everybody writes it as the RFC does, so that is
// compared first.
func is(name []byte, usual, lower string, k Kind) Kind {
	if string(name) == usual || EqualFold(name, lower) {
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

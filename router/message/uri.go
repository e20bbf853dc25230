package message

import (
	"bytes"
	"net/netip"
)

// Scheme is a URI's scheme.
type Scheme uint8

// The schemes that can be routed; everything else is 416.
const (
	SchemeSIP Scheme = iota
	SchemeSIPS
	SchemeTel
)

// URI is a SIP, SIPS or tel URI as slices of its text (RFC 3261 section 19.1, RFC 3966).
type URI struct {
	User    []byte // Without the password; for tel the subscriber with its parameters.
	Host    []byte // Without the brackets of an IPv6 address.
	Params  []byte // From the first ";" on, "" when there are none.
	Headers []byte // From "?" on.
	Port    uint16 // 0: none.
	Scheme  Scheme
	HasUser bool
	V6      bool // Host was in brackets.
}

// ParseURI reads a URI. The error is ErrScheme for a scheme that we do not route, ErrURI for a malformed one.
func ParseURI(b []byte) (URI, *Fault) {
	var u URI
	colon := bytes.IndexByte(b, ':')
	if colon <= 0 {
		return u, ErrURI
	}
	switch scheme := b[:colon]; {
	case EqualFold(scheme, "sip"):
	case EqualFold(scheme, "sips"):
		u.Scheme = SchemeSIPS
	case EqualFold(scheme, "tel"):
		u.Scheme, u.HasUser, u.User = SchemeTel, true, b[colon+1:]
		if len(u.User) == 0 {
			return u, ErrURI
		}
		return u, nil
	default:
		for _, c := range scheme {
			if !IsToken(c) {
				return u, ErrURI
			}
		}
		return u, ErrScheme
	}
	rest := b[colon+1:]
	if at := bytes.IndexByte(rest, '@'); at >= 0 {
		u.HasUser, u.User = true, rest[:at]
		if pw := bytes.IndexByte(u.User, ':'); pw >= 0 {
			u.User = u.User[:pw]
		}
		rest = rest[at+1:]
		if len(u.User) == 0 || bytes.IndexByte(rest, '@') >= 0 && !atInParams(rest) {
			return u, ErrURI
		}
	}
	hostport := rest
	if end := hostEnd(rest); end < len(rest) {
		hostport = rest[:end]
		u.Params = rest[end:]
		if q := bytes.IndexByte(u.Params, '?'); q >= 0 {
			u.Params, u.Headers = u.Params[:q], u.Params[q:]
		}
	}
	var ok bool
	if u.Host, u.Port, u.V6, ok = hostPort(hostport); !ok {
		return u, ErrURI
	}
	return u, nil
}

// atInParams says whether the "@" of rest stands behind the host, in parameters or headers.
func atInParams(rest []byte) bool {
	return hostEnd(rest) < bytes.IndexByte(rest, '@')
}

// hostEnd is where host and port end: at the parameters, the headers, or the end.
func hostEnd(b []byte) int {
	for i, c := range b {
		if c == ';' || c == '?' {
			return i
		}
	}
	return len(b)
}

// hostPort reads host[:port]; white space around the colon is allowed as in a Via.
func hostPort(b []byte) (host []byte, port uint16, v6, ok bool) {
	rest := b
	if len(b) > 0 && b[0] == '[' {
		n := bytes.IndexByte(b, ']')
		if n < 3 {
			return nil, 0, false, false
		}
		host, rest, v6 = b[1:n], b[n+1:], true
		for _, c := range host {
			if !isHex(c) && c != ':' && c != '.' && c != '%' {
				return nil, 0, false, false
			}
		}
	} else {
		n := 0
		for n < len(b) && hostChars[b[n]] {
			n++
		}
		host, rest = b[:n], b[n:]
	}
	if len(host) == 0 {
		return nil, 0, false, false
	}
	if rest = trimSpace(rest); len(rest) == 0 {
		return host, 0, v6, true
	}
	if rest[0] != ':' {
		return nil, 0, false, false
	}
	n, numeric := ParseUint(trimSpace(rest[1:]), 65535)
	if !numeric || n == 0 {
		return nil, 0, false, false
	}
	return host, uint16(n), v6, true
}

func isHex(c byte) bool { return c-'0' < 10 || (c|0x20)-'a' < 6 }

// hostChars has what host names hold, the underscore that many do hold included.
var hostChars = func() (t [256]bool) { //nolint:gochecknoglobals // A lookup table.
	for c := range t {
		b := byte(c)
		t[c] = b-'0' < 10 || (b|0x20)-'a' < 26 || b == '-' || b == '.' || b == '_'
	}
	return t
}()

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// Addr is the URI's host as an address; ok is false for a name. It allocates nothing for IPv4.
func (u *URI) Addr() (addr netip.Addr, ok bool) {
	return ParseAddr(u.Host)
}

// ParseAddr reads an IP address in text.
func ParseAddr(b []byte) (netip.Addr, bool) {
	if a, ok := parseV4(b); ok {
		return a, true
	}
	if bytes.IndexByte(b, ':') < 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(string(b))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

func parseV4(b []byte) (netip.Addr, bool) {
	var a [4]byte
	field, digits, n := 0, 0, 0
	for _, c := range b {
		switch {
		case c-'0' < 10 && digits < 3:
			n = n*10 + int(c-'0')
			if digits++; n > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && field < 3:
			a[field] = byte(n)
			field, digits, n = field+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if field != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	a[3] = byte(n)
	return netip.AddrFrom4(a), true
}

// Param finds a parameter in ";a=1;b;c=2": its value, empty for one without, and whether it is there. The name must
// be in lower case.
func Param(params []byte, name string) (value []byte, ok bool) {
	for len(params) > 0 {
		var p []byte
		p, params = nextParam(params)
		k, v := splitParam(p)
		if EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// nextParam splits ";x=1;y" into "x=1" and ";y"; semicolons in quotes do not count.
func nextParam(b []byte) (param, rest []byte) {
	if len(b) > 0 && b[0] == ';' {
		b = b[1:]
	}
	end := paramEnd(b, 0, uint32(len(b)))
	return b[:end], b[end:]
}

func splitParam(p []byte) (name, value []byte) {
	if before, after, ok := bytes.Cut(p, []byte{'='}); ok {
		return trimSpace(before), trimSpace(after)
	}
	return trimSpace(p), nil
}

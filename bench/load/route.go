//go:build linux

package load

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// sipPort is where a URI without a port goes over UDP (RFC 3263 section 4.2).
const sipPort = 5060

// router turns the Record-Routes of a reply into the Routes of the requests that follow. It keeps the last next
// hop that it worked out, as nearly all calls have the same.
type router struct {
	values   [][]byte
	lastHost []byte
	lastAddr mmsg.Addr
}

// routeSet appends the Route lines for the dialog of a 2xx (RFC 3261 section 12.1.2: the Record-Routes in reverse
// order), and returns where the first of them leads, or where target does when there is none.
func (r *router) routeSet(b []byte, m *message, target []byte) (lines []byte, hop mmsg.Addr, bad faults) {
	r.values = r.values[:0]
	for _, line := range m.recordRoute[:m.routes] {
		_, value, _ := bytes.Cut(line, []byte{':'})
		r.values = splitValues(r.values, value)
	}
	first := target
	for i, v := range slices.Backward(r.values) {
		b = append(append(append(b, "Route: "...), v...), "\r\n"...)
		if i == len(r.values)-1 {
			first = uriOf(v)
			bad.addIf(!hasLR(first), faultLooseRoute)
		}
	}
	host := hostPort(first)
	if len(host) == 0 || !bytes.Equal(host, r.lastHost) {
		addr, ok := parseHost(host)
		if !ok {
			bad.addIf(true, faultNextHop)
			return b, hop, bad
		}
		r.lastHost, r.lastAddr = append(r.lastHost[:0], host...), addr
	}
	return b, r.lastAddr, bad
}

// splitValues appends the values of a header that may hold several, split at commas that stand outside of angle
// brackets and quotes.
func splitValues(values [][]byte, b []byte) [][]byte {
	start, angle, quote := 0, false, false
	for i := 0; i <= len(b); i++ {
		if i == len(b) || b[i] == ',' && !angle && !quote {
			if v := bytes.TrimSpace(b[start:i]); len(v) > 0 {
				values = append(values, v)
			}
			start = i + 1
			continue
		}
		switch c := b[i]; {
		case quote && c == '\\':
			i++
		case c == '"' && !angle:
			quote = !quote
		case c == '<' && !quote:
			angle = true
		case c == '>' && !quote:
			angle = false
		}
	}
	return values
}

// uriOf returns the URI of a name-addr, or of an addr-spec without its header parameters.
func uriOf(v []byte) []byte {
	if _, rest, ok := bytes.Cut(v, []byte{'<'}); ok {
		uri, _, _ := bytes.Cut(rest, []byte{'>'})
		return uri
	}
	uri, _, _ := bytes.Cut(v, []byte{';'})
	return bytes.TrimSpace(uri)
}

// hasLR tells whether a URI has the parameter lr, with or without a value.
func hasLR(uri []byte) bool {
	_, params, _ := bytes.Cut(afterUser(uri), []byte{';'})
	for p := range bytes.SplitSeq(params, []byte{';'}) {
		name, _, _ := bytes.Cut(p, []byte{'='})
		if bytes.EqualFold(name, []byte("lr")) {
			return true
		}
	}
	return false
}

// hostPort returns what stands between user part and parameters.
func hostPort(uri []byte) []byte {
	rest := afterUser(uri)
	if i := bytes.IndexAny(rest, ";?"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

func afterUser(uri []byte) []byte {
	_, rest, _ := bytes.Cut(uri, []byte{':'})
	// A raw @ stands nowhere else in a SIP URI.
	if i := bytes.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return rest
}

func parseHost(host []byte) (mmsg.Addr, bool) {
	name, port, found := bytes.Cut(host, []byte{':'})
	p := uint64(sipPort)
	if found {
		var err error
		if p, err = strconv.ParseUint(string(port), 10, 16); err != nil {
			return mmsg.Addr{}, false
		}
	}
	ip, err := netip.ParseAddr(string(name))
	if err != nil || !ip.Is4() {
		return mmsg.Addr{}, false
	}
	return mmsg.AddrOf(netip.AddrPortFrom(ip, uint16(p))), true
}

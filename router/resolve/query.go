package resolve

import (
	"net/netip"
	"slices"
	"strings"
)

const (
	defaultPort    = 5060
	defaultTLSPort = 5061
)

// normalise brings a query into the form by which it is kept. A query that DNS is not needed for has its answer at
// once: a host that is an address, or one that cannot be a host at all.
func normalise(q Query, transports []string) (Query, *answer) {
	switch q.Transport {
	case "", udp, tcp, tls:
	default:
		return q, &answer{err: failure(q, ErrBadQuery)}
	}
	if ip, err := netip.ParseAddr(q.Host); err == nil {
		t := q.transportOr(transports)
		return q, &answer{targets: []Target{{
			Transport: t,
			Addr:      netip.AddrPortFrom(ip.Unmap(), q.portOr(t)),
			Name:      q.Host,
			Host:      q.Host,
		}}}
	}
	host := strings.ToLower(strings.TrimSuffix(q.Host, "."))
	if !isDomain(host) {
		return q, &answer{err: failure(q, ErrBadQuery)}
	}
	q.Host = host
	return q, nil
}

// transportOr is the query's transport or, where it leaves that open, the first that we can send (RFC 3263 section
// 4.1: UDP).
func (q Query) transportOr(transports []string) string {
	if q.Transport != "" {
		return q.Transport
	}
	for _, t := range []string{udp, tcp, tls} {
		if slices.Contains(transports, t) {
			return t
		}
	}
	return udp
}

func (q Query) portOr(transport string) uint16 {
	switch {
	case q.Port != 0:
		return q.Port
	case transport == tls:
		return defaultTLSPort
	default:
		return defaultPort
	}
}

// isDomain says whether s is a domain name as hosts have them (RFC 1123 section 2.1), underscores allowed.
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

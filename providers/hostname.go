package providers

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The ways in which a hostname can be wrong.
var (
	errHostForm     = errors.New("is not host, host:port, IPv4, [IPv6] or [IPv6]:port")
	errHostPort     = errors.New("has no port from 1 to 65535 after its colon")
	errHostBrackets = errors.New("has no IPv6 address in its brackets")
	errHostLong     = errors.New("is longer than 255 bytes")
)

// ParseHostname reads a provider's hostname: host, host:port, IPv4, [IPv6], each with or without a port. The port
// is 0 when none is given, ip is the zero Addr when host is a name, and host is without brackets. The error is the
// rule that s breaks, to be read after the value.
func ParseHostname(s string) (host string, port uint16, ip netip.Addr, err error) {
	if len(s) > 255 {
		return "", 0, netip.Addr{}, errHostLong
	}
	host, portText, hasPort := strings.Cut(s, ":")
	bracketed := strings.HasPrefix(s, "[")
	if bracketed {
		inside, rest, closed := strings.Cut(s[1:], "]")
		portText, hasPort = strings.CutPrefix(rest, ":")
		if !closed || !hasPort && rest != "" {
			return "", 0, netip.Addr{}, errHostForm
		}
		host = inside
	}
	if hasPort {
		if port = parsePort(portText); port == 0 {
			return "", 0, netip.Addr{}, errHostPort
		}
	}
	ip, err = netip.ParseAddr(host)
	switch {
	case bracketed && (err != nil || !ip.Is6() || ip.Zone() != ""):
		return "", 0, netip.Addr{}, errHostBrackets
	case err == nil:
		return host, port, ip, nil
	case !isHostname(host):
		return "", 0, netip.Addr{}, errHostForm
	}
	return host, port, netip.Addr{}, nil
}

// parsePort returns 0 for what is no port.
func parsePort(s string) uint16 {
	if s == "" || len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// isHostname says whether s is a host name (RFC 3261 section 25.1, with "_" as DNS has it). Its last label is never
// all digits, so that an address with a slip is not taken for a name.
func isHostname(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != ""
}

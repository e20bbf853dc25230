package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// HostPort is a host, by name or address, and perhaps a port. The zero value means that none was given.
type HostPort struct {
	Host string // A name, an IPv4 address, or an IPv6 address without brackets.
	Port uint16 // 0: not given.
}

// IsZero says whether nothing was given.
func (h HostPort) IsZero() bool { return h.Host == "" }

// String returns the host as a URI writes it, an IPv6 address in brackets, with the port if there is one.
func (h HostPort) String() string {
	host := h.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if h.Port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(int(h.Port))
}

// addr is the host as an address, if it is one.
func (h HostPort) addr() (netip.Addr, bool) {
	a, err := netip.ParseAddr(h.Host)
	return a, err == nil
}

// parseHostPort reads host, host:port, IPv4, [IPv6] or [IPv6]:port; rule is what s breaks, or "".
func parseHostPort(s string) (h HostPort, rule string) {
	const form = "is not host or host:port (an IPv6 address stands in brackets)"
	var host, port string
	var hasPort bool
	bracketed := strings.HasPrefix(s, "[")
	if end := strings.IndexByte(s, ']'); bracketed && end > 0 {
		host = s[1:end]
		if port, hasPort = strings.CutPrefix(s[end+1:], ":"); !hasPort && port != "" {
			return HostPort{}, form
		}
	} else {
		host, port, hasPort = strings.Cut(s, ":")
	}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port[0] == '+' {
			return HostPort{}, "has no port from 1 to 65535 after its colon"
		}
		h.Port = uint16(n)
	}
	address, err := netip.ParseAddr(host)
	switch {
	case bracketed && (err != nil || !address.Is6() || address.Zone() != ""):
		return HostPort{}, "has no IPv6 address in its brackets"
	case !bracketed && err != nil && !isHostname(host):
		return HostPort{}, form
	}
	h.Host = host
	return h, ""
}

// isHostname says whether s is a host name (RFC 1123 section 2.1), not an address that failed to be one: the last
// label of a name is never all digits.
func isHostname(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			letter := c|0x20 >= 'a' && c|0x20 <= 'z'
			if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func (d *decoder) hostPort(dst *HostPort) field {
	return func(path string, n *yaml.Node) {
		var s string
		d.text(&s, func(s string) string {
			if s == "" {
				return ""
			}
			_, rule := parseHostPort(s)
			return rule
		})(path, n)
		*dst = HostPort{}
		if s != "" {
			*dst, _ = parseHostPort(s)
		}
	}
}

// parseListen reads udp://address:port, tcp:// and tls:// alike.
func parseListen(s string) (l Listen, rule string) {
	transport, address, ok := strings.Cut(s, "://")
	if !ok || transport != "udp" && transport != "tcp" && transport != "tls" {
		return Listen{}, "is not udp://ADDRESS:PORT, tcp://ADDRESS:PORT or tls://ADDRESS:PORT"
	}
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return Listen{}, "needs a port: write " + transport + "://ADDRESS:PORT, an IPv6 address in brackets"
		}
		return Listen{}, "needs an IP address (not a name) and a port from 0 to 65535"
	}
	if addr.Addr().Is4In6() {
		return Listen{}, "is an IPv4 address in IPv6 clothes; write it as IPv4"
	}
	return Listen{Transport: transport, Addr: addr}, ""
}

func (d *decoder) listen(all *[]Listen) field {
	return func(path string, n *yaml.Node) {
		var s string
		d.text(&s, func(s string) string {
			_, rule := parseListen(s)
			return rule
		})(path, n)
		l, rule := parseListen(s)
		if rule != "" {
			return // Noted above.
		}
		for _, other := range *all {
			if other == l && l.Addr.Port() != 0 {
				d.add(n, path, "%q is given twice", s)
				return
			}
		}
		*all = append(*all, l)
	}
}

// parsePrefix reads 192.0.2.0/24 or a bare address, which stands for itself alone.
func parsePrefix(s string) (p netip.Prefix, rule string) {
	if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), ""
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, "is neither an IP address nor a network such as 192.0.2.0/24"
	case p.Addr().Is4In6():
		return netip.Prefix{}, "is an IPv4 network in IPv6 clothes; write it as IPv4"
	case p != p.Masked():
		return netip.Prefix{}, "has bits beyond its length; did you mean " + p.Masked().String() + "?"
	}
	return p, ""
}

func (d *decoder) prefix(all *[]netip.Prefix) field {
	return func(path string, n *yaml.Node) {
		var s string
		d.text(&s, func(s string) string {
			_, rule := parsePrefix(s)
			return rule
		})(path, n)
		if p, rule := parsePrefix(s); rule == "" {
			*all = append(*all, p)
		}
	}
}

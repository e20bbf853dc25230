package config

import (
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Advertised returns the name by which others know socket i of Listen, zero when that is the socket's own address. Port
// 0 means the socket's own.
//
// One name for all of Advertise: its host stands for every socket of its family, a DNS name for both. Its port is one
// that somebody else, such as a NAT, leads to a port of ours. That is the first socket's, and it holds for those with
// the same port; the others keep their own.
func (s *SIP) Advertised(i int) HostPort {
	l := s.Listen[i]
	if h, ok := s.AdvertiseEach[l.String()]; ok || len(s.AdvertiseEach) > 0 {
		return h
	}
	h := s.Advertise
	if addr, ok := h.addr(); ok && addr.Is4() != l.Addr.Addr().Is4() {
		return HostPort{}
	}
	if i > 0 && (l.Addr.Port() == 0 || l.Addr.Port() != s.Listen[0].Addr.Port()) {
		h.Port = 0
	}
	return h
}

// advertise reads one name for all sockets, or a mapping from sockets to their names.
func (d *decoder) advertise(s *SIP) field {
	return func(path string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			d.hostPort(&s.Advertise)(path, n)
			return
		}
		s.AdvertiseEach = make(map[string]HostPort, len(n.Content)/2)
		fields := make(map[string]field, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			socket := n.Content[i].Value
			fields[socket] = func(path string, n *yaml.Node) {
				var h HostPort
				d.hostPort(&h)(path, n)
				l, rule := parseListen(socket)
				switch {
				case rule != "":
					d.add(n, path, "%q %s", shorten(socket), rule)
				case !h.IsZero():
					s.AdvertiseEach[l.String()] = h
				}
			}
		}
		d.mapping(path, n, fields)
	}
}

// checkAdvertise finds names for sockets that there are not, and sockets on all addresses that have no name.
func (d *decoder) checkAdvertise(s *SIP) {
	const path = "sip.advertise"
	if d.wrongIn(path) || d.wrongIn("sip.listen") {
		return
	}
	known := make(map[string]bool, len(s.Listen))
	for _, l := range s.Listen {
		known[l.String()] = true
	}
	for _, key := range slices.Sorted(maps.Keys(d.lines)) {
		socket, ok := strings.CutPrefix(key, path+".")
		if l, rule := parseListen(socket); ok && rule == "" && !known[l.String()] {
			d.at(key, "is none of the sockets in sip.listen")
		}
	}
	for i, l := range s.Listen {
		if l.Addr.Addr().IsUnspecified() && s.Advertised(i).IsZero() {
			d.at(path, "is needed because sip.listen holds %s: Via and Record-Route must name an address that the other "+
				"side can reach", l)
			break
		}
	}
}

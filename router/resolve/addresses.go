package resolve

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// addresses returns those of a name that can be sent to, the preferred family first. What the additional section of
// another reply has need not be asked for.
func (s *search) addresses(ctx context.Context, name string, extra []dns.RR) []netip.Addr {
	if found := s.localAddresses(name); len(found) > 0 {
		s.ttl = min(s.ttl, localTTL)
		return s.sendable(found)
	}
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	switch s.Network {
	case "ip4":
		types = types[:1]
	case "ip6":
		types = types[1:]
	}
	var found []netip.Addr
	var open []uint16
	for _, t := range types {
		given := owned(extra, dns.Fqdn(name), t)
		if len(given) == 0 {
			open = append(open, t)
			continue
		}
		s.ttl = leastTTL(s.ttl, given)
		found = append(found, addressesIn(given)...)
	}
	for _, r := range s.askAll(ctx, name, open) {
		s.note(r)
		found = append(found, addressesIn(r.answer)...)
	}
	return s.sendable(found)
}

// askAll looks up records of several types at the same time.
func (s *search) askAll(ctx context.Context, name string, types []uint16) []records {
	if len(types) == 1 {
		return []records{s.client.lookup(ctx, name, types[0], s.NegativeTTL)}
	}
	out := make([]records, len(types))
	var asking sync.WaitGroup
	for i, t := range types {
		asking.Go(func() { out[i] = s.client.lookup(ctx, name, t, s.NegativeTTL) })
	}
	asking.Wait()
	return out
}

func addressesIn(section []dns.RR) []netip.Addr {
	var out []netip.Addr
	for _, rr := range section {
		var ip []byte
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// sendable drops what nothing can be sent to, and puts the rest into an order that does not depend on the reply's:
// name servers rotate it, and that is no change.
func (s *search) sendable(found []netip.Addr) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range found {
		switch {
		case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		case a.Is4() && s.Network != "ip6":
			v4 = append(v4, a)
		case a.Is6() && s.Network != "ip4":
			v6 = append(v6, a)
		}
	}
	v4, v6 = inOrder(v4), inOrder(v6)
	if s.PreferV6 {
		return slices.Concat(v6, v4)
	}
	return slices.Concat(v4, v6)
}

func inOrder(family []netip.Addr) []netip.Addr {
	slices.SortFunc(family, netip.Addr.Compare)
	family = slices.Compact(family)
	return family[:min(len(family), maxAddresses)]
}

// isLocal says whether the addresses of a name are known without DNS.
func (s *search) isLocal(name string) bool { return len(s.localAddresses(name)) > 0 }

// localAddresses returns the addresses that a name has without DNS: localhost's (RFC 6761 section 6.3), and those of
// the hosts file.
func (s *search) localAddresses(name string) []netip.Addr {
	if s.local != nil {
		if found := s.local.hosts()[name]; len(found) > 0 {
			return found
		}
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return nil
}

// completions are the names that a host may be short for, by the search list of resolv.conf.
func (s *search) completions(host string) []string {
	if s.local == nil {
		return nil
	}
	return s.local.completions(host)
}

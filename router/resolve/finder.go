package resolve

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// What one look-up takes of what DNS offers. Zones of carriers stay far below; a hostile one cannot make us ask or
// keep more. The records that sort first are taken, so that the choice does not change with the order of a reply.
const (
	maxNAPTR     = 4
	maxSRV       = 32
	maxAddresses = 32 // Of one name and family.
	maxTargets   = 128
	maxTimeouts  = 10 // That one look-up may last.
)

// finder goes down the ladder of RFC 3263 for one query.
type finder struct {
	Config
	client client
	local  *localFiles // Nil when Servers are configured.
}

// search is one look-up on its way.
type search struct {
	*finder
	q    Query
	ttl  time.Duration // The least of all that was used, and of all that was not there.
	lame error         // Of the first question that had no answer.
}

// offer is what a domain says of a service.
type offer int

const (
	silent  offer = iota // It has no SRV records.
	refused              // It has, and they say that there is no such service.
	offered              // It has, and they name servers.
)

// find looks q up. It is called with normal queries for names only.
func (f *finder) find(ctx context.Context, q Query) answer {
	ctx, cancel := context.WithTimeout(ctx, maxTimeouts*f.Timeout)
	defer cancel()
	s := search{finder: f, q: q, ttl: f.MaxTTL}
	targets, o := s.ladder(ctx)
	targets = distinct(targets)
	a := answer{targets: targets, ttl: max(s.ttl, f.MinTTL), lame: s.lame}
	switch {
	case len(targets) > 0:
	case s.lame != nil:
		a.err = failure(q, fmt.Errorf("%w: %w", ErrNoAnswer, s.lame))
	default:
		a.ttl = min(a.ttl, f.NegativeTTL)
		a.err = failure(q, ErrNotFound)
		if o == refused {
			a.err = failure(q, ErrNoService)
		}
	}
	return a
}

// ladder goes down from the rung that the query leads to.
func (s *search) ladder(ctx context.Context) ([]Target, offer) {
	transport := s.q.transportOr(s.Transports)
	if s.q.Port != 0 || s.isLocal(s.q.Host) {
		return s.host(ctx, transport), silent
	}
	if s.q.Transport != "" {
		targets, o := s.service(ctx, transport, serviceName(transport, s.q.Host))
		if o == silent {
			targets = s.host(ctx, transport)
		}
		return targets, o
	}
	if targets := s.byNAPTR(ctx); len(targets) > 0 {
		return targets, offered
	}
	// Some networks drop what they do not know. But who does not answer for an address either is away.
	if isSilence(s.lame) && s.client.lookup(ctx, s.q.Host, dns.TypeA, s.NegativeTTL).err != nil {
		return nil, silent
	}
	worst := silent
	open := ""
	for _, t := range []string{udp, tcp} {
		if !slices.Contains(s.Transports, t) {
			continue
		}
		targets, o := s.service(ctx, t, serviceName(t, s.q.Host))
		if len(targets) > 0 {
			return targets, offered
		}
		if o == silent && open == "" {
			open = t
		}
		worst = max(worst, o)
	}
	if worst == silent {
		return s.host(ctx, transport), silent
	}
	if worst == refused && open != "" { // Not the one refused, but nothing is said of this one.
		return s.host(ctx, open), silent
	}
	return nil, worst
}

// serviceName is where a domain's SRV records are (RFC 3263 section 4.2).
func serviceName(transport, host string) string {
	switch transport {
	case tls:
		return "_sips._tcp." + host
	case tcp:
		return "_sip._tcp." + host
	default:
		return "_sip._udp." + host
	}
}

// byNAPTR asks the domain which transport it prefers (RFC 3263 section 4.1). SIPS+D2T is not for us: who wants TLS
// says so in the query.
func (s *search) byNAPTR(ctx context.Context) []Target {
	var usable []*dns.NAPTR
	for _, rr := range s.ask(ctx, s.q.Host, dns.TypeNAPTR).answer {
		n, ok := rr.(*dns.NAPTR)
		if ok && strings.EqualFold(n.Flags, "s") && n.Regexp == "" && slices.Contains(s.Transports, naptrTransport(n)) {
			usable = append(usable, n)
		}
	}
	slices.SortFunc(usable, func(a, b *dns.NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference),
			cmp.Compare(b.Service, a.Service), cmp.Compare(a.Replacement, b.Replacement))
	})
	for _, n := range usable[:min(len(usable), maxNAPTR)] {
		if targets, _ := s.service(ctx, naptrTransport(n), n.Replacement); len(targets) > 0 {
			return targets
		}
	}
	return nil
}

// naptrTransport is the transport of a NAPTR record's service field, or "".
func naptrTransport(n *dns.NAPTR) string {
	switch strings.ToUpper(n.Service) {
	case "SIP+D2U":
		return udp
	case "SIP+D2T":
		return tcp
	default:
		return ""
	}
}

// service reads SRV records (RFC 2782) and the addresses of the servers that they name.
func (s *search) service(ctx context.Context, transport, name string) ([]Target, offer) {
	found := s.ask(ctx, name, dns.TypeSRV)
	if len(found.answer) == 0 {
		return nil, silent
	}
	var servers []*dns.SRV
	for _, rr := range found.answer {
		if srv, ok := rr.(*dns.SRV); ok && srv.Target != "." && srv.Port != 0 {
			servers = append(servers, srv)
		}
	}
	if len(servers) == 0 {
		return nil, refused
	}
	slices.SortFunc(servers, func(a, b *dns.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight),
			cmp.Compare(strings.ToLower(a.Target), strings.ToLower(b.Target)), cmp.Compare(a.Port, b.Port))
	})
	servers = slices.CompactFunc(servers, func(a, b *dns.SRV) bool {
		return a.Priority == b.Priority && a.Port == b.Port && strings.EqualFold(a.Target, b.Target)
	})
	var targets []Target
	for _, srv := range servers[:min(len(servers), maxSRV)] {
		t := Target{Transport: transport, Priority: srv.Priority, Weight: srv.Weight}
		targets = append(targets, s.at(ctx, t, strings.ToLower(strings.TrimSuffix(srv.Target, ".")), srv.Port, found.extra)...)
		if len(targets) >= maxTargets {
			break
		}
	}
	return targets, offered
}

// host finds the query's host itself: as it is written, or else as the search list completes it.
func (s *search) host(ctx context.Context, transport string) []Target {
	t := Target{Transport: transport}
	port := s.q.portOr(transport)
	targets := s.at(ctx, t, s.q.Host, port, nil)
	for _, name := range s.completions(s.q.Host) {
		if len(targets) > 0 || s.lame != nil {
			break
		}
		targets = s.at(ctx, t, name, port, nil)
	}
	return targets
}

// at completes t with each address of a name.
func (s *search) at(ctx context.Context, t Target, name string, port uint16, extra []dns.RR) []Target {
	var targets []Target
	t.Name, t.Host = s.q.Host, name
	for _, a := range s.addresses(ctx, name, extra) {
		t.Addr = netip.AddrPortFrom(a, port)
		targets = append(targets, t)
	}
	return targets
}

// distinct keeps the first of the targets that are the same place, and not too many.
func distinct(targets []Target) []Target {
	kept := targets[:0]
	for _, t := range targets {
		if len(kept) == maxTargets {
			break
		}
		if !slices.ContainsFunc(kept, func(k Target) bool { return k.Transport == t.Transport && k.Addr == t.Addr }) {
			kept = append(kept, t)
		}
	}
	return kept
}

// ask looks records up and takes note of their time to live, or that nothing is known.
func (s *search) ask(ctx context.Context, name string, qtype uint16) records {
	r := s.client.lookup(ctx, name, qtype, s.NegativeTTL)
	s.note(r)
	return r
}

func (s *search) note(r records) {
	if r.err == nil {
		s.ttl = min(s.ttl, r.ttl)
	} else if s.lame == nil {
		s.lame = r.err
	}
}

package router

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// snapshot is everything that a call is decided by: one revision of the catalog with its codec policies, texts and
// addresses made ready. It is immutable; a call keeps the one that it began with to its end.
type snapshot struct {
	catalog       *providers.Catalog
	table         *dialplan.Table
	providers     []provider                           // Same indexes as catalog.Providers.
	destinations  []atomic.Pointer[health.Destination] // Same indexes as catalog.Routes: where calls by a route are counted.
	byID          map[uuid.UUID]int32
	byTag         map[uint64]int32          // By the route cookie's provider tag.
	tlsPeers      map[netip.AddrPort]uint16 // Who is known to be at an address: one provider of those there.
	limited       bool                      // Some provider has a limit of calls.
	allow         []netip.Prefix
	international [][]byte
	policy        *sdp.Policy // The configuration's codec list; nil when it has none.
	budgets       budgets     // For requests in dialogs; providers have their own.
	setup         int64
	maxAttempts   int
	failures      int // In a row, that open a provider's breaker; zero is never.
	quality       health.Quality
	health        *health.Registry
	preloaded     bool
}

// provider is a providers.Provider made ready for calls.
type provider struct {
	*providers.Provider

	card        *card // What stays of it in records.
	index       int32
	tag         uint64
	state       *health.State     // Lives on across snapshots.
	headers     []byte            // The tech headers as header lines.
	headerNames []string          // Their names in lower case.
	policy      *sdp.Policy       // Its own list, or nil.
	codecs      []byte            // That list for the route cookie.
	targets     []resolve.Target  // The same as DNS told it, for the draw among equals.
	hops        []transport.Flow  // Where to send, best first.
	hopsErr     error             // Why hops is empty.
	places      []*health.Place   // What probes know of each of hops.
	up          providers.CodeSet // Replies to a probe that mean that it is there.
	pinned      bool              // The transport was named: no other is tried.
	budgets     budgets
	next        providers.CodeSet
	after       bool   // The next provider may try after ringing too.
	rules       []rule // What decides before next; nil mostly.
	counts      *providerCounts
	account     *account // Its credentials; nil when it has none. Lives on across snapshots.
}

// budgets are the times that one attempt may take, in nanoseconds.
type budgets struct{ noReply, noRinging, answer int64 }

func newBudgets(b config.Budgets) budgets {
	return budgets{int64(b.NoReply), int64(b.NoRinging), int64(b.Answer)}
}

// with puts a provider's own budgets over the defaults.
func (b budgets) with(own providers.Budgets) budgets {
	over := func(def int64, own time.Duration) int64 {
		if own > 0 {
			return int64(own)
		}
		return def
	}
	return budgets{over(b.noReply, own.NoReply), over(b.noRinging, own.NoRinging), over(b.answer, own.Answer)}
}

// surroundings are what a snapshot is built from besides the catalog and the configuration.
type surroundings struct {
	lookup   func(resolve.Query) ([]resolve.Target, error)
	listener func(proto transport.Proto, remote netip.Addr) (uint16, bool)
	peer     func(name string) uint16
	health   *health.Registry
	place    func(id uuid.UUID, hop transport.Flow) *health.Place
	counts   func(name string) *providerCounts
	account  func(*providers.Provider) *account
}

// build makes a snapshot, or says all that is wrong. It touches nothing that calls use.
func build(cat *providers.Catalog, cfg *config.Config, env *surroundings) (*snapshot, error) {
	s := &snapshot{
		catalog:      cat,
		providers:    make([]provider, len(cat.Providers)),
		destinations: make([]atomic.Pointer[health.Destination], len(cat.Routes)),
		byID:         make(map[uuid.UUID]int32, len(cat.Providers)),
		byTag:        make(map[uint64]int32, len(cat.Providers)),
		tlsPeers:     make(map[netip.AddrPort]uint16),
		allow:        cfg.SIP.Allow,
		budgets:      newBudgets(cfg.Budgets),
		setup:        int64(cfg.Budgets.Setup),
		maxAttempts:  cfg.Budgets.MaxAttempts,
		failures:     cfg.Health.Failures,
		quality:      health.Quality{MinSamples: cfg.Health.Quality.MinSamples, Margin: float64(cfg.Health.Quality.Margin) / 100},
		health:       env.health,
		preloaded:    cfg.SIP.PreloadedRoutes,
	}
	for _, p := range cfg.Numbers.InternationalPrefixes {
		s.international = append(s.international, []byte(p))
	}
	var errs []error
	if cfg.Codecs != "" {
		p, err := sdp.Compile(cfg.Codecs)
		if err != nil {
			errs = append(errs, fmt.Errorf("codecs: %w", err))
		}
		s.policy = p
	}
	next, err := providers.ParseCodeSet(cfg.Failover.Next)
	if err != nil {
		errs = append(errs, fmt.Errorf("failover.next: %w", err))
	}
	lists := make(codecLists)
	rules := newRuleLists(&cfg.Failover)
	if _, err := rules.compile(&providers.Failover{}); err != nil {
		errs = append(errs, err)
	}
	for i := range cat.Providers {
		p := &s.providers[i]
		*p = provider{
			Provider: &cat.Providers[i],
			index:    int32(i),
			next:     next,
			after:    cfg.Failover.AfterRinging,
			budgets:  s.budgets.with(cat.Providers[i].Budgets),
		}
		if p.rules, err = rules.compile(&p.Failover); err != nil {
			errs = append(errs, fmt.Errorf("provider %q: %w", p.Name, err))
		}
		if err := p.compile(env, lists); err != nil {
			errs = append(errs, fmt.Errorf("provider %q: %w", p.Name, err))
		}
		s.byID[p.ID] = p.index
		s.byTag[p.tag] = p.index
		s.limited = s.limited || p.Limits.Calls > 0
		for _, to := range p.hops {
			if to.Proto == transport.TLS {
				s.tlsPeers[to.Remote] = to.Peer
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s.table = dialplan.New(cat)
	return s, nil
}

// compile makes the texts, the policy and the addresses.
func (p *provider) compile(env *surroundings, lists codecLists) error {
	p.tag = binary.BigEndian.Uint64(p.ID[:8])
	p.state = env.health.State(p.ID)
	p.counts = env.counts(p.Name)
	p.account = env.account(p.Provider)
	p.up = providers.DefaultUp()
	p.pinned = p.Transport != providers.TransportAny

	postfix, host, hasHost := strings.Cut(p.TechPostfix, "@")
	if !hasHost {
		host = p.Hostname
	}
	uriHead := dialplan.AppendUser([]byte("sip:"), p.TechPrefix, nil, "", p.RawUser)
	uriTail := dialplan.AppendUser(nil, "", nil, postfix, p.RawUser)
	uriTail = append(append(uriTail, '@'), host...)
	for _, h := range p.TechHeaders {
		p.headerNames = append(p.headerNames, strings.ToLower(h.Name))
		p.headers = append(append(append(append(p.headers, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	var err error
	if p.Codecs != "" {
		if p.policy, p.codecs, err = lists.compile(p.Codecs); err != nil {
			return fmt.Errorf("codecs: %w", err)
		}
	}
	if p.Failover.Next != nil {
		if p.next, err = providers.ParseCodeSet(p.Failover.Next); err != nil {
			return fmt.Errorf("failover.next: %w", err)
		}
	}
	if p.Probing.Up != nil {
		if p.up, err = providers.ParseCodeSet(p.Probing.Up); err != nil {
			return fmt.Errorf("health.up: %w", err)
		}
	}
	if p.Failover.AfterRinging != nil {
		p.after = *p.Failover.AfterRinging
	}
	q, err := query(p.Provider)
	if err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	p.locate(env, q)
	p.card = newCard(p, uriHead, uriTail)
	return nil
}

// codecLists are the lists that were compiled for a snapshot: many providers have the same.
type codecLists map[string]codecList

type codecList struct {
	policy *sdp.Policy
	cookie []byte // As encodeCodecs writes it.
}

func (l codecLists) compile(text string) (*sdp.Policy, []byte, error) {
	known, ok := l[text]
	if !ok {
		policy, err := sdp.Compile(text)
		if err != nil {
			return nil, nil, err
		}
		known = codecList{policy, encodeCodecs(policy)}
		l[text] = known
	}
	return known.policy, known.cookie, nil
}

// query is what a provider's addresses are looked up by.
func query(p *providers.Provider) (resolve.Query, error) {
	host, port, ip, err := providers.ParseHostname(p.Hostname)
	if err != nil {
		return resolve.Query{}, err
	}
	if ip.IsValid() {
		host = ip.String()
	}
	return resolve.Query{Host: host, Port: port, Transport: string(p.Transport)}, nil
}

// domain is the host of the provider's Request-URIs.
func (p *provider) domain() config.HostPort {
	at := p.Hostname
	if _, host, ok := strings.Cut(p.TechPostfix, "@"); ok {
		at = host
	}
	host, port, ip, _ := providers.ParseHostname(at) // It was read before.
	if ip.IsValid() {
		host = ip.String()
	}
	return config.HostPort{Host: host, Port: port}
}

// locate finds the addresses as they are known now. A provider without any stays in the snapshot and says why.
func (p *provider) locate(env *surroundings, q resolve.Query) {
	targets, err := env.lookup(q)
	if err != nil {
		p.hopsErr = fmt.Errorf("%s has no address: %w", p.Hostname, err)
		return
	}
	for _, t := range targets {
		proto := protoOf(t.Transport)
		l, ok := env.listener(proto, t.Addr.Addr())
		if !ok {
			p.hopsErr = fmt.Errorf("no %s socket of ours reaches %s", t.Transport, t.Addr.Addr())
			continue
		}
		p.targets = append(p.targets, t)
		to := transport.Flow{Proto: proto, Listener: l, Remote: t.Addr}
		if proto == transport.TLS {
			to.Peer = env.peer(t.Name)
		}
		p.hops = append(p.hops, to)
		p.places = append(p.places, env.place(p.ID, to))
	}
}

func protoOf(name string) transport.Proto {
	switch name {
	case "tcp":
		return transport.TCP
	case "tls":
		return transport.TLS
	default:
		return transport.UDP
	}
}

// allowed says whether a source may place calls.
func (s *snapshot) allowed(a netip.Addr) bool {
	for _, p := range s.allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// splitComma yields the trimmed elements of a comma-separated list.
func splitComma(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := range strings.SplitSeq(list, ",") {
			if !yield(strings.TrimSpace(e)) {
				return
			}
		}
	}
}

// wellKnown is the index of a codec name in wellKnownCodecs, or -1.
func wellKnown(name string) int {
	for i, n := range wellKnownCodecs {
		if strings.EqualFold(n, name) {
			return i
		}
	}
	return -1
}

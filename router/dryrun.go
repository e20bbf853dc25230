package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// DryRun plans a call without a running router: with the catalog and configuration given, and the addresses that DNS
// has now.
func DryRun(ctx context.Context, cfg *config.Config, cat *providers.Catalog, req *providers.PlanRequest) (*providers.Plan, error) {
	resolver := resolve.New(resolve.Config{Transports: listenTransports(cfg)})
	resolver.Watch(queries(cat))
	wait, cancel := context.WithTimeout(ctx, firstAddresses)
	defer cancel()
	_ = resolver.Ready(wait) // Who has no address is skipped, and the plan says so.
	s, err := Check(cfg, cat, resolver.Lookup)
	if err != nil {
		return nil, errors.Join(err, resolver.Close())
	}
	p, err := s.plan(req, 0, rand.Uint64())
	return p, errors.Join(err, resolver.Close())
}

// Check builds all that calls would use, and says what is wrong.
func Check(cfg *config.Config, cat *providers.Catalog, lookup func(resolve.Query) ([]resolve.Target, error)) (*Checked, error) {
	r := new(Router)
	m, err := newMetrics(prometheus.NewRegistry(), r)
	if err != nil {
		return nil, err
	}
	s, err := build(cat, cfg, &surroundings{
		lookup: lookup,
		listener: func(proto transport.Proto, remote netip.Addr) (uint16, bool) {
			for i, l := range cfg.SIP.Listen {
				if protoOf(l.Transport) == proto && l.Addr.Addr().Is4() == remote.Is4() {
					return uint16(i), true
				}
			}
			return 0, false
		},
		peer:    r.peers.id,
		health:  health.NewRegistry(),
		counts:  m.provider,
		account: r.accounts.account,
		place:   func(uuid.UUID, transport.Flow) *health.Place { return nil },
	})
	if _, terr := newSecurity(cfg.TLS, slog.New(slog.DiscardHandler)); terr != nil {
		err = errors.Join(err, terr)
	}
	return (*Checked)(s), err
}

// Checked is a catalog and configuration that calls can be planned by.
type Checked snapshot

func (s *Checked) plan(req *providers.PlanRequest, now int64, seed uint64) (*providers.Plan, error) {
	return (*snapshot)(s).plan(req, now, seed)
}

func listenTransports(cfg *config.Config) []string {
	var names []string
	for _, want := range []string{"udp", "tcp", "tls"} {
		for _, l := range cfg.SIP.Listen {
			if l.Transport == want {
				names = append(names, want)
				break
			}
		}
	}
	return names
}

// Plan plans a call by the snapshot that calls use now.
func (r *Router) Plan(req *providers.PlanRequest) (*providers.Plan, error) {
	return r.current.Load().plan(req, r.clock(), rand.Uint64())
}

// plan goes the way of an INVITE up to where it would be sent.
func (s *snapshot) plan(req *providers.PlanRequest, now int64, seed uint64) (*providers.Plan, error) {
	perCall, err := perCallPolicy(req.Codecs)
	if err != nil {
		return nil, err
	}
	user := strings.TrimPrefix(req.Number, "tel:")
	n, _ := dialplan.ParseUser(nil, []byte(user), s.international)
	out := &providers.Plan{Number: string(n.Dial), Attempts: []providers.PlanAttempt{}, Skipped: []providers.SkippedProvider{}}
	if user == "" {
		out.FinalStatus = 484
		return out, nil
	}
	var choices []dialplan.Choice
	if req.Providers != nil {
		choices = s.named(req.Providers, out)
	} else {
		choices = s.table.Append(nil, n.Digits, s.customer(req.Customer), seed)
		s.explainDangling(out, n.Digits, s.customer(req.Customer))
	}
	prefer(choices, s, now, testDue)
	order(choices, s, now, (*health.State).Due)
	unable := false
	for i, ch := range choices {
		p := &s.providers[ch.Provider]
		body, why := s.wouldSkip(p, perCall, req.SDP, len(out.Attempts), now)
		if why.why != skipNone {
			out.Skipped = append(out.Skipped, providers.SkippedProvider{ProviderID: p.ID, ProviderName: p.Name, Reason: why.String()})
			unable = unable || why.why == skipCodecs
			continue
		}
		a := providers.PlanAttempt{
			ProviderID:   p.ID,
			ProviderName: p.Name,
			RequestURI:   string(p.card.appendURI(nil, n.Dial)),
			Destination:  destination(p.hops[p.likely()]),
			Headers:      shown(p.TechHeaders),
			SDP:          string(body),
		}
		a.RouteID, a.Reason = s.why(ch, p)
		a.Reason += s.merit(choices, i, now) + s.standing(choices, i, now)
		out.Attempts = append(out.Attempts, a)
	}
	if len(out.Attempts) == 0 {
		switch {
		case len(choices) == 0:
			out.FinalStatus = 404
		case unable:
			out.FinalStatus = 488
		default:
			out.FinalStatus = 480
		}
	}
	return out, nil
}

// wouldSkip says whether a call would pass a provider over, in the order in which calls look at it; else what offer it
// would get.
func (s *snapshot) wouldSkip(p *provider, perCall *sdp.Policy, offer []byte, attempts int, now int64) ([]byte, skip) {
	not := func(why skipReason, n int) ([]byte, skip) { return nil, skip{card: p.card, why: why, n: int32(n)} }
	if attempts == s.maxAttempts {
		return not(skipAttempts, s.maxAttempts)
	}
	if why := p.skip(); why != skipNone {
		return not(why, 0)
	}
	if r := p.state.Would(now, p.Limits.Calls, p.Limits.CPS); r != health.Room {
		return not(p.atLimit(r, now))
	}
	body, outcome := filterBody(effective(p, perCall, s.policy), offer)
	if outcome == sdp.NoCodec {
		return not(skipCodecs, 0)
	}
	return body, skip{}
}

// likely is which of a provider's addresses a call would try first: none where probes find nobody, if there is another.
func (p *provider) likely() int {
	for i := range p.places {
		if !p.places[i].Down() {
			return i
		}
	}
	return 0
}

// shown are headers as a plan shows them: without the values that are for the provider's eyes only.
func shown(headers []providers.Header) providers.PlanHeaders {
	out := make(providers.PlanHeaders, len(headers))
	copy(out, headers)
	for i := range out {
		if out[i].Secret {
			out[i].Value = providers.Mask
		}
	}
	return out
}

func perCallPolicy(codecs string) (*sdp.Policy, error) {
	if codecs == "" {
		return nil, nil //nolint:nilnil // No list is no policy, and no error.
	}
	p, err := sdp.Compile(codecs)
	if err != nil {
		return nil, fmt.Errorf("codecs: %w", err)
	}
	return p, nil
}

func (s *snapshot) customer(id uuid.UUID) uuid.UUID {
	if id == uuid.Nil {
		return providers.Everyone
	}
	return id
}

// named plans the providers that were asked for by id.
func (s *snapshot) named(ids []uuid.UUID, out *providers.Plan) []dialplan.Choice {
	var choices []dialplan.Choice
	for _, id := range ids {
		i, ok := s.byID[id]
		switch {
		case !ok:
			out.Skipped = append(out.Skipped, providers.SkippedProvider{ProviderID: id, Reason: "no such provider"})
		case !planned(choices, i):
			choices = append(choices, dialplan.Choice{Provider: i, Route: -1})
		}
	}
	return choices
}

// explainDangling names the routes that would have matched but lead to a provider that is not there.
func (s *snapshot) explainDangling(out *providers.Plan, digits []byte, customer uuid.UUID) {
	for _, i := range s.table.Dangling() {
		rt := &s.catalog.Routes[i]
		matches := rt.Target == providers.TargetAll ||
			len(digits) > 0 && strings.HasPrefix(string(digits), strings.TrimPrefix(rt.Target, "+"))
		if matches && (rt.CustomerID == customer || rt.CustomerID == providers.Everyone) {
			out.Skipped = append(out.Skipped, providers.SkippedProvider{
				ProviderID: rt.ProviderID,
				Reason:     fmt.Sprintf("route %s names it, but there is no such provider", rt.ID),
			})
		}
	}
}

// why says by which route a provider was chosen.
func (s *snapshot) why(ch dialplan.Choice, p *provider) (*uuid.UUID, string) {
	rest := ""
	if p.account != nil {
		rest = "; authenticates as " + p.account.Username
	}
	if ch.Route < 0 {
		return nil, "named by the request" + rest
	}
	rt := &s.catalog.Routes[ch.Route]
	whose := "everyone"
	if rt.CustomerID != providers.Everyone {
		whose = "customer " + rt.CustomerID.String()
	}
	return &rt.ID, fmt.Sprintf("route for %s to %s, priority %d%s", whose, rt.Target, rt.Priority, rest)
}

// filterBody puts an offer through a policy and returns what would be sent.
func filterBody(policy *sdp.Policy, offer []byte) ([]byte, sdp.Outcome) {
	if policy.Unrestricted() || len(offer) == 0 {
		return offer, sdp.Untouched
	}
	out, outcome := policy.Filter(nil, offer)
	if outcome != sdp.Edited {
		return offer, outcome
	}
	return out, outcome
}

// effective is the codec policy for a provider: its own, else the call's, else the configuration's.
func effective(p *provider, perCall, def *sdp.Policy) *sdp.Policy {
	switch {
	case p.policy != nil:
		return p.policy
	case perCall != nil:
		return perCall
	default:
		return def
	}
}

package providers

import (
	"maps"
	"slices"
	"time"
)

// Same says whether two providers are alike in all that somebody may set: not in times and health.
func (p *Provider) Same(other *Provider) bool {
	return p.ID == other.ID && p.Type == other.Type && p.Hostname == other.Hostname &&
		p.TechPrefix == other.TechPrefix && p.TechPostfix == other.TechPostfix &&
		slices.Equal(p.TechHeaders, other.TechHeaders) && p.Name == other.Name && p.Detail == other.Detail &&
		maps.Equal(p.Metadata, other.Metadata) && p.Codecs == other.Codecs && p.Transport == other.Transport &&
		p.Enabled == other.Enabled && p.RawUser == other.RawUser && p.FollowRedirects == other.FollowRedirects &&
		p.Budgets == other.Budgets && p.Failover.same(other.Failover) && p.Limits == other.Limits &&
		p.Credentials == other.Credentials && p.Probing.same(other.Probing)
}

// same tells nil from empty: a list without codes is one of its own, no list is the configuration's.
func (f Failover) same(other Failover) bool {
	if (f.Next == nil) != (other.Next == nil) || (f.AfterRinging == nil) != (other.AfterRinging == nil) ||
		(f.Rules == nil) != (other.Rules == nil) {
		return false
	}
	return f.Preset == other.Preset && slices.Equal(f.Rules, other.Rules) && slices.Equal(f.Next, other.Next) && (f.AfterRinging == nil || *f.AfterRinging == *other.AfterRinging)
}

// same tells nil from empty, as for Failover.
func (p Probing) same(other Probing) bool {
	return p.Off == other.Off && p.Interval == other.Interval && (p.Up == nil) == (other.Up == nil) && slices.Equal(p.Up, other.Up)
}

// Same says whether two routes are alike in all that somebody may set: not in times.
func (r *Route) Same(other *Route) bool {
	timeless := *other
	timeless.TmCreate, timeless.TmUpdate, timeless.TmDelete = r.TmCreate, r.TmUpdate, r.TmDelete
	return *r == timeless
}

// Difference lists what makes next of base, as if it were done at a time, and gives the entries of next the times
// that follow from that. It is for changes that did not come as a Draft: an edit by hand, a restored revision.
func Difference(base, next *Catalog, at time.Time) []Change {
	return append(providerDifference(base, next, at), routeDifference(base, next, at)...)
}

func providerDifference(base, next *Catalog, at time.Time) []Change {
	var changes []Change
	for i := range next.Providers {
		after := &next.Providers[i]
		c := Change{Kind: KindProvider, Verb: VerbReplace, ID: after.ID, ProviderAfter: after}
		c.ProviderBefore = base.Provider(after.ID)
		switch {
		case c.ProviderBefore == nil:
			c.Verb = VerbCreate
			after.TmCreate, after.TmUpdate = at, at
		case c.ProviderBefore.Same(after):
			after.TmCreate, after.TmUpdate = c.ProviderBefore.TmCreate, c.ProviderBefore.TmUpdate
			continue
		default:
			after.TmCreate, after.TmUpdate = c.ProviderBefore.TmCreate, later(at, c.ProviderBefore.TmUpdate)
		}
		changes = append(changes, c)
	}
	for i := range base.Providers {
		if before := &base.Providers[i]; next.Provider(before.ID) == nil {
			after := before.Clone()
			after.TmUpdate = later(at, before.TmUpdate)
			after.TmDelete = after.TmUpdate
			changes = append(changes, Change{
				Kind: KindProvider, Verb: VerbDelete, ID: before.ID, ProviderBefore: before, ProviderAfter: after,
			})
		}
	}
	return changes
}

func routeDifference(base, next *Catalog, at time.Time) []Change {
	var changes []Change
	for i := range next.Routes {
		after := &next.Routes[i]
		c := Change{Kind: KindRoute, Verb: VerbReplace, ID: after.ID, RouteAfter: after}
		c.RouteBefore = base.Route(after.ID)
		switch {
		case c.RouteBefore == nil:
			c.Verb = VerbCreate
			after.TmCreate, after.TmUpdate = at, at
		case c.RouteBefore.Same(after):
			after.TmCreate, after.TmUpdate = c.RouteBefore.TmCreate, c.RouteBefore.TmUpdate
			continue
		default:
			after.TmCreate, after.TmUpdate = c.RouteBefore.TmCreate, later(at, c.RouteBefore.TmUpdate)
		}
		changes = append(changes, c)
	}
	for i := range base.Routes {
		if before := &base.Routes[i]; next.Route(before.ID) == nil {
			after := *before
			after.TmUpdate = later(at, before.TmUpdate)
			after.TmDelete = after.TmUpdate
			changes = append(changes, Change{
				Kind: KindRoute, Verb: VerbDelete, ID: before.ID, RouteBefore: before, RouteAfter: &after,
			})
		}
	}
	return changes
}

// later returns the time of a change that comes after another at last: two states of an entry never share a
// tm_update, whatever the clock does.
func later(at, last time.Time) time.Time {
	if at.After(last) {
		return at
	}
	return last.Add(time.Microsecond)
}

package api

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

func (a *API) providers() *resource[providers.Provider] {
	return &resource[providers.Provider]{
		api:     a,
		kind:    providers.KindProvider,
		entries: func(c *providers.Catalog) []providers.Provider { return c.Providers },
		lister:  &a.providerList,
		compare: providers.CompareProviders,
		place:   func(p *providers.Provider) (time.Time, uuid.UUID) { return p.TmCreate, p.ID },
		find:    (*providers.Catalog).Provider,
		stored:  (*providers.Draft).Provider,
		create:  (*providers.Draft).CreateProvider,
		replace: (*providers.Draft).ReplaceProvider,
		remove:  (*providers.Draft).DeleteProvider,
		read:    readProvider,
		health:  a.healthOf,
		shown:   withHealth,
	}
}

// healthOf returns what is known of a provider's health now; before is what it replaced, or nil.
func (a *API) healthOf(now, before *providers.Provider) health {
	h := health{status: providers.HealthUnknown}
	// What was known of another host is worth nothing, even where the probes have not heard of the new one yet.
	if before == nil || before.Hostname == now.Hostname {
		h.status, h.checked = a.router.Health(now.ID)
	}
	return h
}

// withHealth is a provider as clients see it. What a store kept of its health is of another time.
func withHealth(p *providers.Provider, h health) *providers.Provider {
	c := p.Clone()
	c.HealthStatus, c.HealthCheckedAt = h.status, h.checked
	if h.status == "" {
		c.HealthStatus = providers.HealthUnknown
	}
	return c
}

// readProvider reads a provider as it is to be. A field that was left out has its default. The stored one, nil for a
// provider that is yet to be made, is what read-only fields must equal and where the values behind masks are.
func readProvider(o *object, stored *providers.Provider) (providers.Provider, error) {
	p := providers.Provider{Enabled: true}
	if stored != nil {
		p.ID, p.Metadata = stored.ID, stored.Metadata
	}
	o.text("type", &p.Type)
	o.text("hostname", &p.Hostname)
	o.text("tech_prefix", &p.TechPrefix)
	o.text("tech_postfix", &p.TechPostfix)
	o.text("name", &p.Name)
	o.text("detail", &p.Detail)
	o.text("codecs", &p.Codecs)
	o.text("transport", (*string)(&p.Transport))
	o.boolean("enabled", &p.Enabled)
	o.boolean("raw_user", &p.RawUser)
	o.boolean("follow_redirects", &p.FollowRedirects)
	o.headers(&p, stored)
	o.budgets(&p.Budgets)
	o.failover(&p.Failover)
	o.limits(&p.Limits)
	o.credentials(&p.Credentials, stored)
	o.probing(&p.Probing)
	o.providerReadOnly(stored)
	return p, o.done("a provider")
}

// headers reads tech_headers and secret_headers. Who sends the mask of a secret value means that it stays, secret.
func (o *object) headers(p, stored *providers.Provider) {
	o.textMap("tech_headers", func(name, value string) {
		h := providers.Header{Name: name, Value: value}
		if value == providers.Mask {
			if old := storedHeader(stored, name); old != nil && (old.Secret || old.Value == value) {
				h.Value, h.Secret = old.Value, old.Secret
			} else {
				o.wrong("tech_headers["+providers.Clip(name)+"]", maskOfNothing)
			}
		}
		p.TechHeaders = append(p.TechHeaders, h)
	})
	secret := o.texts("secret_headers")
	if len(secret) > maxSecretHeaders {
		o.wrong("secret_headers", "names more headers than a provider may have")
		return
	}
	for _, name := range secret {
		i := slices.IndexFunc(p.TechHeaders, func(h providers.Header) bool { return strings.EqualFold(h.Name, name) })
		if i < 0 {
			o.wrong("secret_headers", "names a header that is not among tech_headers")
			continue
		}
		p.TechHeaders[i].Secret = true
	}
}

func storedHeader(stored *providers.Provider, name string) *providers.Header {
	if stored == nil {
		return nil
	}
	for i := range stored.TechHeaders {
		if strings.EqualFold(stored.TechHeaders[i].Name, name) {
			return &stored.TechHeaders[i]
		}
	}
	return nil
}

func (o *object) budgets(b *providers.Budgets) {
	if inner := o.object("budgets"); inner != nil {
		inner.duration("no_reply", &b.NoReply)
		inner.duration("no_ringing", &b.NoRinging)
		inner.duration("answer", &b.Answer)
		_ = inner.done("budgets")
	}
}

func (o *object) failover(f *providers.Failover) {
	inner := o.object("failover")
	if inner == nil {
		return
	}
	f.Next = inner.codes("next")
	var after bool
	if inner.boolean("after_ringing", &after) {
		f.AfterRinging = &after
	}
	inner.text("preset", &f.Preset)
	inner.rules(f)
	_ = inner.done("failover")
}

// probing reads what is said of probes. The object's name is health, for that is what they tell.
func (o *object) probing(p *providers.Probing) {
	inner := o.object("health")
	if inner == nil {
		return
	}
	probe := true
	inner.boolean("probe", &probe)
	p.Off = !probe
	inner.duration("interval", &p.Interval)
	p.Up = inner.codes("up")
	_ = inner.done("health")
}

// codes reads status codes and classes, nil when they were left out.
func (o *object) codes(name string) []string {
	all := o.texts(name)
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	return all
}

func (o *object) limits(l *providers.Limits) {
	if inner := o.object("limits"); inner != nil {
		inner.integer("calls", &l.Calls)
		inner.number("cps", &l.CPS)
		_ = inner.done("limits")
	}
}

func (o *object) credentials(c *providers.Credentials, stored *providers.Provider) {
	inner := o.object("credentials")
	if inner == nil {
		return
	}
	inner.text("username", &c.Username)
	inner.text("password", &c.Password)
	inner.text("realm", &c.Realm)
	if c.Password == providers.Mask {
		if stored == nil || stored.Credentials.Password == "" {
			inner.wrong("password", maskOfNothing)
		} else {
			c.Password = stored.Credentials.Password
		}
	}
	_ = inner.done("credentials")
}

// providerReadOnly checks the fields that only the server sets: each is as it is stored, or left out. The provider is
// nil where none is stored yet; then they are what those of a new one are.
func (o *object) providerReadOnly(stored *providers.Provider) {
	now := stored
	if now == nil {
		now = &providers.Provider{HealthStatus: providers.HealthUnknown}
	}
	metadata := make(map[string]string)
	if o.textMap("metadata", func(name, value string) { metadata[name] = value }) && !maps.Equal(metadata, now.Metadata) {
		o.wrong("metadata", readOnly)
	}
	var health string
	if o.text("health_status", &health) && health != string(now.HealthStatus) {
		o.wrong("health_status", readOnly)
	}
	// A probe may have come between reading and writing: what was the time then is no attempt to change it.
	if at, given := o.when("health_checked_at"); given && (now.HealthCheckedAt.IsZero() || at.After(now.HealthCheckedAt)) {
		o.wrong("health_checked_at", readOnly)
	}
	o.readOnly(now.ID, now.TmCreate, now.TmUpdate, now.TmDelete)
}

// maxSecretHeaders is no less than a provider's tech headers can be.
const maxSecretHeaders = 64

// Rules that more than one field may break.
const (
	readOnly      = "is read-only; leave it out, or send what is stored"
	maskOfNothing = "is what stands for a secret in answers, and there is no secret behind it"
)

// readOnly checks the read-only fields that providers and routes have in common.
func (o *object) readOnly(id uuid.UUID, created, updated, deleted time.Time) {
	var given uuid.UUID
	if o.id("id", &given) && given != id {
		o.wrong("id", readOnly)
	}
	for _, field := range []struct {
		name   string
		stored time.Time
	}{{"tm_create", created}, {"tm_update", updated}, {"tm_delete", deleted}} {
		if at, ok := o.when(field.name); ok && !at.Equal(field.stored) {
			o.wrong(field.name, readOnly)
		}
	}
}

// when reads a time in any of its spellings.
func (o *object) when(name string) (at time.Time, given bool) {
	var s string
	if !o.text(name, &s) {
		return time.Time{}, false
	}
	at, err := providers.ParseTime(s)
	if err != nil {
		o.wrong(name, "is not a time such as 2026-04-23T10:00:00.000000Z")
		return time.Time{}, false
	}
	return at, true
}

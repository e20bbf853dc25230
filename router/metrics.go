package router

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// kind labels a message in the counters: its method, the class of its status, or that it is a repetition of ours.
type kind uint8

const (
	kind1xx    = kind(message.NumMethods) + iota
	kind2xx    // Success.
	kind3xx    // Redirection.
	kind4xx    // Request failure.
	kind5xx    // Server failure.
	kind6xx    // Global failure.
	kindRepeat // Sent once more, by a timer or because a copy came.
	numKinds
)

func requestKind(m message.Method) kind { return kind(m) }

func replyKind(code int) kind { return kind1xx + kind(code/100-1) }

func (k kind) String() string {
	if k < kind1xx {
		return message.Method(k).String()
	}
	return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "repeat"}[k-kind1xx]
}

// dropReason says why a message went no further.
type dropReason uint8

const (
	dropNotSIP dropReason = iota
	dropMalformed
	dropForbidden
	dropStray
	dropOverload
	dropHops
	dropUndelivered
	dropPressure
	dropUnread
	dropSourceRate
	numDrops
)

var dropNames = [numDrops]string{ //nolint:gochecknoglobals // A lookup table.
	"not_sip", "malformed", "forbidden", "stray", "overload", "too_many_hops", "undelivered",
	"pressure", "unread", "source_rate",
}

// outcome is how a call ended.
type outcome uint8

const (
	outcomeAnswered outcome = iota
	outcomeBusy
	outcomeRejected
	outcomeNoRoute
	outcomeCancelled
	outcomeFailed
	outcomeTimeout
	numOutcomes
)

var outcomeNames = [numOutcomes]string{ //nolint:gochecknoglobals // A lookup table.
	"answered", "busy", "rejected", "no_route", "cancelled", "failed", "timeout",
}

func (o outcome) String() string { return outcomeNames[o] }

// metrics are the router's counters, resolved once: on a message's way none is looked up by name.
type metrics struct {
	calls      [numOutcomes]prometheus.Counter
	drops      [numDrops]prometheus.Counter
	dropVec    *prometheus.CounterVec
	filters    [sdp.Protected + 1]prometheus.Counter
	violations prometheus.Counter
	orphans    prometheus.Counter
	reloads    prometheus.Counter
	revision   *prometheus.GaugeVec

	attempts, failovers *prometheus.CounterVec
	mu                  sync.Mutex
	providers           map[string]*providerCounts
}

// providerCounts are the figures of one provider. Each is made when it is first counted, so that a large catalog does
// not fill the metrics page with zeros, and found without a look-up from then on.
type providerCounts struct {
	name                string
	attempts, failovers [numCauses]atomic.Pointer[prometheus.Counter]
	setup, answer       delays
}

func newMetrics(reg prometheus.Registerer, r *Router) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "dialrouter", Name: name, Help: help}, labels)
	}
	calls := counter("calls_total", "Calls by how they ended.", "outcome")
	filters := counter("sdp_filters_total", "Session descriptions that went through a codec policy, by outcome.", "outcome")
	violations := counter("sdp_answer_violations_total", "Answers that name a codec which was taken out of the offer.")
	orphans := counter("orphaned_answers_total", "2xx responses that nobody wanted any more, acknowledged and ended by us.")
	reloads := counter("catalog_reload_failures_total", "Catalogs that could not be put in force.")
	m := &metrics{
		dropVec:    counter("messages_dropped_total", "Messages that went no further, by reason.", "reason"),
		violations: violations.WithLabelValues(),
		orphans:    orphans.WithLabelValues(),
		reloads:    reloads.WithLabelValues(),
		revision: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "dialrouter", Name: "catalog_revision_info", Help: "The catalog's revision in force; always 1.",
		}, []string{"revision"}),
		attempts:  counter("attempts_total", "Attempts by provider and how they ended.", "provider", "cause"),
		failovers: counter("failovers_total", "Attempts after which the next provider was tried.", "provider", "cause"),
		providers: make(map[string]*providerCounts),
	}
	for i := range m.calls {
		m.calls[i] = calls.WithLabelValues(outcomeNames[i])
	}
	for i := range m.drops {
		m.drops[i] = m.dropVec.WithLabelValues(dropNames[i])
	}
	for i := range m.filters {
		m.filters[i] = filters.WithLabelValues(sdp.Outcome(i).String())
	}
	progress := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "dialrouter", Name: "calls_in_progress", Help: "Calls that have no final response yet.",
	}, func() float64 { return float64(r.callsInProgress.Load()) })
	transactions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "dialrouter", Name: "transactions", Help: "Transactions held in memory, finished ones included.",
	}, func() float64 { return float64(r.calls.Used()) })
	pressed := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "dialrouter", Name: "workers_under_pressure", Help: "Reading goroutines that have no time for all new requests.",
	}, func() float64 { return float64(r.shares.pressed.Load()) })
	bound := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "dialrouter", Name: "source_share_bound",
		Help: "New requests a second that any source may have at most, because the calls that were let in will take the time that there is; 0: no bound.",
	}, func() float64 { return float64(r.shares.bound.Load()) })
	for _, c := range []prometheus.Collector{
		calls, &r.traffic, (*placesInUse)(r), (*reach)(r), (*expiries)(r), &standing{r: r}, filters, violations, orphans, reloads, &dropCounts{CounterVec: m.dropVec, r: r}, m.revision, m.attempts, m.failovers,
		(*delayHistograms)(m), progress, transactions, pressed, bound,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// provider returns the figures of a provider by its name; they are the same for each snapshot.
func (m *metrics) provider(name string) *providerCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.providers[name]; ok {
		return p
	}
	p := &providerCounts{name: name}
	m.providers[name] = p
	return p
}

// keep forgets the providers that a snapshot does not have, so that the set of labels is bounded by the catalog.
func (m *metrics) keep(s *snapshot) {
	names := make(map[string]bool, len(s.providers))
	for i := range s.providers {
		names[s.providers[i].Name] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.providers {
		if !names[name] {
			delete(m.providers, name)
			label := prometheus.Labels{"provider": name}
			m.attempts.DeletePartialMatch(label)
			m.failovers.DeletePartialMatch(label)
		}
	}
	m.revision.Reset()
	m.revision.WithLabelValues(s.catalog.Revision).Set(1)
}

func (m *metrics) filtered(o sdp.Outcome) { m.filters[o].Inc() }

// attempt counts the end of an attempt.
func (m *metrics) attempt(a *attempt, why cause) {
	if a.prov != nil {
		m.count(m.attempts, &a.prov.counts.attempts[why], a.prov.counts, why)
	}
}

// failover counts an attempt after which another one was started.
func (m *metrics) failover(a *attempt) {
	if a.prov != nil {
		m.count(m.failovers, &a.prov.counts.failovers[a.cause], a.prov.counts, a.cause)
	}
}

// limited counts a provider that was passed over because it was at its limit.
func (m *metrics) limited(p *provider) {
	m.count(m.attempts, &p.counts.attempts[causeLimit], p.counts, causeLimit)
}

// count adds one to a counter, which is made the first time. That of a provider which the catalog has no more, and which
// the last of its calls count for, is made no more: nobody would take it back.
func (m *metrics) count(vec *prometheus.CounterVec, at *atomic.Pointer[prometheus.Counter], p *providerCounts, why cause) {
	if c := at.Load(); c != nil {
		(*c).Inc()
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.providers[p.name] != p {
		return
	}
	c := vec.WithLabelValues(p.name, why.String())
	at.Store(&c)
	c.Inc()
}

// ringing notes the first 18x of an attempt, answered its 2xx.
func (m *metrics) ringing(a *attempt) { a.prov.counts.setup.observe(a.ringing - a.start) }

func (m *metrics) answered(a *attempt) { a.prov.counts.answer.observe(a.answered - a.start) }

// drop counts a message that goes no further.
func (w *worker) drop(from transport.Flow, why dropReason) {
	w.r.metrics.drops[why].Inc()
	w.r.noise.note(w.now, why, from)
}

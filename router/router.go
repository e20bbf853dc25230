// Package router carries calls: RFC 3261 section 16 with failover across providers.
//
// The way of an INVITE, each step a file:
//
//	request.go   copies to their transaction; who may send; Max-Forwards, loops     -> 400 403 482 483 503
//	place.go     the dialled number, the media server's wishes, the plan            -> 404 484
//	attempt.go   the next provider of the plan, within the budgets   <-----------+
//	dress.go     Request-URI, headers, Record-Route, Via, codecs                 |
//	response.go  1xx up; 2xx up; for all else the verdict: next -----------------+
//	finish.go    one final response, its books
//	record.go    what is kept of the call: facts into the ring, words out of it
//
// A call is one struct with one lock, in a numbered slot that our branch parameter names. Whoever reads a message
// from a socket carries it through all steps; one goroutine turns the timer wheel. Nothing on this way waits for a
// disk, DNS, or a log.
//
// Lock order: a call's lock, then (alone, and briefly) those of the table, the wheel, the pools, an entry of the ring. No two
// calls are locked at once, but for a new one that nobody else knows yet.
package router

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// Timing has the base values of SIP's timers; a zero field has RFC 3261's. Only tests change them.
type Timing struct{ T1, T2, T4 time.Duration }

// Options are what a Router is made of. Config and Store are required.
type Options struct {
	Config   *config.Config
	Store    providers.Store
	Log      *slog.Logger         // Nil: nothing is logged.
	Registry *prometheus.Registry // Nil: one that nobody reads.
	Timing   Timing
	Resolve  resolve.Config // For tests with a DNS server of their own.
	Spare    int            // How many of GOMAXPROCS busy readers of datagrams may keep; see transport.Config.
}

// Router is the running proxy.
type Router struct {
	log      *slog.Logger
	store    providers.Store
	clock    func() int64 // Nanoseconds of a monotonic clock, never zero.
	timing   transaction.Timing
	tr       *transport.Transport
	resolver *resolve.Resolver
	key      routeKey
	seeds    [2]maphash.Seed
	awayTag  []byte // How the To tag of what is refused for want of time or room begins.
	names    names
	peers    peerNames
	local    []local
	maxCalls int

	manyCalls   int64 // From here on it is noted whose calls are in progress.
	sourceRate  int64 // New requests a second that a source may send; zero: as many as there is time for.
	sourceMeter *meter
	shares      shares
	foresight   foresight // Of the goroutine that runs the timers.
	holders     holders

	current    atomic.Pointer[snapshot]
	calls      *transaction.Slots[call]
	table      transaction.Table
	wheel      *transaction.Wheel
	bufs       transaction.Buffers
	attempts   attempts
	pulse      *pulse
	health     *health.Registry
	probes     *probes
	proofs     certificates
	accounts   accounts
	renumbered renumbered
	metrics    *metrics
	traffic    traffic
	records    *ring
	journal    *journal
	noise      noise

	inProgress      atomic.Int64 // Transactions without a final response.
	callsInProgress atomic.Int64 // Calls, of these.
	workers         atomic.Int32
	draining        atomic.Bool

	lookups chan struct{}
	stop    chan struct{}
	ctx     context.Context //nolint:containedctx // Bounds the look-ups that the router itself starts.
	cancel  context.CancelFunc
	done    sync.WaitGroup
	closed  sync.Once

	reloads chan reload
	moved   chan struct{} // Addresses changed.
	trouble atomic.Pointer[string]
	cfg     *config.Config // Of the reloading goroutine.
}

// slotsPerCall is how many transactions are kept for each that may be in progress: finished ones stay for 64*T1 to
// absorb copies.
const slotsPerCall = 8

// firstAddresses is how long the start waits for DNS; providers without an address by then are skipped until they
// have one.
const firstAddresses = 5 * time.Second

// New binds the sockets, reads the key and builds the first snapshot. Nothing is read from the sockets until Start.
func New(o Options) (*Router, error) {
	r := &Router{
		log:      o.Log,
		store:    o.Store,
		clock:    clock(),
		timing:   transaction.DefaultTiming(),
		seeds:    [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		awayTag:  fmt.Appendf(nil, ";tag=%08x.", rand.Uint32()),
		maxCalls: o.Config.SIP.MaxCalls,
		calls:    transaction.NewSlots[call](slotsPerCall * o.Config.SIP.MaxCalls),
		health:   health.NewRegistry(),
		lookups:  make(chan struct{}, lookupLimit),
		stop:     make(chan struct{}),
		reloads:  make(chan reload),
		moved:    make(chan struct{}, 1),
		cfg:      o.Config,
	}
	r.manyCalls = int64(r.maxCalls / 2)
	if r.sourceRate = int64(o.Config.SIP.SourceRate); r.sourceRate != 0 {
		r.sourceMeter = new(meter)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.override(o.Timing)
	r.wheel = transaction.NewWheel(r.clock())
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	r.noise.log = r.log
	r.records = newRing(o.Config.Calls.Keep, r.seeds[0])
	r.journal = newJournal(r.log, r.records, r.clock, &o.Config.Calls)
	var err error
	if r.metrics, err = newMetrics(o.Registry, r); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	if r.probes, err = newProbes(r); err != nil {
		return nil, fmt.Errorf("preparing probes: %w", err)
	}
	for _, c := range r.journal.collectors() {
		if err = o.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	if r.key, err = loadRouteKey(o.Config.SIP.RouteKeyFile); err != nil {
		return nil, err
	}
	if err = r.listen(o.Config, o.Spare); err != nil {
		return nil, err
	}
	o.Resolve.OnChange = r.addressesMoved
	o.Resolve.Log = r.log
	o.Resolve.Transports = r.transports()
	o.Resolve.Network = r.family()
	r.resolver = resolve.New(o.Resolve)
	if r.pulse, err = newPulse(r.pace()); err == nil {
		err = r.first()
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// clock counts from an hour before now, so that a time is never zero, which means never.
func clock() func() int64 {
	start := time.Now().Add(-time.Hour)
	return func() int64 { return int64(time.Since(start)) }
}

func (r *Router) override(t Timing) {
	if t.T1 != 0 {
		r.timing.T1 = t.T1
	}
	if t.T2 != 0 {
		r.timing.T2 = t.T2
	}
	if t.T4 != 0 {
		r.timing.T4 = t.T4
	}
}

// listen binds the sockets of the configuration.
func (r *Router) listen(cfg *config.Config, spare int) error {
	tc := transport.Config{
		Workers:  cfg.SIP.Workers,
		Spare:    spare,
		MaxConns: cfg.SIP.MaxConnections,

		MaxConnsPerSource: cfg.SIP.SourceConnections,

		Now:        r.clock,
		NewHandler: func(s *transport.Sender) transport.Handler { return newWorker(r, s) },
		Log:        r.log,
		Dropped:    func(reason string) { r.metrics.dropVec.WithLabelValues(reason).Inc() },
	}
	for _, l := range cfg.SIP.Listen {
		tc.Listeners = append(tc.Listeners, transport.Listener{Proto: protoOf(l.Transport), Addr: l.Addr})
	}
	sec, err := newSecurity(cfg.TLS, r.log)
	if err != nil {
		return err
	}
	tc.TLS = sec.server
	r.proofs.own = sec.expires
	tc.TLSClient = func(remote netip.AddrPort, peer uint16) *tls.Config {
		return r.proofs.watched(sec.dial(remote, r.peers.name(peer)), remote, peer)
	}
	if r.tr, err = transport.Listen(tc); err != nil {
		return err
	}
	r.name(r.tr.Listeners(), &cfg.SIP)
	return nil
}

// transports lists those that we have sockets for, in our order of preference.
func (r *Router) transports() []string {
	var names []string
	for _, p := range [...]transport.Proto{transport.UDP, transport.TCP, transport.TLS} {
		for i := range r.local {
			if r.local[i].proto == p {
				names = append(names, [...]string{transport.UDP: "udp", transport.TCP: "tcp", transport.TLS: "tls"}[p])
				break
			}
		}
	}
	return names
}

// family is the one address family that we have sockets of, "" when there are both.
func (r *Router) family() string {
	v4, v6 := false, false
	for i := range r.local {
		is4 := r.local[i].addr.Addr().Is4()
		v4, v6 = v4 || is4, v6 || !is4
	}
	switch {
	case !v6:
		return "ip4"
	case !v4:
		return "ip6"
	default:
		return ""
	}
}

// pace is how often the timer goroutine looks for what is due, unless a test shortened T1 to where that would show. It is
// little against T1, and each time costs as much as a message.
func (r *Router) pace() time.Duration {
	if r.timing.T1 < 200*time.Millisecond {
		return r.wheel.Tick()
	}
	return 4 * r.wheel.Tick()
}

// first builds the first snapshot: of a catalog that is good, or not at all.
func (r *Router) first() error {
	cat, err := r.store.Catalog(r.ctx)
	if err != nil && cat == nil {
		return err
	}
	r.watch(cat)
	ctx, cancel := context.WithTimeout(r.ctx, firstAddresses)
	defer cancel()
	if rerr := r.resolver.Ready(ctx); rerr != nil {
		r.log.Warn("some providers have no address yet", "error", rerr)
	}
	s, berr := r.build(cat)
	if berr != nil {
		return berr
	}
	r.install(s)
	r.report(err)
	return nil
}

// Start begins to take calls.
func (r *Router) Start() {
	r.journal.start()
	r.tr.Start()
	r.done.Add(2)
	go r.runTimers()
	go r.runReloads()
	r.probes.start()
}

// Listeners are the sockets as they were bound.
func (r *Router) Listeners() []transport.Listener { return r.tr.Listeners() }

// lingerT1 is how many T1 a drained router stays after the last call has its final response. It needs no state for what
// comes then, but it has to be there: the ACK to that response, and the response once more when it or the ACK was lost.
// After four, a 2xx has been sent three times, and any other response too.
const lingerT1 = 4

// Drain refuses new calls from now on, and returns when those being set up have ended and their ACKs had the time to
// pass, or with the context's error when they have not ended by then. Requests within dialogs are served meanwhile, and
// not waited for: on a busy router there is always one, and who gets no response to it asks the next router.
func (r *Router) Drain(ctx context.Context) error {
	r.draining.Store(true)
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	linger := lingerT1 * r.timing.T1
	for last := time.Now(); r.calls.Used() > 0; { // Finished transactions are there for longer than that.
		busy := r.callsInProgress.Load() > 0
		if busy {
			last = time.Now()
		} else if time.Since(last) >= linger {
			return nil
		}
		select {
		case <-ctx.Done():
			if busy {
				return ctx.Err()
			}
			return nil
		case <-t.C:
		}
	}
	return nil
}

// Draining says whether new calls are refused.
func (r *Router) Draining() bool { return r.draining.Load() }

// CallsInProgress is the number of calls that have no final response yet.
func (r *Router) CallsInProgress() int { return int(r.callsInProgress.Load()) }

// Revision is the catalog's revision in force.
func (r *Router) Revision() string { return r.current.Load().catalog.Revision }

// Trouble says what keeps a newer catalog from being in force, "" for nothing.
func (r *Router) Trouble() string {
	if s := r.trouble.Load(); s != nil {
		return *s
	}
	return ""
}

// Close stops at once: sockets, timers and look-ups. Calls being set up are lost; established ones are not, since
// they are not here. It does not close the store.
func (r *Router) Close() error {
	var err error
	r.closed.Do(func() {
		close(r.stop)
		r.cancel()
		r.probes.close()
		err = r.tr.Close()
		if r.resolver != nil {
			err = errors.Join(err, r.resolver.Close())
		}
		if r.pulse != nil {
			err = errors.Join(err, r.pulse.close())
		}
		r.done.Wait()
		r.journal.close() // It has the last calls too: nobody ends one any more.
	})
	return err
}

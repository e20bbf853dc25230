// Package resolve finds where a SIP host is (RFC 3263), in the background, so that no call waits for DNS.
//
// A query enters the ladder at the rung that what it says leads to, and goes down:
//
//	host only            NAPTR host             order, preference: SIP+D2U or SIP+D2T, leads to an SRV name
//	host and transport   SRV _sip._udp.host     priority, weight, port and name of each server
//	host and port        A, AAAA name           addresses
//	an address                                  itself
//	                     = []Target             transport, address and port, sorted by priority
//
// Three ways lead in. Watch follows a set of names: each is looked up again when its records' time to live ends, and
// Lookup reads, without a lock, what is known now. Resolve looks up one name and waits for it; its answers are cached.
// What was once known stays in force while DNS gives no answer.
package resolve

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// The errors that Lookup and Resolve wrap.
var (
	ErrPending    = errors.New("not resolved yet")
	ErrNotWatched = errors.New("not among the watched names")
	ErrBadQuery   = errors.New("not a host and transport that can be resolved")
	ErrNotFound   = errors.New("no such host, or it has no address of a family in use")
	ErrNoService  = errors.New("its SRV records say that there is no SIP service")
	ErrNoAnswer   = errors.New("DNS gave no usable answer")
	ErrClosed     = errors.New("the resolver is closed")
)

// The transports of queries and targets.
const (
	udp = "udp"
	tcp = "tcp"
	tls = "tls"
)

// Query is what is known of a next hop before DNS is asked.
type Query struct {
	Host      string // A domain name, or an IP address without brackets.
	Port      uint16 // 0: none.
	Transport string // "udp", "tcp", "tls"; "": left to DNS.
}

// Target is one place that a query leads to.
type Target struct {
	Transport string
	Addr      netip.AddrPort
	Name      string // The query's host: what a TLS certificate has to show (RFC 5922 section 7.1).
	Host      string // The name that has this address: an SRV record's target, or the query's host.
	Priority  uint16 // Of the SRV record; lower goes first.
	Weight    uint16 // Of the SRV record: the share among equal priorities. All addresses of one Host share it: see Order.
}

// The defaults of Config.
const (
	defaultTimeout     = 2 * time.Second  // A recursive server that needs longer is better asked again.
	defaultMinTTL      = 5 * time.Second  // Records that live shorter than this are not worth the load.
	defaultMaxTTL      = time.Hour        // Some zones say a week; providers move sooner.
	defaultNegativeTTL = 60 * time.Second // A name that was just created should work within a minute.
)

// Config tells how to resolve. The zero value is usable.
type Config struct {
	Servers     []string      // Recursive servers as address:port. Empty: those of /etc/resolv.conf, and /etc/hosts counts.
	Timeout     time.Duration // Of one question to one server; default 2 s.
	MinTTL      time.Duration // An answer is believed for at least this long; default 5 s.
	MaxTTL      time.Duration // And at most; default 1 h.
	NegativeTTL time.Duration // At most so long if it says that there is nothing; default 60 s.
	OnChange    func()        // Called, one call at a time, after what Lookup returns for a watched name has changed.
	Log         *slog.Logger  // Nil: silence.
	Transports  []string      // Those that we can send; DNS chooses among them. Empty: udp, tcp, tls.
	Network     string        // "ip4" or "ip6" when there are no sockets of the other family. Empty: both.
	PreferV6    bool          // Put a host's IPv6 addresses before its IPv4 addresses.
}

func (c Config) withDefaults() Config {
	orDefault := func(d *time.Duration, fallback time.Duration) {
		if *d <= 0 {
			*d = fallback
		}
	}
	orDefault(&c.Timeout, defaultTimeout)
	orDefault(&c.MinTTL, defaultMinTTL)
	orDefault(&c.MaxTTL, defaultMaxTTL)
	orDefault(&c.NegativeTTL, defaultNegativeTTL)
	c.MaxTTL = max(c.MaxTTL, c.MinTTL)
	c.NegativeTTL = max(c.NegativeTTL, c.MinTTL)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Transports) == 0 {
		c.Transports = []string{udp, tcp, tls}
	}
	return c
}

// Resolver resolves names. It is safe for concurrent use.
type Resolver struct {
	finder  finder
	watcher watcher
	flights flights
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New returns a resolver that has nothing to do yet. Close ends it.
func New(c Config) *Resolver { return newResolver(c, "/etc/resolv.conf", "/etc/hosts") }

func newResolver(c Config, resolvConf, hosts string) *Resolver {
	c = c.withDefaults()
	r := &Resolver{finder: finder{Config: c, client: client{timeout: c.Timeout, servers: c.Servers}}}
	if len(c.Servers) == 0 {
		r.finder.local = newLocalFiles(resolvConf, hosts)
		r.finder.client.local = r.finder.local
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.watcher.init(ctx, &r.running, c, r.finder.find)
	r.flights.init(ctx, &r.running, c, r.finder.find)
	return r
}

// Watch makes qs the set of names to follow. Those that are new are looked up in the background at once; what is
// known of the others stays.
func (r *Resolver) Watch(qs []Query) { r.watcher.watch(qs) }

// Lookup returns what is known now, sorted by priority; it waits for nothing, no lock either. The slice must not be
// changed. A host that is an IP address is always known; a name has to be watched, and gives ErrPending until its
// first answer.
func (r *Resolver) Lookup(q Query) ([]Target, error) {
	if a := r.watcher.lookup(q); a != nil {
		return a.targets, a.err
	}
	q, fixed := normalise(q, r.finder.Transports)
	if fixed != nil {
		return fixed.targets, fixed.err
	}
	if a := r.watcher.lookup(q); a != nil {
		return a.targets, a.err
	}
	return nil, failure(q, ErrNotWatched)
}

// Resolve returns where q leads, sorted by priority, and waits for DNS when that is not known yet. The slice must not
// be changed. Equal queries at the same time share one look-up, which goes on when ctx ends.
func (r *Resolver) Resolve(ctx context.Context, q Query) ([]Target, error) {
	q, fixed := normalise(q, r.finder.Transports)
	if fixed == nil {
		fixed = r.watcher.lookup(q)
	}
	if fixed != nil && !errors.Is(fixed.err, ErrPending) {
		return fixed.targets, fixed.err
	}
	a, err := r.flights.resolve(ctx, q)
	if err != nil {
		return nil, failure(q, err)
	}
	return a.targets, a.err
}

// Ready waits until each watched name has had its first answer, or its first failure.
func (r *Resolver) Ready(ctx context.Context) error { return r.watcher.wait(ctx) }

// Close ends all look-ups and waits for them. What was known can still be read. It must not be called by OnChange.
func (r *Resolver) Close() error {
	r.watcher.close()
	r.flights.close()
	r.cancel()
	r.running.Wait()
	return nil
}

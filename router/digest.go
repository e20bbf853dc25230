package router

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/icholy/digest"

	"github.com/voipbin/dialrouter/providers"
)

// A challenge is answered more than once: as long as the provider takes its nonce, each later request carries
// credentials with the next nonce count (RFC 7616 section 3.4) and needs no second round trip. What is kept of
// challenges lives outside the snapshot, with the credentials that answer them.
const (
	nonceLife  = 5 * time.Minute // After that a nonce is hardly ever still good.
	nonceLimit = 16              // Kept for a provider; it may have as many addresses.
	mostProofs = 4               // On one request: no way has more realms.
)

// account is what a provider knows us by. It is safe for concurrent use, and reading takes no lock.
type account struct {
	providers.Credentials

	mu     sync.Mutex // Of those who write.
	nonces atomic.Pointer[[]*nonce]
}

// nonce is a challenge that can be answered, again and again. Only its count changes.
type nonce struct {
	digest.Challenge

	proxy bool           // Asked for by Proxy-Authenticate, not WWW-Authenticate.
	from  netip.AddrPort // Who asked; nobody else gets it.
	since int64
	count atomic.Uint32 // How often it was used.
}

// replaces says whether n came in the place of o.
func (n *nonce) replaces(o *nonce) bool {
	return n.from == o.from && n.asks(o)
}

// asks says whether both ask for the same credentials.
func (n *nonce) asks(o *nonce) bool { return n.proxy == o.proxy && n.Realm == o.Realm }

// known appends the nonces that an address is likely to take.
func (c *account) known(dst []proof, at netip.AddrPort, now int64) []proof {
	list := c.nonces.Load()
	if list == nil {
		return dst
	}
	for _, n := range *list {
		if len(dst) < mostProofs && n.from == at && now-n.since < int64(nonceLife) {
			dst = append(dst, proof{nonce: n, early: true})
		}
	}
	return dst
}

// remember keeps a nonce for later requests.
func (c *account) remember(fresh *nonce, now int64) {
	c.change(fresh, func(n *nonce) bool { return !fresh.replaces(n) && now-n.since < int64(nonceLife) })
}

// forget drops what is kept for an address: it refused it.
func (c *account) forget(at netip.AddrPort) {
	c.change(nil, func(n *nonce) bool { return n.from != at })
}

// change keeps a fresh nonce, if any, and of the others those that are still good, the newest first.
func (c *account) change(fresh *nonce, good func(*nonce) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*nonce
	if fresh != nil {
		list = append(list, fresh)
	}
	if old := c.nonces.Load(); old != nil {
		for _, n := range *old {
			if len(list) < nonceLimit && good(n) {
				list = append(list, n)
			}
		}
	}
	c.nonces.Store(&list)
}

// accounts are those of all providers that we have credentials for. They outlive snapshots.
type accounts struct {
	mu sync.Mutex
	of map[uuid.UUID]*account
}

// account is that of a provider, nil when it has no credentials. New credentials make a new one.
func (a *accounts) account(p *providers.Provider) *account {
	if p.Credentials.Username == "" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.of[p.ID]; c != nil && c.Credentials == p.Credentials {
		return c
	}
	if a.of == nil {
		a.of = make(map[uuid.UUID]*account)
	}
	c := &account{Credentials: p.Credentials}
	a.of[p.ID] = c
	return c
}

// keep forgets the accounts of providers that are not in the set.
func (a *accounts) keep(ids map[uuid.UUID]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.of {
		if _, ok := ids[id]; !ok {
			delete(a.of, id)
		}
	}
}

package transport

import (
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
)

// connTable knows the open connections. An id is a slot and a generation, so
// that looking it up takes no lock and an old id never finds a new connection:
//
//	| generation, from 1 | slot, log2(slots) bits |
type connTable struct {
	slots    []atomic.Pointer[conn]
	slotBits int

	maxAccepted, maxPerSource, maxDialled, maxLeaving int

	mu          sync.RWMutex
	running     bool // connections may be added
	free        []uint32
	generations []uint32
	dialled     map[dialKey]*conn
	accepted    int
	perSource   map[netip.Addr]int
	leaving     int // accepted connections whose peer has stopped sending
}

// dialKey finds a dialled connection. The listener is part of it because it
// decides the local address, which a carrier may filter by; the peer, because
// one host may be several, of which it proves to be one.
type dialKey struct {
	proto    Proto
	listener uint16
	peer     uint16
	remote   netip.AddrPort
}

// keyOf returns what a connection is found by that carries a flow.
func keyOf(to Flow) dialKey {
	return dialKey{proto: to.Proto, listener: to.Listener, peer: to.Peer, remote: to.Remote}
}

// leavingShare is the part of MaxConns, as a divisor, that may be held in
// addition by connections whose peer has stopped sending.
const leavingShare = 4

func newConnTable(maxConns, maxPerSource int) *connTable {
	t := &connTable{
		maxAccepted:  maxConns,
		maxPerSource: maxPerSource,
		maxDialled:   maxConns,
		maxLeaving:   maxConns/leavingShare + 1,
		dialled:      make(map[dialKey]*conn),
		perSource:    make(map[netip.Addr]int),
	}
	n := t.maxAccepted + t.maxDialled + t.maxLeaving
	t.slotBits = bits.Len(uint(n - 1))
	t.slots = make([]atomic.Pointer[conn], 1<<t.slotBits)
	t.generations = make([]uint32, n)
	for i := range n {
		t.free = append(t.free, uint32(n-1-i))
	}
	return t
}

// byID returns a connection that is open, or nil.
func (t *connTable) byID(id uint32) *conn {
	c := t.slots[id&(1<<t.slotBits-1)].Load()
	if c == nil || c.flow.Conn != id {
		return nil
	}
	return c
}

// byRemote returns the connection that was dialled for a key, or nil.
func (t *connTable) byRemote(key dialKey) *conn {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.dialled[key]
}

// open lets connections be added.
func (t *connTable) open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = true
}

// close lets no more connections be added and returns those there are.
func (t *connTable) close() []*conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = false
	var all []*conn
	for i := range t.slots {
		if c := t.slots[i].Load(); c != nil {
			all = append(all, c)
		}
	}
	return all
}

func (t *connTable) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.generations) - len(t.free)
}

// addAccepted gives a connection its id. It fails when the limits are reached.
func (t *connTable) addAccepted(c *conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	source := sourceOf(c.flow.Remote.Addr())
	switch {
	case !t.running:
		return ErrClosed
	case t.accepted >= t.maxAccepted || t.perSource[source] >= t.maxPerSource:
		return ErrConnLimit
	}
	t.accepted++
	t.perSource[source]++
	c.counted = true
	t.placeLocked(c)
	return nil
}

// addDialled gives a connection its id, or returns the one that another
// goroutine has added for the same key in the meantime.
func (t *connTable) addDialled(c *conn) (*conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.dialled[c.key]; other != nil {
		return other, nil
	}
	switch {
	case !t.running:
		return nil, ErrClosed
	case len(t.dialled) >= t.maxDialled:
		return nil, ErrConnLimit
	}
	t.dialled[c.key] = c
	t.placeLocked(c)
	return c, nil
}

// replace gives the place of a dialled connection to another with the same key.
func (t *connTable) replace(c, next *conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(c)
	if !t.running {
		return ErrClosed
	}
	t.dialled[next.key] = next
	t.placeLocked(next)
	return nil
}

// placeLocked puts a connection into a free slot. There is one: each kind of
// connection is limited, and the slots are as many as the limits together.
func (t *connTable) placeLocked(c *conn) {
	last := len(t.free) - 1
	slot := t.free[last]
	t.free = t.free[:last]
	t.generations[slot]++
	if t.generations[slot]<<t.slotBits == 0 {
		t.generations[slot] = 1 // the generations have come round
	}
	c.flow.Conn = t.generations[slot]<<t.slotBits | slot
	c.t.running.Add(1)
	t.slots[slot].Store(c)
}

// leave stops counting an accepted connection whose peer has stopped sending,
// so that peers who come and go do not use up their limit. It reports false
// when there are too many of them, and for a connection that we dialled: the
// next message rather opens another one.
func (t *connTable) leave(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.leaving >= t.maxLeaving || !c.counted {
		return false
	}
	t.uncountLocked(c)
	t.leaving++
	return true
}

// remove takes a connection out, once.
func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(c)
}

func (t *connTable) removeLocked(c *conn) {
	slot := c.flow.Conn & (1<<t.slotBits - 1)
	if t.slots[slot].Load() != c {
		return
	}
	t.slots[slot].Store(nil)
	t.free = append(t.free, slot)
	switch {
	case c.dialled:
		if t.dialled[c.key] == c {
			delete(t.dialled, c.key)
		}
	case c.counted:
		t.uncountLocked(c)
	default:
		t.leaving--
	}
}

func (t *connTable) uncountLocked(c *conn) {
	c.counted = false
	t.accepted--
	source := sourceOf(c.flow.Remote.Addr())
	if t.perSource[source]--; t.perSource[source] == 0 {
		delete(t.perSource, source)
	}
}

// sourceBits is how much of an IPv6 address one subscriber shares.
const sourceBits = 64

// sourceOf returns what connections are counted by: an IPv4 address, or the
// network that an IPv6 host can choose its addresses from.
func sourceOf(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return addr
	}
	prefix, err := addr.WithZone("").Prefix(sourceBits)
	if err != nil {
		return addr
	}
	return prefix.Addr()
}

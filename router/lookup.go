package router

import (
	"context"
	"time"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// A remote target within a dialog may be a name: a Contact, or another element's Record-Route. It is looked up on a
// goroutine of its own, and the request goes on from there, so that no other call waits for DNS.
const (
	lookupLimit = 512 // At the same time; beyond it requests get 503.
	lookupTime  = 5 * time.Second
)

// lookUp finds where a call's request goes and sends it then. It is false when too many look-ups are under way.
func (w *worker) lookUp(c *call, next *message.URI, listener uint16, record bool) bool {
	slot, key := c.slot, c.key
	return w.r.inBackground(next, listener, func(w *worker, to transport.Flow, ok bool) {
		c := w.r.calls.Get(slot)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.role != inside || c.key != key || c.server.Final() {
			return
		}
		if m, rq := w.reread(c); ok && !c.cancelled {
			p, _ := w.readPath(m, rq) // It was in order when the request came.
			w.sendInsideLocked(c, c.attempts[0], to, m, rq, &p, record)
		} else {
			w.withoutLocked(c, c.attempts[0], 500)
		}
		w.settleLocked(c)
	})
}

// lookUpAck does the same for an ACK, which has no transaction.
func (w *worker) lookUpAck(from transport.Flow, next *message.URI, listener uint16) {
	data := append([]byte(nil), w.msg.Buf...)
	key := w.rq.key
	started := w.r.inBackground(next, listener, func(w *worker, to transport.Flow, ok bool) {
		if !ok || w.msg.Parse(data) != nil || w.read(&w.msg, &w.rq) != nil {
			return
		}
		w.rq.key = key
		if p, fault := w.readPath(&w.msg, &w.rq); fault == nil {
			w.passAck(from, to, &p)
		}
	})
	if !started {
		w.drop(from, dropOverload)
	}
}

// inBackground resolves a URI's host and calls then with a worker of its own.
func (r *Router) inBackground(u *message.URI, listener uint16, then func(w *worker, to transport.Flow, ok bool)) bool {
	select {
	case r.lookups <- struct{}{}:
	default:
		return false
	}
	q := queryFor(u)
	r.done.Go(func() {
		defer func() { <-r.lookups }()
		ctx, cancel := context.WithTimeout(r.ctx, lookupTime)
		defer cancel()
		targets, err := r.resolver.Resolve(ctx, q)
		w := newWorker(r, r.tr.NewSender())
		defer r.traffic.leave(w.tally)
		w.now = r.clock()
		var to transport.Flow
		ok := false
		for _, t := range targets {
			if to, ok = r.flowTo(protoOf(t.Transport), t.Addr, listener); ok {
				if to.Proto == transport.TLS {
					to.Peer = r.peers.learn(t.Name)
				}
				break
			}
		}
		then(w, to, ok && err == nil)
		w.out.Flush(w.now)
	})
	return true
}

package router

import (
	"sync"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// role tells why a call struct exists.
type role uint8

const (
	free   role = iota
	placed      // A request outside a dialog, carried by plan: attempts one after the other.
	inside      // A request within a dialog, carried by its route set: one attempt.
	own         // A request of our own: the BYE that ends a leg nobody owns. No server transaction.
)

// call is the response context of RFC 3261 section 16.2: one server transaction, and the client transactions that
// serve it. It lives in a numbered slot; the lock guards everything but key, which is set while no one else can find
// the call and stays as long as it is in the table.
type call struct {
	mu   sync.Mutex
	slot uint32
	role role

	method  message.Method
	invite  bool
	server  transaction.Server
	key     transaction.Key
	from    transport.Flow // Where the request came from, and where its responses go.
	sentBy  uint16         // The port of the top Via as it came.
	holder  sourceKey      // Whose call it counts as; zero: nobody's.
	req     []byte         // The request as it came; nil once no attempt can follow.
	resp    []byte         // The response that was sent last.
	best    []byte         // The best final response so far, not yet sent.
	bestOf  int            // Its status.
	queued  int64          // The wheel was asked to wake us then; zero: it was not.
	counted bool           // Counts among the calls in progress.

	snap      *snapshot
	plan      []dialplan.Choice
	redirects []*redirect // Where a provider's 3xx leads, still to be tried.
	next      int         // The first choice of plan that was not looked at yet.
	behind    int         // The first one that is behind the others because it was down or rested.
	attempts  []*attempt
	skips     []skip      // Those of plan that could not be tried.
	policy    *sdp.Policy // The per-call codec list, or that of the dialog.

	callID    message.Span // In req.
	number    []byte       // The dial string as it goes out.
	digits    int          // How many digits it was matched by; zero: it is no number.
	customer  uuid.UUID
	listed    bool // The providers were named by the request.
	cancelled bool
	timedOut  bool // A budget ended the call.
	unable    bool // Only codecs kept providers from being tried.
	cseq      uint32
	start     int64
	setupEnd  int64
	tryingAt  int64 // When a 100 is due.
	retryAt   int64 // When the last attempt's provider is tried again.

	// Room for what most calls need, so that it lies together and a new slot takes no memory of its own.
	firstAttempt  attempt
	shortAttempts [4]*attempt
	shortPlan     [4]dialplan.Choice
	shortNumber   [32]byte
}

// attempt is one client transaction: a provider tried for the call, or the next hop of a request within a dialog.
type attempt struct {
	client transaction.Client
	cancel transaction.Client // The CANCEL, a transaction of its own with the same branch.
	try                       // Its provider is nil within a dialog.
	nonce  uint64             // In our branch; tells a response for us from one for an earlier user of the slot.
	loop   uint32             // Likewise in our branch: the hash of RFC 3261 section 16.6 item 8.
	cseq   uint32             // The number that it went out with.
	policy *sdp.Policy        // What the offer went through.
	flow   transport.Flow
	sent   []byte // The request as sent; once a final response is in, the ACK to it.

	start     int64
	replied   int64 // The first response of any kind.
	ringing   int64
	answered  int64
	budgetEnd int64 // When no_reply, no_ringing or answer is over.

	status    int   // The last status code that came.
	rest      int64 // For how long it asked to be left alone, in nanoseconds.
	cause     cause
	relayed   bool // Its final response was taken for the call's.
	ruled     bool // A rule decided on it.
	cancelDue bool // Cancel as soon as a provisional response is in (RFC 3261 section 9.1).
	abandoned bool // We went on without it.
	edited    bool // The offer was edited.
	large     bool // Went by TCP only because it was too large for a datagram.
	ended     bool // A 2xx nobody wants was ended by our BYE.
	repeated  bool // Its challenge was answered: the next attempt is the same one once more, with credentials.
}

// current is the attempt that the call waits for, or nil.
func (c *call) current() *attempt {
	if n := len(c.attempts); n > 0 && !c.attempts[n-1].abandoned && c.attempts[n-1].client.Pending() {
		return c.attempts[n-1]
	}
	return nil
}

// addAttempt appends an attempt: the first in the call itself, others from the pool.
func (c *call) addAttempt(spare *attempts) *attempt {
	a := &c.firstAttempt
	if len(c.attempts) > 0 {
		a = spare.get()
	}
	c.attempts = append(c.attempts, a)
	return a
}

// dropAttempt takes the last attempt back.
func (c *call) dropAttempt(spare *attempts) {
	last := len(c.attempts) - 1
	a := c.attempts[last]
	c.attempts[last] = nil
	c.attempts = c.attempts[:last]
	*a = attempt{}
	if a != &c.firstAttempt {
		spare.put(a)
	}
}

// deadline is when the call wants to be woken next; zero for never. Transactions that only wait for copies of what is
// settled have no hurry: they go together, with the last of them.
func (c *call) deadline() int64 {
	d := earlier(c.tryingAt, c.retryAt)
	last := int64(0)
	if c.server.Lingers() {
		last = c.server.Deadline()
	} else {
		d = earlier(d, c.server.Deadline())
	}
	for _, a := range c.attempts {
		d = earlier(d, earlier(a.cancel.Deadline(), a.budgetEnd))
		if a.client.Pending() {
			d = earlier(d, a.client.Deadline())
		} else {
			last = max(last, a.client.Deadline())
		}
	}
	if !c.server.Final() && c.role == placed {
		d = earlier(d, c.setupEnd)
	}
	if d == 0 {
		return last
	}
	return d
}

func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// over says whether nothing can happen to the call any more.
func (c *call) over() bool {
	if s := c.server.State(); s != transaction.Terminated && s != transaction.Idle {
		return false
	}
	for _, a := range c.attempts {
		if s := a.client.State(); s != transaction.Terminated && s != transaction.Idle {
			return false
		}
		if a.cancel.Pending() {
			return false
		}
	}
	return true
}

// wakeLocked makes sure that the wheel calls at the call's next deadline.
func (w *worker) wakeLocked(c *call) {
	if d := c.deadline(); d != c.queued {
		c.queued = d
		w.r.wheel.Set(c.slot, d)
	}
}

// settle is called at the end of everything that changed a call: it frees what is over, and queues what is not. The
// lock is held.
func (w *worker) settleLocked(c *call) {
	if c.role != free && c.over() {
		w.releaseLocked(c)
		return
	}
	w.wakeLocked(c)
}

// open takes a slot for a new call and locks it. It is nil when all are taken.
func (w *worker) open(rl role) *call {
	slot, c, ok := w.r.calls.Alloc(w.id)
	if !ok {
		return nil
	}
	c.mu.Lock()
	if c.attempts == nil {
		c.attempts, c.plan, c.number = c.shortAttempts[:0], c.shortPlan[:0], c.shortNumber[:0]
	}
	c.slot, c.role, c.queued = slot, rl, 0
	c.start = w.now
	return c
}

// releaseLocked gives a call's memory back. The lock is held, and is given up by the caller as always: whoever comes
// late with the slot's number finds it free, or serving another branch.
func (w *worker) releaseLocked(c *call) {
	r := w.r
	if c.role != own && c.key != (transaction.Key{}) {
		r.table.Remove(c.key, c.slot)
	}
	w.uncountLocked(c)
	r.bufs.Put(c.req)
	r.bufs.Put(c.resp)
	r.bufs.Put(c.best)
	for n := len(c.attempts); n > 0; n-- {
		a := c.attempts[n-1]
		r.bufs.Put(a.sent)
		if a.auth != nil {
			r.renumbered.forget(a.auth.inside)
		}
		c.dropAttempt(&r.attempts)
	}
	c.attempts = c.shortAttempts[:0]
	// Everything but the lock and the memory that the next user of the slot fills again.
	c.role, c.method, c.invite, c.server, c.key = free, 0, false, transaction.Server{}, transaction.Key{}
	c.from, c.sentBy, c.req, c.resp, c.best, c.bestOf = transport.Flow{}, 0, nil, nil, nil, 0
	c.snap, c.plan, c.next, c.behind, c.policy = nil, c.plan[:0], 0, 0, nil
	c.redirects, c.skips, c.callID = nil, c.skips[:0], message.Span{}
	if c.queued != 0 {
		c.queued = 0
		r.wheel.Set(c.slot, 0)
	}
	c.number, c.digits, c.customer, c.listed = c.number[:0], 0, uuid.Nil, false
	c.cancelled, c.timedOut, c.unable = false, false, false
	c.cseq, c.start, c.setupEnd, c.tryingAt, c.retryAt = 0, 0, 0, 0, 0
	r.calls.Free(c.slot)
}

// countLocked adds the call to those in progress; uncountLocked takes it out, once.
func (w *worker) countLocked(c *call) {
	c.counted = true
	if w.r.inProgress.Add(1) > w.r.manyCalls && c.role == placed {
		w.holdLocked(c)
	}
	if c.invite && c.role == placed {
		w.r.callsInProgress.Add(1)
	}
}

func (w *worker) uncountLocked(c *call) {
	if !c.counted {
		return
	}
	c.counted = false
	w.r.inProgress.Add(-1)
	if c.holder != 0 {
		w.r.holders.add(c.holder, -1)
		c.holder = 0
	}
	if c.invite && c.role == placed {
		w.r.callsInProgress.Add(-1)
	}
}

// keep replaces a kept message by a copy of b. Much of what is kept stays long after all else of the call is over, so
// what is too large for it goes to those who need it.
func (w *worker) keep(old, b []byte) []byte {
	if cap(old) >= len(b) && cap(old) <= 2*len(b) {
		return append(old[:0], b...)
	}
	w.r.bufs.Put(old)
	return w.r.bufs.Copy(b)
}

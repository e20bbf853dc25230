package router

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// runTimers turns the wheel until the router stops: one goroutine for all timers there are.
func (r *Router) runTimers() {
	defer r.done.Done()
	w := newWorker(r, r.tr.NewSender())
	beats := int(journalPace / r.pace())
	for n := 1; r.pulse.wait(); n++ {
		w.turn(r.clock())
		if n%beats == 0 {
			r.journal.beat()
		}
	}
}

// turn wakes the calls that are due.
func (w *worker) turn(now int64) {
	w.now = now
	w.r.shares.measure(now)
	w.r.foresee(now)
	w.due = w.r.wheel.Expire(now, w.due[:0])
	for i, slot := range w.due {
		w.fire(slot)
		if i%breath == breath-1 && w.r.clock()-now < longestBreath {
			w.out.Flush(now)
			giveWay()
		}
	}
	w.out.Flush(now)
}

// Most of what is due are calls that ended 32 s ago, whose memory is in no cache any more: hundreds of them at each beat would keep a
// message waiting for a millisecond where all share a processor. So after each breath of them others go first, unless that takes
// longestBreath, as it does when there is too much to do: then time does not stand still for those who wait for it.
const (
	breath        = 8
	longestBreath = int64(5 * time.Millisecond)
)

// giveWay lets another thread have the processor, if one waits for it. For the scheduler of Go's this goroutine runs on.
func giveWay() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// fire does what is due for a call.
func (w *worker) fire(slot uint32) {
	c := w.r.calls.Get(slot)
	c.mu.Lock()
	defer c.mu.Unlock()
	// The deadline may have moved, or the slot may serve another call, since the wheel gave it out.
	if c.role == free || c.queued == 0 || c.queued > w.now {
		return
	}
	c.queued = 0
	if due(c.tryingAt, w.now) {
		w.tryingLocked(c)
	}
	w.serverTimersLocked(c)
	for i := 0; i < len(c.attempts); i++ {
		w.clientTimersLocked(c, i)
	}
	if due(c.retryAt, w.now) {
		w.retryLocked(c)
	}
	if c.role == placed && due(c.setupEnd, w.now) && !c.server.Final() {
		w.setupOverLocked(c)
	}
	w.settleLocked(c)
}

// furtherLocked tries the provider's next address (RFC 3263 section 4.3).
func (w *worker) furtherLocked(c *call, a *attempt) bool {
	t := a.try
	if c.cancelled || !t.further() {
		return false
	}
	a.placed = false // The place goes with the call.
	m, rq := w.reread(c)
	return w.attemptLocked(c, t, m, rq)
}

// smallerLocked tries the same address by UDP after all, when TCP was only chosen for the request's size and does not
// work there (RFC 3261 section 18.1.1); that is remembered, so that the next call does not lose the time.
func (w *worker) smallerLocked(c *call, a *attempt) bool {
	if !a.large || c.cancelled {
		return false
	}
	a.prov.state.PreferDatagrams(w.now)
	t := a.try
	t.again = true
	a.placed = false
	m, rq := w.reread(c)
	return w.attemptLocked(c, t, m, rq)
}

func due(at, now int64) bool { return at != 0 && now >= at }

func (w *worker) serverTimersLocked(c *call) {
	for {
		switch c.server.Tick(&w.r.timing, w.now) {
		case transaction.None:
			return
		case transaction.Resend:
			w.sendUp(c, c.resp, kindRepeat)
		default:
			w.r.bufs.Put(c.resp)
			c.resp = nil
		}
	}
}

// clientTimersLocked does what is due for an attempt. The list of attempts may grow by it.
func (w *worker) clientTimersLocked(c *call, i int) {
	a := c.attempts[i]
	switch a.client.Tick(&w.r.timing, w.now) { //nolint:exhaustive // The others are no answers to a timer.
	case transaction.Resend:
		w.send(a.flow, a.sent, kindRepeat)
	case transaction.Timeout:
		w.silenceLocked(c, a)
		return
	}
	if a.cancel.Tick(&w.r.timing, w.now) == transaction.Resend && a.client.Pending() {
		w.hop(a, "CANCEL", nil)
		w.send(a.flow, w.buf, kindRepeat)
	}
	if due(a.budgetEnd, w.now) {
		a.budgetEnd = 0
		w.budgetLocked(c, a)
	}
}

// silenceLocked takes the end of Timer B or F, or of the wait for a final response after CANCEL.
func (w *worker) silenceLocked(c *call, a *attempt) {
	a.budgetEnd, a.cancelDue = 0, false
	if a.abandoned || c.server.Final() || c.role == own {
		return
	}
	w.endAttempt(c, a, causeNoReply)
	w.withoutLocked(c, a, 408)
}

// withoutLocked goes on after an attempt that ended without a response: to the next provider, if there may be one.
// code is our own word for it.
func (w *worker) withoutLocked(c *call, a *attempt, code int) {
	switch {
	case c.cancelled:
		w.finishLocked(c, 487, "")
	case a.prov == nil:
		w.finishLocked(c, code, "")
	default:
		w.candidateLocked(c, code, nil)
		if a.ringing != 0 && !a.prov.after {
			c.next = len(c.plan)
		}
		w.advanceLocked(c, nil, nil)
	}
}

// budgetLocked takes the end of an attempt's budget.
func (w *worker) budgetLocked(c *call, a *attempt) {
	if !a.client.Pending() || a.abandoned || c.server.Final() {
		return
	}
	why := causeNoReply
	switch {
	case a.ringing != 0:
		why = causeNoAnswer
	case a.client.State() == transaction.Proceeding:
		why = causeNoRinging
	}
	if c.cancelled {
		why = causeCancelled
	}
	w.abandonLocked(c, a, why)
	if why == causeNoReply && w.smallerLocked(c, a) {
		return
	}
	if why == causeNoAnswer {
		// The callee was there: nobody else is tried.
		w.timedOutLocked(c)
		return
	}
	w.withoutLocked(c, a, 408)
}

// setupOverLocked takes the end of the call's own budget.
func (w *worker) setupOverLocked(c *call) {
	c.setupEnd = 0
	if a := c.current(); a != nil {
		if c.cancelled {
			return // It ends within 64*T1 of the CANCEL in any case.
		}
		w.abandonLocked(c, a, causeNoAnswer)
	}
	w.timedOutLocked(c)
}

func (w *worker) timedOutLocked(c *call) {
	c.timedOut = true
	w.finishLocked(c, 408, "")
}

// Failed implements transport.Handler: a message could not be delivered. A request's attempt ends as by a 503 (RFC
// 3261 section 16.9); a response that cannot be delivered is given up (the same section).
func (w *worker) Failed(now int64, to transport.Flow, data []byte, err error) {
	w.now = now
	m := &w.msg
	_ = m.ParseHead(data)
	if w.r.probes.socket.failed(m, err) {
		return
	}
	w.r.noise.unsent(now, to, err)
	if !m.Request || m.Method == message.ACK || len(data) == 0 {
		w.drop(to, dropUndelivered)
		return
	}
	via, fault := m.TopVia()
	if fault != nil {
		return
	}
	slot, nonce, _, ok := parseBranch(m.Bytes(via.Branch))
	if !ok {
		return
	}
	c := w.r.calls.Get(slot)
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.find(nonce); a != nil && m.Method != message.CANCEL {
		w.failedLocked(c, a)
		w.settleLocked(c)
	}
}

// failedLocked takes a transport error for an attempt that waits: its provider's next address is tried, or else the
// next provider. One that has answered already is not undone by a late ICMP error.
func (w *worker) failedLocked(c *call, a *attempt) {
	if !a.client.Pending() || a.client.State() == transaction.Proceeding {
		return
	}
	a.client.Fail()
	a.budgetEnd, a.cancelDue = 0, false
	if a.abandoned || c.server.Final() || c.role == own {
		return
	}
	if w.smallerLocked(c, a) {
		return
	}
	w.endAttempt(c, a, causeTransport)
	if !w.furtherLocked(c, a) {
		w.withoutLocked(c, a, 500)
	}
}

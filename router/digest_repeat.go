package router

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
)

// repeatLocked sends an attempt's request once more, with the credentials of the logon given: a new transaction to the
// same address, with the next CSeq number (RFC 3261 section 22.2), within the budgets of the attempt.
func (w *worker) repeatLocked(c *call, a *attempt, l *logon) {
	a.repeated = true
	old := *a
	a.placed = false // The place goes with the call.
	n := c.addAttempt()
	n.try, n.flow, n.large, n.nonce = old.try, old.flow, old.large, w.rng.Uint64()
	n.auth = l
	switch c.role {
	case own:
		w.repeatOwnLocked(c, n, old.sent)
	case inside:
		m, rq := w.reread(c)
		p, _ := w.readPath(m, rq) // It was in order when the request came.
		w.sendInsideLocked(c, n, n.flow, m, rq, &p, false)
		if c.invite {
			l.inside = w.renumberedKey(rq.callID, rq.fromTag, rq.cseq)
			w.r.renumbered.note(l.inside, n.cseq)
		}
	case placed, free:
		m, rq := w.reread(c)
		w.sendLocked(c, n, m, rq) // Its codecs were in order the first time.
		n.start, n.ringing, n.replied = old.start, old.ringing, old.replied
		b := &n.prov.budgets
		if n.budgetEnd = max(w.now+b.noReply/2, n.start+b.noReply); n.ringing != 0 {
			n.budgetEnd = w.now + b.answer
		}
	}
}

// repeatOwnLocked sends a request of our own once more.
func (w *worker) repeatOwnLocked(c *call, n *attempt, sent []byte) {
	m, e := &w.held, &w.edits
	_ = m.Parse(sent) // We wrote it.
	seq, _, _ := m.CSeqOf()
	n.cseq = seq + 1
	l := &w.r.local[n.flow.Listener]
	e.Reset()
	e.Replace(m.First(message.Via).Line)
	e.Put(l.via)
	e.Wrote(appendBranch(e.Buffer(), c.slot, n.nonce, 0))
	e.Put(l.viaTail)
	w.number(m, seq, n.cseq)
	w.buf = e.Apply(w.buf[:0], m.Buf)
	w.authorize(n.auth)
	w.launchLocked(c, n)
}

// accountOf is what the provider at the other end of a dialog knows us by, nil when it is gone or has no credentials.
func (s *snapshot) accountOf(p *path) *account {
	if i, ok := s.byTag[p.cookie.providerTag]; ok {
		return s.providers[i].account
	}
	return nil
}

// renumber finds the numbers that a request of the caller goes out with, in a dialog whose cookie has a numbering.
func (w *worker) renumber(m *message.Message, rq *request, p *path) {
	if w.r.key.tagHash(rq.fromTag) != p.cookie.callerTag {
		return
	}
	p.renumber = true
	p.cseq = p.cookie.numbering.out(rq.cseq)
	if m.Method == message.ACK {
		p.cseq = w.numberOf(rq, rq.cseq, p)
	}
	if n, _, ok := rackOf(m); ok {
		p.rack = w.numberOf(rq, n, p)
	}
}

// numberOf is the number under which the provider knows the caller's INVITE with the given one. For one within the
// dialog that was sent again that is more than the cookie can tell.
func (w *worker) numberOf(rq *request, n uint32, p *path) uint32 {
	if w.r.renumbered.count.Load() > 0 {
		if seq, ok := w.r.renumbered.find(w.renumberedKey(rq.callID, rq.fromTag, n)); ok {
			return seq
		}
	}
	return p.cookie.numbering.out(n)
}

// rackOf reads the CSeq number in RAck, and where it stands (RFC 3262 section 7.2).
func rackOf(m *message.Message) (n uint32, at message.Span, ok bool) {
	h := m.First(message.RAck)
	if h == nil {
		return 0, at, false
	}
	space := digitsEnd(m.Buf, h.Value)
	at = message.Span{Start: space, End: h.Value.End}
	for at.Start < at.End && (m.Buf[at.Start] == ' ' || m.Buf[at.Start] == '\t') {
		at.Start++
	}
	at.End = digitsEnd(m.Buf, at)
	n, ok = message.ParseUint(m.Bytes(at), 1<<32-1)
	return n, at, ok && at.Start > space
}

// numberRAck writes the provider's number into RAck.
func (w *worker) numberRAck(m *message.Message, p *path) {
	if _, at, ok := rackOf(m); ok {
		w.replaceNumber(m, at, p.rack)
	}
}

// renumbered has the numbers of INVITEs within dialogs that were sent again: their ACK and PRACK come by other
// transactions and must name the last of these numbers. An INVITE is in it for as long as its transaction lives here, so
// no dialog has state. Its lock is the last to be taken.
type renumbered struct {
	count atomic.Int32
	mu    sync.Mutex
	seq   map[transaction.Key]uint32
}

func (w *worker) renumberedKey(callID, fromTag []byte, n uint32) transaction.Key {
	b := append(append(w.text[:0], callID...), 0)
	b = appendUint(append(append(b, fromTag...), 0), n)
	w.text = b
	return transaction.Key{maphash.Bytes(w.r.seeds[0], b), maphash.Bytes(w.r.seeds[1], b)}
}

func (r *renumbered) note(k transaction.Key, seq uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seq == nil {
		r.seq = make(map[transaction.Key]uint32)
	}
	r.seq[k] = seq
	r.count.Store(int32(len(r.seq)))
}

func (r *renumbered) find(k transaction.Key) (uint32, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seq, ok := r.seq[k]
	return seq, ok
}

// forget takes a call's INVITE out; the zero key is that of no INVITE.
func (r *renumbered) forget(k transaction.Key) {
	if k == (transaction.Key{}) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seq, k)
	r.count.Store(int32(len(r.seq)))
}

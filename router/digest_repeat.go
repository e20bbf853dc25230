package router

import "github.com/voipbin/dialrouter/router/message"

// repeatLocked sends an attempt's request once more, with the credentials of the logon given: a new transaction to the
// same address, with the next CSeq number (RFC 3261 section 22.2), within the budgets of the attempt.
func (w *worker) repeatLocked(c *call, a *attempt, l *logon) {
	a.repeated = true
	old := *a
	a.placed = false // The place goes with the call.
	n := c.addAttempt(&w.r.attempts)
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

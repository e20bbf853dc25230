package router

import (
	"bytes"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
)

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

// numberOthers writes the numbers of other requests that a request within a numbered dialog names: the INVITE in RAck (RFC
// 3262), and in Event the REFER that a subscription comes from (RFC 3515 section 2.4.6).
func (w *worker) numberOthers(m *message.Message, p *path) {
	if p.renumber {
		if _, at, ok := rackOf(m); ok {
			w.replaceNumber(m, at, p.rack)
		}
	}
	if n, at, ok := referOf(m); ok {
		switch {
		case p.renumber && m.Method == message.SUBSCRIBE:
			w.replaceNumber(m, at, p.cookie.numbering.out(n))
		case !p.renumber && m.Method == message.NOTIFY:
			w.replaceNumber(m, at, p.cookie.numbering.in(n))
		}
	}
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

// referOf reads the CSeq number that "Event: refer;id=93809823" names, and where it stands.
func referOf(m *message.Message) (n uint32, at message.Span, ok bool) {
	h := m.First(message.Event)
	if h == nil {
		return 0, at, false
	}
	value := m.Bytes(h.Value)
	i := bytes.IndexByte(value, ';')
	if i < 0 || !equalFold(bytes.TrimSpace(value[:i]), "refer") {
		return 0, at, false
	}
	id, has := message.Param(value[i:], "id")
	n, ok = message.ParseUint(id, 1<<32-1)
	if !has || !ok {
		return 0, at, false
	}
	at.Start = h.Value.Start + uint32(cap(value)-cap(id)) // One is a part of the other.
	at.End = at.Start + uint32(len(id))
	return n, at, true
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

package router

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/resolve"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
	"github.com/voipbin/dialrouter/sdp"
)

// worker carries messages from the socket they came from to the queue they leave by. Each goroutine that reads has
// one of its own, so its scratch memory needs no lock. What it holds is good for one message only.
type worker struct {
	r   *Router
	out outbox
	id  int
	now int64 // Of the batch; nanoseconds of the monotonic clock.

	press  pressure
	vetted bool // The message at hand was weighed against its source's share before it was read.

	msg   message.Message // The message that came.
	rq    request
	held  message.Message // A request that a call kept, read again.
	hrq   request
	made  message.Message // What was just written, read again for its credentials.
	edits message.Edits
	buf   []byte // The message to send.
	body  []byte // Its body, filtered.
	text  []byte // Keys and numbers.
	spare []byte // Changes places with buf.
	due   []uint32
	rng   *rand.PCG

	tally    *tally
	drawn    []resolve.Target
	policies map[string]*sdp.Policy // Per-call codec lists seen before.
	opened   cookieState
}

// outbox is where a worker's messages leave: a transport.Sender.
type outbox interface {
	Send(to transport.Flow, data []byte)
	SendUnordered(to transport.Flow, data []byte)
	Flush(now int64)
}

func newWorker(r *Router, out outbox) *worker {
	return &worker{
		r:        r,
		out:      out,
		id:       int(r.workers.Add(1)),
		tally:    r.traffic.join(),
		rng:      rand.NewPCG(rand.Uint64(), rand.Uint64()),
		policies: make(map[string]*sdp.Policy),
	}
}

// Receive implements transport.Handler.
func (w *worker) Receive(now int64, from transport.Flow, data []byte) {
	w.now = now
	w.vetted = false
	if (w.press.lately(now) || w.r.shares.bounded()) && w.unread(from, data) {
		return
	}
	if !plausible(data) {
		if !keepalive(data) {
			w.drop(from, dropNotSIP)
		}
		return
	}
	m := &w.msg
	err := m.Parse(data)
	fault, _ := err.(*message.Fault) //nolint:errorlint // Parse returns nothing else, and never wraps it.
	switch {
	case fault != nil && fault.Status == 0:
		w.drop(from, dropNotSIP)
	case m.Request:
		w.tally.received(from.Proto, requestKind(m.Method))
		w.request(from, fault)
	case fault != nil:
		w.drop(from, dropMalformed)
	default:
		w.tally.received(from.Proto, replyKind(m.Status))
		w.response(from)
	}
}

// plausible is the cheapest check: does it begin like SIP at all.
func plausible(b []byte) bool {
	if len(b) < 20 {
		return false
	}
	c := b[0]
	return c-'A' < 26 || c-'a' < 26 || c == '\r' || c == '\n' || message.IsToken(c)
}

// keepalive says whether a datagram is one of RFC 5626 section 4.4, or the zero bytes that many send.
func keepalive(b []byte) bool {
	for _, c := range b {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}

// request holds the fields of a request that routing needs.
type request struct {
	via     message.ViaElem
	cseq    uint32
	method  []byte // As CSeq has it.
	fromTag []byte
	toTag   []byte
	callID  []byte
	key     transaction.Key
}

// read takes the mandatory fields out of a request (RFC 3261 section 8.1.1), and refuses what is malformed in them.
// Of all other headers nothing is asked (section 16.3 item 1).
func (w *worker) read(m *message.Message, rq *request) *message.Fault {
	var fault *message.Fault
	if rq.via, fault = m.TopVia(); fault != nil {
		return fault
	}
	if _, rq.fromTag, fault = m.Address(message.From); fault != nil {
		return fault
	}
	if _, rq.toTag, fault = m.Address(message.To); fault != nil {
		return fault
	}
	if rq.callID = m.Value(message.CallID); len(rq.callID) == 0 {
		if m.Has(message.CallID) {
			return message.ErrCallID
		}
		return message.ErrMissing
	}
	if rq.cseq, rq.method, fault = m.CSeqOf(); fault != nil {
		return fault
	}
	if string(rq.method) != string(m.Bytes(m.MethodText)) {
		return message.ErrCSeq
	}
	return nil
}

// keyFor is what RFC 3261 section 17.2.3 matches a request to a server transaction by: the branch, sent-by and the
// method, ACK counting as INVITE. Without the magic cookie it is what RFC 2543 had: Request-URI, From tag, Call-ID,
// CSeq number and the top Via. (The To tag is left out, so that the ACK, which has one, matches too.)
func (w *worker) keyFor(m *message.Message, rq *request, method []byte) transaction.Key {
	if string(method) == "ACK" {
		method = []byte("INVITE")
	}
	if branch := m.Bytes(rq.via.Branch); magic(branch) {
		return w.branchKey(branch, m.Bytes(rq.via.SentBy), method)
	}
	b := append(append(w.text[:0], m.Bytes(m.URI)...), 0)
	b = append(append(b, rq.fromTag...), 0)
	b = append(append(b, rq.callID...), 0)
	b = binary.BigEndian.AppendUint32(b, rq.cseq)
	b = append(b, m.Bytes(rq.via.Elem)...)
	return w.hashKey(b, method)
}

// branchKey is the key of a request by its branch.
func (w *worker) branchKey(branch, sentBy, method []byte) transaction.Key {
	b := append(append(w.text[:0], branch...), 0)
	return w.hashKey(appendLower(b, sentBy), method)
}

func (w *worker) hashKey(b, method []byte) transaction.Key {
	b = append(append(b, 0), method...)
	w.text = b
	return transaction.Key{maphash.Bytes(w.r.seeds[0], b), maphash.Bytes(w.r.seeds[1], b)}
}

// magic says whether a branch is one of RFC 3261, which no other request of its sender's has.
func magic(branch []byte) bool {
	const cookie = message.MagicCookie
	return len(branch) > len(cookie) && string(branch[:len(cookie)]) == cookie
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if c-'A' < 26 {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// loopHash is the part of our branch by which we know a request that comes back unchanged (RFC 3261 section 16.6
// item 8, as corrected by RFC 5393 section 4.2.1): all that decides where a request goes. Credentials do not, and ours
// are on it when it comes back, as is the CSeq number that it leaves with.
func (w *worker) loopHash(m *message.Message, rq *request, cseq uint32) uint32 {
	b := w.text[:0]
	b = append(append(b, m.Bytes(m.URI)...), 0)
	b = append(append(b, rq.fromTag...), 0)
	b = append(append(b, rq.toTag...), 0)
	b = append(append(b, rq.callID...), 0)
	b = binary.BigEndian.AppendUint32(b, cseq)
	for _, k := range [...]message.Kind{message.Route, message.ProxyRequire} {
		b = append(append(b, m.Value(k)...), 0)
	}
	w.text = b
	return uint32(maphash.Bytes(w.r.seeds[0], b))
}

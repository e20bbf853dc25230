package router

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
	"github.com/voipbin/dialrouter/router/transport"
)

// phrases are the reason phrases of the replies that we make ourselves (RFC 3261 section 21).
var phrases = map[int]string{ //nolint:gochecknoglobals // A lookup table.
	100: "Trying",
	200: "OK",
	400: "Bad Request",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	408: "Request Timeout",
	416: "Unsupported URI Scheme",
	420: "Bad Extension",
	440: "Max-Breadth Exceeded",
	480: "Temporarily Unavailable",
	481: "Call/Transaction Does Not Exist",
	482: "Loop Detected",
	483: "Too Many Hops",
	484: "Address Incomplete",
	487: "Request Terminated",
	488: "Not Acceptable Here",
	500: "Server Internal Error",
	503: "Service Unavailable",
}

// extra is a header, or several, that a reply of ours carries besides the usual ones; with their line ends.
type extra string

const (
	noExtra extra = ""
	allow   extra = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, MESSAGE, NOTIFY, SUBSCRIBE, PUBLISH\r\n"
)

// refuse answers a request without keeping any state (RFC 3261 section 8.2.7). An ACK is never answered.
func (w *worker) refuse(m *message.Message, rq *request, from transport.Flow, code int, phrase string, x extra) {
	if m.Method == message.ACK {
		return
	}
	w.makeReply(m, rq, from, code, phrase, x)
	w.send(from, w.buf, replyKind(code))
}

// lengthStep is what the length of a 503 for want of time or room is a multiple of: those of one length leave together, which
// takes less time, and there is none to spare.
const lengthStep = 32

// turnAway answers the request at hand 503 for want of time or room.
func (w *worker) turnAway(from transport.Flow, x extra) {
	w.makeTagged(&w.msg, &w.rq, from, 503, "", w.r.awayTag, x)
	w.sendAway(from)
}

// sendAway sends the 503 in w.buf.
func (w *worker) sendAway(from transport.Flow) {
	b := w.buf[:len(w.buf)-len(noBody)]
	// White space may follow the colon (RFC 3261 section 25.1, HCOLON).
	const blank = "                                " // lengthStep of them
	b = append(b, blank[:-uint(len(w.buf))%lengthStep]...)
	w.buf = append(b, noBody...)
	w.tally.sent(from.Proto, replyKind(503))
	w.out.SendUnordered(from, w.buf)
}

// noBody is how a reply of our own ends, from the value of Content-Length on.
const noBody = "0\r\n\r\n"

// tagDigits is how many digits of the request's key a To tag of ours has, so that copies get the same (RFC 3261 section 8.2.7).
const tagDigits = 16

// madeOf says whether the digits of a To tag are those of a request's key.
func (w *worker) madeOf(digits []byte, key transaction.Key) bool {
	w.text = appendHex(w.text[:0], key[1], tagDigits)
	return bytes.Equal(digits, w.text)
}

// makeReply writes a reply of our own to a request into w.buf (RFC 3261 section 8.2.6).
func (w *worker) makeReply(m *message.Message, rq *request, from transport.Flow, code int, phrase string, x extra) {
	w.makeTagged(m, rq, from, code, phrase, []byte(";tag="), x)
}

// makeTagged does so with a To tag that begins in a way of its own.
func (w *worker) makeTagged(m *message.Message, rq *request, from transport.Flow, code int, phrase string, mark []byte, x extra) {
	if phrase == "" {
		phrase = phrases[code]
	}
	b := append(w.buf[:0], "SIP/2.0 "...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(append(append(b, ' '), phrase...), "\r\n"...)

	first, end := m.Range(message.Via)
	for i := first; i < end; i++ {
		h := &m.Headers[i]
		switch {
		case h.Kind != message.Via:
		case i == first && !rq.via.Elem.Empty():
			w.edits.Reset()
			w.stampVia(m, &rq.via, from)
			b = w.edits.ApplyRange(b, m.Buf, h.Line)
		default:
			b = append(b, m.Bytes(h.Line)...)
		}
	}
	if h := m.First(message.From); h != nil {
		b = append(b, m.Bytes(h.Line)...)
	}
	if h := m.First(message.To); h != nil {
		to, tag, fault := m.Address(message.To)
		if fault != nil || tag != nil || code == 100 {
			b = append(b, m.Bytes(h.Line)...)
		} else {
			b = append(b, m.Buf[h.Line.Start:to.Elem.End]...)
			b = append(b, mark...)
			b = appendHex(b, rq.key[1], tagDigits)
			b = append(b, m.Buf[to.Elem.End:h.Line.End]...)
		}
	}
	for _, k := range [...]message.Kind{message.CallID, message.CSeq} {
		if h := m.First(k); h != nil {
			b = append(b, m.Bytes(h.Line)...)
		}
	}
	if h := m.First(message.Timestamp); h != nil && code == 100 {
		b = append(b, m.Bytes(h.Line)...)
	}
	b = append(b, x...)
	w.buf = append(b, "Content-Length: "+noBody...)
}

// stampVia notes in the top Via where the request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4).
func (w *worker) stampVia(m *message.Message, v *message.ViaElem, from transport.Flow) {
	addr := from.Remote.Addr()
	said, numeric := message.ParseAddr(m.Bytes(v.Host))
	if !v.HasRPort && numeric && said == addr && v.Received.Empty() {
		return
	}
	e := &w.edits
	if v.HasRPort {
		e.Replace(v.RPort)
		e.PutString(";rport=")
		e.PutUint(uint64(from.Remote.Port()))
	}
	if !v.Received.Empty() {
		e.Delete(v.Received)
	}
	e.Insert(v.Elem.End)
	e.PutString(";received=")
	e.Wrote(addr.AppendTo(e.Buffer()))
}

// respondLocked answers a call with a reply of our own, through its server transaction.
func (w *worker) respondLocked(c *call, code int, phrase string, x extra) {
	if c.server.Respond(&w.r.timing, w.now, code) != transaction.Send {
		return
	}
	m, rq := w.reread(c)
	w.makeReply(m, rq, c.from, code, phrase, x)
	c.resp = w.keep(c.resp, w.buf)
	w.sendUp(c, w.buf, replyKind(code))
}

// reread indexes the request that a call keeps. Its mandatory fields were found in order when it came.
func (w *worker) reread(c *call) (*message.Message, *request) {
	_ = w.held.Parse(c.req)
	_ = w.read(&w.held, &w.hrq)
	w.hrq.key = c.key
	return &w.held, &w.hrq
}

// tryingLocked sends 100, or what was sent last, to stop the caller's repetitions (RFC 3261 section 17.2.1).
func (w *worker) tryingLocked(c *call) {
	c.tryingAt = 0
	if c.resp == nil && !c.server.Final() {
		w.respondLocked(c, 100, "", noExtra)
	}
}

// sendUp queues a response of a call. On a stream it goes back by the connection that the request came on, or, when
// that is gone, to where the top Via says that new ones are taken (RFC 3261 section 18.2.2).
func (w *worker) sendUp(c *call, b []byte, k kind) {
	to := c.from
	if to.Proto.Reliable() {
		to.Remote = netip.AddrPortFrom(to.Remote.Addr(), c.sentBy)
	}
	w.send(to, b, k)
}

// send queues a message.
func (w *worker) send(to transport.Flow, b []byte, k kind) {
	w.tally.sent(to.Proto, k)
	w.out.Send(to, b)
}

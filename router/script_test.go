package router

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// world is a router among callers and providers that do whatever a script says: every message goes through memory, the
// clock is the test's.
type world struct {
	*bed

	tb      testing.TB
	queue   []parcel // What the router sent and nobody looked at yet.
	downs   []parcel // Requests that providers got.
	ups     []parcel // Finals that callers got.
	calls   []script
	answers map[string]string // Call-ID to the To tag of the 2xx that went up first.
}

// parcel is a message on its way.
type parcel struct {
	to   transport.Flow
	data []byte
}

// script is one call of a caller.
type script struct {
	from   transport.Flow
	invite []byte
	id     string
	method string
	born   int64
	acked  int64 // When a refusal was acknowledged; zero: it was not.
}

// Send implements outbox.
func (w *world) Send(to transport.Flow, data []byte) {
	w.queue = append(w.queue, parcel{to, bytes.Clone(data)})
}

func (w *world) SendUnordered(to transport.Flow, data []byte) { w.Send(to, data) }

// Flush implements outbox.
func (w *world) Flush(int64) {}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{bed: newBed(tb), tb: tb, answers: make(map[string]string)}
	w.w = newWorker(w.Router, w)
	return w
}

func caller(i int) transport.Flow {
	return transport.Flow{Proto: transport.UDP, Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.5"), uint16(6000+i))}
}

// deliver sorts what the router sent, and checks all of it.
func (w *world) deliver() {
	for _, p := range w.queue {
		var m message.Message
		if err := m.Parse(p.data); err != nil {
			w.tb.Fatalf("the router sent what it cannot read: %v\n%s", err, p.data)
		}
		if m.Request {
			w.checkDown(p, &m)
			if m.Method != message.ACK {
				w.downs = append(w.downs, p)
			}
			continue
		}
		w.checkUp(p, &m)
	}
	w.queue = w.queue[:0]
	if n := len(w.downs); n > 64 {
		w.downs = w.downs[n-64:]
	}
}

// checkDown: what providers get is complete.
func (w *world) checkDown(p parcel, m *message.Message) {
	if p.to.Remote != w.sink {
		w.tb.Fatalf("a request went to %s", p.to.Remote)
	}
	for _, k := range []message.Kind{message.Via, message.From, message.To, message.CallID, message.CSeq, message.MaxForwards} {
		if !m.Has(k) {
			w.tb.Fatalf("a request without %v:\n%s", k, p.data)
		}
	}
}

// checkUp: a response goes to the caller whose request it answers, and a call is answered or refused, never both.
func (w *world) checkUp(p parcel, m *message.Message) {
	id := string(m.Value(message.CallID))
	_, method, _ := m.CSeqOf()
	for _, c := range w.calls {
		if c.id != id {
			continue
		}
		if p.to != c.from {
			w.tb.Fatalf("a response for %s went to %s:\n%s", c.from.Remote, p.to.Remote, p.data)
		}
		if string(method) != c.method || c.method != "INVITE" || m.Status < 200 {
			return
		}
		_, tag, _ := m.Address(message.To)
		end := "refused"
		if m.Status < 300 {
			end = string(tag)
		}
		if old, ok := w.answers[id]; ok && (old == "refused") != (end == "refused") {
			w.tb.Fatalf("call %s was %s, and now gets %d", id, old, m.Status)
		}
		if _, ok := w.answers[id]; !ok {
			w.answers[id] = end
		}
		w.ups = append(w.ups, p)
		return
	}
	w.tb.Fatalf("a response for nobody:\n%s", p.data)
}

// step does what one pair of bytes of a script says.
func (w *world) step(op, arg byte) {
	switch op % 10 {
	case 0, 1: // A new call.
		if len(w.calls) < 40 {
			w.begin2(arg)
		}
	case 2: // A copy of a request.
		// No caller repeats a request for longer than Timer B, nor one whose refusal it has acknowledged, of which the
		// network may bring copies until Timer I; later it is a new one.
		if c := w.pick(arg); c != nil && w.now-c.born < w.w.life() && (c.acked == 0 || w.now-c.acked < int64(w.timing.T4)) {
			w.w.Receive(w.now, c.from, bytes.Clone(c.invite))
		}
	case 3: // CANCEL.
		if c := w.pick(arg); c != nil {
			w.w.Receive(w.now, c.from, bytes.Replace(bytes.Replace(c.invite, []byte(c.method+" sip"), []byte("CANCEL sip"), 1),
				[]byte("CSeq: 1 "+c.method), []byte("CSeq: 1 CANCEL"), 1))
		}
	case 4, 5: // A provider answers something it got.
		if len(w.downs) > 0 {
			codes := []string{
				"100 Trying", "180 Ringing", "183 Progress", "200 OK", "302 Moved", "404 Not Found", "407 Auth",
				"486 Busy Here", "487 Terminated", "500 Error", "503 Unavailable", "603 Decline", "200 OK", "180 Ringing",
			}
			down := w.downs[int(arg)%len(w.downs)]
			w.respond(down.data, codes[int(arg/7)%len(codes)])
		}
	case 6: // Time passes.
		w.pass([]time.Duration{10, 100, 160, 600, 2100, 13_000, 33_000}[arg%7] * time.Millisecond)
	case 7: // The network says no.
		if len(w.downs) > 0 {
			down := w.downs[int(arg)%len(w.downs)]
			w.w.Failed(w.now, down.to, bytes.Clone(down.data[:min(len(down.data), 300+int(arg))]), errors.New("refused"))
		}
	case 8: // The caller acknowledges a final response.
		if len(w.ups) > 0 {
			w.acknowledge(w.ups[int(arg)%len(w.ups)])
		}
	case 9: // Something that belongs nowhere.
		w.stray(arg)
	}
	w.deliver()
	w.consistent()
}

func (w *world) begin2(arg byte) {
	n := uint32(len(w.calls) + 1)
	method := "INVITE"
	if arg%5 == 4 {
		method = "MESSAGE"
	}
	c := script{from: caller(int(arg % 8)), method: method, born: w.now}
	c.invite = w.request(nil, method, n, "sip:15551234567@127.0.0.1:5060", nil, "", offer)
	c.invite = bytes.Replace(c.invite, []byte("127.0.0.5:5060"), []byte(c.from.Remote.String()), 1)
	c.id = fmt.Sprintf("%08x@127.0.0.5", n)
	w.calls = append(w.calls, c)
	w.w.Receive(w.now, c.from, bytes.Clone(c.invite))
}

func (w *world) pick(arg byte) *script {
	if len(w.calls) == 0 {
		return nil
	}
	return &w.calls[int(arg)%len(w.calls)]
}

func (w *world) respond(req []byte, status string) {
	var m message.Message
	w.w.Receive(w.now, w.from, w.answer(nil, &m, req, status))
}

func (w *world) acknowledge(up parcel) {
	var m message.Message
	if m.Parse(up.data) != nil {
		return
	}
	b := []byte("ACK sip:15551234567@127.0.0.1:5060 SIP/2.0\r\n")
	for _, k := range []message.Kind{message.Via, message.From, message.To, message.CallID} {
		b = append(b, m.Bytes(m.First(k).Line)...)
	}
	b = append(b, "Max-Forwards: 70\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"...)
	id := string(m.Value(message.CallID))
	for i := range w.calls {
		if c := &w.calls[i]; c.id == id && c.acked == 0 && w.answers[id] == "refused" {
			c.acked = w.now
		}
	}
	w.w.Receive(w.now, up.to, b)
}

func (w *world) stray(arg byte) {
	branch := string(appendBranch(nil, uint32(arg), uint64(arg), 0))
	via := "Via: SIP/2.0/UDP " + w.Listeners()[0].Addr.String() + ";branch=" + branch + "\r\n"
	rest := "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n"
	w.w.Receive(w.now, w.from, []byte("SIP/2.0 200 OK\r\n"+via+rest))
	w.w.Receive(w.now, caller(1), []byte("ACK sip:a@b SIP/2.0\r\n"+strings.Replace(via+rest, "INVITE", "ACK", 1)))
	w.w.Receive(w.now, caller(1), bytes.Repeat([]byte{arg}, int(arg)))
}

// pass turns the wheel tick by tick, as the timer goroutine does.
func (w *world) pass(d time.Duration) {
	end := w.now + int64(d)
	// A long wait goes in steps of its own; that timers then run late is part of the game.
	step := max(w.wheel.Tick(), d/100)
	for w.now < end {
		w.now = min(w.now+int64(step), end)
		w.w.turn(w.now)
		if len(w.queue) > 0 {
			w.deliver()
		}
	}
}

// consistent checks what holds between any two events.
func (w *world) consistent() {
	counted := 0
	for slot := range w.Router.calls.Known() {
		c := w.Router.calls.Get(slot)
		if c.role == free {
			if c.req != nil || c.resp != nil || len(c.attempts) > 0 || c.counted {
				w.tb.Fatalf("slot %d is free and not empty", slot)
			}
			continue
		}
		if c.counted {
			counted++
		}
		waiting := 0
		for _, a := range c.attempts {
			if a.client.Pending() && !a.abandoned {
				waiting++
			}
		}
		if waiting > 1 && !c.cancelled {
			w.tb.Fatalf("call in slot %d waits for %d attempts", slot, waiting)
		}
		if c.role == placed && !c.server.Final() && waiting == 0 {
			w.tb.Fatalf("call in slot %d waits for nothing", slot)
		}
		// A deadline may lie in the past: a transaction that only absorbs copies waits for the others, and when the last
		// of these fails, its own time may be over. Then the next step of the wheel takes it.
		if d := c.deadline(); d != 0 && (c.queued == 0 || c.queued > max(d, w.now)+int64(w.wheel.Tick())) && d < w.now+int64(30*time.Second) {
			w.tb.Fatalf("call in slot %d is due at %d, and nothing wakes it (%d)", slot, d, c.queued)
		}
	}
	if int(w.inProgress.Load()) != counted {
		w.tb.Fatalf("%d in progress, counted %d", w.inProgress.Load(), counted)
	}
}

// settle lets the longest timers run out and checks that nothing is left.
func (w *world) settle() {
	w.pass(200 * time.Second)
	for slot := range w.Router.calls.Known() {
		if c := w.Router.calls.Get(slot); c.role != free {
			w.tb.Fatalf("left at %d: %+v", w.now, c.attempts)
		}
	}
	if n := w.table.Len(); n != 0 {
		w.tb.Fatalf("%d keys are left", n)
	}
	if a, b := w.inProgress.Load(), w.callsInProgress.Load(); a != 0 || b != 0 {
		w.tb.Fatalf("%d transactions and %d calls are in progress", a, b)
	}
	for _, c := range w.calls {
		if _, ok := w.answers[c.id]; c.method == "INVITE" && !ok {
			w.tb.Fatalf("call %s never got a final response", c.id)
		}
	}
}

// FuzzScript runs random scripts of datagrams, timers and faults: nothing leaks, no response goes to the wrong caller,
// no call is in two states, and every INVITE gets a final response.
func FuzzScript(f *testing.F) {
	f.Add([]byte{0, 0, 4, 0, 4, 7, 4, 21, 8, 0, 6, 6})
	f.Add([]byte{0, 1, 6, 4, 6, 4, 4, 21, 3, 0, 4, 56})
	f.Add([]byte{0, 1, 7, 0, 7, 1, 8, 0, 2, 0})
	f.Add([]byte{0, 4, 4, 28, 4, 35, 6, 6, 2, 0})
	f.Add([]byte{0, 0, 3, 0, 4, 0, 4, 57, 6, 5, 9, 1})
	shared := newWorld(f)
	broken := false
	f.Fuzz(func(t *testing.T, b []byte) {
		w := shared
		if broken {
			w = newWorld(t) // What failed once left something behind.
		}
		w.tb = t
		defer func() { broken = broken || t.Failed() }()
		w.downs, w.ups, w.calls = w.downs[:0], w.ups[:0], w.calls[:0]
		clear(w.answers)
		for i := 0; i+1 < min(len(b), 400); i += 2 {
			w.step(b[i], b[i+1])
		}
		w.settle()
	})
}

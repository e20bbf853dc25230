package router

import (
	"testing"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/message"
)

// TestCallsAllocate holds the promise of the hot path: in the steady state a call costs no allocation, over all its
// messages.
func TestCallsAllocate(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(*bed) func()
	}{
		{"A", func(b *bed) func() { return b.callA }},
		{"B", func(b *bed) func() { return b.callB }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			call := tt.call(b)
			for range 12_000 { // Longer than a transaction's life, and than a turn of the wheel.
				call()
			}
			held := b.calls.Used()
			if n := testing.AllocsPerRun(2000, call); n != 0 {
				t.Errorf("%v allocations a call", n)
			}
			if now := b.calls.Used(); now > held+100 {
				t.Errorf("transactions grow from %d to %d", held, now)
			}
		})
	}
}

// TestStagesAllocateNothing asserts the same for each stage of an INVITE's way.
func TestStagesAllocateNothing(t *testing.T) {
	b := newBed(t)
	for range 10 {
		b.callA()
	}
	for name, stage := range stages(b) {
		if n := testing.AllocsPerRun(200, stage); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// stages are the stages of an INVITE's way, each ready to run again and again.
func stages(b *bed) map[string]func() {
	w := b.w
	// A call that rings, and goes on ringing: its responses are taken by another worker, to leave the request to the first.
	b.begin()
	ringing := b.answer(nil, &b.msg, b.sent(nil), "180 Ringing")
	u := newWorker(b.Router, b.tr.NewSender())
	in := b.request(nil, "INVITE", 1<<31, "sip:15551234567@127.0.0.1:5060", nil, "", offer)
	if err := w.msg.Parse(in); err != nil {
		panic(err)
	}
	if fault := w.read(&w.msg, &w.rq); fault != nil {
		panic(fault)
	}
	snap := b.current.Load()
	c := &call{snap: snap, from: b.from}
	c.number = append(c.number, "15551234567"...)
	a := &attempt{try: try{prov: &snap.providers[0]}, flow: snap.providers[0].hops[0]}
	plan := make([]dialplan.Choice, 0, 8)
	number := []byte("15551234567")
	body := make([]byte, 0, 4096)
	return map[string]func(){
		"parse": func() { _ = w.msg.Parse(in); w.rq = request{}; _ = w.read(&w.msg, &w.rq) },
		"key":   func() { w.rq.key = w.keyFor(&w.msg, &w.rq, w.rq.method) },
		"admit": func() {
			if code, _ := w.admit(b.from); code != 0 {
				panic(code)
			}
		},
		"plan":     func() { plan = snap.table.Append(plan[:0], number, providers.Everyone, 7) },
		"dress":    func() { w.dress(c, a, &w.msg, &w.rq) },
		"filter":   func() { body, _ = snap.providers[0].policy.Filter(body[:0], w.msg.Body()) },
		"send":     func() { w.send(b.from, in, requestKind(message.INVITE)); w.out.Flush(b.now) }, // With its system call.
		"response": func() { u.Receive(b.now, b.from, ringing); u.out.Flush(b.now) },               // All of it, with its system call.
		"reply":    func() { w.makeReply(&w.msg, &w.rq, b.from, 100, "", noExtra) },
	}
}

func BenchmarkStage(b *testing.B) {
	bed := newBed(b)
	for name, stage := range stages(bed) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stage()
			}
		})
	}
}

// BenchmarkCall measures whole calls without what the kernel does to receive them: scenario A and B over all messages.
func BenchmarkCall(b *testing.B) {
	for name, call := range map[string]func(*bed){"A": (*bed).callA, "B": (*bed).callB} {
		b.Run(name, func(b *testing.B) {
			bed := newBed(b)
			for range 5000 {
				call(bed)
			}
			b.ReportAllocs()
			for b.Loop() {
				call(bed)
			}
		})
	}
}

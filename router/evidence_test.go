package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/transport"
)

// TestOutcomeFor tells for each final code, rung or not, whom an attempt's end is put down to.
func TestOutcomeFor(t *testing.T) {
	for code := 200; code < 700; code++ {
		want := health.Ailing
		switch {
		case code < 300:
			want = health.Answered
		case code < 400:
			want = health.Moved
		case code == 486, code == 600:
			want = health.Busy
		case code == 404, code == 410, code == 484, code == 485, code == 604:
			want = health.NotFound
		case code == 480, code == 487, code >= 600:
			want = health.Rejected
		}
		rung := want
		if code == 480 || code == 408 {
			rung = health.NoAnswer
		}
		cancelled := health.HungUp
		if code < 300 {
			cancelled = health.Answered
		}
		why := causeOf(code)
		for _, tt := range []struct {
			rang, cancelled bool
			want            health.Outcome
		}{{false, false, want}, {true, false, rung}, {false, true, cancelled}, {true, true, cancelled}} {
			if got := outcomeFor(why, code, tt.rang, tt.cancelled); got != tt.want {
				t.Errorf("%d, rung %v, cancelled %v: %v, want %v", code, tt.rang, tt.cancelled, got, tt.want)
			}
		}
	}
	for why, want := range map[cause][2]health.Outcome{
		causeNoReply:   {health.Ailing, health.Ailing},
		causeNoRinging: {health.Ailing, health.Ailing},
		causeTransport: {health.Ailing, health.Ailing},
		causeLimit:     {health.Ailing, health.Ailing},
		causeNoAnswer:  {health.HungUp, health.NoAnswer},
		causeCancelled: {health.HungUp, health.HungUp},
	} {
		for i, rang := range []bool{false, true} {
			if got := outcomeFor(why, 0, rang, false); got != want[i] {
				t.Errorf("%v, rung %v: %v, want %v", why, rang, got, want[i])
			}
		}
	}
}

// TestUnknownResponsesProveNothing floods the router with responses to what it never sent, and with more of them to what
// has ended: nothing is learnt from them, and nothing is kept.
func TestUnknownResponsesProveNothing(t *testing.T) {
	b := newBed(t)
	b.begin()
	invite := b.sent(nil)
	b.receive(b.answer(nil, &b.msg, invite, "486 Busy Here"))
	snap := b.current.Load()
	before, held := b.ProviderReport(snap.providers[0].ID), b.calls.Used()
	n := 0
	unknown := func() []byte {
		n++
		code := 100 + n*7%600
		branch := appendBranch(nil, uint32(n)%64, uint64(n)*0x9E3779B97F4A7C15, uint32(n))
		return fmt.Appendf(nil, "SIP/2.0 %d Whatever\r\nVia: SIP/2.0/UDP %s;branch=%s\r\nFrom: <sip:a@a>;tag=1\r\n"+
			"To: <sip:b@b>;tag=2\r\nCall-ID: %d\r\nCSeq: 1 INVITE\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",
			code, b.local[0].addr, branch, n)
	}
	late := b.answer(nil, &b.msg, invite, "503 Service Unavailable")
	for range 20_000 {
		b.receive(unknown())
		b.receive(late)
	}
	for i := range snap.providers {
		s := snap.providers[i].state
		if s.Down(b.now) || s.Resting(b.now) > 0 {
			t.Errorf("%s is down %v, rests %v", snap.providers[i].Name, s.Down(b.now), s.Resting(b.now))
		}
	}
	after := b.ProviderReport(snap.providers[0].ID)
	if after.Windows != before.Windows || after.Status != before.Status {
		t.Errorf("it was told of\n%+v\nand then of\n%+v", before, after)
	}
	if f := after.Windows.Hour1; f.Attempts() != 1 || f.Outcomes[health.Busy] != 1 || after.Status.Health != providers.HealthHealthy {
		t.Errorf("after one busy callee it is told of %+v", after)
	}
	if used := b.calls.Used(); used != held {
		t.Errorf("%d transactions became %d", held, used)
	}
	texts := make([][]byte, 101) // One is received before the counting begins.
	for i := range texts {
		texts[i] = unknown()
	}
	if allocs := testing.AllocsPerRun(len(texts)-1, func() {
		b.receive(texts[0])
		b.receive(late)
		texts = texts[1:]
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestBlame(t *testing.T) {
	one := &provider{hops: make([]transport.Flow, 1), budgets: budgets{noReply: int64(time.Second)}}
	two := &provider{hops: make([]transport.Flow, 2), budgets: one.budgets}
	none := "SIP/2.0 503 X\r\n\r\n"
	for _, tt := range []struct {
		name    string
		a       attempt
		why     cause
		message string
		want    string
	}{
		{"unsent", attempt{try: try{prov: one}}, causeTransport, none, "could not be sent"},
		{"unsent, another address", attempt{try: try{prov: two}}, causeTransport, none, ""},
		{"unsent, the last address", attempt{try: try{prov: two, hop: 1}}, causeTransport, none, "could not be sent"},
		{"unsent by TCP for its size", attempt{try: try{prov: one}, large: true}, causeTransport, none, ""},
		{"silence", attempt{try: try{prov: one}}, causeNoReply, none, "got no reply"},
		{"silence by TCP for its size", attempt{try: try{prov: one}, large: true}, causeNoReply, none, ""},
		{"silence after a 100", attempt{try: try{prov: one}, status: 100}, causeNoReply, none, ""},
		{"the caller waited", attempt{try: try{prov: one}, start: 1}, causeCancelled, none, "got no reply"},
		{"the caller did not wait", attempt{try: try{prov: one}, start: 2}, causeCancelled, none, ""},
		{"the caller waited for an answer", attempt{try: try{prov: one}, start: 1, status: 180}, causeCancelled, none, ""},
		{"503", attempt{try: try{prov: one}, status: 503}, causeOverload, none, "was refused with a 5xx"},
		{"503, another address", attempt{try: try{prov: two}, status: 503}, causeOverload, none, ""},
		{"503 for a time", attempt{try: try{prov: one}, status: 503}, causeOverload, "SIP/2.0 503 X\r\nRetry-After: 5\r\n\r\n", ""},
		{"503 for no time", attempt{try: try{prov: one}, status: 503}, causeOverload, "SIP/2.0 503 X\r\nRetry-After: 0\r\n\r\n", "was refused with a 5xx"},
		{"500", attempt{try: try{prov: one}, status: 500}, causeServerError, none, "was refused with a 5xx"},
		{"501", attempt{try: try{prov: one}, status: 501}, causeServerError, none, ""},
		{"a limit", attempt{try: try{prov: one}, status: 503}, causeLimit, none, ""},
		{"no ringing", attempt{try: try{prov: one}, status: 100}, causeNoRinging, none, "got a 100 and nothing more"},
		{"busy", attempt{try: try{prov: one}, status: 486}, causeBusy, none, ""},
	} {
		w := &worker{now: 1 + int64(time.Second)}
		_ = w.msg.Parse([]byte(tt.message))
		got := ""
		if why, failed := w.blame(&tt.a, tt.why); failed {
			got = why.String()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

package transaction_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/router/transaction"
)

const (
	ms = int64(time.Millisecond)
	s  = int64(time.Second)
)

// resends runs a machine's timers up to an end, and lists when it asked for a repetition and when it was over.
func resends(t *testing.T, start, limit int64, deadline func() int64, tick func(now int64) transaction.Action) (at []int64, last transaction.Action, end int64) {
	t.Helper()
	for range 1000 {
		now := deadline()
		if now == 0 || now > limit {
			return at, transaction.None, 0
		}
		switch a := tick(now); a {
		case transaction.Resend:
			at = append(at, now-start)
		case transaction.None:
			t.Fatalf("deadline %d, but nothing was due", now)
		default:
			return at, a, now - start
		}
	}
	t.Fatal("timers never end")
	return nil, 0, 0
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// times makes nanoseconds of milliseconds.
func times(in ...int64) []int64 {
	for i := range in {
		in[i] *= ms
	}
	return in
}

func TestClientTimers(t *testing.T) {
	tm := transaction.DefaultTiming()
	tests := []struct {
		name             string
		invite, reliable bool
		before           []int // Responses at the start.
		resends          []int64
		end              transaction.Action
		at               int64
	}{
		{"T01 Timer A and B", true, false, nil, times(500, 1500, 3500, 7500, 15500, 31500), transaction.Timeout, 32 * s},
		{"Timer B on a stream", true, true, nil, nil, transaction.Timeout, 32 * s},
		{"INVITE proceeding has no timer", true, false, []int{100}, nil, transaction.None, 0},
		{"T08 Timer E and F", false, false, nil, times(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500), transaction.Timeout, 32 * s},
		{"T08 Timer E proceeding", false, false, []int{100}, times(4000, 8000, 12000, 16000, 20000, 24000, 28000), transaction.Timeout, 32 * s},
		{"Timer F on a stream", false, true, nil, nil, transaction.Timeout, 32 * s},
		{"T04 Timer D", true, false, []int{486}, nil, transaction.End, 32 * s},
		{"Timer D on a stream", true, true, []int{486}, nil, transaction.End, 0},
		{"T11 Timer M", true, false, []int{180, 200}, nil, transaction.End, 32 * s},
		{"Timer M on a stream", true, true, []int{200}, nil, transaction.End, 32 * s},
		{"T08 Timer K", false, false, []int{200}, nil, transaction.End, 5 * s},
		{"Timer K on a stream", false, true, []int{200}, nil, transaction.End, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c transaction.Client
			c.Start(&tm, 10*s, tt.invite, tt.reliable)
			for _, code := range tt.before {
				c.Response(&tm, 10*s, code)
			}
			got, last, end := resends(t, 10*s, 1000*s, c.Deadline, func(now int64) transaction.Action { return c.Tick(&tm, now) })
			check(t, "repeated at", got, tt.resends)
			check(t, "ends with", last, tt.end)
			check(t, "at", end, tt.at)
		})
	}
}

// TestClientResponses enumerates state x class of response completely.
func TestClientResponses(t *testing.T) {
	tm := transaction.DefaultTiming()
	type row struct {
		before []int
		want   map[int]transaction.Action // By status code.
	}
	const (
		drop       = transaction.Drop
		deliver    = transaction.Deliver
		deliverAck = transaction.DeliverAck
		ack        = transaction.Ack
	)
	invite := []row{
		{nil, map[int]transaction.Action{100: deliver, 180: deliver, 200: deliver, 302: deliverAck, 486: deliverAck, 503: deliverAck, 603: deliverAck}},
		{[]int{180}, map[int]transaction.Action{100: deliver, 180: deliver, 200: deliver, 302: deliverAck, 486: deliverAck, 503: deliverAck, 603: deliverAck}},
		{[]int{486}, map[int]transaction.Action{100: drop, 180: drop, 200: drop, 302: ack, 486: ack, 503: ack, 603: ack}},
		{[]int{200}, map[int]transaction.Action{100: drop, 180: drop, 200: deliver, 302: drop, 486: drop, 503: drop, 603: drop}},
	}
	other := []row{
		{nil, map[int]transaction.Action{100: deliver, 180: deliver, 200: deliver, 302: deliver, 404: deliver, 503: deliver, 603: deliver}},
		{[]int{100}, map[int]transaction.Action{100: deliver, 180: deliver, 200: deliver, 302: deliver, 404: deliver, 503: deliver, 603: deliver}},
		{[]int{200}, map[int]transaction.Action{100: drop, 180: drop, 200: drop, 302: drop, 404: drop, 503: drop, 603: drop}},
	}
	for kind, rows := range map[bool][]row{true: invite, false: other} {
		for _, r := range rows {
			for code, want := range r.want {
				var c transaction.Client
				c.Start(&tm, s, kind, false)
				for _, b := range r.before {
					c.Response(&tm, s, b)
				}
				if got := c.Response(&tm, s, code); got != want {
					t.Errorf("INVITE %v after %v: %d gives %v, want %v", kind, r.before, code, got, want)
				}
			}
		}
	}
	var c transaction.Client
	c.Start(&tm, s, true, false)
	c.Fail()
	check(t, "after a transport error", c.Response(&tm, s, 200), drop)
	check(t, "deadline after a transport error", c.Deadline(), 0)
}

func TestClientQuiet(t *testing.T) {
	tm := transaction.DefaultTiming()
	var c transaction.Client
	c.Start(&tm, s, true, false)
	c.Quiet(9 * s)
	check(t, "deadline", c.Deadline(), 9*s)
	check(t, "end", c.Tick(&tm, 9*s), transaction.Timeout)
	c.Start(&tm, s, true, false)
	c.Quiet(9 * s)
	c.Response(&tm, 2*s, 180)
	check(t, "a late 180 does not lengthen it", c.Deadline(), 9*s)
	c.Start(&tm, s, true, false)
	c.Response(&tm, s, 200)
	c.Quiet(9 * s)
	check(t, "a finished one is left alone", c.Deadline(), 33*s)
	c.Shorten(5 * s)
	check(t, "but may be shortened", c.Deadline(), 5*s)
	c.Shorten(7 * s)
	check(t, "not lengthened", c.Deadline(), 5*s)
}

func TestServerTimers(t *testing.T) {
	tm := transaction.DefaultTiming()
	tests := []struct {
		name             string
		invite, reliable bool
		responses        []int
		ack              bool
		resends          []int64
		end              transaction.Action
		at               int64
	}{
		{"T06 Timer G and H", true, false, []int{180, 486}, false, times(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500), transaction.GiveUp, 32 * s},
		{"Timer H on a stream", true, true, []int{486}, false, nil, transaction.GiveUp, 32 * s},
		{"T06 Timer I", true, false, []int{486}, true, nil, transaction.End, 5 * s},
		{"Timer I on a stream", true, true, []int{486}, true, nil, transaction.End, 0},
		{"T10 Timer L", true, false, []int{200}, false, nil, transaction.End, 32 * s},
		{"T09 Timer J", false, false, []int{200}, false, nil, transaction.End, 32 * s},
		{"Timer J on a stream", false, true, []int{200}, false, nil, transaction.End, 0},
		{"nothing while waiting", true, false, []int{180}, false, nil, transaction.None, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v transaction.Server
			v.Start(tt.invite, tt.reliable)
			for _, code := range tt.responses {
				check(t, "respond", v.Respond(&tm, 10*s, code), transaction.Send)
			}
			if tt.ack {
				check(t, "ACK", v.Acknowledge(&tm, 10*s), transaction.Absorb)
			}
			got, last, end := resends(t, 10*s, 1000*s, v.Deadline, func(now int64) transaction.Action { return v.Tick(&tm, now) })
			check(t, "repeated at", got, tt.resends)
			check(t, "ends with", last, tt.end)
			check(t, "at", end, tt.at)
		})
	}
}

// TestServerEvents enumerates what each state answers to a copy, an ACK and each class of response.
func TestServerEvents(t *testing.T) {
	tm := transaction.DefaultTiming()
	const (
		absorb  = transaction.Absorb
		resend  = transaction.Resend
		send    = transaction.Send
		drop    = transaction.Drop
		deliver = transaction.Deliver
	)
	tests := []struct {
		name             string
		invite           bool
		before           []int
		acked            bool
		copied, ack      transaction.Action
		r180, r200, r486 transaction.Action
	}{
		{"INVITE new", true, nil, false, resend, absorb, send, send, send},
		{"INVITE ringing", true, []int{180}, false, resend, absorb, send, send, send},
		{"INVITE refused", true, []int{486}, false, resend, absorb, drop, drop, drop},
		{"INVITE refused, ACK in", true, []int{486}, true, absorb, absorb, drop, drop, drop},
		{"INVITE answered", true, []int{200}, false, absorb, deliver, drop, send, drop},
		{"BYE new", false, nil, false, absorb, absorb, send, send, send},
		{"BYE proceeding", false, []int{100}, false, resend, absorb, send, send, send},
		{"BYE done", false, []int{200}, false, resend, absorb, drop, drop, drop},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fresh := func() *transaction.Server {
				var v transaction.Server
				v.Start(tt.invite, false)
				for _, code := range tt.before {
					v.Respond(&tm, s, code)
				}
				if tt.acked {
					v.Acknowledge(&tm, s)
				}
				return &v
			}
			check(t, "copy", fresh().Copy(), tt.copied)
			if tt.invite {
				check(t, "ACK", fresh().Acknowledge(&tm, s), tt.ack)
			}
			check(t, "180", fresh().Respond(&tm, s, 180), tt.r180)
			check(t, "200", fresh().Respond(&tm, s, 200), tt.r200)
			check(t, "486", fresh().Respond(&tm, s, 486), tt.r486)
		})
	}
	var v transaction.Server
	v.Start(false, false)
	v.Forget(7 * s)
	check(t, "forgotten: copy", v.Copy(), absorb)
	check(t, "forgotten: respond", v.Respond(&tm, s, 200), drop)
	check(t, "forgotten: end", v.Tick(&tm, 7*s), transaction.End)
}

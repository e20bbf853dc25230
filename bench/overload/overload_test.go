//go:build linux

package overload

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/mmsg"
	"github.com/voipbin/dialrouter/bench/stats"
	"github.com/voipbin/dialrouter/router/message"
)

// TestInvites: a flood's INVITEs are whole, and each is another call's.
func TestInvites(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.9:5060")
	next := invites(at, at, "15551234567")
	seen := map[string]bool{}
	for n := range uint64(100) {
		var m message.Message
		if err := m.Parse(next(nil, n)); err != nil || m.Method != message.INVITE {
			t.Fatalf("%v in %q", err, next(nil, n))
		}
		via, fault := m.TopVia()
		if fault != nil {
			t.Fatal(fault)
		}
		seen[string(m.Bytes(via.Branch))+string(m.Value(message.CallID))] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d calls", len(seen))
	}
}

// TestFloodRate: a flood sends what it should, and counts the 503s among what comes back.
func TestFloodRate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	sink, err := mmsg.Listen(ctx, netip.MustParseAddrPort("127.0.0.1:0"), mmsg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	f := flood{from: netip.MustParseAddrPort("127.0.0.1:0"), to: sink.LocalAddr(), rate: 2000, append: func(b []byte, _ uint64) []byte {
		return append(b, "hello"...)
	}}
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- f.run(ctx) }()
	got := 0
	for {
		n, err := sink.Receive()
		if err != nil {
			t.Fatal(err)
		}
		got += n
		for i := range n {
			_, from := sink.Datagram(i)
			sink.Queue(append(sink.Slot(), "SIP/2.0 503 Service Unavailable\r\n"...), from, nil)
		}
		sink.Flush()
		if ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	took := time.Since(began) // On a busy machine longer than asked for.
	if sent := f.sent.Load(); float64(sent) > took.Seconds()*float64(f.rate) || got == 0 || f.refused.Load() == 0 {
		t.Errorf("%d sent in %v, %d arrived, %d refused", sent, took, got, f.refused.Load())
	}
}

// TestCheck: each figure that is not reached is named.
func TestCheck(t *testing.T) {
	turns := func(full, left int, p99 float64) []Turn {
		turn := Turn{
			Full:   load.Result{Plan: load.Plan{Calls: full}, OK: 2000, Seconds: 2},
			Double: load.Result{OK: left, Seconds: 1, Refusal: stats.Percentiles{P99: p99}},
		}
		worst, best := turn, turn
		worst.Double.OK, worst.Double.Refusal.P99 = 1, 1000
		best.Double.OK, best.Double.Refusal.P99 = 1000, 1
		return []Turn{worst, turn, best}
	}
	good := Report{
		Turns:    turns(2100, 900, 100),
		Recovery: 10,
		Floods:   []FloodTaken{{Calls: load.Result{Plan: load.Plan{Calls: 1000}, Failed: 1}}},
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	bad := Report{
		Turns:    turns(2250, 899, 101),
		Recovery: 11,
		Floods:   []FloodTaken{{Kind: "garbage", Calls: load.Result{Plan: load.Plan{Calls: 1000}, Failed: 2}}},
	}
	err := bad.Check()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{"at the capacity 88.9 %", "89.9 %", "101.0 ms", "11.0 s", "beside garbage 2 of 1000"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

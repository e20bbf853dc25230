//go:build linux

package mmsg_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

func listen(t *testing.T) *mmsg.Socket {
	t.Helper()
	s, err := mmsg.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), mmsg.Options{Stamps: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestBatchesArriveInOrder(t *testing.T) {
	a, b := listen(t), listen(t)
	to := mmsg.AddrOf(b.LocalAddr())
	const count = 3*mmsg.Batch + 5
	stamps := make([]int64, count)
	before := time.Now().UnixNano()
	for i := range count {
		a.Queue(fmt.Appendf(a.Slot(), "datagram %d", i), to, &stamps[i])
	}
	a.Flush()
	poller := mmsg.NewPoller(b.FD())
	deadline := time.Now().Add(5 * time.Second)
	for got := 0; got < count; {
		n, err := b.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			data, from := b.Datagram(i)
			if want := fmt.Sprintf("datagram %d", got); string(data) != want {
				t.Fatalf("got %q, want %q", data, want)
			}
			if from.AddrPort() != a.LocalAddr() || from != mmsg.AddrOf(a.LocalAddr()) {
				t.Fatalf("datagram %d came from %v, want %v", got, from.AddrPort(), a.LocalAddr())
			}
			sent, arrived := stamps[got], b.Stamp(i)
			if sent < before || arrived < sent || arrived > time.Now().UnixNano() {
				t.Fatalf("datagram %d: began %d, sent %d, arrived %d", got, before, sent, arrived)
			}
			got++
		}
		if n == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("only %d of %d arrived", got, count)
			}
			if err := poller.Wait(10 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a.SendErrors() != 0 {
		t.Errorf("%d send errors", a.SendErrors())
	}
}

func TestTooLongIsCounted(t *testing.T) {
	a := listen(t)
	a.Queue(append(a.Slot(), make([]byte, mmsg.MaxDatagram+1)...), mmsg.AddrOf(a.LocalAddr()), nil)
	a.Flush()
	if a.SendErrors() != 1 {
		t.Errorf("%d send errors, want 1", a.SendErrors())
	}
}

func TestOnlyIPv4(t *testing.T) {
	if s, err := mmsg.Listen(t.Context(), netip.MustParseAddrPort("[::1]:0"), mmsg.Options{}); err == nil {
		s.Close()
		t.Error("an IPv6 address was taken")
	}
}

func TestSendAndReceiveAllocateNothing(t *testing.T) {
	a, b := listen(t), listen(t)
	to := mmsg.AddrOf(b.LocalAddr())
	poller := mmsg.NewPoller(b.FD())
	var stamp int64
	allocs := testing.AllocsPerRun(100, func() {
		a.Queue(append(a.Slot(), "hello"...), to, &stamp)
		a.Flush()
		for {
			n, err := b.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				_, _ = b.Datagram(0)
				_ = b.Stamp(0)
				return
			}
			if err := poller.Wait(time.Second); err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per datagram, want 0", allocs)
	}
}

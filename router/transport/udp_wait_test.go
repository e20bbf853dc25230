package transport

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// twoProcessors sees to it that there is one to spare. There are machines with
// one.
func twoProcessors(t *testing.T) {
	t.Helper()
	before := runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// busyRig is a rig with two listeners, of one worker each, that echoes, and a
// client that has kept the first so busy that it waits in recvmmsg.
func busyRig(t *testing.T) (*rig, net.Conn) {
	t.Helper()
	twoProcessors(t)
	r := newRig()
	r.quiet = true
	r.onReceive = func(s *Sender, from Flow, data []byte) { s.Send(from, data) }
	r.start(t, Config{Listeners: []Listener{loopback(UDP), loopback(UDP)}, Workers: 1, Spare: 1})
	c := dialUDP(t, netip.AddrPort{}, r.addr(0))
	r.keepBusy(t, c)
	return r, c
}

// keepBusy sends until a worker waits in recvmmsg.
func (r *rig) keepBusy(t *testing.T, c net.Conn) {
	t.Helper()
	eventually(t, "a busy worker waits in recvmmsg", func() bool {
		for range 2 * busyWaits {
			echo(t, c)
		}
		return r.spare.Load() == 0
	})
}

func echo(t *testing.T, c net.Conn) {
	t.Helper()
	write(t, c, "ping")
	read(t, c, "ping")
}

// TestUDPWait: a busy worker keeps a processor, one that has nothing to do any
// more gives it back, and what comes then is not missed.
func TestUDPWait(t *testing.T) {
	r, c := busyRig(t)
	for range 3 {
		eventually(t, "a processor is given back", func() bool { return r.spare.Load() == 1 })
		echo(t, c)
		r.keepBusy(t, c)
	}
}

// TestUDPWaitShared: there is one processor to spare and two workers that are
// busy.
func TestUDPWaitShared(t *testing.T) {
	r, c := busyRig(t)
	other := dialUDP(t, netip.AddrPort{}, r.addr(1))
	for range 4 * busyWaits {
		echo(t, c)
		echo(t, other)
		if n := r.spare.Load(); n < 0 || n > 1 { // The first may have stopped to be busy.
			t.Fatalf("%d processors to spare", n)
		}
	}
}

// TestUDPWaitInterrupted: a worker that waits with a processor in its hands
// does not keep the world from being stopped.
func TestUDPWaitInterrupted(t *testing.T) {
	_, c := busyRig(t)
	for range 20 {
		runtime.GC()
		echo(t, c)
	}
}

// TestUDPWaitError: an ICMP error comes while the worker waits in recvmmsg.
func TestUDPWaitError(t *testing.T) {
	r, c := busyRig(t)
	closed := Flow{Proto: UDP, Remote: closedPort(t, UDP)}
	s := r.NewSender()
	for range 20 {
		echo(t, c)
		s.Send(closed, []byte("closed"))
		s.Flush(r.Now())
		if f := r.nextFailure(t); f.to != closed || !errors.Is(f.err, syscall.ECONNREFUSED) {
			t.Fatalf("failed: %q to %v: %v", f.data, f.to, f.err)
		}
	}
}

// TestUDPWaitClosed: the transport is closed while a worker waits in recvmmsg.
func TestUDPWaitClosed(t *testing.T) {
	r, _ := busyRig(t)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestUDPWaitFull: a full batch is reason enough to keep a processor, for the
// first worker that asks.
func TestUDPWaitFull(t *testing.T) {
	twoProcessors(t)
	tr, err := Listen(Config{
		Listeners:  []Listener{loopback(UDP), loopback(UDP)},
		NewHandler: func(*Sender) Handler { return nil },
		Workers:    1, Spare: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for i, want := range []int{unix.MSG_WAITFORONE, unix.MSG_DONTWAIT} {
		sock := tr.sockets[i][0]
		w := newUDPWait(tr, sock)
		if err := control(sock.ready, func(events int) error { w.full(uintptr(events)); return nil }); err != nil {
			t.Fatal(err)
		}
		if w.flags != want || tr.spare.Load() != 0 {
			t.Errorf("worker %d: flags %#x, want %#x; %d processors to spare", i, w.flags, want, tr.spare.Load())
		}
	}
}

// TestWaitTimed: what waits come to is known about, without the clock being
// read for each.
func TestWaitTimed(t *testing.T) {
	const each = 1000
	for name, tt := range map[string]struct {
		flags, reads, found int
		want                time.Duration
		most                int // readings of the clock
	}{
		"one datagram at a time": {unix.MSG_WAITFORONE, 8001, 1, 8001 * each, 1001},
		"several":                {unix.MSG_WAITFORONE, 8001, manyFound, 8001 * each, 8001},
		"a full batch":           {unix.MSG_WAITFORONE, 100, batchSize, 0, 100},
		"by the poller":          {unix.MSG_DONTWAIT, 100, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := udpWait{flags: tt.flags}
			now, asked := int64(time.Hour), 0
			for range tt.reads {
				at := w.begin(func() int64 { asked++; return now })
				now += each
				w.end(at, now, tt.found)
			}
			if got := w.total(now); got != tt.want || asked > tt.most {
				t.Errorf("%d ns and %d readings, want %d and %d at most", got, asked, tt.want, tt.most)
			}
		})
	}
	var w udpWait
	w.leaves(1000)
	if got := w.total(5000); got != 4000 {
		t.Errorf("while the poller waits: %d", got)
	}
	w.returns(6000)
	w.returns(9000)
	if got := w.total(9000); got != 5000 {
		t.Errorf("when it has waited: %d", got)
	}
}

// TestWaited: a worker that has nothing to do waits all the time, and one that
// was busy until now does so too.
func TestWaited(t *testing.T) {
	began := time.Now()
	r, _ := busyRig(t)
	for range 2 {
		first := r.Waited(nil)
		if len(first) != 2 {
			t.Fatalf("%d workers", len(first))
		}
		eventually(t, "workers have waited for 50 ms", func() bool {
			now := r.Waited(nil)
			return now[0]-first[0] > 50*time.Millisecond && now[1]-first[1] > 50*time.Millisecond
		})
	}
	if idle := r.Waited(nil)[1]; idle > time.Since(began) {
		t.Errorf("waited for %v, and not longer than %v is it there", idle, time.Since(began))
	}
}

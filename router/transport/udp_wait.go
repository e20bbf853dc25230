package transport

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// udpWait is how a worker waits for its next datagram.
//
// With Go's poller: one thread waits for all descriptors, and the worker costs
// nothing while it waits. But each wait takes two more system calls and the
// scheduler's search for other work, a sixth of all instructions of a call.
//
// Or in recvmmsg itself, where the thread that will read is the one that is
// woken. It keeps one of Go's processors meanwhile, which the program must
// have to spare (Config.Spare). So this is for workers that are busy, and ends
// when nothing came for readWait.
//
// The poller watches the socket by way of an epoll descriptor of our own, from
// which a busy worker takes its socket out: else each datagram would wake the
// poller's thread as well. That descriptor asks for datagrams only, so a worker
// is not woken either because one that it sent has left.
type udpWait struct {
	sock  *udpSocket
	spare *atomic.Int32 // processors that no worker holds
	flags int           // of the next recvmmsg
	waits int           // with the poller, since the time below
	since int64

	turn   uint8
	few    bool         // datagrams that were found last
	waited atomic.Int64 // nanoseconds, but for the wait that is on
	away   atomic.Int64 // since when the poller waits; zero: it does not
}

// timedWaits is how many waits in recvmmsg there are for each that is timed and
// counts for all of them: reading the clock twice for each would be felt. After
// manyFound datagrams it is not, and waits are fewer then: each is timed.
const (
	timedWaits = 8
	manyFound  = 4
)

// A worker is busy when this many waits in a row took less than this, in
// nanoseconds: about 250 calls a second.
const (
	busyWaits = 64
	busyTime  = 64e6
)

func newUDPWait(t *Transport, sock *udpSocket) udpWait {
	return udpWait{sock: sock, spare: &t.spare, flags: unix.MSG_DONTWAIT}
}

// begin is told before each read, and returns its time if its wait is timed.
func (w *udpWait) begin(clock func() int64) (at int64) {
	if w.flags == unix.MSG_DONTWAIT {
		return 0
	}
	if w.turn++; w.few && w.turn%timedWaits != 0 {
		return 0
	}
	return clock()
}

// end is told after each read how many datagrams it found. One that found a
// full batch did not wait. Of others the copying is taken for waiting too.
func (w *udpWait) end(at, now int64, n int) {
	if at != 0 && n < batchSize {
		spent := now - at
		if w.few {
			spent *= timedWaits
		}
		w.waited.Add(spent)
	}
	w.few = n < manyFound
}

// leaves is told when the poller begins to wait.
func (w *udpWait) leaves(now int64) { w.away.Store(now) }

// returns is told when the poller does not wait any more. Nobody else writes
// away.
func (w *udpWait) returns(now int64) {
	if since := w.away.Load(); since != 0 {
		w.waited.Add(now - since)
		w.away.Store(0)
	}
}

// total is how long the worker has waited until now, about.
func (w *udpWait) total(now int64) time.Duration {
	sum := w.waited.Load()
	if since := w.away.Load(); since != 0 {
		sum += max(0, now-since)
	}
	return time.Duration(sum)
}

// next is told after each batch that was not full what time it was read at, and
// whether it held anything. It returns whether to wait for the poller, which
// knows the descriptor events; else to read again.
func (w *udpWait) next(events uintptr, now int64, some bool) bool {
	if w.flags != unix.MSG_DONTWAIT {
		if !some {
			w.leave(int(events))
		}
		return false
	}
	if w.waits++; w.waits < busyWaits {
		return true
	}
	busy := now-w.since < busyTime
	w.waits, w.since = 0, now
	return !busy || !w.enter(int(events))
}

// full is told after each batch that was full. Under full load the timers must be
// let in; a worker that keeps a processor of its own leaves them another, and to
// call the scheduler then would wake a thread each time, to look for work that
// is not there.
func (w *udpWait) full(events uintptr) {
	if w.flags == unix.MSG_DONTWAIT && !w.enter(int(events)) {
		runtime.Gosched()
	}
}

// enter begins to wait in recvmmsg, unless no processor can be spared.
func (w *udpWait) enter(events int) bool {
	if w.spare.Add(-1) < 0 || w.sock.unwatch(events) != nil {
		w.spare.Add(1)
		return false
	}
	w.flags = unix.MSG_WAITFORONE
	// This thread may be the one that minded the poller. Gosched wakes another.
	runtime.Gosched()
	return true
}

// leave goes back to the poller, which tells at once of what came meanwhile.
func (w *udpWait) leave(events int) {
	if w.sock.watch(events) != nil {
		return // Out of memory: the next time then.
	}
	w.flags = unix.MSG_DONTWAIT
	w.spare.Add(1)
}

// openEvents makes the descriptor by which the poller watches the socket.
func (s *udpSocket) openEvents() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("making an epoll descriptor: %w", err)
	}
	if err = unix.SetNonblock(fd, true); err == nil { // os.NewFile hands those to the poller.
		err = s.watch(fd)
	}
	s.events = os.NewFile(uintptr(fd), "epoll")
	if err == nil {
		err = s.events.SetReadDeadline(time.Time{}) // Refused where the poller does not know it.
	}
	if err == nil {
		s.ready, err = s.events.SyscallConn()
	}
	if err != nil {
		return fmt.Errorf("watching a socket: %w", err)
	}
	return nil
}

func (s *udpSocket) watch(events int) error {
	interest := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(s.fd)}
	return unix.EpollCtl(events, unix.EPOLL_CTL_ADD, s.fd, &interest)
}

func (s *udpSocket) unwatch(events int) error {
	return unix.EpollCtl(events, unix.EPOLL_CTL_DEL, s.fd, nil)
}

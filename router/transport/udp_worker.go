package transport

import (
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// udpWorker reads one UDP socket.
type udpWorker struct {
	worker
	t    *Transport
	sock *udpSocket
	in   vector
	slot []byte // batchSize receive slots, slotStride apart
	// control is where a wildcard socket says to which address each datagram
	// was sent, empty for others.
	control []byte
	// watcher is the handler where it wants to know of the backlog, and behind
	// whether it was told of a full batch last.
	watcher Watcher
	behind  bool
	// strikes counts receive errors in a row that nothing explains.
	strikes int
	wait    udpWait
}

// pollPause is how long a worker rests when it cannot read.
const pollPause = time.Millisecond

func newUDPWorker(t *Transport, sock *udpSocket) *udpWorker {
	w := &udpWorker{
		worker: t.newWorker(sock),
		t:      t,
		sock:   sock,
		wait:   newUDPWait(t, sock),
		in:     newVector(batchSize),
		slot:   make([]byte, batchSize*slotStride),
	}
	w.watcher, _ = w.handler.(Watcher)
	for i := range batchSize {
		w.in.setBuffer(i, w.slot[i*slotStride:][:maxDatagram])
	}
	if sock.wildcard {
		w.control = make([]byte, batchSize*sourceRoom())
		for i := range batchSize {
			w.in.setControl(i, w.controlOf(i))
		}
	}
	return w
}

// run reads until the transport is closed.
func (w *udpWorker) run() {
	defer w.t.running.Done()
	// The socket stays open while Control runs.
	err := control(w.sock.raw, func(fd int) error {
		w.sender.fd = uintptr(fd)
		return w.sock.ready.Read(w.step)
	})
	if !w.t.closing.Load() {
		w.t.log.warn("cannot read any more", "listener", w.t.bound[w.sock.listener].String(), "error", err)
	}
}

// step is the whole loop of a worker. It runs as the callback of a RawConn,
// which waits for the poller's next event when it returns false.
//
// The poller is edge-triggered: it tells of a datagram that arrives, not of
// one that is there. Waiting is right all the same after a batch that was not
// full. recvmmsg stopped because the queue was empty, at a moment within that
// call; what came before it is in the batch, and what comes after it is a new
// event, which the poller keeps for us even while we are still at work. So the
// second recvmmsg that would only return EAGAIN can be left out. The same
// holds for the error queue: each entry is an event of its own.
func (w *udpWorker) step(events uintptr) bool {
	fd, clock := w.sender.fd, w.t.cfg.Now
	for !w.t.closing.Load() {
		at := w.wait.begin(clock)
		n, errno := w.in.receive(fd, w.wait.flags)
		now := clock()
		w.wait.returns(now)
		w.wait.end(at, now, n)
		if errno == unix.EINTR {
			runtime.Gosched() // the runtime wants something of this thread
			continue
		}
		if n == batchSize || w.behind {
			w.watch(fd, now, n == batchSize)
		}
		w.handle(now, n)
		if errno != 0 {
			// Either ICMP brought an error, which receive reported in place of
			// what had come; or there was nothing to read, and a sender has
			// met the error that woke us.
			w.sender.drain(fd, w.sock.listener)
		}
		w.settle(now)
		switch {
		case n == batchSize:
			w.strikes = 0
			w.wait.full(events)
		case errno == 0 || errno == unix.EAGAIN:
			w.strikes = 0
			if w.wait.next(events, now, n > 0) {
				w.wait.leaves(clock())
				return false
			}
		default:
			w.rest(errno)
		}
	}
	return true
}

// handle passes a batch on and makes the vector ready for the next.
func (w *udpWorker) handle(now int64, n int) {
	from := Flow{Proto: UDP, Listener: w.sock.listener}
	for i := range n {
		h := &w.in.hdr[i]
		from.Remote = getAddr(&w.in.names[i])
		size := min(int(h.Len), maxDatagram)
		h.Hdr.Namelen = unix.SizeofSockaddrInet6
		if w.control != nil {
			from.Local = w.t.sources.number(getSource(w.controlOf(i)[:h.Hdr.Controllen]))
			w.in.setControl(i, w.controlOf(i))
		}
		if size == 0 {
			continue // some keep a binding of their NAT alive like this
		}
		at := i * slotStride
		w.handler.Receive(now, from, w.slot[at:at+size:at+size])
	}
}

// controlOf is the room for control data of message i.
func (w *udpWorker) controlOf(i int) []byte {
	room := sourceRoom()
	return w.control[i*room:][:room]
}

// rest keeps an error that does not go away, such as a lack of memory, from
// taking the whole processor.
func (w *udpWorker) rest(errno syscall.Errno) {
	const patience = 100
	if w.strikes++; w.strikes < patience {
		return
	}
	w.strikes = 0
	w.t.log.warn("cannot receive", "listener", w.t.bound[w.sock.listener].String(), "error", errno)
	w.t.pause(pollPause)
}

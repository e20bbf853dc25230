package transport

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// arenaSize is how many bytes wait for one sendmmsg at most.
	arenaSize = 256 << 10
	// sendTries is how often one datagram is tried when nothing but itself can
	// be the reason that it is refused, and maxSendTries how often in all.
	sendTries    = 3
	maxSendTries = 64
	// sendPause is how long a flush waits, once, for room in the kernel's send
	// buffer before it gives up the rest. Transactions will repeat it; what
	// arrives meanwhile cannot wait.
	sendPause = 500 * time.Microsecond
)

// udpQueue holds the datagrams that one Sender has for one UDP listener.
type udpQueue struct {
	sender *Sender
	sock   *udpSocket
	// own: the Sender's goroutine is the one that reads this socket, and holds
	// its descriptor.
	own bool
	// transmitFn is transmit as a value made once, because making it allocates.
	transmitFn func(fd uintptr)
	// control is room to say from which address each datagram leaves, on a
	// wildcard socket only.
	control []byte

	vec    vector
	to     [batchSize]Flow
	groups groups
	arena  []byte
	n      int // headers waiting: datagrams, or groups of them
	used   int // bytes of the arena they take
}

func newUDPQueue(s *Sender, sock *udpSocket, own bool) *udpQueue {
	q := &udpQueue{sender: s, sock: sock, own: own, vec: newVector(batchSize), arena: make([]byte, arenaSize)}
	q.transmitFn = q.transmit
	if sock.wildcard {
		q.control = make([]byte, batchSize*sourceRoom())
	}
	return q
}

// addUnordered copies one datagram into the arena, to leave with others like it.
func (q *udpQueue) addUnordered(to Flow, data []byte) {
	switch {
	case len(data) > maxGrouped || q.sock.whole.Load():
		q.add(to, data)
	case !q.join(to, data):
		q.add(to, data)
		q.begin()
	}
}

// add copies one datagram into the arena.
func (q *udpQueue) add(to Flow, data []byte) {
	if q.n == batchSize || len(data) > arenaSize-q.used {
		q.flush()
	}
	if len(data) > arenaSize {
		q.sender.fail(to, data, syscall.EMSGSIZE)
		return
	}
	q.vec.setBuffer(q.n, q.store(data))
	q.vec.hdr[q.n].Hdr.Namelen = putAddr(&q.vec.names[q.n], to.Remote)
	if q.control != nil {
		q.setSource(to.Local)
	}
	q.to[q.n] = to
	q.n++
}

// store copies bytes into the arena, which has room for them.
func (q *udpQueue) store(data []byte) []byte {
	slot := q.arena[q.used : q.used+len(data) : q.used+len(data)]
	copy(slot, data)
	q.used += len(data)
	return slot
}

// setSource says from which of the host's addresses the next datagram leaves.
func (q *udpQueue) setSource(local uint16) {
	addr := q.sender.t.sources.addr(local)
	if !addr.IsValid() {
		q.vec.setControl(q.n, nil)
		return
	}
	room := sourceRoom()
	control := q.control[q.n*room:][:room]
	q.vec.setControl(q.n, control[:putSource(control, addr)])
}

// flush sends what waits and leaves the queue empty.
func (q *udpQueue) flush() {
	if q.n == 0 {
		return
	}
	if q.own {
		q.transmit(q.sender.fd)
	} else {
		// The reference that Control holds keeps the descriptor from being
		// closed, and its number from being used for something else.
		_ = q.sock.raw.Control(q.transmitFn)
	}
	q.unbundle()
	q.n, q.used = 0, 0
}

// transmit hands every datagram to the kernel, or to those that failed.
func (q *udpQueue) transmit(fd uintptr) {
	tries, own, waited := 0, 0, false
	for first := 0; first < q.n; {
		n, errno := q.vec.send(fd, first, q.n)
		switch errno {
		case 0:
			// After fewer than asked the next call says why, or sends on.
			first += n
			tries, own = 0, 0
		case unix.EINTR:
		case unix.EAGAIN:
			if !waited {
				waited = true
				awaitRoom(fd)
				continue
			}
			q.drop(q.count(first, q.n))
			return
		case unix.ENOBUFS, unix.ENOMEM:
			q.drop(len(q.datagrams(first)))
			first++
		default:
			// An ICMP error that waits on the socket is given to whatever is
			// sent next, in place of sending it, and taking one error out of
			// the error queue brings up the one behind it. So take them all,
			// and try again: an error that stays is the datagram's own.
			if q.sender.drain(fd, q.sock.listener) == 0 {
				own++
			}
			tries++
			switch {
			case own > 0 && ungrouped(errno) && len(q.datagrams(first)) > 1:
				q.split(fd, first)
			case own < sendTries && tries < maxSendTries:
				continue
			default:
				q.fail(first, errno)
			}
			first++
			tries, own = 0, 0
		}
	}
}

// awaitRoom waits for room in a socket's send buffer, sendPause at most.
func awaitRoom(fd uintptr) {
	limit := unix.NsecToTimespec(int64(sendPause))
	_, _ = unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, &limit, nil)
}

// drop counts datagrams that the send buffer has no room for.
func (q *udpQueue) drop(n int) {
	for range n {
		q.sender.t.cfg.Dropped(DropSendBuffer)
	}
}

// fail keeps the datagrams of a header to be reported.
func (q *udpQueue) fail(i int, err error) {
	for _, d := range q.datagrams(i) {
		q.sender.fail(q.to[i], unsafe.Slice(d.Base, d.Len), err)
	}
}

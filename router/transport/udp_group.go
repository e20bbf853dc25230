package transport

import (
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Datagrams of one length to one place can go through the kernel as one that is
// cut into pieces at the end of its way (UDP_SEGMENT, udp(7)), which takes
// between a third and half of the time that each on its own takes. Few messages
// have the same length as the one before them; refusals under pressure have.
const (
	// maxGroups is how many groups grow at a time.
	maxGroups = 8
	// maxGrouped is the longest datagram that is grouped: a piece must not be
	// longer than what the path takes at once, which is hardly ever less.
	maxGrouped = 1200
	// maxGroupBytes is how long the pieces may be together: as long as one
	// datagram.
	maxGroupBytes = 65_000
)

// group is one message header of a queue with several datagrams.
type group struct {
	at      int // of the header in the queue
	size    int // of each datagram, in bytes
	iov     [batchSize]unix.Iovec
	n       int
	control []byte
}

// groups are those of one queue.
type groups struct {
	list [maxGroups]group
	n    int
}

// join adds a datagram to one that waits already, and is false when there is
// none like it.
func (q *udpQueue) join(to Flow, data []byte) bool {
	if len(data) > arenaSize-q.used {
		return false
	}
	for i := range q.groups.list[:q.groups.n] {
		g := &q.groups.list[i]
		if g.size == len(data) && g.n < len(g.iov) && (g.n+1)*g.size <= maxGroupBytes && q.to[g.at] == to {
			g.iov[g.n].Base = unsafe.SliceData(q.store(data))
			g.iov[g.n].SetLen(len(data))
			g.n++
			q.bundle(g)
			return true
		}
	}
	return false
}

// begin makes a group of the datagram that was added last, when there is room
// for one more.
func (q *udpQueue) begin() {
	if q.groups.n == maxGroups {
		return
	}
	at := q.n - 1
	g := &q.groups.list[q.groups.n]
	g.at, g.size, g.n = at, int(q.vec.iov[at].Len), 1
	g.iov[0] = q.vec.iov[at]
	q.groups.n++
}

// bundle makes the header of a group say what is in it.
func (q *udpQueue) bundle(g *group) {
	h := &q.vec.hdr[g.at].Hdr
	if g.n == 2 {
		h.Iov = &g.iov[0]
		g.control = append(g.control[:0], unsafe.Slice(h.Control, h.Controllen)...)
		g.control = putSegment(g.control, g.size)
		q.vec.setControl(g.at, g.control)
	}
	h.SetIovlen(g.n)
}

// unbundle makes headers of single datagrams of all again.
func (q *udpQueue) unbundle() {
	for i := range q.groups.list[:q.groups.n] {
		at := q.groups.list[i].at
		h := &q.vec.hdr[at].Hdr
		h.Iov = &q.vec.iov[at]
		h.SetIovlen(1)
		q.vec.setControl(at, nil)
	}
	q.groups.n = 0
}

// datagrams are those that leave by one header.
func (q *udpQueue) datagrams(i int) []unix.Iovec {
	h := &q.vec.hdr[i].Hdr
	return unsafe.Slice(h.Iov, h.Iovlen)
}

// count returns how many datagrams wait by the headers from first up to end.
func (q *udpQueue) count(first, end int) (n int) {
	for i := first; i < end; i++ {
		n += len(q.datagrams(i))
	}
	return n
}

// split sends the datagrams of a group one by one, because together the kernel
// does not take them. When it takes one alone, it is the grouping that the way
// out cannot do, and it is not tried again.
func (q *udpQueue) split(fd uintptr, i int) {
	h := &q.vec.hdr[i].Hdr
	pieces := q.datagrams(i)
	if room := int(h.Controllen) - segmentRoom(); room > 0 {
		h.SetControllen(room)
	} else {
		q.vec.setControl(i, nil)
	}
	h.SetIovlen(1)
	for k := range pieces {
		h.Iov = &pieces[k]
		switch errno := q.sendAlone(fd, i); errno {
		case 0:
			q.sock.whole.Store(true)
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			q.drop(len(pieces) - k)
			return
		default:
			q.fail(i, errno)
		}
	}
}

// sendAlone sends one message, and tries again when what is wrong may be over.
func (q *udpQueue) sendAlone(fd uintptr, i int) (errno syscall.Errno) {
	for range sendTries {
		switch errno = q.vec.sendOne(fd, i); errno {
		case 0, unix.ENOBUFS, unix.ENOMEM:
			return errno
		case unix.EINTR:
		case unix.EAGAIN:
			awaitRoom(fd)
		default:
			if q.sender.drain(fd, q.sock.listener) == 0 {
				return errno
			}
		}
	}
	return errno
}

// ungrouped says whether an error of a group is because it is one.
func ungrouped(errno syscall.Errno) bool {
	return errno == unix.EINVAL || errno == unix.EIO || errno == unix.EMSGSIZE
}

// grouping says whether the kernel knows groups: since Linux 4.18. Before, it
// would send one as a single datagram.
func grouping(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	return err == nil
}

// segmentRoom is how many bytes of control data the length of pieces takes.
func segmentRoom() int { return unix.CmsgSpace(2) }

// putSegment adds the length of the pieces to control data.
func putSegment(control []byte, size int) []byte {
	at := len(control)
	control = slices.Grow(control, segmentRoom())[:at+segmentRoom()]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[at]))
	h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&control[at+unix.CmsgLen(0)])) = uint16(size)
	return control
}

package transport

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many datagrams one system call takes at most. Beyond a
	// few dozen the saving per datagram is lost in the noise.
	batchSize = 64

	// maxDatagram is the largest UDP payload over IPv4 or IPv6, and a bit.
	maxDatagram = 65535
	// slotStride is the distance of receive slots: room for the largest
	// datagram, and 2 KiB so that the first bytes of the slots, the only ones
	// that matter most of the time, do not share the same sets of the cache.
	slotStride = 64<<10 + 2<<10
)

// vector is what recvmmsg and sendmmsg work on: n message headers, each with
// one name and one buffer. It is allocated once; its elements never move.
type vector struct {
	hdr   []unix.Mmsghdr
	iov   []unix.Iovec
	names []sockaddr
}

func newVector(n int) vector {
	v := vector{
		hdr:   make([]unix.Mmsghdr, n),
		iov:   make([]unix.Iovec, n),
		names: make([]sockaddr, n),
	}
	for i := range v.hdr {
		h := &v.hdr[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&v.names[i]))
		h.Namelen = unix.SizeofSockaddrInet6
		h.Iov = &v.iov[i]
		h.SetIovlen(1)
	}
	return v
}

// setControl gives message i room for control data, or none.
func (v *vector) setControl(i int, b []byte) {
	h := &v.hdr[i].Hdr
	h.Control = unsafe.SliceData(b)
	h.SetControllen(len(b))
}

// setBuffer gives message i its bytes.
func (v *vector) setBuffer(i int, b []byte) {
	v.iov[i].Base = unsafe.SliceData(b)
	v.iov[i].SetLen(len(b))
}

// The two calls below are RawSyscall on purpose. Syscall tells the scheduler
// that the thread may block, which wakes its monitor thread and lets another
// thread take the processor over; with MSG_DONTWAIT there is nothing to wait
// for. Measured with an echo of 6,000 datagrams a second that each wake the
// process: half the processor time, a third of the context switches. The
// price is that a collection may wait for a full batch to be sent, about a
// millisecond. Who calls receive without it has a processor to spare (see
// udpWait), and readWait sees to it that the runtime can have it back.

// receive takes what has come. With 0 datagrams errno says why.
func (v *vector) receive(fd uintptr, flags int) (n int, errno syscall.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(v.hdr))),
		uintptr(len(v.hdr)), uintptr(flags), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// send sends messages from up to to, without waiting, and returns how many
// left. When the first of them cannot leave, errno says why.
func (v *vector) send(fd uintptr, from, to int) (n int, errno syscall.Errno) {
	if to-from == 1 {
		if errno := v.sendOne(fd, from); errno != 0 {
			return 0, errno
		}
		return 1, 0
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&v.hdr[from])),
		uintptr(to-from), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// sendOne sends one message. Without control data the kernel has less to copy
// and to check by sendto.
func (v *vector) sendOne(fd uintptr, i int) (errno syscall.Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	h := &v.hdr[i].Hdr
	if h.Control != nil {
		_, _, errno = unix.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(h)), flags)
		return errno
	}
	_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(h.Iov.Base)), uintptr(h.Iov.Len), flags,
		uintptr(unsafe.Pointer(h.Name)), uintptr(h.Namelen))
	return errno
}

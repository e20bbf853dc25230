//go:build linux

package mmsg

import (
	"encoding/binary"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive takes what has arrived, up to Batch datagrams, without waiting. It returns 0 when nothing is there.
func (s *Socket) Receive() (int, error) {
	s.prepare()
	if err := s.raw.Control(s.receiveFn); err != nil {
		return 0, err
	}
	return s.received()
}

// ReceiveWait is Receive, but waits in Go's network poller until something has arrived or the socket is closed. It
// may return 0 all the same.
func (s *Socket) ReceiveWait() (int, error) {
	s.prepare()
	if err := s.raw.Read(s.waitFn); err != nil {
		return 0, err
	}
	return s.received()
}

// prepare resets what the kernel wrote to the headers last time.
func (s *Socket) prepare() {
	for i := range s.n {
		h := &s.in.hdr[i].hdr
		h.Namelen = unix.SizeofSockaddrInet4
		if s.stamps {
			h.SetControllen(controlSize)
		}
	}
}

func (s *Socket) received() (int, error) {
	switch s.errno {
	case 0:
		return s.n, nil
	case unix.EAGAIN, unix.EINTR, unix.ECONNREFUSED:
		return 0, nil
	default:
		return 0, s.errno
	}
}

func (s *Socket) receiveOrWait(fd uintptr) (stop bool) {
	s.receive(fd)
	return s.errno != unix.EAGAIN
}

// receive and send never block, so the scheduler is not told about them.
func (s *Socket) receive(fd uintptr) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&s.in.hdr[0])), Batch, unix.MSG_DONTWAIT, 0, 0)
	s.n, s.errno = max(int(n), 0), errno
}

func (s *Socket) send(fd uintptr) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.out.hdr[s.first])), uintptr(s.count), unix.MSG_DONTWAIT, 0, 0)
	s.sent, s.errno = int(n), errno
}

// Datagram returns the i-th datagram of the last Receive and its sender. The bytes are the socket's.
func (s *Socket) Datagram(i int) ([]byte, Addr) {
	return s.in.buf[i][:min(s.in.hdr[i].n, MaxDatagram)], s.in.addr[i]
}

// Stamp returns when the i-th datagram of the last Receive reached this host, in nanoseconds since 1970, and 0
// when the kernel did not say.
func (s *Socket) Stamp(i int) int64 {
	const head = unix.SizeofCmsghdr
	if !s.stamps || int(s.in.hdr[i].hdr.Controllen) < head+16 {
		return 0
	}
	c := &s.control[i]
	h := (*unix.Cmsghdr)(unsafe.Pointer(c))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	sec := int64(binary.NativeEndian.Uint64(c[head:]))
	nsec := int64(binary.NativeEndian.Uint64(c[head+8:]))
	return sec*int64(time.Second) + nsec
}

// Slot returns an empty buffer for the next datagram, to be appended to (MaxDatagram bytes at most) and handed
// to Queue. A full queue is flushed first.
func (s *Socket) Slot() []byte {
	if s.queued == Batch {
		s.Flush()
	}
	return s.out.buf[s.queued][:0]
}

// Queue takes what was appended to the last Slot. When stamp is not nil and still zero, Flush writes the time of
// sending to it. A datagram that outgrew its slot is dropped and counted as a send error.
func (s *Socket) Queue(b []byte, to Addr, stamp *int64) {
	i := s.queued
	if len(b) > MaxDatagram || len(b) == 0 {
		s.sendErr++
		return
	}
	s.out.iov[i].SetLen(len(b))
	s.out.addr[i] = to
	s.stampTo[i] = stamp
	s.queued++
}

// Flush sends what is queued. What the kernel refuses is counted, and lost, as UDP may lose.
func (s *Socket) Flush() {
	if s.queued == 0 {
		return
	}
	var now int64
	for i, p := range s.stampTo[:s.queued] {
		if p != nil && *p == 0 {
			if now == 0 {
				now = time.Now().UnixNano()
			}
			*p = now
		}
		s.stampTo[i] = nil
	}
	for s.first = 0; s.first < s.queued; {
		s.count = s.queued - s.first
		err := s.raw.Control(s.sendFn)
		switch {
		case err == nil && s.errno == 0:
			s.first += s.sent
		case err == nil && s.errno == unix.EINTR:
		default:
			s.sendErr++
			s.first++
		}
	}
	s.queued = 0
}

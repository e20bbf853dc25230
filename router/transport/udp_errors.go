package transport

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	errorBatch = 16
	// errorHead is room for what an ICMP error quotes of a datagram: 548 bytes
	// of IPv4, 1,232 of IPv6 (RFC 1812 section 4.3.2.3, RFC 4443 section 3.1).
	errorHead = 2048
	// errorControl is room for one sock_extended_err with the address of who
	// complains, and then some.
	errorControl = 128
)

// errorQueue reads a socket's error queue: for each ICMP error the datagram's
// destination, its first bytes, and what is wrong.
type errorQueue struct {
	vec     vector
	head    []byte
	control []byte
}

func newErrorQueue() *errorQueue {
	q := &errorQueue{
		vec:     newVector(errorBatch),
		head:    make([]byte, errorBatch*errorHead),
		control: make([]byte, errorBatch*errorControl),
	}
	for i := range errorBatch {
		q.vec.setBuffer(i, q.head[i*errorHead:][:errorHead])
		q.vec.hdr[i].Hdr.Control = &q.control[i*errorControl]
	}
	return q
}

// drain takes everything out of the error queue, for the Sender to report, and
// returns how many errors there were. Any goroutine may do so: the kernel gives
// an error to any of the sockets that share the listener's port, whoever sent,
// and the entry carries all that is needed.
func (s *Sender) drain(fd uintptr, listener uint16) (found int) {
	if s.errs == nil {
		s.errs = newErrorQueue()
	}
	q := s.errs
	for n := errorBatch; n == errorBatch; {
		for i := range q.vec.hdr {
			q.vec.hdr[i].Hdr.SetControllen(errorControl)
			q.vec.hdr[i].Hdr.Namelen = unix.SizeofSockaddrInet6
		}
		var errno syscall.Errno
		if n, errno = q.vec.receive(fd, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT); errno == unix.EINTR {
			n = errorBatch
			continue
		}
		for i := range n {
			h := &q.vec.hdr[i]
			errno := icmpError(q.control[i*errorControl:][:h.Hdr.Controllen])
			if errno == 0 {
				continue
			}
			found++
			to := Flow{Proto: UDP, Listener: listener, Remote: getAddr(&q.vec.names[i])}
			s.fail(to, q.head[i*errorHead:][:min(int(h.Len), errorHead)], errno)
		}
	}
	return found
}

// icmpError returns what an entry of the error queue says is wrong with a
// datagram, or 0 when there is nothing to report. Left out are errors that the
// sending call has returned already, and a path MTU that was exceeded: the
// kernel remembers it, and the next copy of the message passes in fragments.
func icmpError(control []byte) syscall.Errno {
	const size = int(unsafe.Sizeof(unix.SockExtendedErr{}))
	for len(control) > 0 {
		hdr, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		control = rest
		v4 := hdr.Level == unix.SOL_IP && hdr.Type == unix.IP_RECVERR
		v6 := hdr.Level == unix.SOL_IPV6 && hdr.Type == unix.IPV6_RECVERR
		if !v4 && !v6 || len(data) < size {
			continue
		}
		errno := syscall.Errno(binary.NativeEndian.Uint32(data))
		origin := data[4]
		if origin != unix.SO_EE_ORIGIN_ICMP && origin != unix.SO_EE_ORIGIN_ICMP6 || errno == unix.EMSGSIZE {
			return 0
		}
		return errno
	}
	return 0
}

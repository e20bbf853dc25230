//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// port is what the caller or a provider sends and receives by: a mmsg.Socket, or a stream.
type port interface {
	Slot() []byte
	Queue(b []byte, to mmsg.Addr, stamp *int64)
	Flush()
	Receive() (int, error)
	Datagram(i int) ([]byte, mmsg.Addr)
	Stamp(i int) int64
	LocalAddr() netip.AddrPort
	FD() int
	SendErrors() uint64
	Close()
}

const (
	streamRoom = 1 << 20
	// streamWait is how long a stream waits for its other end to read.
	streamWait = time.Second
)

// stream is a TCP connection to the proxy, as a media server keeps one: all calls share it. A SIP message is what it calls a
// datagram. It is dialled by connect.
type stream struct {
	from, to netip.AddrPort
	fd       int // Below zero: not connected.
	slot     []byte
	out      []byte
	stamps   []*int64
	in       []byte
	read     int // The bytes of in that belong to messages of the last Receive.
	messages [][]byte
	refused  uint64
}

func newStream(from, to netip.AddrPort) *stream {
	return &stream{from: from, to: to, fd: -1, slot: make([]byte, 0, mmsg.MaxDatagram), in: make([]byte, 0, streamRoom)}
}

// connect dials from a free port.
func (s *stream) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: int64(streamWait / time.Second)}), // Of connect.
			unix.Bind(fd, &unix.SockaddrInet4{Addr: s.from.Addr().As4()}),
			unix.Connect(fd, &unix.SockaddrInet4{Addr: s.to.Addr().As4(), Port: int(s.to.Port())}),
			unix.SetNonblock(fd, true),
		)
	}
	var local *unix.SockaddrInet4
	if err == nil {
		var name unix.Sockaddr
		name, err = unix.Getsockname(fd)
		local, _ = name.(*unix.SockaddrInet4)
	}
	if err != nil {
		return fmt.Errorf("connecting to %v: %w", s.to, err)
	}
	s.from = netip.AddrPortFrom(s.from.Addr(), uint16(local.Port))
	s.fd = fd
	return nil
}

// Slot returns an empty buffer for the next message.
func (s *stream) Slot() []byte { return s.slot[:0] }

// Queue takes a message. There is one way only, wherever it is meant to go.
func (s *stream) Queue(b []byte, _ mmsg.Addr, stamp *int64) {
	s.out = append(s.out, b...)
	if stamp != nil && *stamp == 0 {
		s.stamps = append(s.stamps, stamp)
	}
}

// Flush sends what is queued.
func (s *stream) Flush() {
	if len(s.out) == 0 {
		return
	}
	now := time.Now().UnixNano()
	for _, p := range s.stamps {
		*p = now
	}
	s.stamps = s.stamps[:0]
	for b := s.out; len(b) > 0; {
		n, err := unix.Write(s.fd, b)
		switch {
		case err == nil:
			b = b[n:]
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN) && s.await():
		default:
			s.refused++
			b = nil
		}
	}
	s.out = s.out[:0]
}

// await waits for room in the kernel's send buffer.
func (s *stream) await() bool {
	limit := unix.NsecToTimespec(int64(streamWait))
	n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}, &limit, nil)
	return n > 0 || errors.Is(err, unix.EINTR)
}

// Receive takes what has arrived and returns how many messages are complete.
func (s *stream) Receive() (int, error) {
	s.messages = s.messages[:0]
	s.in = append(s.in[:0], s.in[s.read:]...)
	s.read = 0
	n, err := unix.Read(s.fd, slices.Grow(s.in, streamRoom/2)[len(s.in):streamRoom])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	s.in = s.in[:len(s.in)+n]
	for {
		size, err := s.next()
		if err != nil || size == 0 {
			return len(s.messages), err
		}
		s.messages = append(s.messages, s.in[s.read:s.read+size])
		s.read += size
	}
}

// next returns how long the next message is, 0 when it is not complete.
func (s *stream) next() (int, error) {
	b := s.in[s.read:]
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		if len(b) > mmsg.MaxDatagram {
			return 0, errors.New("a header that does not end")
		}
		return 0, nil
	}
	for line := range bytes.SplitSeq(b[:head], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		if !named(trim(name), "content-length", 'l') {
			continue
		}
		length := number(trim(value))
		if length < 0 || length > mmsg.MaxDatagram {
			return 0, fmt.Errorf("Content-Length %q", trim(value))
		}
		if head+4+length > len(b) {
			return 0, nil
		}
		return head + 4 + length, nil
	}
	return 0, errors.New("a message without Content-Length")
}

// Datagram returns the i-th message of the last Receive.
func (s *stream) Datagram(i int) ([]byte, mmsg.Addr) { return s.messages[i], mmsg.AddrOf(s.to) }

// Stamp is 0: the kernel does not say when the bytes of a stream came.
func (s *stream) Stamp(int) int64 { return 0 }

// LocalAddr returns where the stream is dialled from, or will be.
func (s *stream) LocalAddr() netip.AddrPort { return s.from }

// FD is negative, which pollers leave alone, until the stream is connected.
func (s *stream) FD() int { return s.fd }

// SendErrors returns how often the kernel refused to send.
func (s *stream) SendErrors() uint64 { return s.refused }

// Close closes the connection.
func (s *stream) Close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

package transport

import (
	"errors"
	"io"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// readSize is the buffer of an idle connection: some ordinary messages.
	readSize = 8 << 10
	// minRead is the free room below which the buffer's content is moved.
	minRead = 2 << 10
	// keepRead is how large a buffer may stay once it is empty.
	keepRead = 64 << 10
)

// errMessageTimeout says that a message was not whole in time.
var errMessageTimeout = errors.New("message incomplete in time")

// reader takes messages from a connection:
//
//	buf  | done | message not yet whole | free |
//	            start                   end
type reader struct {
	c          *conn
	framer     framer
	buf        []byte
	start, end int

	readNow func(fd uintptr) bool // receive, made once
	got     int
	gotErr  error

	// partial: the deadline is that of a message, else that of idleness.
	partial  bool
	pinged   bool // a ping came
	lastRead time.Time
}

func newReader(c *conn) *reader {
	cfg := &c.t.cfg
	r := &reader{
		c:      c,
		framer: framer{maxHeader: cfg.MaxHeader, maxMessage: cfg.MaxMessage},
		buf:    make([]byte, readSize),
	}
	r.readNow = r.receive
	return r
}

// loop reads until the connection ends, and returns why it does.
func (r *reader) loop() error {
	nc := r.c.nc
	r.lastRead = time.Now()
	if err := nc.SetReadDeadline(r.lastRead.Add(r.patience())); err != nil {
		return err
	}
	for {
		r.makeRoom()
		n, err := r.read()
		if n > 0 {
			r.lastRead = time.Now()
			r.end += n
			if err := r.progress(); err != nil {
				return err
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = r.expired()
		}
		if err != nil {
			return err
		}
	}
}

// read takes what has come, or waits for it. A TCP socket is read with
// RawSyscall like a UDP socket, which halves the cost of a message. Unlike
// there, the poller is asked only when nothing is left: the end of a stream
// that arrives together with data is no event of its own.
func (r *reader) read() (int, error) {
	if !r.c.plain {
		return r.c.nc.Read(r.buf[r.end:])
	}
	r.got, r.gotErr = 0, nil
	if err := r.c.raw.Read(r.readNow); err != nil {
		return 0, err
	}
	if r.gotErr == nil && r.got == 0 {
		return 0, io.EOF
	}
	return r.got, r.gotErr
}

// receive is the callback of read.
func (r *reader) receive(fd uintptr) bool {
	free := r.buf[r.end:]
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(free))),
			uintptr(len(free)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.got = int(n)
		case unix.EAGAIN:
			return false
		case unix.EINTR:
			continue
		default:
			r.gotErr = errno
		}
		return true
	}
}

// progress handles what the buffer holds and sets the deadline for the rest.
func (r *reader) progress() error {
	whole, err := r.messages()
	if err != nil {
		r.c.complain(err)
		return err
	}
	cfg := &r.c.t.cfg
	was := r.partial
	r.partial = r.start < r.end
	switch {
	case r.partial && (!was || whole):
		// The first byte of this message came just now.
		return r.c.nc.SetReadDeadline(r.lastRead.Add(cfg.MessageTimeout))
	case was && !r.partial:
		return r.c.nc.SetReadDeadline(r.lastRead.Add(r.patience()))
	}
	return nil
}

// patience is how long the connection may be idle. One that we dialled, or
// that has served a message or a ping, is known to be of use.
func (r *reader) patience() time.Duration {
	cfg := &r.c.t.cfg
	if r.c.dialled || r.c.served || r.pinged {
		return cfg.IdleTimeout
	}
	return min(cfg.FirstTimeout, cfg.IdleTimeout)
}

// messages hands on the messages that are whole, and reports whether there
// was one.
func (r *reader) messages() (whole bool, err error) {
	var w *worker
	var now int64
	c := r.c
	pings := 0
	for err == nil {
		f := r.framer.next(r.buf[r.start:r.end])
		r.start += f.skip
		pings += f.pings
		err = f.err
		if f.size == 0 {
			break
		}
		if w == nil {
			w, now = <-c.t.idle, c.t.cfg.Now()
		}
		w.handler.Receive(now, c.flow, r.buf[r.start:r.start+f.size:r.start+f.size])
		r.start += f.size
		c.served = true
	}
	if w != nil {
		w.settle(now)
		c.t.idle <- w
	}
	r.pinged = r.pinged || pings > 0
	if pings > 0 && !c.dialled {
		c.pong(pings)
	}
	return w != nil, err
}

// expired says what a passed deadline means: nothing, when the connection was
// only idle in one direction.
func (r *reader) expired() error {
	if r.partial {
		r.c.abandon(DropStreamTimeout, errMessageTimeout)
		return errMessageTimeout
	}
	last := r.lastRead
	if wrote := time.Unix(0, r.c.lastWrite.Load()); wrote.After(last) {
		last = wrote
	}
	limit := r.patience()
	until := last.Add(limit)
	if !time.Now().Before(until) {
		if limit < r.c.t.cfg.IdleTimeout {
			r.c.t.cfg.Dropped(DropStreamUnused)
		}
		return os.ErrDeadlineExceeded
	}
	return r.c.nc.SetReadDeadline(until)
}

// makeRoom sees to it that something can be read. The buffer grows with what
// has come, not with what a header promises.
func (r *reader) makeRoom() {
	switch {
	case r.start == r.end:
		r.start, r.end = 0, 0
		if cap(r.buf) > keepRead {
			r.buf = make([]byte, readSize)
		}
	case len(r.buf)-r.end >= minRead:
	case r.start > 0:
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	case r.end == len(r.buf):
		bigger := make([]byte, 2*len(r.buf))
		copy(bigger, r.buf)
		r.buf = bigger
	}
}

// complain says why a stream cannot be read any further.
func (c *conn) complain(err error) {
	reason := DropStreamFraming
	if errors.Is(err, errHeaderLimit) || errors.Is(err, errBodyLimit) {
		reason = DropOversize
	}
	c.abandon(reason, err)
}

// abandon counts and logs that a stream is closed for what came over it, or did not.
func (c *conn) abandon(reason string, err error) {
	c.t.cfg.Dropped(reason)
	c.t.log.warn("closing a stream", "reason", reason, "source", c.flow.Remote, "transport", c.flow.Proto.String(), "error", err)
}

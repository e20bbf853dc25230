//go:build linux

package mmsg

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Poller waits on several sockets from one thread. Lock the goroutine to its thread: with PreciseTimers the
// kernel wakes it within microseconds of the time asked for, where Go's own timers come from another thread.
type Poller struct {
	fds []unix.PollFd
}

// NewPoller returns a poller on the descriptors of sockets. A negative one waits for nothing.
func NewPoller(descriptors ...int) *Poller {
	p := &Poller{}
	for _, fd := range descriptors {
		p.fds = append(p.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	return p
}

// Replace puts another descriptor in the place of the i-th.
func (p *Poller) Replace(i, fd int) { p.fds[i].Fd = int32(fd) }

// Wait returns when a socket has something to read or d has passed; it only looks when d is not positive.
func (p *Poller) Wait(d time.Duration) error {
	ts := unix.NsecToTimespec(max(int64(d), 0))
	_, err := unix.Ppoll(p.fds, &ts, nil)
	if errors.Is(err, unix.EINTR) {
		for i := range p.fds {
			p.fds[i].Revents = 0
		}
		return nil
	}
	return err
}

// Ready tells whether the i-th socket had something to read when Wait returned.
func (p *Poller) Ready(i int) bool { return p.fds[i].Revents != 0 }

// PreciseTimers makes the waits of this thread end on time, not up to 50 microseconds late.
func PreciseTimers() error {
	return unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0)
}

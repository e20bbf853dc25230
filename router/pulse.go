package router

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pulse is a ticker of the kernel's. For each timer of Go's that is due soon, the runtime wakes up three times: its poller, one
// millisecond too early and then on time, and its monitor thread. Twenty milliseconds apart, that was more than half of what wakes
// an idle router, and in a virtual machine each time costs as much as a message. This one is a descriptor in the poller.
type pulse struct {
	file *os.File
	raw  syscall.RawConn
	step func(fd uintptr) bool
}

func newPulse(every time.Duration) (*pulse, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a timer: %w", err)
	}
	p := &pulse{file: os.NewFile(uintptr(fd), "timerfd")}
	at := unix.NsecToTimespec(int64(every))
	err = unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: at, Value: at}, nil)
	if err == nil {
		p.raw, err = p.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("setting a timer: %w", err), p.close())
	}
	p.step = beat
	return p, nil
}

// beat takes the beats since the last time. It waits for nothing, so the scheduler is not told, which would wake the monitor too.
func beat(fd uintptr) bool {
	var count uint64
	_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
	return errno != unix.EAGAIN
}

// wait returns at the next beat, or false when the pulse was closed. Beats that were missed are one.
func (p *pulse) wait() bool { return p.raw.Read(p.step) == nil }

func (p *pulse) close() error { return p.file.Close() }

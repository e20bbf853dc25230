//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotPermitted says that this user may not have a network and process namespace of its own.
var ErrNotPermitted = errors.New("namespaces of our own are not permitted here")

const (
	insideVariable = "DIALROUTER_BENCH_SANDBOX"
	// exitNoSandbox is the exit code of a process that could not furnish its namespaces.
	exitNoSandbox = 120
)

// Sandboxed calls measure in network and process namespaces of its own: there it is another process of this program, with
// the same arguments. Where that is not permitted it says so by name, and calls it here, as it does when nobody wants it. It
// returns the exit code of the other process, or what measure says.
func Sandboxed(ctx context.Context, name string, limit time.Duration, wanted bool, log io.Writer, measure func(context.Context) error) (code int, err error) {
	switch {
	case Inside():
		if err := furnish(); err != nil {
			return exitNoSandbox, err
		}
	case wanted:
		code, err := runInside(ctx, limit)
		if !errors.Is(err, ErrNotPermitted) {
			return code, err
		}
		fmt.Fprintf(log, "%s: %v - going on without\n", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return 0, measure(ctx)
}

// Inside tells whether this process was started by Sandboxed.
func Inside() bool { return os.Getenv(insideVariable) != "" }

// runInside runs this program again with the same arguments, in network and process namespaces of its own: no
// packet comes in from elsewhere, and nothing that it starts outlives it. It returns the exit code.
func runInside(ctx context.Context, limit time.Duration) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("entering the sandbox: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	// Pdeathsig fires when the thread that started the child ends, not the process: keep it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotPermitted, err)
	}
	err = cmd.Wait()
	code := cmd.ProcessState.ExitCode()
	switch exit := (*exec.ExitError)(nil); {
	case code == exitNoSandbox:
		return 0, ErrNotPermitted
	case err == nil || errors.As(err, &exit) && code >= 0:
		return code, nil
	default:
		return 1, fmt.Errorf("running in the sandbox: %w", err)
	}
}

// furnish brings a process that runInside has started what its namespaces lack: a /proc of its own and a loopback
// device. A process that gets an error must end with exitNoSandbox.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("setting up the loopback device: %w", err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return err
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

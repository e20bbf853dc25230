//go:build linux

package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Placement says where and how urgently a program runs.
type Placement struct {
	CPUs string // A list for taskset, such as 0 or 0,2-3; empty leaves the choice to the kernel.
	Nice int    // Added to our own niceness; below zero needs privileges and is dropped without them.
}

// Wrap returns the command that runs another one in a place.
func (p Placement) Wrap(argv []string) ([]string, error) {
	if p.CPUs != "" {
		taskset, err := exec.LookPath("taskset")
		if err != nil {
			return nil, errors.New("taskset is not installed here: apt-get install util-linux")
		}
		argv = append([]string{taskset, "-c", p.CPUs}, argv...)
	}
	if p.Nice != 0 && mayNice(p.Nice) {
		argv = append([]string{"nice", "-n", strconv.Itoa(p.Nice)}, argv...)
	}
	return argv, nil
}

func mayNice(n int) bool {
	var limit unix.Rlimit
	return n > 0 || unix.Geteuid() == 0 || unix.Getrlimit(unix.RLIMIT_NICE, &limit) == nil && limit.Cur >= uint64(20-n)
}

// ParseCPUs reads a list of processors such as 0,2-3.
func ParseCPUs(list string) ([]int, error) {
	var cpus []int
	if list == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, err1 := strconv.ParseUint(first, 10, 12)
		b, err2 := strconv.ParseUint(last, 10, 12)
		if err1 != nil || err2 != nil || b < a {
			return nil, fmt.Errorf("processors %q: want a list such as 0,2-3", list)
		}
		for c := a; c <= b; c++ {
			cpus = append(cpus, int(c))
		}
	}
	return cpus, nil
}

// Program is a running program and all that it started.
type Program struct {
	cmd    *exec.Cmd
	waited chan struct{}
}

// stopTime is how long a program may take to end by itself.
const stopTime = 3 * time.Second

// Start runs a command in a session of its own; its output goes to log. Stop ends it, and so does the end of ctx.
func Start(ctx context.Context, argv []string, at Placement, stdin io.Reader, stdout, log io.Writer) (*Program, error) {
	argv, err := at.Wrap(argv)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = stopTime
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	p := &Program{cmd: cmd, waited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // Status tells.
		close(p.waited)
	}()
	return p, nil
}

// Session returns the session of the program and its children.
func (p *Program) Session() int { return p.cmd.Process.Pid }

// Ended is closed when the program itself has ended.
func (p *Program) Ended() <-chan struct{} { return p.waited }

// Status says how the program ended, once Ended is closed: "exit status 1", "signal: killed".
func (p *Program) Status() string { return p.cmd.ProcessState.String() }

// Stop asks the program and its children to end, makes them after three seconds, and returns when none is left.
func (p *Program) Stop() error {
	group := -p.cmd.Process.Pid
	_ = unix.Kill(group, unix.SIGTERM) // An error says that it has ended already.
	deadline := time.Now().Add(stopTime)
	for killed := false; ; {
		left, err := SessionUsage(p.Session())
		if err != nil {
			return err
		}
		if left.Processes == 0 {
			<-p.waited
			return nil
		}
		if time.Now().After(deadline) {
			if killed {
				return errors.New("processes are left that cannot be killed")
			}
			killed, deadline = true, time.Now().Add(stopTime)
			_ = unix.Kill(group, unix.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

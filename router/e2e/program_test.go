package e2e

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// program is a foreign program that a test runs.
type program struct {
	cmd    *exec.Cmd
	out    logBuffer
	exited chan struct{}
}

// startProgram runs a program, of a Debian package, until the test ends. It has a process group of its own, so that
// whatever it starts ends with it.
func startProgram(t *testing.T, pkg, path string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(path, args...), exited: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s (Debian package %s): %v", path, pkg, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // How it ends does not matter.
	}()
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			text := p.out.String()
			t.Logf("%s said at last:\n%s", path, text[max(0, len(text)-12000):])
		}
	})
	return p
}

// end asks the program to end, and after a while does not ask any more.
func (p *program) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// running says whether the program has not ended yet.
func (p *program) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// server is a PostgreSQL of the tests' own, on a free loopback port, in a folder that goes with it.
type server struct {
	bin, dir string
	port     int
	as       *syscall.Credential // PostgreSQL refuses to run as root.
	cmd      *exec.Cmd
	said     *bytes.Buffer
	made     atomic.Int64 // Databases.
}

// shared is the server of all tests that leave it running.
var shared struct {
	once   sync.Once
	server *server
	err    error
}

// template is a folder with an empty cluster, which all servers begin with: a copy is made faster than another one.
var template struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.destroy()
	}
	_ = os.RemoveAll(template.dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// sharedServer returns a server that must be left running.
func sharedServer(t *testing.T) *server {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = newServer() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// ownServer returns a server that the test may stop.
func ownServer(t *testing.T) *server {
	t.Helper()
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.destroy)
	return s
}

func newServer() (*server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, errors.New("there is no PostgreSQL under /usr/lib/postgresql: run `make test-packages`, or `apt-get install postgresql`")
	}
	s := &server{bin: filepath.Dir(found[len(found)-1])}
	if s.dir, err = os.MkdirTemp("", "pgstore"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if s.as, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return nil, err
		}
	}
	template.once.Do(func() { template.err = s.initialise() })
	if template.err != nil {
		return nil, template.err
	}
	if out, err := exec.Command("cp", "-a", template.dir, s.dir+"/data").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copying the cluster: %w\n%s", err, out)
	}
	if err := s.start(); err != nil {
		s.destroy()
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return s, nil
}

// initialise makes the template.
func (s *server) initialise() error {
	dir, err := os.MkdirTemp("", "pgstore-template")
	if err != nil {
		return err
	}
	template.dir = dir
	if s.as != nil {
		if err := os.Chown(dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	out, err := s.command("initdb", "-D", dir, "-U", "router", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// unprivileged is the user that the Debian package makes.
func unprivileged() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	gid, gerr := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err, gerr)
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts the server, on the port that it had before if there was one.
func (s *server) start() error {
	if s.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.port = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		s.said = new(bytes.Buffer)
		s.cmd = s.command("postgres", "-D", s.dir+"/data", "-p", strconv.Itoa(s.port), "-k", s.dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
			"-c", "shared_buffers=16MB", "-c", "autovacuum=off")
		s.cmd.Stderr, s.cmd.Stdout = s.said, s.said
		if err := s.cmd.Start(); err != nil {
			return err
		}
		err := s.answers(deadline)
		if err == nil {
			return nil
		}
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		if time.Now().After(deadline) { // Processes of a killed one may still be there a moment.
			return fmt.Errorf("%w\n%s", err, s.said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) answers(deadline time.Time) error {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if syscall.Kill(s.cmd.Process.Pid, 0) != nil || gone(s.cmd.Process.Pid) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://router:un5poken@127.0.0.1:%d/%s", s.port, database)
}

// end ends the server by a signal: SIGINT is at once and tidy, SIGKILL at once.
func (s *server) end(t *testing.T, by syscall.Signal) {
	t.Helper()
	for _, pid := range s.processes() {
		if by == syscall.SIGKILL || pid == s.cmd.Process.Pid {
			_ = syscall.Kill(pid, by)
		}
	}
	_ = s.cmd.Wait()
}

// again starts the server after its end.
func (s *server) again(t *testing.T) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// hang stops all processes of the server: connections are accepted, by the kernel, and nothing answers.
func (s *server) hang(t *testing.T) {
	t.Helper()
	for _, pid := range s.processes() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Log(err)
		}
	}
}

// goOn ends hang.
func (s *server) goOn() {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// processes lists the server's process and those it started.
func (s *server) processes() []int {
	pids := []int{s.cmd.Process.Pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if fields := stat(path); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(s.cmd.Process.Pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat returns what /proc says of a process behind its name: its state, its parent.
func stat(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}

func gone(pid int) bool {
	fields := stat(fmt.Sprintf("/proc/%d/stat", pid))
	return len(fields) == 0 || fields[0] == "Z"
}

func (s *server) destroy() {
	if s.cmd != nil && s.cmd.Process != nil {
		for _, pid := range s.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = s.cmd.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// database makes an empty database and returns its URL.
func (s *server) database(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("d%d", s.made.Add(1))
	exec1(t, s.url("postgres"), "create database "+name+" template template0")
	return s.url(name)
}

// exec1 executes SQL over a connection of its own.
func exec1(t *testing.T, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

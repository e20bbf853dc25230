package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL of the tests' own, on a free loopback port, in a folder that goes with it.
type Postgres struct {
	bin, dir string
	port     int
	as       *syscall.Credential // PostgreSQL refuses to run as root.
	cmd      *exec.Cmd
	said     *bytes.Buffer
	made     atomic.Int64 // Databases.
}

// StartPostgres starts a server with no database. Who starts one destroys it.
func StartPostgres() (*Postgres, error) {
	return startPostgres(func(s *Postgres) error {
		if err := s.tool("initdb", "-D", s.empty(), "-U", "router", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"); err != nil {
			return err
		}
		return s.tool("cp", "-a", s.empty(), s.data())
	})
}

// Another starts one more server with no database, faster than the first.
func (s *Postgres) Another() (*Postgres, error) {
	return startPostgres(func(other *Postgres) error { return other.tool("cp", "-a", s.empty(), other.data()) })
}

func startPostgres(initialise func(*Postgres) error) (*Postgres, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, errors.New("there is no PostgreSQL under /usr/lib/postgresql: run `make test-packages`, or `apt-get install postgresql`")
	}
	s := &Postgres{bin: filepath.Dir(found[len(found)-1])}
	if s.dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if s.as, err = unprivileged(); err == nil {
			err = os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid))
		}
	}
	if err == nil {
		err = initialise(s)
	}
	if err == nil {
		err = s.start()
	}
	if err != nil {
		s.Destroy()
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return s, nil
}

// empty is the folder of a cluster without databases, from which others are made: a copy is faster than another one.
func (s *Postgres) empty() string { return s.dir + "/empty" }

func (s *Postgres) data() string { return s.dir + "/data" }

// tool runs a program to its end.
func (s *Postgres) tool(name string, args ...string) error {
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
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

func (s *Postgres) command(name string, args ...string) *exec.Cmd {
	path := filepath.Join(s.bin, name)
	if name == "cp" {
		path = name
	}
	cmd := exec.Command(path, args...) //nolint:noctx // Ended by Destroy, or by this process's end.
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts the server, on the port that it had before if there was one.
func (s *Postgres) start() error {
	if s.port == 0 {
		if err := s.choosePort(); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		s.said = new(bytes.Buffer)
		s.cmd = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir,
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
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // Of tests only.
	}
}

// choosePort takes a free port below those that the system gives out (ip_local_port_range). One of those could be given to
// somebody else while the server is stopped, which then could not come back.
func (s *Postgres) choosePort() error {
	const first, end, tries = 16_384, 32_768, 100
	var err error
	for range tries {
		s.port = first + rand.IntN(end-first)
		var l net.Listener
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", s.Address()); err == nil {
			return l.Close()
		}
	}
	return err
}

func (s *Postgres) answers(deadline time.Time) error {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
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
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // Of tests only.
	}
}

// URL returns the URL of a database, in which there is a password.
func (s *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://router:un5poken@127.0.0.1:%d/%s", s.port, database)
}

// End ends the server by a signal: SIGINT is at once and tidy, SIGKILL at once.
func (s *Postgres) End(t *testing.T, by syscall.Signal) {
	t.Helper()
	s.Stop(by)
}

// Stop is End outside of a test.
func (s *Postgres) Stop(by syscall.Signal) {
	for _, pid := range s.processes() {
		if by == syscall.SIGKILL || pid == s.cmd.Process.Pid {
			_ = syscall.Kill(pid, by)
		}
	}
	_ = s.cmd.Wait()
}

// Again starts the server after its end.
func (s *Postgres) Again(t *testing.T) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// Start is Again outside of a test.
func (s *Postgres) Start() error { return s.start() }

// Hang stops all processes of the server: connections are accepted, by the kernel, and nothing answers.
func (s *Postgres) Hang(t *testing.T) {
	t.Helper()
	if err := s.Freeze(); err != nil {
		t.Log(err)
	}
}

// Freeze is Hang outside of a test. Processes that have just ended are no error.
func (s *Postgres) Freeze() error {
	var errs []error
	for _, pid := range s.processes() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// GoOn ends Hang.
func (s *Postgres) GoOn() {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// processes lists the server's process and those it started.
func (s *Postgres) processes() []int {
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

// Destroy ends the server and removes all it had.
func (s *Postgres) Destroy() {
	if s.cmd != nil && s.cmd.Process != nil {
		for _, pid := range s.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = s.cmd.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// Address is where the server listens.
func (s *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Database makes an empty database and returns its URL.
func (s *Postgres) Database(t *testing.T) string {
	t.Helper()
	url, err := s.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// NewDatabase is Database outside of a test.
func (s *Postgres) NewDatabase(ctx context.Context) (string, error) {
	name := fmt.Sprintf("d%d", s.made.Add(1))
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "create database "+name+" template template0"); err != nil {
		return "", err
	}
	return s.URL(name), nil
}

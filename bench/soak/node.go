//go:build linux

package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/table"
)

// token is the API token of all nodes.
const token = "soak-token-0123456789"

// readyWithin is how long a node may take to start on a busy machine; what is measured has limits of its own.
const readyWithin = 20 * time.Second

// settings are what a node's configuration may differ in.
type settings struct {
	listen    string // URLs with commas; "": UDP on a free port.
	advertise string
	catalog   string // The section catalog in braces; "": providers.yaml.
	drain     time.Duration
	keyFile   string
	health    string // The section health in braces; "": nobody's health is looked after.
	budgets   string // The section budgets in braces; "": those of the comparison.
	more      string // More lines.
	quick     bool   // Serve's program, with short timers.
}

// node is a running router in a process of its own.
type node struct {
	dir     string
	argv    []string
	log     *os.File
	program *host.Program
	started time.Time
	took    time.Duration // From its start to being ready.

	udp, tcp netip.AddrPort
	url      string
}

// newNode writes the files of a node, with the table of the comparison as its catalog, into a folder of its own.
func (b *bench) newNode(s settings, hosts table.Hosts, extra string) (*node, error) {
	n := &node{dir: filepath.Join(b.dir, fmt.Sprintf("node%d", b.nodes.Add(1)))}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return nil, err
	}
	if err := b.writeCatalog(n.dir, hosts, extra); err != nil {
		return nil, err
	}
	if s.listen == "" {
		s.listen = "udp://127.0.0.1:0"
	}
	if s.catalog == "" {
		s.catalog = "{file: providers.yaml}"
	}
	if s.health == "" {
		s.health = "{interval: 0s, failures: 0}"
	}
	if s.budgets == "" {
		s.budgets = "{no_reply: 1.5s, no_ringing: 120s, answer: 120s, setup: 180s, max_attempts: 2}"
	}
	if s.drain == 0 {
		s.drain = 30 * time.Second
	}
	text := fmt.Sprintf("sip:\n  listen: [%s]\n  allow: [127.0.0.0/8]\n  max_calls: 500000\n  advertise: %q\n  route_key_file: %q\n"+
		"catalog: %s\nbudgets: %s\nfailover: {next: [408, 5xx]}\nhealth: %s\ndrain: %v\nadmin: {listen: 127.0.0.1:0}\nlog: {level: warn}\n%s",
		s.listen, s.advertise, s.keyFile, s.catalog, s.budgets, s.health, s.drain, s.more)
	path := filepath.Join(n.dir, "dialrouter.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	n.argv = []string{b.Binary, "serve", "--config", path}
	if s.quick {
		n.argv = append(append([]string(nil), b.Self...), path)
	}
	return n, nil
}

// writeCatalog writes providers.yaml with the table of the comparison; extra providers come before its routes.
func (b *bench) writeCatalog(dir string, hosts table.Hosts, extra string) error {
	t := table.New(table.MinPrefixes)
	if err := t.WriteProviders(dir, hosts); err != nil || extra == "" {
		return err
	}
	path := filepath.Join(dir, "providers.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), "\nroutes:\n", "\n"+extra+"routes:\n", 1)), 0o644)
}

// start starts a node and waits until it says that it is ready.
func (n *node) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		log.Close()
		return err
	}
	n.log, n.started = log, time.Now()
	argv := append([]string{"env", "DIALROUTER_ADMIN_TOKEN=" + token}, n.argv...)
	n.program, err = host.Start(ctx, argv, host.Placement{}, nil, w, log)
	w.Close()
	if err != nil {
		r.Close()
		log.Close()
		return err
	}
	lines := make(chan string, 1)
	go func() { // Ends when the program does.
		defer r.Close()
		line, _ := bufio.NewReader(r).ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, r)
	}()
	timeout := time.NewTimer(readyWithin)
	defer timeout.Stop()
	select {
	case line := <-lines:
		n.took = time.Since(n.started)
		return n.ready(line)
	case <-timeout.C:
		return errors.Join(fmt.Errorf("the router is not ready after %v", readyWithin), n.stop())
	}
}

// ready reads the line of a router that is ready.
func (n *node) ready(line string) error {
	if !strings.HasPrefix(line, "ready ") {
		text := n.logged()
		return errors.Join(fmt.Errorf("the router said %q and %s", line, text), n.stop())
	}
	for name := range strings.FieldsSeq(line) {
		kind, at, _ := strings.Cut(name, "://")
		addr, err := netip.ParseAddrPort(at)
		switch {
		case err != nil:
		case kind == "udp":
			n.udp = addr
		case kind == "tcp":
			n.tcp = addr
		case kind == "http":
			n.url = name
		}
	}
	return nil
}

// logged returns what the node has logged.
func (n *node) logged() string {
	text, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// signal sends a signal to the node.
func (n *node) signal(s syscall.Signal) error { return syscall.Kill(n.program.Session(), s) }

// kill ends the node as a power failure does.
func (n *node) kill() error {
	if err := n.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-n.program.Ended()
	return n.log.Close()
}

// stop ends the node when it still runs.
func (n *node) stop() error {
	if n.program == nil {
		return nil
	}
	_ = n.signal(syscall.SIGINT) // At once, where SIGTERM would wait for calls; it may have ended already.
	timeout := time.NewTimer(time.Second)
	defer timeout.Stop()
	select {
	case <-n.program.Ended():
	case <-timeout.C:
	}
	err := n.program.Stop()
	n.log.Close()
	n.program = nil
	return err
}

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sippCalls is how many calls each SIPp run places, and sippRate how many of them in a second.
const (
	sippCalls = 20
	sippRate  = 50
)

// builtDir is where the program was built, "" when no test needed it.
var builtDir string

// buildBinary builds the real program once for all tests that start it.
var buildBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dialrouter-e2e-")
	if err != nil {
		return "", err
	}
	builtDir = dir
	binary := filepath.Join(dir, "dialrouter")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/voipbin/dialrouter/cmd/dialrouter").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building dialrouter: %w\n%s", err, out)
	}
	return binary, nil
})

// daemon is the real program, running.
type daemon struct {
	sip   netip.AddrPort // UDP and TCP.
	admin netip.AddrPort
	dir   string // Where its files are.
	ready string // The line it printed.
	cmd   *exec.Cmd
	err   bytes.Buffer
	read  sync.WaitGroup
}

// startDaemon starts the program with a catalog and waits until it says that it is ready.
func startDaemon(t *testing.T, providers string) *daemon {
	t.Helper()
	binary, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{sip: freePort(t), admin: freePort(t)}
	dir := t.TempDir()
	d.dir = dir
	config := filepath.Join(dir, "dialrouter.yaml")
	files := map[string]string{
		"providers.yaml": providers,
		"dialrouter.yaml": fmt.Sprintf("sip:\n  listen: [udp://%s, tcp://%s]\nadmin: {listen: %q}\ncatalog: {file: providers.yaml}\n"+
			"budgets: {no_reply: 500ms}\nhealth: {interval: 0, failures: 0}\n", d.sip, d.sip, d.admin),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.cmd = exec.Command(binary, "serve", "--config", config)
	d.cmd.Stderr = &d.err
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	d.read.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "ready") {
				ready <- lines.Text()
			}
		}
		close(ready)
	})
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			d.stop(t)
		}
		if t.Failed() {
			t.Logf("dialrouter said:\n%s", &d.err)
		}
	})
	select {
	case d.ready = <-ready:
	case <-time.After(soon):
	}
	if d.ready == "" {
		d.cmd.Process.Kill()
		t.Fatal("the program did not become ready")
	}
	return d
}

// stop ends the program as an operator does, and checks that it went well.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	overdue := time.AfterFunc(2*soon, func() { d.cmd.Process.Kill() })
	defer overdue.Stop()
	d.read.Wait()
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// get reads a page of the admin side.
func (d *daemon) get(t *testing.T, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.admin.String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := os.ReadFile(filepath.Join(d.dir, "admin.token")); err == nil { // Made at the start.
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	rep, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer rep.Body.Close()
	body, err := io.ReadAll(rep.Body)
	if err != nil || rep.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v\n%s", path, rep.Status, err, body)
	}
	return string(body)
}

// counted checks a sample on the metrics page.
func (d *daemon) counted(t *testing.T, sample string, want int) {
	t.Helper()
	line := fmt.Sprintf("%s %d\n", sample, want)
	var page string
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if page = d.get(t, "/metrics"); strings.Contains(page, line) {
			return
		}
	}
	name, _, _ := strings.Cut(sample, "{")
	var have []string
	for line := range strings.SplitSeq(page, "\n") {
		if strings.HasPrefix(line, name) {
			have = append(have, line)
		}
	}
	t.Errorf("metrics have %q, want %q", have, line)
}

// sipp runs a SIPp scenario and returns a function that waits for its end and checks that all calls went by the book.
func sipp(t *testing.T, scenario, transport string, at netip.AddrPort, args ...string) (wait func()) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("testdata", "sipp", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"-sf", file, "-i", at.Addr().String(), "-p", fmt.Sprint(at.Port()), "-t", map[string]string{"udp": "u1", "tcp": "t1"}[transport],
		"-m", fmt.Sprint(sippCalls), "-r", fmt.Sprint(sippRate), "-nostdin", "-timeout", "20s", "-timeout_error", "-trace_err", "-trace_msg",
	}, args...)
	cmd := exec.Command("sipp", args...)
	cmd.Dir = t.TempDir()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting SIPp (Debian package sip-tester): %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	waited := false
	t.Cleanup(func() {
		if !waited {
			cmd.Process.Kill()
			<-done
		}
	})
	return func() {
		t.Helper()
		waited = true
		if err := <-done; err != nil {
			t.Errorf("SIPp's %s: %v\n%s", scenario, err, sippErrors(cmd.Dir, out.String()))
		}
	}
}

// sippErrors is what a failed SIPp run left behind, the end of it.
func sippErrors(dir, screen string) string {
	var b strings.Builder
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		b.Write(text[:min(len(text), 8000)])
	}
	return b.String() + screen[max(0, len(screen)-2000):]
}

// TestSIPp has the real program carry the calls of SIPp's callers to SIPp's providers.
func TestSIPp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, caller string
		first        string // The first provider's scenario, "" for one that never says anything.
		second       string
		outcome      string
	}{
		{"a call through", "uac", "uas", "", "answered"},
		{"failover", "uac", "uas_refuses", "uas", "answered"},
		{"a silent provider", "uac", "", "uas", "answered"},
		{"cancel", "uac_cancel", "uas_cancelled", "", "cancelled"},
		{"the provider hangs up", "uac_stays", "uas_hangs_up", "", "answered"},
	}
	for _, test := range tests {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(test.name+" over "+transport, func(t *testing.T) {
				t.Parallel()
				var waits []func()
				var entries []string
				for i, scenario := range []string{test.first, test.second} {
					if i == 1 && scenario == "" {
						continue
					}
					at := freePort(t)
					if scenario == "" {
						at = newPeer(t).addr
					} else {
						waits = append(waits, sipp(t, scenario, transport, at))
					}
					entries = append(entries, trunkAt(trunkName(i), at, fmt.Sprintf("priority: %d", i+1), "transport: "+transport, "codecs: PCMU"))
				}
				d := startDaemon(t, catalog(entries...))
				if !strings.Contains(d.ready, d.sip.String()) {
					t.Errorf("%q does not name %s", d.ready, d.sip)
				}
				wait := sipp(t, test.caller, transport, freePort(t), "-s", "+15551234567", d.sip.String())
				wait()
				for _, wait := range waits {
					wait()
				}
				d.counted(t, fmt.Sprintf("dialrouter_calls_total{outcome=%q}", test.outcome), sippCalls)
				d.counted(t, "dialrouter_calls_in_progress", 0)
				d.stop(t)
			})
		}
	}
}

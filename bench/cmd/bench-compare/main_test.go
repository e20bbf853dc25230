//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/compare"
	"github.com/voipbin/dialrouter/bench/floor"
	"github.com/voipbin/dialrouter/bench/host"
	"github.com/voipbin/dialrouter/bench/kamailio"
	"github.com/voipbin/dialrouter/bench/load"
)

// asProgram makes this test binary the program: it starts itself for the sandbox, the load and the relay.
const asProgram = "BENCH_COMPARE_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// measure runs the program and returns its report.
func measure(t *testing.T, args ...string) compare.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	file := filepath.Join(t.TempDir(), "report.json")
	// No warm-up and no pauses: these runs show that the work is done, not what it costs.
	args = append([]string{
		"--turns", "1", "--retries", "0", "--seconds", "1s", "--warmup", "0s", "--settle", "100ms", "--quiet-wait", "0s",
		"--nice", "0", "--proxy-cpu", "", "--load-cpu", "", "--keep-noisy", "--json", file,
	}, args...)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	// A turn that lost a datagram on a busy machine does not count, and makes the exit code 1: the report decides.
	runErr := cmd.Run()
	skipWithoutNamespaces(t, out.String())
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v\n%v\n%s", err, runErr, &out)
	}
	var r compare.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	return r
}

func skipWithoutNamespaces(t *testing.T, said string) {
	t.Helper()
	if !strings.Contains(said, host.ErrNotPermitted.Error()) {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("continuous integration has to permit namespaces:\n%s", said)
	}
	t.Skip("without namespaces of its own the test would take ports that others may use")
}

func buildDialrouter(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "dialrouter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/voipbin/dialrouter/cmd/dialrouter").CombinedOutput(); err != nil {
		t.Fatalf("building dialrouter: %v\n%s", err, out)
	}
	return binary
}

// works checks that a proxy completed all calls of each scenario and made no mistake.
func works(t *testing.T, r *compare.Report, proxy string, scenarios int) {
	t.Helper()
	found := 0
	for _, c := range r.Cells {
		for _, turn := range c.Turns {
			if turn.Proxy != proxy {
				continue
			}
			found++
			l := turn.Load
			// A proxy with several processes may let a 200 overtake its 180, and then has to drop the 180.
			if l.OK != l.Calls || l.Failed != 0 || l.Bad != 0 || l.MissingACKs != 0 || l.Rang < l.Calls/2 {
				t.Errorf("%s, scenario %s: %+v", proxy, c.Scenario, l)
			}
			if turn.CPU < 0 || turn.Loaded.PSS == 0 || turn.Processes == 0 {
				t.Errorf("%s, scenario %s: readings %+v", proxy, c.Scenario, turn)
			}
			if c.Scenario == load.C && (l.PDD.P50 < 1000 || l.PDD.P50 > 3000 || l.Unanswered < l.Calls) {
				t.Errorf("%s: a silent provider costs %v ms, datagrams to it %d", proxy, l.PDD.P50, l.Unanswered)
			}
			if c.Scenario == load.R && turn.AtRing.PSS == 0 {
				t.Errorf("%s: memory was not read while calls rang", proxy)
			}
		}
	}
	if found != scenarios {
		t.Errorf("%s was measured %d times, want %d", proxy, found, scenarios)
	}
}

func TestFloor(t *testing.T) {
	t.Parallel() // In namespaces of its own.
	proxies, count := "floor-go,floor-c", 2
	if _, err := floor.BuildC(t.Context(), t.TempDir()); errors.Is(err, floor.ErrNoCompiler) {
		proxies, count = "floor-go", 1
	}
	r := measure(t, "--proxies", proxies, "--scenarios", "A,B", "--rates", "100")
	works(t, &r, compare.KindFloorGo, 1)
	if count == 2 {
		works(t, &r, compare.KindFloorC, 1)
	}
}

func TestKamailioDoesTheWork(t *testing.T) {
	t.Parallel() // In namespaces of its own.
	if _, err := kamailio.Version(t.Context()); err != nil {
		t.Fatal(err) // When it is missing too: `make test` installs it.
	}
	r := measure(t, "--proxies", compare.KindKamailio, "--scenarios", "A,B,C,R", "--rates", "100", "--ring", "2500ms")
	works(t, &r, compare.KindKamailio, 4)
}

func TestDialrouterDoesTheWork(t *testing.T) {
	t.Parallel() // In namespaces of its own.
	r := measure(t, "--proxies", compare.KindDialrouter, "--binary", buildDialrouter(t), "--scenarios", "A,B,C,R", "--rates", "100", "--ring", "2500ms")
	works(t, &r, compare.KindDialrouter, 4)
	for _, c := range r.Cells {
		for _, turn := range c.Turns {
			if turn.Load.Rang != turn.Load.Calls || turn.Load.Overtaken != 0 {
				t.Errorf("scenario %s: %d of %d calls heard a 180, %d after their 200", c.Scenario, turn.Load.Rang, turn.Load.Calls, turn.Load.Overtaken)
			}
		}
	}
}

// TestStream checks that calls of a caller by TCP go through both, to providers by UDP.
func TestStream(t *testing.T) {
	t.Parallel() // In namespaces of its own.
	proxies := []string{compare.KindKamailio, compare.KindDialrouter}
	r := measure(t, "--proxies", strings.Join(proxies, ","), "--binary", buildDialrouter(t), "--scenarios", "A,B", "--rates", "100", "--stream", "--workers", "1")
	for _, p := range proxies {
		works(t, &r, p, 2)
	}
}

func TestSideBySide(t *testing.T) {
	t.Parallel() // In namespaces of its own.
	proxies := []string{compare.KindKamailio, compare.KindDialrouter}
	r := measure(t, "--proxies", strings.Join(proxies, ","), "--binary", buildDialrouter(t), "--scenarios", "B", "--rates", "100", "--side-by-side", "--turns", "2")
	for i, p := range proxies {
		works(t, &r, p, 2)
		if s := r.Cells[0].Proxies[i]; s.CPU.N != s.Turns || i > 0 && s.CPURatio.N > 2 {
			t.Errorf("%+v", s)
		}
	}
}

func TestHighest(t *testing.T) {
	t.Parallel() // In namespaces of its own.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "highest", "--proxies", compare.KindDialrouter, "--binary", buildDialrouter(t), "--scenarios", "A",
		"--turns", "1", "--start", "50000", "--burners", "1", "--nice", "0", "--proxy-cpu", "", "--load-cpu", "", "--json", "-", "--trial", "100ms")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	skipWithoutNamespaces(t, stderr.String())
	var r compare.HighestReport
	if err != nil || json.Unmarshal(out, &r) != nil || len(r.Cells) != 1 || len(r.Cells[0].Proxies[0].Turns) != 1 {
		t.Fatalf("%v: %s\n%s", err, out, &stderr)
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"--nonsense"},
		{"--rates", "x"},
		{"stray", "argument"},
		{"load", "--scenario", "Q"},
		{"load", "extra"},
		{"table"},
		{"table", "--dir", "x", "--prefixes", "1"},
		{"floor"},
		{"floor", "a", "b"},
		{"highest", "--nonsense"},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), io.Discard, &stderr); code != exitUsage || stderr.Len() == 0 {
			t.Errorf("%q: exit code %d, said %q", args, code, &stderr)
		}
	}
	if code := run(t.Context(), []string{"--help"}, strings.NewReader(""), io.Discard, io.Discard); code != exitDone {
		t.Errorf("--help: exit code %d", code)
	}
}

func TestFlags(t *testing.T) {
	c, err := parseCompare([]string{"--against", "old", "--floor", "--rates", "8000", "--scenarios", "A,R", "--turns", "7"}, compare.Defaults(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Proxies, " "); got != "against dialrouter floor-go floor-c" {
		t.Errorf("proxies %s", got)
	}
	if len(c.Rates) != 1 || c.Rates[0] != 8000 || len(c.Scenarios) != 2 || c.Turns != 7 || c.Retries != 7 {
		t.Errorf("%+v", c.Options)
	}
	c, err = parseCompare([]string{"--quick", "--scenarios", "C"}, compare.Defaults(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Scenarios) != 1 || c.Scenarios[0] != load.C || c.Turns != 2 || c.Retries != 0 || c.Length != 5*time.Second {
		t.Errorf("%+v", c.Options)
	}
}

func TestTable(t *testing.T) {
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"table", "--dir", dir}, strings.NewReader(""), &stdout, &stderr)
	if _, err := kamailio.Version(t.Context()); err == nil && code != exitDone {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	for _, name := range []string{"dialrouter.yaml", "providers.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if !strings.Contains(stdout.String(), "serve --config "+dir) {
		t.Errorf("said %q", &stdout)
	}
}

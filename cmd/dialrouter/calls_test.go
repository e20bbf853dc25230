package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fileHas waits until a file holds a text.
func fileHas(t *testing.T, path, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not hold %s: %v, %s", path, text, err, content)
		}
	}
}

// TestServeTellsOfCalls places calls through the program: they are on record over HTTP and in the file, which SIGHUP opens
// again under a new name. How many are kept cannot change while running, and that is said.
func TestServeTellsOfCalls(t *testing.T) {
	t.Parallel()
	const token = "from-the-environment"
	text := testConfig + "calls: {keep: 2, file: cdr.jsonl}\n"
	config := configured(t, text, "providers:\n  - {name: a, hostname: 127.0.0.1:5099, targets: [\"+1\"], enabled: false}\n")
	p := serving(t, config, "DIALROUTER_ADMIN_TOKEN="+token)
	phone := newPhone(t)
	for i, want := range []string{"480", "404", "404"} {
		if got := phone.call(t, p.sip, []string{"+1555", "+4930", "alice"}[i], fmt.Sprint("call-", i)); got != want {
			t.Errorf("call %d got %s, want %s", i, got, want)
		}
	}
	for i, want := range []int{404, 200, 200} {
		if code, answer := p.ask(t, token, http.MethodGet, fmt.Sprint("/v1.0/calls/call-", i), ""); code != want {
			t.Errorf("call %d: %d %s", i, code, answer)
		}
	}
	code, answer := p.ask(t, token, http.MethodGet, "/v1.0/calls?page_size=1", "")
	if code != 200 || !strings.Contains(answer, `"result":[{"call_id":"call-2","number":"alice"`) || strings.Contains(answer, "call-1") {
		t.Errorf("the list: %d %s", code, answer)
	}
	if code, _ := p.ask(t, "", http.MethodGet, "/v1.0/calls", ""); code != 401 {
		t.Errorf("without a token: %d", code)
	}
	fileHas(t, p.file("cdr.jsonl"), `"skipped":[{"provider_id":"`)
	fileHas(t, p.file("cdr.jsonl"), `{"call_id":"call-2"`)

	if err := os.WriteFile(config, []byte(strings.Replace(text, "cdr.jsonl", "other.jsonl", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for n := 3; ; n++ {
		phone.call(t, p.sip, "alice", fmt.Sprint("call-", n))
		if content, err := os.ReadFile(p.file("other.jsonl")); err == nil && len(content) > 0 {
			break
		}
		if n == 500 {
			t.Fatalf("SIGHUP changed nothing\n%s", p.logged())
		}
		time.Sleep(20 * time.Millisecond)
	}

	if err := os.WriteFile(config, []byte(strings.Replace(text, "keep: 2", "keep: 3", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !p.logs("calls.keep") {
		t.Errorf("not said what cannot change:\n%s", p.logged())
	}
}

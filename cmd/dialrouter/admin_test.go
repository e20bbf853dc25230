package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running dialrouter.
type process struct {
	url string
	sip string // Its UDP address.
	dir string
	cmd *exec.Cmd

	mu  sync.Mutex
	log strings.Builder
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// logs says whether a text is in the log, or gets there soon: the log and what else tells of the program come by ways of
// their own.
func (p *process) logs(text string) bool {
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(p.logged(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// serving starts the program and waits until it is ready. It ends with the test.
func serving(t *testing.T, config string, variables ...string) *process {
	t.Helper()
	p := &process{dir: filepath.Dir(config)}
	p.cmd = exec.Command(os.Args[0], "serve", "--config", config) // Ended by a signal, as in life.
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), variables...)
	p.cmd.Stderr = p
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("it said %q, %v\n%s", line, err, p.logged())
	}
	for name := range strings.FieldsSeq(line) {
		if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
			p.url = name
		}
		if addr, ok := strings.CutPrefix(name, "udp://"); ok {
			p.sip = addr
		}
	}
	return p
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended: %v\n%s", err, p.logged())
	}
}

// ask sends a request with a token, "" for none.
func (p *process) ask(t *testing.T, token, method, path, body string) (code int, answer string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.logged())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (p *process) file(name string) string { return filepath.Join(p.dir, name) }

// mustBePrivate says that only the owner may read a file.
func mustBePrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", path, info, err)
	}
}

// TestServeWithoutAToken starts with nothing configured: a token is made, kept, and its place told.
func TestServeWithoutAToken(t *testing.T) {
	t.Parallel()
	config := configured(t, testConfig, "providers:\n  - {name: a, hostname: 127.0.0.1:5099, targets: [\"+1\"]}\n")
	p := serving(t, config)
	path := p.file(tokenFile)
	mustBePrivate(t, path)
	token := strings.TrimSpace(contentOf(t, path))
	if len(token) != 52 || !p.logs("file="+path) || strings.Contains(p.logged(), token) {
		t.Errorf("token of %d bytes, log %s", len(token), p.logged())
	}
	if _, err := os.Stat(p.file(keyFile)); err == nil {
		t.Error("a signing key without users")
	}
	for path, want := range map[string]int{"/readyz": 200, "/healthz": 200, "/metrics": 200, "/v1.0/status": 401, "/": 401, "/v1.0/openapi.json": 401} {
		if code, answer := p.ask(t, "", http.MethodGet, path, ""); code != want {
			t.Errorf("%s: %d %s", path, code, answer)
		}
	}
	if code, _ := p.ask(t, "", http.MethodPost, "/metrics", ""); code != 401 {
		t.Errorf("POST /metrics: %d", code)
	}
	if code, answer := p.ask(t, token, http.MethodGet, "/v1.0/status", ""); code != 200 || !strings.Contains(answer, `"name":"a"`) {
		t.Errorf("status: %d %s", code, answer)
	}
	if code, _ := p.ask(t, "wrong"+token, http.MethodGet, "/v1.0/status", ""); code != 401 {
		t.Errorf("a wrong token: %d", code)
	}
	p.stop(t)
	// The same token after a restart.
	if again := serving(t, config); contentOf(t, again.file(tokenFile)) != token+"\n" {
		t.Error("another token")
	}
}

// TestWriteIsInForceAtOnce plans the next call after each write.
func TestWriteIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	p := serving(t, configured(t, testConfig, "providers: []\n"), "DIALROUTER_ADMIN_TOKEN=from-the-environment")
	const token = "from-the-environment"
	if _, err := os.Stat(p.file(tokenFile)); err == nil {
		t.Error("a token was made though there is one")
	}
	for i := range 20 {
		code, answer := p.ask(t, token, http.MethodPost, "/v1.0/providers",
			fmt.Sprintf(`{"type":"sip","hostname":"127.0.0.1:5099","name":"p%d","tech_headers":{"X-Secret":"hush"},"secret_headers":["X-Secret"]}`, i))
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(answer), &made); err != nil || code != 200 {
			t.Fatalf("%d %s", code, answer)
		}
		code, answer = p.ask(t, token, http.MethodPost, "/v1.0/routes", `{"provider_id":"`+made.ID+`","target":"+1","priority":`+fmt.Sprint(i)+`}`)
		if code != 200 {
			t.Fatalf("%d %s", code, answer)
		}
		code, answer = p.ask(t, token, http.MethodPost, "/v1.0/plan", `{"number":"+1555","provider_ids":["`+made.ID+`"],"sdp":""}`)
		if code != 200 || !strings.Contains(answer, `"request_uri":"sip:+1555@127.0.0.1:5099"`) || !strings.Contains(answer, `{"X-Secret":"********"}`) {
			t.Errorf("plan %d: %d %s", i, code, answer)
		}
		code, answer = p.ask(t, token, http.MethodPost, "/v1.0/plan", `{"number":"+1555"}`)
		if want := min(i+1, 5); code != 200 || strings.Count(answer, `"request_uri"`) != want {
			t.Errorf("plan %d: %d %s", i, code, answer)
		}
	}
	if code, answer := p.ask(t, token, http.MethodPost, "/v1.0/plan", `{"number":"+44"}`); code != 200 || !strings.Contains(answer, `"final_status":404`) {
		t.Errorf("plan: %d %s", code, answer)
	}
	// A bad edit by hand is told, and an earlier revision comes back.
	text := contentOf(t, p.file("providers.yaml"))
	if err := os.WriteFile(p.file("providers.yaml"), []byte(text+"\nrouts: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, answer := p.ask(t, token, http.MethodPost, "/v1.0/reload", ""); code != 409 || !strings.Contains(answer, "CATALOG_INVALID") {
		t.Errorf("reload: %d %s", code, answer)
	}
	if code, answer := p.ask(t, token, http.MethodGet, "/v1.0/status", ""); code != 200 || !strings.Contains(answer, "routs") {
		t.Errorf("status: %d %s", code, answer)
	}
	if err := os.WriteFile(p.file("providers.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, answer := p.ask(t, token, http.MethodPost, "/v1.0/reload", ""); code != 200 {
		t.Errorf("reload: %d %s", code, answer)
	}
	if code, answer := p.ask(t, token, http.MethodPost, "/v1.0/revisions/1/restore", ""); code != 200 || !strings.Contains(answer, `"providers":0`) {
		t.Errorf("restore: %d %s", code, answer)
	}
	if strings.Contains(p.logged(), "hush") || strings.Contains(p.logged(), token) {
		t.Errorf("a secret in the log: %s", p.logged())
	}
}

// TestServeWithUsers logs in, restarts, and changes who may do what by SIGHUP.
func TestServeWithUsers(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("machine-token"))
	tokens := fmt.Sprintf("  tokens: [{name: ops, sha256: %q}]\n", hex.EncodeToString(sum[:]))
	const users = `  users: [{name: admin, password: "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8"}]` + "\n"
	base := strings.Replace(testConfig, "admin: {listen: 127.0.0.1:0}\n", "admin:\n  listen: 127.0.0.1:0\n", 1)
	config := configured(t, base+tokens+users, "providers: []\n")
	p := serving(t, config)
	mustBePrivate(t, p.file(keyFile))
	login := func(password string) (int, string) {
		code, answer := p.ask(t, "", http.MethodPost, "/auth/login", `{"username":"admin","password":"`+password+`"}`)
		var m struct {
			Token string `json:"token"`
		}
		_ = json.Unmarshal([]byte(answer), &m)
		return code, m.Token
	}
	if code, _ := login("wrong"); code != 401 {
		t.Errorf("a wrong password: %d", code)
	}
	code, session := login("correct horse")
	if code != 200 {
		t.Fatalf("login: %d\n%s", code, p.logged())
	}
	status := func(token string) int {
		code, _ := p.ask(t, token, http.MethodGet, "/v1.0/status", "")
		return code
	}
	if status(session) != 200 || status("machine-token") != 200 {
		t.Error("nobody may ask")
	}
	p.stop(t)
	p = serving(t, config)
	if status(session) != 200 {
		t.Error("a restart logged out")
	}
	if _, err := os.Stat(p.file(tokenFile)); err == nil {
		t.Error("a token was made though there is one")
	}
	if err := os.WriteFile(config, []byte(base+tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for status(session) != 401 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if status(session) != 401 || status("machine-token") != 200 {
		t.Errorf("a user who is gone may still ask: %s", p.logged())
	}
}

// TestServeWithUsersOnly has somebody who may log in: no other token is made.
func TestServeWithUsersOnly(t *testing.T) {
	t.Parallel()
	p := serving(t, configured(t, strings.Replace(testConfig, "admin: {listen: 127.0.0.1:0}\n", `admin:
  listen: 127.0.0.1:0
  users: [{name: admin, password: "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8"}]
`, 1), "providers: []\n"))
	if _, err := os.Stat(p.file(tokenFile)); err == nil {
		t.Error("a token was made")
	}
	if code, answer := p.ask(t, "", http.MethodPost, "/auth/login", `{"username":"admin","password":"correct horse"}`); code != 200 {
		t.Errorf("login: %d %s", code, answer)
	}
}

// TestSecretFiles makes and reads the files beside the catalog.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	config := configured(t, testConfig, "providers: []\n")
	dir := filepath.Dir(config)
	if err := os.WriteFile(filepath.Join(dir, tokenFile), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serving(t, config) // Calls go on; only the API is closed to everybody.
	if code, _ := p.ask(t, "short", http.MethodGet, "/v1.0/status", ""); code != 401 || !p.logs("nobody can use the API") {
		t.Errorf("%d %s", code, p.logged())
	}
	p.stop(t)
	if err := os.Remove(filepath.Join(dir, tokenFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, tokenFile), []byte("a-token-of-my-own-making\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p = serving(t, config)
	if code, _ := p.ask(t, "a-token-of-my-own-making", http.MethodGet, "/v1.0/status", ""); code != 200 ||
		!p.logs("others may read a secret") {
		t.Errorf("%d %s", code, p.logged())
	}

	// Many at once make one secret.
	path := filepath.Join(t.TempDir(), "secret")
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[string]bool)
	for range 20 {
		all.Go(func() {
			secret, err := loadSecret(path, nil, func() []byte { return []byte(newToken()) })
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(secret)] = true
		})
	}
	all.Wait()
	left, err := os.ReadDir(filepath.Dir(path))
	if len(seen) != 1 || err != nil || len(left) != 1 {
		t.Errorf("%d secrets, files %v, %v", len(seen), left, err)
	}
	mustBePrivate(t, path)
}

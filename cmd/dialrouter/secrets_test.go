package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/voipbin/dialrouter/providers/storetest"
)

// canary begins every secret of TestSecretsStayIn. Each has another end, which tells where it got out.
const canary = "cAnArY-"

// outlets collects all that leaves the program.
type outlets struct {
	t    *testing.T
	seen map[string]string
}

func (o *outlets) add(where, text string) { o.seen[where] += text + "\n" }

// must says that no secret got out, in no spelling.
func (o *outlets) must() {
	o.t.Helper()
	for where, text := range o.seen {
		lower := strings.ToLower(text)
		for _, spelling := range []string{
			strings.ToLower(canary), hex.EncodeToString([]byte(canary)),
			strings.ToLower(base64.StdEncoding.EncodeToString([]byte(canary))[:8]),
		} {
			if i := strings.Index(lower, spelling); i >= 0 {
				o.t.Errorf("a secret got out by %s: ...%s...", where, text[max(0, i-100):min(len(text), i+100)])
			}
		}
	}
}

const secretCatalog = `providers:
  - name: carrier
    id: 4dbeabd6-f397-4375-95d2-a38411e07ed1
    hostname: %s
    tech_headers: {X-Open: "42", X-Token: ` + canary + `header-of-file}
    secret_headers: [X-Token]
    credentials: {username: us, password: ` + canary + `password-of-file, realm: r}
    priority: 1
`

// TestSecretsStayIn puts a secret into each place that has one, uses the program in all ways there are, the wrong ones
// too, at log level debug, and looks for the secrets in all that came out.
func TestSecretsStayIn(t *testing.T) {
	t.Parallel()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		secretsStayIn(t, "file: providers.yaml")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		db, err := storetest.StartPostgres()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Destroy)
		secretsStayIn(t, "postgres: "+strings.Replace(db.Database(t), "un5poken", canary+"database", 1))
	})
}

func secretsStayIn(t *testing.T, catalog string) {
	t.Helper()
	o := &outlets{t, make(map[string]string)}
	defer o.must()
	callee, caller := newPhone(t), newPhone(t)
	// A carrier that says again what it was told, and fails.
	carrier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{
			"code": "1", "title": q.Header.Get("Authorization"), "detail": q.Header.Get("Authorization") + string(body),
		}}})
	}))
	t.Cleanup(carrier.Close)
	const token = canary + "admin-token"
	text := strings.Replace(testConfig, "file: providers.yaml", catalog, 1) + "log: {level: debug}\ntelnyx: {sip_fqdn: a.example}\n"
	text = strings.Replace(text, "admin: {listen: 127.0.0.1:0}", `admin: {listen: 127.0.0.1:0, users: [{name: boss, password: "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8"}]}`, 1)
	onFile := strings.HasPrefix(catalog, "file")
	file := fmt.Sprintf(secretCatalog, callee.addr())
	config := configured(t, text, file)
	p := serving(t, config, "DIALROUTER_ADMIN_TOKEN="+token, "DIALROUTER_TELNYX_URL="+carrier.URL)
	ask := func(method, path, body string) (int, string) {
		code, answer := p.ask(t, token, method, path, body)
		o.add(method+" "+path, answer)
		return code, answer
	}
	cli := func(args ...string) {
		out, errs, _ := runCommand(t, nil, append(args, "--config", config)...)
		o.add(strings.Join(args, " "), out+errs)
	}

	// The secrets work: they are on the wire.
	provider := func(name, secrets string) string {
		return `{"type":"sip","hostname":"` + callee.addr() + `","name":"` + name + `",` + secrets + `}`
	}
	secrets := `"tech_headers":{"X-Open":"42","X-Token":"` + canary + `header"},"secret_headers":["X-Token"],` +
		`"credentials":{"username":"us","password":"` + canary + `password","realm":"r"}`
	code, answer := ask(http.MethodPost, "/v1.0/providers", provider("made", secrets))
	if code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	_, id, _ := strings.Cut(answer, `"id":"`)
	id = id[:36]
	if code, answer := ask(http.MethodPost, "/v1.0/routes", `{"provider_id":"`+id+`","target":"+1"}`); code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	if status := caller.call(t, p.sip, "+1555", "secret-call"); status != "486" {
		t.Errorf("a call: %s", status)
	}
	if invite := callee.invites(); !strings.Contains(invite, "X-Token: "+canary+"header\r\n") {
		t.Errorf("the callee got\n%s", invite)
	}

	// Right and wrong requests with secrets in them.
	at := "/v1.0/providers/" + id
	ask(http.MethodPut, at, provider("made", strings.ReplaceAll(secrets, canary, canary+"new-")))
	for _, wrong := range []string{
		`{"credentials":{"password":"` + canary + `torn`,
		provider("made", `"credentials":{"username":"us","password":"`+canary+`line\r\nbreak","realm":"r"}`),
		provider("made", `"credentials":{"username":"us","password":"`+canary+strings.Repeat("x", 5000)+`"}`),
		provider("made", `"credentials":{"username":"us","password":["`+canary+`list"]}`),
		provider("made", `"credentials":{"username":"us","password":{"`+canary+`key":1}}`),
		provider("made", `"credentials":"`+canary+`text"`),
		provider("made", `"credentials":{"username":"us","password":"x","passwords":"`+canary+`unknown"}`),
		provider("made", `"credentials":{"username":"us","password":"`+canary+`a","password":"`+canary+`twice"}`),
		provider("made", `"tech_headers":{"X-Token":"`+canary+`line\r\nbreak"},"secret_headers":["X-Token"]`),
		provider("made", `"tech_headers":{"X-Token":["`+canary+`list"]},"secret_headers":["X-Token"]`),
		provider("made", `"tech_headers":{"Authorization":"`+canary+`basic"}`),
		provider("made", `"tech_headers":{"X-Token":"`+canary+`a","X-TOKEN":"`+canary+`twice"},"secret_headers":["X-Token"]`),
		provider("made", `"hostname":"bad host",`+secrets),
		provider("made", `"nonsense":1,`+secrets),
	} {
		ask(http.MethodPut, at, wrong)
		ask(http.MethodPost, "/v1.0/providers", wrong)
	}
	for _, body := range []string{
		`{"carrier":"telnyx","name":"x","credentials":{"api_key":"` + canary + `key"}}`,
		`{"carrier":"telnyx","name":"x","credentials":{"api_key":["` + canary + `key"]}}`,
		`{"carrier":"telnyx","name":"x","credentials":{"api_key":"` + canary + `key\n"}}`,
		`{"carrier":"telnyx","name":"x","credentials":"` + canary + `key"}`,
		`{"carrier":"nobody","name":"x","credentials":{"api_key":"` + canary + `key","x":1}}`,
		`{"carrier":"telnyx","name":"x","credentials":{"api_key":"` + canary + `key"`,
	} {
		ask(http.MethodPost, "/v1.0/providers/setup", body)
	}
	for _, body := range []string{
		`{"username":"boss","password":"` + canary + `wrong"}`, `{"username":"boss","password":["` + canary + `list"]}`,
		`{"username":"` + canary + `name","password":"x"}`, `{"password":"` + canary + `torn`,
	} {
		ask(http.MethodPost, "/auth/login", body)
	}
	ask(http.MethodGet, "/v1.0/providers?token="+canary+"query", "")
	for _, known := range []string{token, canary + "unknown-token"} {
		_, answer := p.ask(t, "", http.MethodGet, "/v1.0/providers?token="+known, "")
		o.add("the token in the query", answer)
	}

	// Everything there is to read, by the document of it, and every dry run.
	readAll := func() {
		var document struct {
			Paths map[string]map[string]json.RawMessage `json:"paths"`
		}
		_, text := ask(http.MethodGet, "/v1.0/openapi.json", "")
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		for path, methods := range document.Paths {
			if _, ok := methods["get"]; ok {
				path = strings.NewReplacer("{id}", id, "{n}", "2", "{call_id}", "secret-call").Replace(path)
				ask(http.MethodGet, path, "")
			}
		}
		for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
			ask(http.MethodGet, path, "")
		}
		ask(http.MethodPost, "/v1.0/reload", "")
		ask(http.MethodPost, "/v1.0/plan", `{"number":"+1555","sdp":"v=0\r\n"}`)
		ask(http.MethodPost, "/v1.0/plan", `{"number":"+1555","provider_ids":["`+id+`"]}`)
		cli("check")
		cli("plan", "+1555")
		cli("plan", "--json", "+1555")
	}
	readAll()
	lists := filepath.Join(p.dir, "voipbin.json")
	for _, item := range []string{
		provider("carrier", `"id":"`+id+`","tech_headers":{"X-Token":"`+canary+`imported"}`),
		provider("carrier", `"id":"`+id+`","tech_headers":{"X-Token":["`+canary+`imported"]}`),
		provider("carrier", `"id":"`+id+`","credentials":{"password":"`+canary+`imported"}`),
	} {
		if err := os.WriteFile(lists, []byte(`{"result":[`+item+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		cli("import", "--dry-run", lists)
		cli("import", lists)
	}
	cli("import", "http://127.0.0.1:1/v1.0?token="+canary+"import")
	cli("import", "http://user:"+canary+"import@127.0.0.1:1/v1.0")
	ask(http.MethodDelete, at, "")
	readAll()
	ask(http.MethodPost, "/v1.0/revisions/2/restore", "")
	readAll()

	if onFile {
		// Bad edits by hand, with the secret in the wrong place or form.
		good := contentOf(t, p.file("providers.yaml"))
		for _, bad := range []string{
			strings.Replace(file, "password: "+canary+"password-of-file", "password: ["+canary+"list]", 1),
			strings.Replace(file, "password: "+canary+"password-of-file", "password: {"+canary+"key: 1}", 1),
			strings.Replace(file, "password: "+canary+"password-of-file", `password: "`+canary+`line\nbreak"`, 1),
			strings.Replace(file, "password: "+canary+"password-of-file", "password: "+canary+strings.Repeat("x", 5000), 1),
			strings.Replace(file, "password: ", "pasword: ", 1),
			strings.Replace(file, "credentials: {", "credentials: "+canary+"text # {", 1),
			strings.Replace(file, "X-Token: "+canary, `X-Token: "a\r\n`+canary+`" # `, 1),
			strings.Replace(file, "X-Token: "+canary+"header-of-file", "X-Token: ["+canary+"list]", 1),
			strings.Replace(file, "X-Token: "+canary, "X-Token: a, X-TOKEN: "+canary, 1),
			strings.Replace(file, "X-Token: "+canary, "Authorization: "+canary, 1),
			strings.Replace(file, "tech_headers: {", "tech_headers: "+canary+"text # {", 1),
			strings.Replace(file, "tech_headers: {", "tech_headers: ["+canary+"list] # {", 1),
			strings.Replace(file, "hostname: ", "hostnam: ", 1),
			strings.Replace(file, "realm: r}", "realm: r", 1),
			strings.Replace(file, "    credentials", "  credentials", 1),
		} {
			if err := os.WriteFile(p.file("providers.yaml"), []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			ask(http.MethodPost, "/v1.0/reload", "")
			ask(http.MethodPost, "/v1.0/routes", `{"provider_id":"`+id+`","target":"+2"}`)
			ask(http.MethodGet, "/v1.0/status", "")
			ask(http.MethodGet, "/readyz", "")
			cli("check")
			cli("plan", "+1555")
		}
		if err := os.WriteFile(p.file("providers.yaml"), []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		readAll()
	}
	// Bad edits of the configuration.
	for _, bad := range []string{
		"admin: {tokens: [" + canary + "token]}\n", "admin: {users: [" + canary + "user]}\n",
		"admin: {tokens: [{name: a, sha256: " + canary + "sum}]}\n", "admin: {users: [{name: a, password: " + canary + "password}]}\n",
		"admin: {tokens: [{name: a, sha256: [" + canary + "sum]}]}\n",
		"catalog: {postgres: \"" + canary + "no-url\"}\n", "catalog: {postgres: [" + canary + "list]}\n",
		"catalog: {postgres: \"postgres://u:" + canary + "p@127.0.0.1:1/x?sslmode=nonsense\"}\n",
		"telnyx: {url: \"https://u:" + canary + "p@x.example\"}\n",
	} {
		if err := os.WriteFile(config, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		cli("check")
		cli("serve")
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		ask(http.MethodGet, "/readyz", "")
	}
	p.stop(t)
	o.add("the log", p.logged())
	o.add("the program's arguments", strings.Join(p.cmd.Args, " "))

	// Files: the catalog, its copies and its snapshot have secrets, and are the owner's. Nothing else has.
	err := filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(p.dir, path)
		if name == "providers.yaml" || name == "dialrouter.yaml" || name == "voipbin.json" ||
			strings.HasPrefix(name, "providers.yaml.history") || name == snapshotFile {
			if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("others may read %s: %v", name, err)
			}
			return nil
		}
		o.add("the file "+name, contentOf(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

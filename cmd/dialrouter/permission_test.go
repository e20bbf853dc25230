package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/api"
)

// TestPermissionNames holds what the configuration takes and what the API knows together.
func TestPermissionNames(t *testing.T) {
	t.Parallel()
	want := []string{string(api.ProjectSuperAdmin), string(api.ProjectViewer)}
	if got := config.Permissions(); !slices.Equal(got, want) {
		t.Errorf("permissions %q, want %q", got, want)
	}
}

// TestServeViewers makes tokens and a user with the commands, puts the printed lines into the configuration, and sees
// what each may do.
func TestServeViewers(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`(?s)^token: (\w+)\n.*\n    - (\{.*\})\n$`)
	var entries, secrets []string
	for _, args := range [][]string{
		{"token", "ops"},
		{"token", "--permission", "ProjectViewer", "look"},
		{"token", "more-ops", "--permission", "ProjectSuperAdmin"},
	} {
		out, errs, code := runCommand(t, nil, args...)
		parts := made.FindStringSubmatch(out)
		if code != 0 || parts == nil {
			t.Fatalf("%q: %d\n%s%s", args, code, out, errs)
		}
		secrets, entries = append(secrets, parts[1]), append(entries, parts[2])
	}
	const hash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8"
	p := serving(t, configured(t, strings.Replace(testConfig, "admin: {listen: 127.0.0.1:0}\n", fmt.Sprintf(`admin:
  listen: 127.0.0.1:0
  tokens: [%s]
  users: [{name: boss, password: %q}, {name: guest, password: %q, permission: ProjectViewer}]
`, strings.Join(entries, ", "), hash, hash), 1), "providers: [{name: a, hostname: 127.0.0.1:5099, priority: 1}]\n"))
	session := func(user string) string {
		_, answer := p.ask(t, "", http.MethodPost, "/auth/login", `{"username":"`+user+`","password":"correct horse"}`)
		_, token, _ := strings.Cut(answer, `"token":"`)
		token, _, _ = strings.Cut(token, `"`)
		return token
	}
	const write = `{"type":"sip","hostname":"127.0.0.1:5099","name":"%s"}`
	for _, who := range []struct {
		name, token string
		may         bool
	}{
		{"ops", secrets[0], true},
		{"look", secrets[1], false},
		{"more-ops", secrets[2], true},
		{"boss", session("boss"), true},
		{"guest", session("guest"), false},
	} {
		for _, read := range []struct{ method, path, body string }{
			{http.MethodGet, "/v1.0/providers", ""},
			{http.MethodGet, "/v1.0/audit", ""},
			{http.MethodPost, "/v1.0/plan", `{"number":"+1555"}`},
		} {
			if code, answer := p.ask(t, who.token, read.method, read.path, read.body); code != 200 {
				t.Errorf("%s %s %s: %d %s", who.name, read.method, read.path, code, answer)
			}
		}
		code, answer := p.ask(t, who.token, http.MethodPost, "/v1.0/providers", fmt.Sprintf(write, who.name))
		if who.may && code != 200 || !who.may && (code != 403 || !strings.Contains(answer, "PERMISSION_DENIED")) {
			t.Errorf("%s writes: %d %s", who.name, code, answer)
		}
	}
}

// TestPermissionThatIsNone refuses to start, and names the line.
func TestPermissionThatIsNone(t *testing.T) {
	t.Parallel()
	path := configured(t, strings.Replace(testConfig, "admin: {listen: 127.0.0.1:0}\n", `admin:
  tokens:
    - name: ops
      sha256: "00000000000000000000000000000000000000000000000000000000000000ff"
      permission: root
`, 1), "providers: []\n")
	for _, command := range []string{"check", "serve"} {
		out, errs, code := runCommand(t, nil, command, "--config", path)
		if want := path + `:7: admin.tokens[0].permission: "root" is not one of ProjectSuperAdmin, ProjectViewer`; code != 1 ||
			!strings.Contains(out+errs, want) {
			t.Errorf("%s: %d %s%s, want %s", command, code, out, errs, want)
		}
	}
}

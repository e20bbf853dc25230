package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asProgram makes the test binary the program itself.
const asProgram = "DIALROUTER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(environment{os.Stdout, os.Stderr, os.LookupEnv}, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// runCommand runs a command and returns what it prints and its exit code.
func runCommand(t *testing.T, variables map[string]string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(environment{&out, &err, func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}}, args)
	return out.String(), err.String(), code
}

const testConfig = `sip: {listen: [udp://127.0.0.1:0]}
catalog: {file: providers.yaml}
admin: {listen: 127.0.0.1:0}
`

// configured writes a configuration and a catalog, and returns the configuration's path.
func configured(t *testing.T, config, catalog string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"dialrouter.yaml": config, "providers.yaml": catalog} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "dialrouter.yaml")
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCommandLine(t *testing.T) {
	config := configured(t, testConfig, "providers: []\n")
	for name, c := range map[string]struct {
		args []string
		code int
		out  string // Of both.
	}{
		"nothing":              {nil, 2, "usage:"},
		"help":                 {[]string{"help"}, 0, "import --config FILE"},
		"unknown":              {[]string{"improt"}, 2, `there is no command "improt"`},
		"import nothing":       {[]string{"import", "--config", config}, 2, "a FILE or URL is missing"},
		"import no config":     {[]string{"import", "x.json"}, 2, "--config FILE is missing"},
		"import unknown flag":  {[]string{"import", "--dry", "--config", config, "x.json"}, 2, "-dry"},
		"import what is not":   {[]string{"import", "--config", config, "no-such-file.json"}, 1, "no such file"},
		"import no such host":  {[]string{"import", "--config", config, "http://127.0.0.1:1/v1.0?token=hush"}, 1, "connection refused"},
		"import no URL":        {[]string{"import", "--config", config, "https://%zz?token=hush"}, 1, "cannot be read"},
		"import by plain http": {[]string{"import", "--config", config, "http://192.0.2.1/v1.0?token=hush"}, 1, "write https"},
		"token":                {[]string{"token", "ops"}, 0, `{name: "ops", sha256: "`},
		"token of a viewer":    {[]string{"token", "--permission", "ProjectViewer", "look"}, 0, `", permission: ProjectViewer}`},
		"token of nobody":      {[]string{"token", "--permission", "ProjectViewer"}, 2, "one NAME is needed"},
		"token for nothing":    {[]string{"token", "--permission=root", "ops"}, 2, `"root" is not one of ProjectSuperAdmin, ProjectViewer`},
		"password for nothing": {[]string{"password", "ops", "--permission", "root"}, 2, "is not one of"},
	} {
		out, errs, code := runCommand(t, nil, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.out) || strings.Contains(out+errs, "hush") {
			t.Errorf("%s: %d\n%s\n%s", name, code, out, errs)
		}
	}
}

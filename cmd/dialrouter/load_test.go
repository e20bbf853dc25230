package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryProblemIsSaid checks that `serve` refuses to start, and `check` fails, with every problem of both files and of
// those that they lead to, each file's in the order of its lines.
func TestEveryProblemIsSaid(t *testing.T) {
	t.Parallel()
	const carriers = "providers:\n  - {name: a, hostname: \"a b\"}\n  - {name: b}\n"
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"wrong keys": {
			"sip: {listen: [udp://127.0.0.1:0]}\nfailover:\n  next: [200]\n  rules: [{code: 999, then: next}]\ncodecs: \"a,,b\"\ndrain: x\n",
			[]string{
				"dialrouter.yaml:3: failover.next", "dialrouter.yaml:4: failover.rules", "dialrouter.yaml:5: codecs", "dialrouter.yaml:6: drain",
				"providers.yaml:2: providers[0].hostname", "providers.yaml:3: providers[1].hostname",
			},
		},
		"files that are not there": {
			"sip: {listen: [udp://127.0.0.1:0]}\ntls:\n  ca: none.pem\n  certificate: none.pem\n  key: none.key\ncalls: {file: none/calls}\n",
			[]string{
				"dialrouter.yaml:3: tls.ca", "dialrouter.yaml:4: tls.certificate", "dialrouter.yaml:6: calls.file",
				"providers.yaml:2: providers[0].hostname", "providers.yaml:3: providers[1].hostname",
			},
		},
	} {
		path := configured(t, c.config, carriers)
		for _, command := range []string{"check", "serve"} {
			out, errs, code := runCommand(t, nil, command, "--config", path)
			said := out + errs
			if command == "serve" {
				said = errs
			}
			lines := strings.Split(strings.TrimSpace(said), "\n")
			if code != 1 || len(lines) != len(c.want) {
				t.Errorf("%s of %s: exit code %d\n%s", command, name, code, said)
				continue
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], filepath.Join(filepath.Dir(path), want)) {
					t.Errorf("%s of %s: line %d is %q, want %q", command, name, i+1, lines[i], want)
				}
			}
		}
	}
}

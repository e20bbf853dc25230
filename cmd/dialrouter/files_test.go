package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckReadsTheFiles checks that `check` names each file that the configuration leads to and that cannot be used, at
// its key, and makes none.
func TestCheckReadsTheFiles(t *testing.T) {
	const head = "sip:\n  listen: [udp://127.0.0.1:0]\n  route_key_file: "
	const route, carrier = "catalog: {file: providers.yaml}\n", "providers: [{name: a, hostname: 127.0.0.1}]\n"
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"all there is":     {head + "none.key\n" + route, nil},
		"no certificate":   {head + "none.key\n" + route + "tls:\n  certificate: no.pem\n  key: no.key\n", []string{":6: tls.certificate: open DIR/no.pem: no such file or directory"}},
		"no key":           {head + "none.key\n" + route + "tls:\n  certificate: providers.yaml\n  key: no.key\n", []string{":7: tls.key: open DIR/no.key: no such file or directory"}},
		"no authority":     {head + "none.key\n" + route + "tls:\n  ca: no.pem\n", []string{":6: tls.ca: open DIR/no.pem: no such file or directory"}},
		"not certificates": {head + "none.key\n" + route + "tls: {ca: providers.yaml, certificate: providers.yaml, key: providers.yaml}\n", []string{":5: tls.ca: DIR/providers.yaml holds no certificate", ":5: tls.certificate: tls: failed to find any PEM data in certificate input"}},
		"calls to be made": {head + "none.key\n" + route + "calls: {file: calls.jsonl}\n", nil},
		"calls nowhere":    {head + "none.key\n" + route + "calls:\n  file: no/calls.jsonl\n", []string{":6: calls.file: stat DIR/no: no such file or directory"}},
		"calls in a file":  {head + "none.key\n" + route + "calls:\n  file: providers.yaml/calls.jsonl\n", []string{":6: calls.file: DIR/providers.yaml is no folder"}},
		"calls in folder":  {head + "none.key\n" + route + "calls:\n  file: .\n", []string{":6: calls.file: DIR is no regular file"}},
		"not a route key":  {head + "providers.yaml\n" + route, []string{":3: sip.route_key_file: "}},
	} {
		path := configured(t, c.config, carrier)
		dir := filepath.Dir(path)
		out, errs, code := runCommand(t, nil, "check", "--config", path)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		want := c.want
		if want == nil {
			want = []string{": no problems; 1 providers, 0 routes"}
		}
		if wantCode := min(len(c.want), 1); code != wantCode || errs != "" || len(lines) != len(want) {
			t.Errorf("%s: exit code %d, want %d\n%s%s", name, code, wantCode, out, errs)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(lines[i], path+strings.ReplaceAll(want[i], "DIR", dir)) {
				t.Errorf("%s: line %d is %q, want %q", name, i+1, lines[i], want[i])
			}
		}
		if made, _ := filepath.Glob(dir + "/*.key"); len(made) > 0 {
			t.Errorf("%s: check made %v", name, made)
		}
	}
}

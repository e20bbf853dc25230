package main

import (
	"strings"
	"testing"
)

// TestCheckSaysWhoIsUnreached checks that `check` names each provider that no socket of ours can send to, at its line.
func TestCheckSaysWhoIsUnreached(t *testing.T) {
	const catalog = `providers:
  - name: plain
    hostname: 127.0.0.1:5090
  - name: secure
    hostname: sip.example.net
    transport: tls
  - name: off
    hostname: sip.example.net
    transport: tls
    enabled: false

  - {name: stream, hostname: 127.0.0.1, transport: tcp, id: 4dbeabd6-f397-4375-95d2-a38411e07ed1}
  - name: six
    hostname: "[2001:db8::1]"
  - name: open
    hostname: sip.example.net
`
	path := configured(t, testConfig, catalog)
	file := strings.Replace(path, "dialrouter.yaml", "providers.yaml", 1)
	out, errs, code := runCommand(t, nil, "check", "--config", path)
	want := file + `:4: warning: provider "secure" gets no calls: it takes calls over tls, and sip.listen has no tls:// socket to send them from
` + file + `:12: warning: provider "stream" gets no calls: it takes calls over tcp, and sip.listen has no tcp:// socket to send them from
` + file + `:13: warning: provider "six" gets no calls: 2001:db8::1 is IPv6, and sip.listen has no IPv6 socket for udp
` + path + ": no problems; 6 providers, 0 routes\n"
	if code != 0 || errs != "" || out != want {
		t.Errorf("exit code %d, %s\ngot\n%s\nwant\n%s", code, errs, out, want)
	}
}

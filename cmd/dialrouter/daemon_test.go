package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadPartByPart sends SIGHUP with the configuration, the catalog, or both broken: what is good comes into force,
// what is not is said, and stays as it was.
func TestReloadPartByPart(t *testing.T) {
	t.Parallel()
	entry := func(token string) string {
		sum := sha256.Sum256([]byte(token))
		return fmt.Sprintf("{name: %q, sha256: %q}", token, hex.EncodeToString(sum[:]))
	}
	// The codecs are there to see the router's own part of the configuration change.
	text := func(listen, codecs string, tokens ...string) string {
		for i := range tokens {
			tokens[i] = entry(tokens[i])
		}
		return fmt.Sprintf("sip: {listen: [%s]}\ncatalog: {file: providers.yaml}\ncodecs: %q\n"+
			"admin: {listen: 127.0.0.1:0, tokens: [%s]}\n", listen, codecs, strings.Join(tokens, ", "))
	}
	const (
		udp   = "udp://127.0.0.1:0"
		keep  = "token-that-stays"
		lost  = "token-that-was-lost"
		fresh = "token-that-is-new"

		brokenCatalog = "providers: [{name: x}]\n"
	)
	catalog := func(name string) string {
		return "providers: [{name: " + name + ", hostname: 127.0.0.1:5099, priority: 1}]\n"
	}
	const offer = `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n`
	for name, c := range map[string]struct {
		config, catalog string
		codec           string // RTP's number for the configuration in force: 0 before, 8 after.
		provider        string // Of the catalog in force: before, after.
		fresh           bool   // The new token is good, the lost one is not.
		log             []string
		warnings        []string
	}{
		"both good": {
			text(udp, "PCMA", keep, fresh), catalog("after"), "8", "after", true,
			[]string{`msg="configuration reloaded"`, `msg="catalog reloaded"`},
			nil,
		},
		"broken catalog": {
			text(udp, "PCMA", keep, fresh), brokenCatalog, "8", "before", true,
			[]string{`msg="configuration reloaded"`, `msg="the old catalog stays in force"`},
			[]string{"the old catalog stays in force: "},
		},
		"broken configuration": {
			strings.Replace(text(udp, "PCMA", keep, fresh), "codecs", "codec", 1), catalog("after"), "0", "after", false,
			[]string{":3: codec: unknown key", `msg="the old configuration stays in force"`, `msg="catalog reloaded"`},
			[]string{"the old configuration stays in force"},
		},
		"what cannot change": {
			text("tcp://127.0.0.1:0", "PCMA", keep, fresh), catalog("after"), "0", "after", false,
			[]string{`msg="the old configuration stays in force" error="cannot change while running: sip.listen;`, `msg="catalog reloaded"`},
			[]string{"the old configuration stays in force"},
		},
		"both broken": {
			"zz: 1\n", brokenCatalog, "0", "before", false,
			[]string{":1: zz: unknown key", `msg="the old configuration stays in force"`, `msg="the old catalog stays in force"`},
			[]string{"the old configuration stays in force", "the old catalog stays in force: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := configured(t, text(udp, "PCMU", keep, lost), catalog("before"))
			p := serving(t, config)
			if code, answer := p.ask(t, "", http.MethodGet, "/readyz", ""); code != 200 || answer != "ready\n" {
				t.Errorf("before: %d %s", code, answer)
			}
			for path, text := range map[string]string{config: c.config, p.file("providers.yaml"): c.catalog} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			for _, line := range c.log {
				if !p.logs(line) {
					t.Errorf("not logged: %s", line)
				}
			}
			p.mustBecome(t, keep, http.MethodPost, "/v1.0/plan", `{"number":"+1555","sdp":"`+offer+`"}`,
				`"provider_name":"`+c.provider+`"`, `m=audio 4000 RTP/AVP `+c.codec+`\r\n`)
			for token, want := range map[string]bool{keep: true, fresh: c.fresh, lost: !c.fresh} {
				if code, _ := p.ask(t, token, http.MethodGet, "/v1.0/status", ""); (code == 200) != want {
					t.Errorf("%s: %d", token, code)
				}
			}
			_, answer := p.ask(t, "", http.MethodGet, "/readyz", "")
			if got := strings.Count(answer, "\nwarning: "); got != len(c.warnings) {
				t.Errorf("ready: %s", answer)
			}
			for _, warning := range c.warnings {
				if !strings.Contains(answer, "\nwarning: "+warning) {
					t.Errorf("not told: %s in %s", warning, answer)
				}
			}
			// All is mended by files that are good.
			for path, text := range map[string]string{config: text(udp, "PCMA", fresh), p.file("providers.yaml"): catalog("mended")} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			p.mustBecome(t, fresh, http.MethodPost, "/v1.0/plan", `{"number":"+1555","sdp":"`+offer+`"}`,
				`"provider_name":"mended"`, `m=audio 4000 RTP/AVP 8\r\n`)
			if _, answer := p.ask(t, "", http.MethodGet, "/readyz", ""); answer != "ready\n" {
				t.Errorf("mended: %s", answer)
			}
		})
	}
}

// mustBecome asks until an answer holds all texts.
func (p *process) mustBecome(t *testing.T, token, method, path, body string, texts ...string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		code, answer := p.ask(t, token, method, path, body)
		missing := ""
		for _, text := range texts {
			if code != 200 || !strings.Contains(answer, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s: no %s in %d %s\n%s", method, path, missing, code, answer, p.logged())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestReloadRest changes what is logged, and what providers are set up with.
func TestReloadRest(t *testing.T) {
	t.Parallel()
	base := testConfig + "log: {level: error}\n"
	config := configured(t, base, "providers: []\n")
	p := serving(t, config, "DIALROUTER_ADMIN_TOKEN=hush-hush-hush-hush", "DIALROUTER_TELNYX_URL=")
	const token = "hush-hush-hush-hush"
	setUp := func() (int, string) {
		return p.ask(t, token, http.MethodPost, "/v1.0/providers/setup", `{"carrier":"telnyx","name":"x","credentials":{"api_key":"k"}}`)
	}
	if code, answer := setUp(); code != 400 || !strings.Contains(answer, `"telnyx.sip_fqdn"`) {
		t.Errorf("nothing to set up with: %d %s", code, answer)
	}
	if text := p.logged(); text != "" {
		t.Errorf("logged: %s", text)
	}
	if err := os.WriteFile(config, []byte(testConfig+"log: {level: info}\ntelnyx: {url: \"http://127.0.0.1:1\", sip_fqdn: a.example}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !p.logs("configuration reloaded") {
		t.Errorf("logged: %s", p.logged())
	}
	if code, answer := setUp(); code != 502 {
		t.Errorf("a carrier that is away: %d %s", code, answer)
	}
	if err := os.WriteFile(config, []byte(testConfig+"log: {level: info, format: json}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if !p.logs("cannot change while running: log.format") {
		t.Errorf("logged: %s", p.logged())
	}
}

package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/api"
)

// TestPassword checks that what is printed is what the configuration and the API take.
func TestPassword(t *testing.T) {
	hash, err := hashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	path := configured(t, strings.Replace(testConfig, "admin: {listen: 127.0.0.1:0}",
		`admin: {listen: 127.0.0.1:0, users: [{name: "admin", password: "`+hash+`"}]}`, 1), "providers: []\n")
	cfg, problems := config.Load(path)
	if len(problems) > 0 || cfg.Admin.Users[0].Password != hash {
		t.Errorf("problems %v", problems)
	}
	who, err := loadAccess(cfg, slog.New(slog.DiscardHandler))
	if err != nil || len(who.users) != 1 || len(who.tokens) != 0 || len(who.signingKey) != 32 {
		t.Errorf("%+v, %v", who, err)
	}
	if err := new(api.API).Authorize(nil, who.users, who.signingKey); err != nil {
		t.Error(err)
	}
	if again, err := hashPassword("correct horse"); err != nil || again == hash {
		t.Errorf("the same salt twice: %v", err)
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 1025)} {
		if _, err := hashPassword(bad); err == nil || strings.Contains(err.Error(), "x") {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestReadPassword(t *testing.T) {
	for text, want := range map[string]string{"secret\n": "secret", "secret\r\nmore\n": "secret", "no end": "no end", "": "", " a b \n": " a b "} {
		path := filepath.Join(t.TempDir(), "stdin")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readPassword(f); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		_ = f.Close()
	}
}

func TestTokensAreRandom(t *testing.T) {
	one, other := newToken(), newToken()
	if one == other || !regexp.MustCompile(`^[A-Z2-7]{52}$`).MatchString(one) {
		t.Errorf("tokens %q and %q", one, other)
	}
}

package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/api"
)

// Files beside the catalog. Both are made when they are needed and missing, for the owner only.
const (
	tokenFile = "admin.token" // The API token of a router whose configuration has none.
	keyFile   = "admin.key"   // Signs logins; routers that stand for each other share it.
)

const (
	signingKeySize = 32
	minToken       = 16 // Bytes of a token in tokenFile.
)

// access is who may use the API.
type access struct {
	tokens     []api.Token
	users      []api.User
	signingKey []byte
}

// loadAccess takes tokens and users from the configuration. Where it has neither, a token is made and kept in a file,
// so that a first start needs no thought; only the file's path is told.
func loadAccess(cfg *config.Config, log *slog.Logger) (access, error) {
	var who access
	for _, t := range cfg.Admin.Tokens {
		who.tokens = append(who.tokens, api.Token{Name: t.Name, SHA256: t.SHA256, Permission: api.Permission(t.Permission)})
	}
	for _, u := range cfg.Admin.Users {
		who.users = append(who.users, api.User{Name: u.Name, Password: u.Password, Permission: api.Permission(u.Permission)})
	}
	folder := filepath.Dir(cfg.SIP.RouteKeyFile)
	if cfg.Catalog.File != "" {
		folder = filepath.Dir(cfg.Catalog.File)
	}
	if len(who.users) > 0 {
		key, err := loadSecret(filepath.Join(folder, keyFile), log, func() []byte {
			key := make([]byte, signingKeySize)
			_, _ = rand.Read(key) // Never fails (crypto/rand).
			return key
		})
		if err != nil {
			return access{}, fmt.Errorf("the key that signs logins: %w", err)
		}
		if len(key) < signingKeySize {
			return access{}, fmt.Errorf("the key that signs logins: %s holds less than %d bytes", filepath.Join(folder, keyFile), signingKeySize)
		}
		who.signingKey = key
	}
	if len(who.tokens) == 0 && len(who.users) == 0 {
		path := filepath.Join(folder, tokenFile)
		text, err := loadSecret(path, log, func() []byte { return []byte(newToken() + "\n") })
		token := strings.TrimSpace(string(text))
		if err == nil && len(token) < minToken {
			err = fmt.Errorf("%s holds no token of %d bytes or more", path, minToken)
		}
		if err != nil {
			// Calls need no API.
			log.Error("nobody can use the API: no token is configured, and none could be made", "error", err)
			return access{}, nil
		}
		who.tokens = []api.Token{{
			Name: tokenFile, SHA256: sha256.Sum256([]byte(token)), Permission: api.ProjectSuperAdmin,
		}}
		log.Info("no API token is configured; the one in this file is good", "file", path)
	}
	return who, nil
}

// newToken makes an API token.
func newToken() string { return rand.Text() + rand.Text() }

// loadSecret reads a secret from a file, which is made when it is missing.
func loadSecret(path string, log *slog.Logger, fresh func() []byte) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeSecret(path, fresh()); err == nil || errors.Is(err, fs.ErrExist) {
			secret, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		log.Warn("others may read a secret", "file", path, "mode", info.Mode().Perm().String())
	}
	return secret, nil
}

// writeSecret writes a secret aside and links it into place, whole. The error is fs.ErrExist when another process was
// first.
func writeSecret(path string, secret []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // For the owner only.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(secret)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// Permission is what somebody may do.
type Permission string

// The permissions. The zero value allows nothing.
const (
	// ProjectSuperAdmin may do everything. The name is VoIPBIN's.
	ProjectSuperAdmin Permission = "ProjectSuperAdmin"
	// ProjectViewer may read everything that can be read, and plan calls.
	ProjectViewer Permission = "ProjectViewer"
)

// Token is an API token, known by its hash only.
type Token struct {
	Name       string
	SHA256     [sha256.Size]byte
	Permission Permission
}

// User is somebody who may log in.
type User struct {
	Name       string
	Password   string // An argon2id hash: $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH.
	Permission Permission
}

// accounts are all who may use the API. They are never changed, only followed by others.
type accounts struct {
	tokens []Token
	users  map[string]*account
	key    []byte // Signs what logins get.
}

// account is a user whose password hash was read.
type account struct {
	name       string
	password   hash
	permission Permission
	keys       map[string][]byte // For each purpose of a signed token.
}

// identity is who makes a request.
type identity struct {
	name       string
	permission Permission
}

func (i identity) mayWrite() bool { return i.permission == ProjectSuperAdmin }

func (i identity) mayRead() bool { return i.mayWrite() || i.permission == ProjectViewer }

// Authorize says who may use the API from now on; it may be called again at any time. The signing key, 32 bytes or
// more, makes the tokens of logins good for as long as it stays the same, and may be nil when there are no users. A
// user whose password changes, or who is gone, is logged out.
func (a *API) Authorize(tokens []Token, users []User, signingKey []byte) error {
	next, err := newAccounts(tokens, users, signingKey)
	if err != nil {
		return err
	}
	a.accounts.Store(next)
	return nil
}

const (
	tokenCookie = "token"
	tokenQuery  = "token"
	maxToken    = 8 << 10 // Bytes.
)

// presented returns the token that a request carries, "" for none: the first of cookie, query and header.
func presented(r *http.Request) string {
	for _, c := range r.CookiesNamed(tokenCookie) {
		if c.Value != "" {
			return c.Value
		}
	}
	if token := r.URL.Query().Get(tokenQuery); token != "" {
		return token
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// identify finds out who makes a request.
func (a *API) identify(r *http.Request) (identity, error) {
	token := presented(r)
	if token == "" {
		return identity{}, &fault{
			code: http.StatusUnauthorized, status: statusUnauthenticated, reason: "AUTHENTICATION_REQUIRED",
			message: "Authentication is required.",
		}
	}
	all := a.accounts.Load()
	if len(token) <= maxToken {
		if who, ok := all.byToken(token); ok {
			return who, nil
		}
		if who, ok := all.bySession(token, a.now()); ok {
			return who, nil
		}
	}
	return identity{}, invalidCredentials()
}

func invalidCredentials() *fault {
	return &fault{
		code: http.StatusUnauthorized, status: statusUnauthenticated, reason: "INVALID_CREDENTIALS",
		message: "The provided credentials are invalid.",
	}
}

// byToken looks an API token up. How long it takes does not depend on how near it is to one.
func (a *accounts) byToken(token string) (identity, bool) {
	sum := sha256.Sum256([]byte(token))
	var found identity
	ok := false
	for i := range a.tokens {
		t := &a.tokens[i]
		if subtle.ConstantTimeCompare(sum[:], t.SHA256[:]) == 1 && !ok {
			found, ok = identity{t.Name, t.Permission}, true
		}
	}
	return found, ok && found.mayRead()
}

// newAccounts checks and prepares.
func newAccounts(tokens []Token, users []User, key []byte) (*accounts, error) {
	a := &accounts{tokens: slices.Clone(tokens), users: make(map[string]*account, len(users)), key: slices.Clone(key)}
	for i := range users {
		u, err := newAccount(&users[i], key)
		if err != nil {
			return nil, err
		}
		a.users[u.name] = u
	}
	return a, nil
}

package api

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The purposes of signed tokens. One made for a purpose is good for no other.
const (
	purposeSession = "session" // Stands for a login.
	purposeDevice  = "device"  // Says that this client has logged in before.
)

const (
	issuer = "dialrouter"

	sessionLifetime = 24 * time.Hour
	deviceLifetime  = 90 * 24 * time.Hour

	minSigningKey = 32 // Bytes.
)

var errSigningKey = errors.New("users need a signing key of 32 bytes or more")

// newAccount reads a user's password hash and derives the user's keys. The hash goes into the keys, so that a new
// password makes what was signed before worthless.
func newAccount(u *User, key []byte) (*account, error) {
	if len(key) < minSigningKey {
		return nil, errSigningKey
	}
	password, err := parseHash(u.Password)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", u.Name, err)
	}
	a := &account{name: u.Name, password: password, permission: u.Permission, keys: make(map[string][]byte)}
	for _, purpose := range []string{purposeSession, purposeDevice} {
		info := issuer + "\x00" + purpose + "\x00" + u.Name + "\x00" + u.Password
		if a.keys[purpose], err = hkdf.Key(sha256.New, key, nil, info, sha256.Size); err != nil {
			return nil, fmt.Errorf("deriving keys: %w", err)
		}
	}
	return a, nil
}

// sign makes a token for a purpose.
func (a *account) sign(purpose string, now time.Time, lifetime time.Duration) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    issuer,
		Subject:   a.name,
		Audience:  jwt.ClaimStrings{purpose},
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
		ID:        rand.Text(),
	}).SignedString(a.keys[purpose])
}

// verify returns whose a signed token is, and its id; nil when it is not good for the purpose.
func (a *accounts) verify(token, purpose string, now time.Time) (*account, string) {
	var claims jwt.RegisteredClaims
	var owner *account
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) {
		if owner = a.users[claims.Subject]; owner == nil {
			return nil, jwt.ErrTokenUnverifiable
		}
		return owner.keys[purpose], nil
	},
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(purpose),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	if err != nil {
		return nil, ""
	}
	return owner, claims.ID
}

// bySession looks up whose login a token stands for.
func (a *accounts) bySession(token string, now time.Time) (identity, bool) {
	owner, _ := a.verify(token, purposeSession, now)
	if owner == nil {
		return identity{}, false
	}
	who := identity{owner.name, owner.permission}
	return who, who.mayRead()
}

package api

import (
	"math"
	"net/http"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

const (
	loginPath    = "/auth/login"
	deviceCookie = "dialrouter_device"
	maxSecret    = 1024 // Bytes of a name or password that is worth looking at.
)

// loginAnswer is VoIPBIN's, and when the token ends.
type loginAnswer struct {
	Username string `json:"username"`
	Token    string `json:"token"`
	TmExpire string `json:"tm_expire"`
}

// login gives a token for a name and a password.
func (a *API) login(x *exchange) (any, error) {
	o, err := x.object()
	if err != nil {
		return nil, err
	}
	var username, password string
	o.required("username", &username)
	o.required("password", &password)
	if err := o.done("a login"); err != nil {
		return nil, err
	}
	all := a.accounts.Load()
	owner := all.users[username]
	key, stranger := a.loginKey(x, all, owner)
	now := a.now()
	if wait := a.logins.take(key, stranger, now); wait > 0 {
		return nil, tooMany(wait)
	}
	release, ok := a.logins.slot(x.r.Context(), stranger)
	if !ok {
		return nil, tooMany(loginRefill)
	}
	good := all.check(owner, password)
	release()
	if !good {
		return nil, invalidCredentials()
	}
	a.logins.giveBack(key, stranger)
	x.who = identity{owner.name, owner.permission}
	return a.admit(x, owner, now)
}

// loginKey returns what attempts are counted by, and whether this client was never seen to log in.
func (a *API) loginKey(x *exchange, all *accounts, owner *account) (key string, stranger bool) {
	for _, c := range x.r.CookiesNamed(deviceCookie) {
		if known, id := all.verify(c.Value, purposeDevice, a.now()); known != nil && known == owner {
			return "device " + id, false
		}
	}
	if owner == nil {
		return source(x.r.RemoteAddr), true // All unknown names are one.
	}
	return source(x.r.RemoteAddr) + " " + owner.name, true
}

// check compares a password. For a user that is not there it takes as long as for one that is.
func (a *accounts) check(owner *account, password string) bool {
	if len(password) > maxSecret || len(a.users) == 0 {
		return false
	}
	if owner != nil {
		return owner.password.matches(password)
	}
	nobody := hash{memory: 64 << 10, time: 3, threads: 4, salt: make([]byte, 16), sum: make([]byte, 32)}
	for _, somebody := range a.users {
		nobody.memory, nobody.time, nobody.threads = somebody.password.memory, somebody.password.time, somebody.password.threads
		break
	}
	nobody.matches(password)
	return false
}

// admit makes the tokens of somebody who gave the right password.
func (a *API) admit(x *exchange, owner *account, now time.Time) (any, error) {
	session, err := owner.sign(purposeSession, now, sessionLifetime)
	if err != nil {
		return nil, err
	}
	device, err := owner.sign(purposeDevice, now, deviceLifetime)
	if err != nil {
		return nil, err
	}
	for _, c := range []http.Cookie{
		{Name: tokenCookie, Value: session, Path: "/", MaxAge: int(sessionLifetime / time.Second)},
		{Name: deviceCookie, Value: device, Path: loginPath, MaxAge: int(deviceLifetime / time.Second)},
	} {
		c.HttpOnly, c.SameSite, c.Secure = true, http.SameSiteStrictMode, x.r.TLS != nil
		http.SetCookie(x.w, &c)
	}
	return loginAnswer{Username: owner.name, Token: session, TmExpire: providers.FormatTime(now.Add(sessionLifetime))}, nil
}

func tooMany(wait time.Duration) *fault {
	return &fault{
		code: http.StatusTooManyRequests, status: statusResourceExhausted, reason: "TOO_MANY_LOGINS",
		message: "Too many logins failed; wait, or use an API token.", retry: int(math.Ceil(wait.Seconds())),
	}
}

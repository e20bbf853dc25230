package api

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// bare makes a request without a token.
func bare(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	q := request(t, method, target, body)
	q.Header.Del("Authorization")
	return q
}

// TestWhereTokensAreLookedFor tries every pair of places: the first one found decides, also when it is wrong.
func TestWhereTokensAreLookedFor(t *testing.T) {
	r := newRig(t)
	const none, empty, good, bad = "none", "", adminToken, "wrong-token"
	values := []string{none, empty, good, bad}
	for _, cookie := range values {
		for _, query := range values {
			for _, bearer := range values {
				target := "/v1.0/status"
				if query != none {
					target += "?token=" + query
				}
				q := bare(t, http.MethodGet, target, "")
				if cookie != none {
					q.AddCookie(&http.Cookie{Name: "token", Value: cookie})
				}
				if bearer != none {
					q.Header.Set("Authorization", "Bearer "+bearer)
				}
				code, reason := 401, "AUTHENTICATION_REQUIRED"
				for _, v := range []string{cookie, query, bearer} {
					if v == good {
						code, reason = 200, ""
						break
					}
					if v == bad {
						reason = "INVALID_CREDENTIALS"
						break
					}
				}
				a := r.send(t, q)
				if a.code != code || code != 200 && a.reason(t) != reason {
					t.Errorf("cookie %q, query %q, bearer %q: %d %s", cookie, query, bearer, a.code, a.body)
				}
				if (a.header.Get("WWW-Authenticate") == "Bearer") != (code == 401) {
					t.Errorf("headers %v", a.header)
				}
			}
		}
	}
}

func TestOddHeaders(t *testing.T) {
	r := newRig(t)
	for header, code := range map[string]int{
		"bearer " + adminToken: 200, "BEARER  " + adminToken + " ": 200,
		"Basic " + adminToken: 401, adminToken: 401, "Bearer": 401, "Bearer ": 401, "Bearer " + adminToken + ",x": 401,
		"Bearer " + strings.ToUpper(adminToken): 401, "Bearer " + adminToken[:10]: 401, "Bearer " + strings.Repeat("x", 60_000): 401,
	} {
		q := bare(t, http.MethodGet, "/v1.0/status", "")
		q.Header.Set("Authorization", header)
		if a := r.send(t, q); a.code != code {
			t.Errorf("%.40q: %d", header, a.code)
		}
	}
	q := bare(t, http.MethodGet, "/v1.0/status", "")
	q.Header.Set("Cookie", "token=; other=x; token="+adminToken)
	r.send(t, q).must(t, 200, "")
}

// TestWhoMayDoWhat asks for everything that is served as everybody there is.
func TestWhoMayDoWhat(t *testing.T) {
	r := newRig(t)
	for _, e := range r.api.endpoints() {
		target := strings.NewReplacer("{id}", nobody, "{n}", "999").Replace(e.path)
		for token, who := range map[string]string{
			"": "nobody", "wrong": "wrong", "a-token-without-permission": "without", viewerToken: "viewer", adminToken: "admin",
		} {
			q := bare(t, e.method, target, "")
			if token != "" {
				q.Header.Set("Authorization", "Bearer "+token)
			}
			a := r.send(t, q)
			refused := a.code == 401 || a.code == 403
			switch {
			case e.open:
				a.must(t, 400, "INVALID_JSON_BODY")
			case who == "nobody":
				a.must(t, 401, "AUTHENTICATION_REQUIRED")
			case who == "wrong", who == "without":
				a.must(t, 401, "INVALID_CREDENTIALS")
			case who == "viewer" && e.write:
				a.must(t, 403, "PERMISSION_DENIED")
			case refused:
				t.Errorf("%s %s as %s: %d", e.method, target, who, a.code)
			}
		}
	}
	for _, target := range []string{"/", "/v1.0/call", "/v1.0//x", "/debug/pprof/"} {
		r.send(t, bare(t, http.MethodGet, target, "")).must(t, 401, "AUTHENTICATION_REQUIRED")
	}
	r.send(t, bare(t, http.MethodDelete, "/v1.0/providers", "")).must(t, 401, "AUTHENTICATION_REQUIRED")
}

func TestWritesOfViewersNeedNoReading(t *testing.T) {
	writes := map[string]bool{}
	r := newRig(t)
	for _, e := range r.api.endpoints() {
		if e.write {
			writes[e.name] = true
		} else if e.method != http.MethodGet && e.name != "planCall" && e.name != "login" {
			t.Errorf("%s %s needs no permission", e.method, e.path)
		}
	}
	if len(writes) != 9 {
		t.Errorf("writes %v", writes)
	}
}

// TestTokensStayOutOfTheLog sends tokens wherever they can be, and passwords.
func TestTokensStayOutOfTheLog(t *testing.T) {
	r := newRig(t)
	r.send(t, bare(t, http.MethodGet, "/v1.0/providers?token="+adminToken+"&page_size=1", "")).must(t, 200, "")
	r.send(t, bare(t, http.MethodPost, "/v1.0/providers?token="+adminToken, "{")).must(t, 400, "")
	r.send(t, bare(t, http.MethodGet, "/v1.0/providers?token=wrong-but-secret", "")).must(t, 401, "")
	r.send(t, bare(t, http.MethodGet, "/nowhere?token="+adminToken, "")).must(t, 404, "")
	login := r.send(t, bare(t, http.MethodPost, "/auth/login", `{"username":"admin","password":"correct horse"}`))
	login.must(t, 200, "")
	r.send(t, bare(t, http.MethodPost, "/auth/login", `{"username":"admin","password":"wrong-but-secret"}`)).must(t, 401, "")
	log := r.log.String()
	if strings.Count(log, "api request") != 6 {
		t.Errorf("log %s", log)
	}
	for _, secret := range []string{adminToken, "wrong-but-secret", "correct horse", login.fields(t)["token"].(string), "token="} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if !strings.Contains(log, "path=/auth/login") || !strings.Contains(log, "actor=admin") {
		t.Errorf("log %s", log)
	}
}

// login logs in and returns the session's token and the cookies.
func (r *rig) login(t *testing.T, user string) (token string, cookies []*http.Cookie) {
	t.Helper()
	a := r.send(t, bare(t, http.MethodPost, "/auth/login", `{"username":"`+user+`","password":"correct horse"}`))
	a.must(t, 200, "")
	response := http.Response{Header: a.header}
	return a.fields(t)["token"].(string), response.Cookies()
}

func (r *rig) as(t *testing.T, token, method, target, body string) answer {
	t.Helper()
	q := bare(t, method, target, body)
	q.Header.Set("Authorization", "Bearer "+token)
	return r.send(t, q)
}

func TestLogin(t *testing.T) {
	r := newRig(t)
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	now := start
	r.api.now = func() time.Time { return now }
	a := r.send(t, bare(t, http.MethodPost, "/auth/login", `{"username":"admin","password":"correct horse"}`))
	m := a.fields(t)
	token := m["token"].(string)
	if a.code != 200 || m["username"] != "admin" || m["tm_expire"] != "2026-11-23T10:00:00.000000Z" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	response := http.Response{Header: a.header}
	cookies := response.Cookies()
	if len(cookies) != 2 || cookies[0].Name != "token" || cookies[0].Value != token {
		t.Fatalf("cookies %v", cookies)
	}
	for _, c := range cookies {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge < 3600 {
			t.Errorf("cookie %v", c)
		}
	}
	q := bare(t, http.MethodPost, "/v1.0/providers", newProvider)
	q.AddCookie(cookies[0])
	r.send(t, q).must(t, 200, "")
	if by := r.good(t, http.MethodGet, "/v1.0/audit?page_size=1", "").body; !strings.Contains(by,
		`"by":{"name":"admin","remote":"192.0.2.1:1234","request_id":"test-1"}`) {
		t.Errorf("noted %s", by)
	}
	viewer, _ := r.login(t, "viewer")
	r.as(t, viewer, http.MethodGet, "/v1.0/providers", "").must(t, 200, "")
	r.as(t, viewer, http.MethodPost, "/v1.0/providers", newProvider).must(t, 403, "PERMISSION_DENIED")

	// The end of it.
	now = start.Add(sessionLifetime - time.Second)
	r.as(t, token, http.MethodGet, "/v1.0/status", "").must(t, 200, "")
	now = start.Add(sessionLifetime + time.Second)
	r.as(t, token, http.MethodGet, "/v1.0/status", "").must(t, 401, "INVALID_CREDENTIALS")

	// By TLS the cookies are for TLS only.
	q = bare(t, http.MethodPost, "https://r.example/auth/login", `{"username":"admin","password":"correct horse"}`)
	response = http.Response{Header: r.send(t, q).header}
	for _, c := range response.Cookies() {
		if !c.Secure {
			t.Errorf("cookie %v", c)
		}
	}
}

// TestLoginsThatAreNone forges tokens.
func TestLoginsThatAreNone(t *testing.T) {
	r := newRig(t)
	token, cookies := r.login(t, "admin")
	r.as(t, token, http.MethodGet, "/v1.0/status", "").must(t, 200, "")
	parts := strings.Split(token, ".")
	all := r.api.accounts.Load()
	admin := all.users["admin"]
	now := time.Now()
	claims := jwt.RegisteredClaims{
		Issuer: issuer, Subject: "admin", Audience: jwt.ClaimStrings{purposeSession}, ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}
	sign := func(method jwt.SigningMethod, key any, change func(*jwt.RegisteredClaims)) string {
		c := claims
		change(&c)
		s, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	same := func(*jwt.RegisteredClaims) {}
	key := admin.keys[purposeSession]
	r.as(t, sign(jwt.SigningMethodHS256, key, same), http.MethodGet, "/v1.0/status", "").must(t, 200, "") // The forger has the key.
	for name, forged := range map[string]string{
		"no signature":      parts[0] + "." + parts[1] + ".",
		"other signature":   parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"other head":        sign(jwt.SigningMethodHS512, key, same),
		"none":              sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"the signing key":   sign(jwt.SigningMethodHS256, testKey(), same),
		"no key":            sign(jwt.SigningMethodHS256, []byte{}, same),
		"another's key":     sign(jwt.SigningMethodHS256, all.users["viewer"].keys[purposeSession], same),
		"of a device":       cookies[1].Value,
		"device's key":      sign(jwt.SigningMethodHS256, admin.keys[purposeDevice], same),
		"no end":            sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"ended":             sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Second)) }),
		"not begun":         sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Hour)) }),
		"other issuer":      sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.Issuer = "x" }),
		"other purpose":     sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{purposeDevice} }),
		"no purpose":        sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.Audience = nil }),
		"unknown user":      sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.Subject = "root" }),
		"viewer's as admin": sign(jwt.SigningMethodHS256, key, func(c *jwt.RegisteredClaims) { c.Subject = "viewer" }),
		"dots":              "..",
		"a hash":            "3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
	} {
		if a := r.as(t, forged, http.MethodGet, "/v1.0/status", ""); a.code != 401 || a.reason(t) != "INVALID_CREDENTIALS" {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
	}
}

// TestAuthorizeAgain changes who may do what while somebody is logged in.
func TestAuthorizeAgain(t *testing.T) {
	r := newRig(t)
	token, _ := r.login(t, "admin")
	// With a salt of "othersalt": the same password anew.
	const anew = "$argon2id$v=19$m=64,t=1,p=1$b3RoZXJzYWx0$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8"
	steps := []struct {
		name  string
		users []User
		key   []byte
		code  int
	}{
		{"the same", testUsers(), testKey(), 200},
		{"viewer now", []User{{Name: "admin", Password: adminHash, Permission: ProjectViewer}}, testKey(), 403},
		{"another password", []User{{Name: "admin", Password: anew, Permission: ProjectSuperAdmin}}, testKey(), 401},
		{"another key", testUsers(), make([]byte, 32), 401},
		{"nobody", nil, nil, 401},
		{"the same again", testUsers(), testKey(), 200},
	}
	for _, s := range steps {
		if err := r.api.Authorize(testTokens(), s.users, s.key); err != nil {
			t.Fatal(err)
		}
		if a := r.as(t, token, http.MethodPost, "/v1.0/reload", ""); a.code != s.code {
			t.Errorf("%s: %d %s", s.name, a.code, a.body)
		}
	}
	if err := r.api.Authorize([]Token{{Name: "new", SHA256: sha256.Sum256([]byte("new")), Permission: ProjectSuperAdmin}}, nil, nil); err != nil {
		t.Fatal(err)
	}
	r.as(t, adminToken, http.MethodGet, "/v1.0/status", "").must(t, 401, "INVALID_CREDENTIALS")
	r.as(t, "new", http.MethodGet, "/v1.0/status", "").must(t, 200, "")
	for name, users := range map[string][]User{
		"no hash": {{Name: "admin", Password: "correct horse"}}, "no key": {{Name: "admin", Password: adminHash}},
	} {
		key := testKey()
		if name == "no key" {
			key = key[:31]
		}
		if err := r.api.Authorize(nil, users, key); err == nil || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.as(t, "new", http.MethodGet, "/v1.0/status", "").must(t, 200, "") // What failed changed nothing.
}

func TestHashes(t *testing.T) {
	h, err := parseHash(adminHash)
	if err != nil || !h.matches("correct horse") || h.matches("correct hors") || h.matches("") {
		t.Errorf("hash %+v, %v", h, err)
	}
	for _, s := range []string{
		"", "correct horse", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=19$m=64,t=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=19$m=64,t=1,p=1,x$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=19$m=64,t=1,p=1$$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$!!!!",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$3j0+S6gGV20Zdm+eoztdkLUvOKbucBG7gA8asDqV4P8$x",
	} {
		if _, err := parseHash(s); err == nil {
			t.Errorf("%q is a hash", s)
		}
	}
}

// TestOtherSites sends what a browser sends for a page of another site.
func TestOtherSites(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct {
		header, value string
		code          int
	}{
		"no browser": {"X-None", "x", 200}, "same site": {"Sec-Fetch-Site", "same-origin", 200}, "typed": {"Sec-Fetch-Site", "none", 200},
		"other site": {"Sec-Fetch-Site", "cross-site", 403}, "neighbour": {"Sec-Fetch-Site", "same-site", 403},
		"old browser": {"Origin", "https://evil.example", 403}, "old browser here": {"Origin", "http://example.com", 200},
		"nowhere": {"Origin", "null", 403},
	} {
		q := bare(t, http.MethodDelete, "/v1.0/routes/"+routeA, "")
		q.AddCookie(&http.Cookie{Name: "token", Value: adminToken})
		q.Header.Set(c.header, c.value)
		if a := r.send(t, q); a.code != c.code && (c.code != 200 || a.code != 404) || a.code == 403 && a.reason(t) != "CROSS_ORIGIN_REFUSED" {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
		q = bare(t, http.MethodGet, "/v1.0/status", "")
		q.AddCookie(&http.Cookie{Name: "token", Value: adminToken})
		q.Header.Set(c.header, c.value)
		if a := r.send(t, q); a.code != 200 || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s reads: %d", name, a.code)
		}
	}
	q := bare(t, http.MethodPost, "/auth/login", `{"username":"admin","password":"correct horse"}`)
	q.Header.Set("Origin", "https://evil.example")
	if a := r.send(t, q); a.code != 403 || len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("login for another site: %d %v", a.code, a.header)
	}
}

func TestRequestIDs(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("x", 64)
	for given, echoed := range map[string]bool{
		"a": true, "A-Z_a-z-09": true, long: true, long + "x": false, "": false, "a b": false, "a\tb": false, "ä": false, "a\"b": false,
		"a.b": false, "a:b": false, "{a}": false, "a@b": false, "`": false, "[": false, "a/b": false,
	} {
		q := request(t, http.MethodGet, "/v1.0/nowhere", "")
		q.Header.Set(requestIDHeader, given)
		a := r.send(t, q)
		got := a.header.Get(requestIDHeader)
		if (got == given) != echoed || len(got) > 64 || got == "" {
			t.Errorf("%q: %q", given, got)
		}
		if !echoed && (len(got) != 30 || !strings.HasPrefix(got, "req_")) {
			t.Errorf("made %q", got)
		}
	}
	w := httptest.NewRecorder()
	q := request(t, http.MethodGet, "/v1.0/status", "")
	q.Header["X-Request-Id"] = []string{"one", "two"}
	r.api.ServeHTTP(w, q)
	if got := w.Header().Values(requestIDHeader); len(got) != 1 || got[0] != "one" {
		t.Errorf("ids %q", got)
	}
}

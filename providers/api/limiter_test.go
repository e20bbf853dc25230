package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// attempt tries to log in from an address.
func (r *rig) attempt(t *testing.T, from, user, password string, cookies ...*http.Cookie) answer {
	t.Helper()
	q := bare(t, http.MethodPost, "/auth/login", `{"username":"`+user+`","password":"`+password+`"}`)
	q.RemoteAddr = from
	for _, c := range cookies {
		q.AddCookie(c)
	}
	return r.send(t, q)
}

// TestFailedLogins floods, and shows that nobody else is kept out by it.
func TestFailedLogins(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	r.api.now = func() time.Time { return now }
	const attacker, operator = "198.51.100.1:1000", "203.0.113.1:2000"
	_, cookies := r.login(t, "admin") // From 192.0.2.1.
	var last answer
	for i := range loginBurst + 1 {
		last = r.attempt(t, fmt.Sprintf("198.51.100.1:%d", 1000+i), "admin", "wrong")
		if (last.code == 401) != (i < loginBurst) {
			t.Errorf("attempt %d: %d %s", i+1, last.code, last.body)
		}
	}
	last.must(t, 429, "TOO_MANY_LOGINS")
	if wait, err := strconv.Atoi(last.header.Get("Retry-After")); err != nil || wait < 1 || wait > 2 {
		t.Errorf("Retry-After %q", last.header.Get("Retry-After"))
	}
	r.attempt(t, attacker, "admin", "correct horse").must(t, 429, "TOO_MANY_LOGINS") // Not even the right one, or it would be a guess more.

	// The operator comes in: from elsewhere; from the same address with a cookie of a login before; with a token; as
	// another user; and from the same address as soon as the answer says.
	r.attempt(t, operator, "admin", "correct horse").must(t, 200, "")
	r.attempt(t, attacker, "admin", "correct horse", cookies...).must(t, 200, "")
	q := request(t, http.MethodGet, "/v1.0/status", "")
	q.RemoteAddr = attacker
	r.send(t, q).must(t, 200, "")
	r.attempt(t, attacker, "viewer", "correct horse").must(t, 200, "")
	now = now.Add(loginRefill)
	r.attempt(t, attacker, "admin", "correct horse").must(t, 200, "")
	// And the good one forgives the bad ones before.
	for range loginBurst {
		r.attempt(t, attacker, "admin", "wrong").must(t, 401, "")
	}
	r.attempt(t, attacker, "admin", "wrong").must(t, 429, "")

	// A cookie that was stolen, or another user's, is no way around.
	for range loginBurst {
		r.attempt(t, attacker, "admin", "wrong", cookies...).must(t, 401, "")
	}
	r.attempt(t, attacker, "admin", "wrong", cookies...).must(t, 429, "")
	now = now.Add(time.Minute) // All strangers are bounded too.
	for range loginBurst {
		r.attempt(t, attacker, "viewer", "wrong", cookies...).must(t, 401, "")
	}
	r.attempt(t, attacker, "viewer", "wrong", cookies...).must(t, 429, "")
	r.attempt(t, attacker, "viewer", "wrong").must(t, 429, "") // They were counted as a stranger's.
}

// TestManyStrangers tries from everywhere: all strangers together are bounded, and those who were here before are not.
func TestManyStrangers(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	r.api.now = func() time.Time { return now }
	_, cookies := r.login(t, "admin")
	checked := 0
	for i := range 100 {
		a := r.attempt(t, fmt.Sprintf("[2001:db8:%x::1]:5000", i), "admin", "wrong")
		if a.code == 401 {
			checked++
		} else {
			a.must(t, 429, "TOO_MANY_LOGINS")
		}
	}
	if checked != strangersBurst {
		t.Errorf("%d passwords checked", checked)
	}
	r.attempt(t, "[2001:db8:ffff::1]:5000", "admin", "correct horse", cookies...).must(t, 200, "")
	r.good(t, http.MethodGet, "/v1.0/status", "")
	now = now.Add(strangersRefill)
	r.attempt(t, "[2001:db8:fffe::1]:5000", "admin", "correct horse").must(t, 200, "")
}

// TestNamesAreNotTold compares what is answered for users that are there and such that are not.
func TestNamesAreNotTold(t *testing.T) {
	r := newRig(t)
	known := r.attempt(t, "198.51.100.1:1", "admin", "wrong")
	unknown := r.attempt(t, "198.51.100.2:1", "root", "wrong")
	if known.body != unknown.body || known.code != unknown.code {
		t.Errorf("known %s, unknown %s", known.body, unknown.body)
	}
	// Unknown names are one name, so that making up names is no way around.
	for i := range loginBurst {
		r.attempt(t, "198.51.100.3:1", fmt.Sprintf("user%d", i), "wrong").must(t, 401, "")
	}
	r.attempt(t, "198.51.100.3:1", "another", "wrong").must(t, 429, "")
	r.attempt(t, "198.51.100.4:1", "admin", strings.Repeat("x", maxSecret+1)).must(t, 401, "INVALID_CREDENTIALS")
	if err := r.api.Authorize(testTokens(), nil, nil); err != nil {
		t.Fatal(err)
	}
	r.attempt(t, "198.51.100.5:1", "admin", "correct horse").must(t, 401, "INVALID_CREDENTIALS")
}

// TestOnePasswordAtATime logs in many times at once.
func TestOnePasswordAtATime(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for i := range 15 {
		all.Go(func() { r.attempt(t, fmt.Sprintf("198.51.100.%d:1", i), "admin", "correct horse").must(t, 200, "") })
	}
	all.Wait()
	// A slot that is taken for too long.
	r.api.logins.strangers <- struct{}{}
	q := bare(t, http.MethodPost, "/auth/login", `{"username":"admin","password":"correct horse"}`)
	ctx, cancel := contextWithTimeout(t, 10*time.Millisecond)
	defer cancel()
	r.send(t, q.WithContext(ctx)).must(t, 429, "TOO_MANY_LOGINS")
	<-r.api.logins.strangers
}

func TestSources(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[2001:db8::1:2:3:4]:1": "2001:db8::/64",
		"[2001:db8::9]:2": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64", "@": "@", "": "",
	} {
		if got := source(remote); got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}

// TestBucketsAreBounded tries from more addresses than are remembered.
func TestBucketsAreBounded(t *testing.T) {
	l := newLimiter()
	now := time.Now()
	for i := range 3 * maxBuckets {
		l.take(strconv.Itoa(i), false, now)
	}
	if len(l.buckets) > maxBuckets+1 {
		t.Errorf("%d buckets", len(l.buckets))
	}
	if l.take("one more", false, now) == 0 {
		t.Error("whoever comes late is not limited")
	}
	now = now.Add(time.Hour)
	if l.take("one more", false, now) != 0 || len(l.buckets) > 2 {
		t.Errorf("%d buckets an hour later", len(l.buckets))
	}
}

package router

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/icholy/digest"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/router/message"
)

// TestChallengeVectors checks answers against those that the RFCs print.
func TestChallengeVectors(t *testing.T) {
	for _, tt := range []struct {
		name, challenge, user, password, method, uri, cnonce, want string
	}{
		{
			"RFC 2617 section 3.5",
			`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b", "6629fae49393a05397450978507c4ef1",
		},
		{
			"RFC 7616 section 3.9.1, MD5",
			`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec",
		},
		{
			"RFC 7616 section 3.9.1, SHA-256",
			`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
		},
	} {
		c, ok := readChallenge([]byte(tt.challenge))
		if !ok {
			t.Fatalf("%s is not read", tt.name)
		}
		cred, err := digest.Digest(&c, digest.Options{Method: tt.method, URI: tt.uri, Count: 1, Username: tt.user, Password: tt.password, Cnonce: tt.cnonce})
		if err != nil || cred.Response != tt.want || cred.QOP != "auth" {
			t.Errorf("%s: response %q, qop %q, %v; want %q", tt.name, cred.Response, cred.QOP, err, tt.want)
		}
	}
}

func TestReadChallenge(t *testing.T) {
	for in, want := range map[string]string{
		`Digest realm="a", nonce="n"`:                                    `a n   []`,
		"digest\r\n\tREALM = \"a=B, C\",\r\n Nonce=\"N=\" , STALE=true":  `a=B, C N=   []`,
		`Digest realm="A \"B\" \\", nonce="n\\", algorithm=sha-256`:      `A "B" \ n\ sha-256  []`,
		`Digest realm="", nonce="n", qop="AUTH , auth-int", opaque="o="`: ` n  o= [auth auth-int]`,
		`Digest nonce="n", algorithm=MD5-sess`:                           "",
		`Digest nonce="n", qop="auth-conf"`:                              "",
		`Digest nonce="n`:                                                "",
		`Digest nonce`:                                                   "",
		`Digest`:                                                         "",
		``:                                                               "",
		`Basic realm="x"`:                                                "",
		`Digest realm="x"`:                                               "",
		`Digest nonce="` + strings.Repeat("n", longestChallenge) + `"`: "",
	} {
		c, ok := readChallenge([]byte(in))
		got := ""
		if ok {
			got = fmt.Sprintf("%s %s %s %s %v", c.Realm, c.Nonce, c.Algorithm, c.Opaque, c.QOP)
		}
		if got != want {
			t.Errorf("%.60q is read as %q, want %q", in, got, want)
		}
	}
}

// FuzzChallenge checks that whatever a provider asks, the answer is one header line that names what was asked for.
func FuzzChallenge(f *testing.F) {
	f.Add([]byte(`Digest realm="a", nonce="n", qop="auth,auth-int", opaque="\"", algorithm=SHA-256`))
	f.Add([]byte("digest\r\n\tREALM = \"a=B\\\\\",\r\n Nonce=\"N\", userhash=true"))
	f.Add([]byte("Digest realm=\"\xff\x00\", nonce=\"\u200b\""))
	f.Fuzz(func(t *testing.T, value []byte) {
		ch, ok := readChallenge(value)
		if !ok {
			return
		}
		var m message.Message
		if err := m.Parse([]byte("INVITE sip:a@b SIP/2.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		c := &account{Credentials: providers.Credentials{Username: "dial", Password: "hunter2"}}
		line := c.prove(nil, &nonce{Challenge: ch}, &m)
		if err := m.Parse(append(append([]byte("INVITE sip:a@b SIP/2.0\r\n"), line...), "\r\n"...)); err != nil || len(m.Headers) != 1 {
			t.Fatalf("%q is answered %q: %v", value, line, err)
		}
		if m.Headers[0].Kind != message.Authorization || strings.Contains(string(line), "hunter2") {
			t.Fatalf("%q is answered %q", value, line)
		}
	})
}

func TestAccountRemembers(t *testing.T) {
	c := new(account)
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port) }
	have := func(port uint16, now int64) string {
		var s []string
		for _, p := range c.known(nil, at(port), now) {
			s = append(s, p.Nonce)
		}
		return strings.Join(s, " ")
	}
	if got := have(1, 0); got != "" {
		t.Errorf("a new account knows %q", got)
	}
	for i, n := range []*nonce{
		{Challenge: digest.Challenge{Realm: "a", Nonce: "a1"}, from: at(1)},
		{Challenge: digest.Challenge{Realm: "a", Nonce: "a2"}, from: at(2)},
		{Challenge: digest.Challenge{Realm: "b", Nonce: "b1"}, from: at(1)},
		{Challenge: digest.Challenge{Realm: "a", Nonce: "p1"}, from: at(1), proxy: true},
		{Challenge: digest.Challenge{Realm: "a", Nonce: "a1'"}, from: at(1)},
	} {
		n.since = int64(i)
		c.remember(n, n.since)
	}
	if got, want := have(1, 5), "a1' p1 b1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := have(1, int64(nonceLife)+3), "a1'"; got != want {
		t.Errorf("after its life: %q, want %q", got, want)
	}
	c.forget(at(1))
	if have(1, 5) != "" || have(2, 5) != "a2" {
		t.Errorf("forgetting one address leaves %q and %q", have(1, 5), have(2, 5))
	}
	for i := range 2 * mostProofs {
		c.remember(&nonce{Challenge: digest.Challenge{Realm: fmt.Sprint(i), Nonce: "n"}, from: at(1)}, 10)
	}
	if n := len(c.known(nil, at(1), 10)); n != mostProofs {
		t.Errorf("%d proofs for one request, want %d", n, mostProofs)
	}
	for i := range uint16(1000) {
		c.remember(&nonce{Challenge: digest.Challenge{Nonce: "n"}, from: at(i)}, 10)
	}
	if n := len(*c.nonces.Load()); n != nonceLimit || have(999, 10) != "n" {
		t.Errorf("%d nonces are kept, want %d with the newest", n, nonceLimit)
	}
}

// TestLogonsEnd checks that no provider keeps us asking for ever, or makes a request grow.
func TestLogonsEnd(t *testing.T) {
	c := &account{Credentials: providers.Credentials{Username: "dial"}}
	ask := func(realm, n string, stale bool) *nonce {
		return &nonce{Challenge: digest.Challenge{Realm: realm, Nonce: n, Stale: stale}}
	}
	for name, next := range map[string]func(i int) []*nonce{
		"stale again and again": func(i int) []*nonce { return []*nonce{ask("a", fmt.Sprint(i), true)} },
		"new realms":            func(i int) []*nonce { return []*nonce{ask(fmt.Sprint(i), "n", false)} },
		"many realms at once": func(int) []*nonce {
			return []*nonce{ask("a", "n", false), ask("b", "n", false), ask("c", "n", false), ask("d", "n", false), ask("e", "n", false)}
		},
		"two in turns": func(i int) []*nonce { return []*nonce{ask(fmt.Sprint(i%2), fmt.Sprint(i), true)} },
		"the same":     func(int) []*nonce { return []*nonce{ask("a", "n", true)} },
		"nothing":      func(int) []*nonce { return nil },
	} {
		l := c.logOn(nil, netip.AddrPort{}, 1)
		for i := 0; l != nil; i++ {
			if i > maxShift || len(l.proofs) > mostProofs || l.repeats != uint32(i) {
				t.Fatalf("%s: after %d times %d repeats, %d proofs", name, i, l.repeats, len(l.proofs))
			}
			l = l.answering(next(i))
		}
	}
	l := &logon{account: c, repeats: maxShift}
	if l.answering([]*nonce{ask("a", "n", false)}) != nil {
		t.Error("the room between two numbers of the caller is used up, and still we answer")
	}
}

func TestAccountsOutliveSnapshots(t *testing.T) {
	var all accounts
	p := providers.Provider{ID: uuid.New(), Credentials: providers.Credentials{Username: "dial", Password: "x"}}
	if all.account(&providers.Provider{ID: uuid.New()}) != nil {
		t.Error("a provider without credentials has an account")
	}
	c := all.account(&p)
	if all.account(p.Clone()) != c {
		t.Error("the account is not the provider's")
	}
	p.Credentials.Password = "y"
	changed := all.account(&p)
	if changed == c || changed.Password != "y" {
		t.Error("new credentials and the old account")
	}
	all.keep(map[uuid.UUID]int32{p.ID: 0})
	if all.account(&p) != changed {
		t.Error("a provider that stays lost its account")
	}
	r := newBed(t).Router
	r.accounts.account(&p)
	r.install(r.current.Load())
	if len(r.accounts.of) != 0 {
		t.Error("a provider that went kept its account")
	}
}

// TestRenumberedAreForgotten checks that an INVITE which was sent again is known for as long as its call lives, and no longer.
func TestRenumberedAreForgotten(t *testing.T) {
	w := newBed(t).w
	r := &w.r.renumbered
	key := w.renumberedKey([]byte("call"), []byte("tag"), 101)
	if key == w.renumberedKey([]byte("call"), []byte("tag"), 102) || key == w.renumberedKey([]byte("cal"), []byte("ltag"), 101) {
		t.Error("two INVITEs have one key")
	}
	c := w.open(inside)
	for range 2 { // Sent again twice.
		c.addAttempt(&attempts{}).auth = &logon{inside: key}
	}
	r.note(key, 110)
	r.note(key, 111)
	if seq, ok := r.find(key); !ok || seq != 111 || r.count.Load() != 1 {
		t.Errorf("%d, %v, %d of them", seq, ok, r.count.Load())
	}
	w.releaseLocked(c)
	c.mu.Unlock()
	if _, ok := r.find(key); ok || r.count.Load() != 0 {
		t.Error("it outlived its call")
	}
}

func TestNextNonce(t *testing.T) {
	for in, want := range map[string]string{
		`nextnonce="n"`: "n",
		`qop=auth, rspauth="r", cnonce="c", nc=00000001, NextNonce = "a b"`: "a b",
		`rspauth="r"`: "",
		`nextnonce=`:  "",
		``:            "",
	} {
		if got, ok := nextNonce([]byte(in)); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v, want %q", in, got, ok, want)
		}
	}
}

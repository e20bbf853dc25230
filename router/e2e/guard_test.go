package e2e

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"testing"
)

// guard is a provider's side of digest authentication, computed here by the letter of RFC 7616.
type guard struct {
	code           int // 401 or 407.
	realm, user    string
	password       string
	algorithm, qop string // As in the challenge; "" leaves the parameter out.
	more           string // More parameters of the challenge, from their comma on.
	opaque         string
}

// gate is a guard that asks by 407 for the credentials of the tests' providers.
func gate() *guard {
	return &guard{code: 407, realm: "b.example", user: "dial", password: "secret", algorithm: "MD5", qop: "auth"}
}

// guarded is an entry for a provider with these credentials.
func (g *guard) guarded(name string, at *peer, more ...string) string {
	return trunk(name, at, append([]string{fmt.Sprintf("credentials: {username: %q, password: %q}", g.user, g.password)}, more...)...)
}

// line is the header that asks, with a nonce.
func (g *guard) line(nonce string) string {
	name := "WWW-Authenticate"
	if g.code == 407 {
		name = "Proxy-Authenticate"
	}
	line := fmt.Sprintf("%s: Digest realm=%q, nonce=%q", name, g.realm, nonce)
	if g.algorithm != "" {
		line += ", algorithm=" + g.algorithm
	}
	if g.qop != "" {
		line += fmt.Sprintf(", qop=%q", g.qop)
	}
	if g.opaque != "" {
		line += fmt.Sprintf(", opaque=%q", g.opaque)
	}
	return line + g.more
}

// ask answers a request with a challenge, and takes the ACK if it was an INVITE.
func (g *guard) ask(t *testing.T, p *peer, req *msg, nonce string) {
	t.Helper()
	rep := p.reply(req, g.code).add(g.line(nonce))
	p.respond(t, req, rep)
	if req.method() != "INVITE" {
		return
	}
	ack := p.expectNew(t, request("ACK").of(req.get("Call-ID")).and("for this one", func(m *msg) bool {
		return m.list("Via")[0] == req.list("Via")[0]
	}))
	was, _ := req.cseq()
	if n, _ := ack.cseq(); n != was || ack.get("To") != rep.get("To") {
		t.Errorf("the ACK to the challenge of CSeq %d, To %q is\n%s", was, rep.get("To"), ack.raw)
	}
}

// proof is what a request says to a guard: the parameters of the credentials for its realm, nil when there are none.
func (g *guard) proof(req *msg) map[string]string {
	name := "Authorization"
	if g.code == 407 {
		name = "Proxy-Authorization"
	}
	for _, value := range req.all(name) {
		rest, ok := strings.CutPrefix(value, "Digest ")
		if !ok {
			continue
		}
		proof := make(map[string]string)
		for _, part := range splitList(rest) {
			key, v, _ := strings.Cut(part, "=")
			if unquoted, err := strconv.Unquote(v); err == nil {
				v = unquoted
			}
			proof[key] = v
		}
		if proof["realm"] == g.realm {
			return proof
		}
	}
	return nil
}

// check checks that a request proves to the guard who sent it, with this nonce used for the nth time.
func (g *guard) check(t *testing.T, req *msg, nonce string, nth int) {
	t.Helper()
	p := g.proof(req)
	if p == nil {
		t.Fatalf("no credentials for %q in\n%s", g.realm, req.raw)
	}
	sum := func(text string) string {
		var h hash.Hash
		switch g.algorithm {
		case "SHA-256":
			h = sha256.New()
		case "SHA-512-256":
			h = sha512.New512_256()
		default:
			h = md5.New()
		}
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil))
	}
	a1 := sum(g.user + ":" + g.realm + ":" + g.password)
	a2 := req.method() + ":" + p["uri"]
	if p["qop"] == "auth-int" {
		a2 += ":" + sum(req.body)
	}
	want := sum(a1 + ":" + nonce + ":" + sum(a2))
	if p["qop"] != "" {
		want = sum(a1 + ":" + nonce + ":" + p["nc"] + ":" + p["cnonce"] + ":" + p["qop"] + ":" + sum(a2))
		if p["nc"] != fmt.Sprintf("%08x", nth) || p["cnonce"] == "" {
			t.Errorf("nc is %s, want %d; cnonce is %q", p["nc"], nth, p["cnonce"])
		}
	}
	for key, want := range map[string]string{
		"username": g.user, "nonce": nonce, "uri": req.uri(), "response": want, "algorithm": g.algorithm, "opaque": g.opaque,
	} {
		if p[key] != want {
			t.Errorf("%s is %q, want %q, in\n%s", key, p[key], want, req.raw)
		}
	}
	if strings.Contains(g.qop, "auth") && p["qop"] == "" {
		t.Errorf("no qop, though %q is offered", g.qop)
	}
}

// expectCSeq checks the number in CSeq.
func expectCSeq(t *testing.T, m *msg, want int) {
	t.Helper()
	if n, _ := m.cseq(); n != want {
		t.Errorf("CSeq is %q, want %d, in\n%s", m.get("CSeq"), want, m.raw)
	}
}

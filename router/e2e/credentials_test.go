package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voipbin/dialrouter/providers"
)

// TestCredentials checks that a challenge which we have credentials for is answered by us, once: whatever of RFC 7616 it
// asks for, on each transport. The caller sees nothing of it, and no other provider.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]*guard{
		"407 MD5 auth":       {code: 407, algorithm: "MD5", qop: "auth"},
		"401 MD5 auth":       {code: 401, algorithm: "MD5", qop: "auth"},
		"nothing but nonce":  {code: 407},
		"MD5 without qop":    {code: 401, algorithm: "MD5"},
		"SHA-256":            {code: 407, algorithm: "SHA-256", qop: "auth"},
		"SHA-512-256":        {code: 401, algorithm: "SHA-512-256", qop: "auth"},
		"auth-int":           {code: 407, algorithm: "SHA-256", qop: "auth-int"},
		"auth or auth-int":   {code: 407, algorithm: "MD5", qop: "auth-int,auth"},
		"spaces in qop":      {code: 407, algorithm: "MD5", qop: "auth-int, auth"},
		"opaque":             {code: 407, algorithm: "MD5", qop: "auth", opaque: `5ccc"069c\403ebaf9f0171e9517f40e41`},
		"unknown parameters": {code: 407, algorithm: "MD5", qop: "auth", more: `, charset="UTF-8", domain="sip:a sip:b", x=y`},
		"folded":             {code: 407, algorithm: "MD5", qop: "auth", more: ",\r\n\tx=\"y\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, ways := range transports() {
				t.Run(ways[0]+" to "+ways[1], func(t *testing.T) {
					t.Parallel()
					g := *g
					g.realm, g.user, g.password = "b.example", `di"al`, `sec\ret:@`
					b, c := newPeer(t), newPeer(t)
					n := startRouter(t, setup{providers: catalog(
						g.guarded("b", b, "priority: 1", "transport: "+ways[1], "codecs: PCMU"), trunk("c", c, "priority: 2"))})
					a := newPeer(t).speaks(n, ways[0])
					checkAnswered(t, n, &g, a, b)
					c.expectNone(t, anything(), quiet)
				})
			}
		})
	}
}

// checkAnswered places a call through a guard and checks all that both sides see of it.
func checkAnswered(t *testing.T, n *node, g *guard, a, b *peer) {
	t.Helper()
	inv := a.invite("+15551234567").offering(wideOffer())
	a.send(t, inv)
	first := b.expectNew(t, request("INVITE"))
	if g.proof(first) != nil {
		t.Errorf("credentials that nobody asked for:\n%s", first.raw)
	}
	expectCSeq(t, first, 100)
	g.ask(t, b, first, "abc")
	second := b.expectNew(t, request("INVITE").and("again", func(m *msg) bool { return m.raw != first.raw }))
	g.check(t, second, "abc", 1)
	expectCSeq(t, second, 101)
	changed := []string{"Via", "CSeq", "Record-Route", "Proxy-Authorization", "Authorization"}
	if second.list("Via")[0] == first.list("Via")[0] || second.start != first.start || second.body != first.body ||
		!slices.Equal(second.lines(changed...), first.lines(changed...)) {
		t.Errorf("the first INVITE is\n%s, the second\n%s", first.raw, second.raw)
	}
	b.answer(t, second, 180)
	if rep := a.expect(t, status(180)); rep.get("CSeq") != inv.get("CSeq") {
		t.Errorf("the caller's 180 has CSeq %q", rep.get("CSeq"))
	}
	ok := b.answer(t, second, 200)
	rep := a.expect(t, status(200))
	if rep.get("CSeq") != inv.get("CSeq") {
		t.Errorf("the caller's 200 has CSeq %q", rep.get("CSeq"))
	}
	if n := a.count(status(g.code)); n != 0 {
		t.Errorf("the caller got %d challenges", n)
	}
	down, up := a.callerDialog(inv, rep), b.calleeDialog(second, ok)
	down.send(t, down.ack(rep))
	expectCSeq(t, b.expectNew(t, request("ACK")), 101)
	up.hangUp(t, a)
	n.expectMetric(t, 1, "dialrouter_calls_total", "outcome", "answered")
	n.expectMetric(t, 1, "dialrouter_attempts_total")
	n.expectMetric(t, 1, "dialrouter_attempts_total", "provider", "b", "cause", "answered")
	n.expectMetric(t, 0, "dialrouter_failovers_total")
}

// TestCredentialsOverTLS checks the same where the provider is reached by TLS.
func TestCredentialsOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	b := ca.peer(t)
	g := gate()
	n := startRouter(t, ca.secured(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "transport: tls"))}))
	checkAnswered(t, n, g, n.caller(t), b)
}

// TestCredentialsChoose checks which of several challenges is answered: for each realm the strongest that we can.
func TestCredentialsChoose(t *testing.T) {
	t.Parallel()
	md5, sha := gate(), gate()
	sha.algorithm = "SHA-256"
	foreign := gate()
	foreign.realm = "elsewhere.example"
	for name, tt := range map[string]struct {
		lines []string
		realm string
		want  *guard
	}{
		"stronger below":    {lines: []string{md5.line("n"), sha.line("n")}, want: sha},
		"stronger above":    {lines: []string{sha.line("n"), md5.line("n")}, want: sha},
		"unknown algorithm": {lines: []string{strings.Replace(md5.line("n"), "MD5", "SHA3-512", 1), md5.line("n")}, want: md5},
		"session":           {lines: []string{strings.Replace(md5.line("n"), "MD5", "MD5-sess", 1), md5.line("n")}, want: md5},
		"other scheme":      {lines: []string{`Proxy-Authenticate: Basic realm="b.example"`, md5.line("n")}, want: md5},
		"other qop":         {lines: []string{strings.Replace(md5.line("n"), `"auth"`, `"token"`, 1), md5.line("n")}, want: md5},
		"broken":            {lines: []string{`Proxy-Authenticate: Digest realm="b.example, nonce="x"`, `Proxy-Authenticate: Digest`, md5.line("n")}, want: md5},
		"realm named":       {lines: []string{foreign.line("x"), md5.line("n")}, realm: "b.example", want: md5},
		"shouted": {
			lines: []string{strings.NewReplacer("Digest realm=", "DIGEST\tREALM = ", "nonce", "Nonce", "qop=\"auth\"", "qop=\"AUTH\"").Replace(md5.line("n"))},
			want:  md5,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1",
				fmt.Sprintf("credentials: {username: dial, password: secret, realm: %q}", tt.realm)))})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			first := b.expectNew(t, request("INVITE"))
			b.respond(t, first, b.reply(first, 407).add(tt.lines...))
			b.expectNew(t, request("ACK"))
			second := b.expectNew(t, request("INVITE"))
			tt.want.check(t, second, "n", 1)
			if n := len(second.all("Proxy-Authorization")); n != 1 {
				t.Errorf("%d times credentials, want 1:\n%s", n, second.raw)
			}
			b.answer(t, second, 486)
			a.expect(t, status(486))
		})
	}
}

// TestCredentialsOfNoUse checks that a challenge which the credentials are not for is passed to the next provider at once.
func TestCredentialsOfNoUse(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"another realm":     `Proxy-Authenticate: Digest realm="other.example", nonce="n"`,
		"another algorithm": `Proxy-Authenticate: Digest realm="b.example", nonce="n", algorithm=MD5-sess`,
		"another scheme":    `Proxy-Authenticate: Negotiate`,
		"no nonce":          `Proxy-Authenticate: Digest realm="b.example"`,
		"too long":          `Proxy-Authenticate: Digest realm="b.example", nonce="` + strings.Repeat("n", 3000) + `"`,
		"no challenge":      "X-Nothing: here",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			n := startRouter(t, setup{providers: catalog(
				trunk("b", b, "priority: 1", "credentials: {username: dial, password: secret, realm: b.example}"), trunk("c", c, "priority: 2"))})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			first := b.expectNew(t, request("INVITE"))
			b.respond(t, first, b.reply(first, 407).add(line))
			b.expectNew(t, request("ACK"))
			at := c.expectNew(t, request("INVITE"))
			expectCSeq(t, at, 100)
			c.answer(t, at, 486)
			a.expect(t, status(486))
			b.expectNone(t, request("INVITE").and("again", func(m *msg) bool { return m.raw != first.raw }), quiet)
			n.expectMetric(t, 1, "dialrouter_failovers_total", "provider", "b", "cause", "auth")
		})
	}
}

// TestCredentialsRefused checks that a provider which asks again after our answer has refused it: the next provider gets
// the call as it came, and max_attempts counts providers and not tries to log on. When nobody else is left the challenge
// goes up.
func TestCredentialsRefused(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	g := gate()
	n := startRouter(t, setup{
		providers: catalog(g.guarded("b", b, "priority: 1"), g.guarded("c", c, "priority: 2")),
		budgets:   "{no_reply: 6s, no_ringing: 8s, answer: 10s, setup: 20s, max_attempts: 2}",
	})
	a := n.caller(t)
	refuse := func(p *peer, nonce string) {
		t.Helper()
		first := p.expectNew(t, request("INVITE"))
		expectCSeq(t, first, 100)
		if g.proof(first) != nil {
			t.Errorf("credentials of another attempt:\n%s", first.raw)
		}
		g.ask(t, p, first, nonce)
		second := p.expectNew(t, request("INVITE"))
		g.check(t, second, nonce, 1)
		g.ask(t, p, second, nonce+"2")
	}
	for range 2 { // A password that was refused is not sent ahead the next time.
		inv := a.invite("+15551234567")
		a.send(t, inv)
		refuse(b, "n")
		refuse(c, "m")
		rep := a.expect(t, final())
		if rep.code() != 407 || rep.get("CSeq") != inv.get("CSeq") || len(rep.all("Proxy-Authenticate")) != 2 {
			t.Errorf("the caller got\n%s", rep.raw)
		}
		a.send(t, ackFor(inv, rep))
	}
	n.expectMetric(t, 2, "dialrouter_failovers_total", "provider", "b", "cause", "auth")
	n.expectMetric(t, 2, "dialrouter_attempts_total", "provider", "b", "cause", "auth")
	n.expectMetric(t, 2, "dialrouter_attempts_total", "provider", "c", "cause", "auth")
}

// TestCredentialsFailover checks a call that the first provider will not have, and the second answers after a challenge of its
// own: its numbers begin anew.
func TestCredentialsFailover(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	wrong, right := gate(), gate()
	right.realm, right.code = "c.example", 401
	n := startRouter(t, setup{providers: catalog(wrong.guarded("b", b, "priority: 1"), right.guarded("c", c, "priority: 2"))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	wrong.ask(t, b, b.expectNew(t, request("INVITE")), "n")
	wrong.ask(t, b, b.expectNew(t, request("INVITE")), "n2")
	right.ask(t, c, c.expectNew(t, request("INVITE")), "m")
	got := c.expectNew(t, request("INVITE"))
	right.check(t, got, "m", 1)
	expectCSeq(t, got, 101)
	c.answer(t, got, 200)
	rep := a.expect(t, status(200))
	call := a.callerDialog(inv, rep)
	call.send(t, call.ack(rep))
	expectCSeq(t, c.expectNew(t, request("ACK")), 101)
	call.send(t, call.request("BYE"))
	bye := c.expectNew(t, request("BYE"))
	expectCSeq(t, bye, 109)
	c.answer(t, bye, 200)
	expectCSeq(t, a.expect(t, status(200).to("BYE")), 101)
}

// TestCredentialsStale checks that a nonce which is stale is replaced once, and not again and again.
func TestCredentialsStale(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"), trunk("c", c, "priority: 2"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	g.ask(t, b, b.expectNew(t, request("INVITE")), "n1")
	g.more = ", stale=TRUE"
	second := b.expectNew(t, request("INVITE"))
	g.check(t, second, "n1", 1)
	g.ask(t, b, second, "n2")
	third := b.expectNew(t, request("INVITE"))
	g.check(t, third, "n2", 1)
	expectCSeq(t, third, 102)
	g.ask(t, b, third, "n3")
	c.answer(t, c.expectNew(t, request("INVITE")), 486)
	a.expect(t, status(486))
	b.expectNone(t, request("INVITE").and("a fourth time", func(m *msg) bool { n, _ := m.cseq(); return n > 102 }), quiet)
}

// TestCredentialsReused checks that later calls cost no second round trip: they carry credentials with the same nonce and
// the next count at once, from all workers together, until the provider wants a new one.
func TestCredentialsReused(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1", "id: "+idOf("b")))})
	a := n.caller(t)
	call := func(inv *draft) *msg {
		t.Helper()
		a.send(t, inv)
		return b.expectNew(t, request("INVITE").of(inv.get("Call-ID")))
	}
	end := func(inv *draft, got *msg) {
		t.Helper()
		b.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
	}
	inv := a.invite("+15551234567")
	g.ask(t, b, call(inv), "n")
	end(inv, b.expectNew(t, request("INVITE")))
	for nth := 2; nth < 6; nth++ {
		if nth == 4 {
			// What is known of a provider outlives a change of the catalog that leaves its credentials alone.
			n.writeFile(t, "providers.yaml", catalog(g.guarded("b", b, "priority: 2", "id: "+idOf("b"))))
			if err := n.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		inv = a.invite("+15551234567")
		got := call(inv)
		g.check(t, got, "n", nth)
		expectCSeq(t, got, 100)
		end(inv, got)
	}

	var wg sync.WaitGroup
	counts := make([]string, 20)
	for i := range counts {
		caller := n.caller(t)
		wg.Go(func() { caller.send(t, caller.invite("+15551234567")) })
		got := b.expectNew(t, request("INVITE"))
		counts[i] = g.proof(got)["nc"]
		b.answer(t, got, 486)
	}
	wg.Wait()
	slices.Sort(counts)
	if len(slices.Compact(counts)) != len(counts) {
		t.Errorf("a nonce count was used twice: %q", counts)
	}

	// The nonce is used up, though the provider does not call it stale.
	inv = a.invite("+15551234567")
	g.ask(t, b, call(inv), "m")
	got := b.expectNew(t, request("INVITE").of(inv.get("Call-ID")))
	g.check(t, got, "m", 1)
	expectCSeq(t, got, 101)
	end(inv, got)

	// New credentials: nothing of the old ones is used.
	g.password = "other"
	n.writeFile(t, "providers.yaml", catalog(g.guarded("b", b, "priority: 2", "id: "+idOf("b"))))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	inv = a.invite("+15551234567")
	first := call(inv)
	if g.proof(first) != nil {
		t.Errorf("old credentials:\n%s", first.raw)
	}
	g.ask(t, b, first, "k")
	got = b.expectNew(t, request("INVITE").of(inv.get("Call-ID")))
	g.check(t, got, "k", 1)
	end(inv, got)
}

// TestCredentialsNextNonce checks that a nonce which a provider hands out for next time is taken.
func TestCredentialsNextNonce(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Proxy-Authentication-Info", "proxy-authentication-info"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			g := gate()
			n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
			a := n.caller(t)
			a.send(t, a.invite("+15551234567"))
			g.ask(t, b, b.expectNew(t, request("INVITE")), "n1")
			for _, nonce := range []string{"n1", "n2"} {
				got := b.expectNew(t, request("INVITE"))
				g.check(t, got, nonce, 1)
				b.respond(t, got, b.reply(got, 200).add(header+`: qop=auth, rspauth="x", nextnonce="n2", nc=00000001`))
				a.expect(t, status(200))
				a.send(t, a.invite("+15551234567"))
			}
			g.check(t, b.expectNew(t, request("INVITE")), "n2", 2)
		})
	}
}

// TestCredentialsForbidden checks that a nonce which a provider refuses by 403 is not used again.
func TestCredentialsForbidden(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	g.ask(t, b, b.expectNew(t, request("INVITE")), "n")
	b.answer(t, b.expectNew(t, request("INVITE")), 200)
	a.send(t, a.invite("+15551234567"))
	b.answer(t, b.expectNew(t, request("INVITE").and("with credentials", func(m *msg) bool { return g.proof(m) != nil })), 403)
	a.expect(t, status(403))
	a.send(t, a.invite("+15551234567"))
	b.expectNew(t, request("INVITE").and("without", func(m *msg) bool { return g.proof(m) == nil }))
}

// TestCredentialsForTwoRealms checks a way on which two elements ask, together or one after the other, with the caller's own
// credentials for a third.
func TestCredentialsForTwoRealms(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		t.Run(fmt.Sprintf("together %v", together), func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			proxy, inner := gate(), gate()
			inner.code, inner.realm, inner.algorithm = 401, "inner.example", "SHA-256"
			n := startRouter(t, setup{providers: catalog(proxy.guarded("b", b, "priority: 1"))})
			a := n.caller(t)
			foreign := `Proxy-Authorization: Digest username="x", realm="third.example", nonce="y", uri="sip:z", response="0"`
			ours := strings.Replace(foreign, "third", "b", 1)
			a.send(t, a.invite("+15551234567").add(foreign, ours))
			first := b.expectNew(t, request("INVITE"))
			if together {
				b.respond(t, first, b.reply(first, 407).add(proxy.line("n1"), inner.line("n2")))
				b.expectNew(t, request("ACK"))
			} else {
				proxy.ask(t, b, first, "n1")
				second := b.expectNew(t, request("INVITE"))
				proxy.check(t, second, "n1", 1)
				inner.ask(t, b, second, "n2")
			}
			got := b.expectNew(t, request("INVITE"))
			proxy.check(t, got, "n1", map[bool]int{true: 1, false: 2}[together])
			inner.check(t, got, "n2", 1)
			if all := got.all("Proxy-Authorization"); len(all) != 2 || "Proxy-Authorization: "+all[0] != foreign {
				t.Errorf("Proxy-Authorization is %q", all)
			}
			b.answer(t, got, 200)
			a.expect(t, status(200))
			a.send(t, a.invite("+15551234567"))
			got = b.expectNew(t, request("INVITE"))
			proxy.check(t, got, "n1", map[bool]int{true: 2, false: 3}[together])
			inner.check(t, got, "n2", 2)
		})
	}
}

// TestCredentialsOutsideInvite checks that other requests outside a dialog are answered for too.
func TestCredentialsOutsideInvite(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	a.send(t, a.request("MESSAGE", "+15551234567").with("text/plain", "hello"))
	g.ask(t, b, b.expectNew(t, request("MESSAGE")), "n")
	second := b.expectNew(t, request("MESSAGE").and("again", func(m *msg) bool { return g.proof(m) != nil }))
	g.check(t, second, "n", 1)
	b.answer(t, second, 200)
	expectCSeq(t, a.expect(t, status(200)), 100)
}

// TestCredentialsAreSecret checks that neither the password nor what proves it is in a log, a metric or a plan, which does
// say who we are.
func TestCredentialsAreSecret(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	g := gate()
	g.password = "Tr0ub4dor&3"
	n := startRouter(t, setup{providers: catalog(g.guarded("b", b, "priority: 1"))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	g.ask(t, b, b.expectNew(t, request("INVITE")), "n")
	second := b.expectNew(t, request("INVITE"))
	response := g.proof(second)["response"]
	b.respond(t, second, b.reply(second, 407).add(g.line("n2")))
	a.expect(t, status(407))
	plan, err := n.Plan(&providers.PlanRequest{Number: "+15551234567"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "authenticates as dial") {
		t.Errorf("the plan does not say who we are: %s", text)
	}
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n.expectMetric(t, 1, "dialrouter_calls_total")
	for what, said := range map[string]string{"plan": string(text), "metrics": fmt.Sprint(families), "log": n.log.String()} {
		if strings.Contains(said, g.password) || strings.Contains(said, response) {
			t.Errorf("the %s gives the password away: %s", what, said)
		}
	}
}

package e2e

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// torture is one message of RFC 4475 or RFC 5118 and what a proxy has to do with it.
type torture struct {
	name, kind, method string
	accept             []string
	text               string
	branch             string // What makes our copy's branch unlike all others; "" when the message has none.
}

func tortures(t *testing.T) []torture {
	t.Helper()
	dir := filepath.Join("..", "testdata", "torture")
	f, err := os.Open(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(name string) int {
		i := slices.Index(rows[0], name)
		if i < 0 {
			t.Fatalf("expected.tsv has no column %s", name)
		}
		return i
	}
	var all []torture
	for _, row := range rows[1:] {
		text, err := os.ReadFile(filepath.Join(dir, row[column("file")]))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, torture{
			name: row[column("name")], kind: row[column("kind")], method: row[column("method_or_code")],
			accept: strings.Split(row[column("accept_set")], ","), text: string(text),
		})
	}
	if len(all) != 61 {
		t.Fatalf("expected.tsv has %d messages, want 61", len(all))
	}
	return all
}

// ourPolicy widens what is accepted by what we are: no registrar, and a router of numbers.
func (m *torture) ourPolicy() []string {
	accept := m.accept
	if !slices.Contains(accept, "fwd") {
		return accept
	}
	if m.method == "REGISTER" {
		accept = append(accept, "405")
	}
	if user, _, _ := strings.Cut(parse(m.text).uri(), "@"); user == parse(m.text).uri() {
		accept = append(accept, "404", "484")
		if m.method == "OPTIONS" {
			accept = append(accept, "200")
		}
	}
	return accept
}

var (
	firstBranch = regexp.MustCompile(`(?i)(branch[ \t\r\n]*=[ \t\r\n]*z9hG4bK[A-Za-z0-9.]+)`)
	sourceMarks = regexp.MustCompile(`;(received=[^;,\s]+|rport(=\d+)?)`)
)

// prepared makes a message of the corpus fit for our router: a branch that no other one has, and a Route which names
// us, where it holds one.
func (m *torture) prepared(route string) string {
	text := m.text
	if at := firstBranch.FindStringIndex(text); at != nil {
		m.branch = "." + newToken("torture")
		text = text[:at[1]] + m.branch + text[at[1]:]
	}
	text = strings.Replace(text, "<sip:127.0.0.1:5080>", "<"+route+">", 1)
	return strings.Replace(text, "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>", "<"+route+">", 1)
}

// checkForwarded compares what came out with what went in.
func (m *torture) checkForwarded(t *testing.T, sent string, got *msg) {
	t.Helper()
	parts := strings.Split(got.start, " ")
	_, afterUser, _ := strings.Cut(got.uri(), "@")
	if len(parts) != 3 || strings.ContainsAny(parts[1], "<>") || strings.Contains(afterUser, "?") || parts[2] != "SIP/2.0" {
		t.Errorf("start line %q", got.start)
	}
	if got.method() != m.method {
		t.Errorf("method %q, want %q", got.method(), m.method)
	}
	was := parse(sent)
	ours := []string{"Via", "Max-Forwards", "Route", "Record-Route", "Content-Length"}
	if want, have := was.lines(ours...), got.lines(ours...); !slices.Equal(want, have) {
		t.Errorf("headers changed\nsent %q\ngot  %q", want, have)
	}
	vias := func(m *msg) []string {
		var lines []string
		for _, f := range m.fields {
			if canonical(f.name) == "via" {
				lines = append(lines, sourceMarks.ReplaceAllString(f.raw, ""))
			}
		}
		return lines
	}
	if want, have := vias(was), vias(got); len(have) != len(want)+1 || !slices.Equal(want, have[1:]) {
		t.Errorf("Vias changed\nsent %q\ngot  %q", want, have)
	}
	body := was.body
	if length := was.get("Content-Length"); length != "" {
		var n int
		if _, err := fmt.Sscan(length, &n); err == nil && n < len(body) {
			body = body[:n] // What follows in a datagram is no part of the message (RFC 3261 section 18.3).
		}
	}
	if got.body != body {
		t.Errorf("body changed\nsent %q\ngot  %q", body, got.body)
	}
	if len(got.all("Max-Forwards")) != 1 {
		t.Errorf("Max-Forwards is %q", got.all("Max-Forwards"))
	}
	switch m.name {
	case "semiuri":
		if !strings.HasPrefix(got.uri(), "sip:user;par=u%40example.net@") {
			t.Errorf("Request-URI %q", got.uri())
		}
	case "esc01":
		if !strings.HasPrefix(got.uri(), "sip:sips%3Auser%40example.com@") {
			t.Errorf("Request-URI %q", got.uri())
		}
	case "wsinv":
		if got.get("Max-Forwards") != "67" {
			t.Errorf("Max-Forwards is %q, want 67", got.get("Max-Forwards"))
		}
	case "inv2543":
		if got.get("Max-Forwards") != "70" {
			t.Errorf("Max-Forwards is %q, want 70", got.get("Max-Forwards"))
		}
	}
}

// outcome waits for what becomes of a message: the request at b, or the reply at a.
func (m *torture) outcome(t *testing.T, a, b *peer, sent string) (verdict string, got *msg) {
	t.Helper()
	callID := parse(sent).get("Call-ID")
	forwarded := anything().of(callID).and("forwarded", func(got *msg) bool {
		// Two messages of the corpus share a Call-ID: ours is the one with our branch below the router's.
		vias := got.list("Via")
		return got.method() != "" && len(vias) > 1 && (m.branch == "" || strings.Contains(strings.Join(vias[1:], ","), m.branch))
	})
	within := soon
	if slices.Contains(m.accept, "drop") {
		within = quiet
	}
	deadline := time.Now().Add(within)
	for time.Now().Before(deadline) {
		if got := b.next(t, forwarded, 0); got != nil {
			m.checkForwarded(t, sent, got)
			return "fwd", got
		}
		if got := a.next(t, final(), 5*time.Millisecond); got != nil {
			return fmt.Sprint(got.code()), got
		}
	}
	return "drop", nil
}

// accepted says whether a verdict is in a set; fwd-clean is a forward whose start line was checked.
func accepted(accept []string, verdict string) bool {
	return slices.Contains(accept, verdict) ||
		verdict == "fwd" && slices.Contains(accept, "fwd-clean") ||
		len(verdict) == 3 && slices.Contains(accept, verdict[:1]+"xx")
}

// TestTorture sends the messages of RFC 4475 and RFC 5118, one datagram each, and a call after each one.
func TestTorture(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	dns := startDNS(t)
	dns.sendAll(b)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp")), budgets: calm, t1: 10 * time.Millisecond, dns: dns})
	canary := n.caller(t)
	corpus := tortures(t)
	// wsinv is a request within a dialog: it has to follow a route that we gave out, for its Call-ID.
	within := slices.IndexFunc(corpus, func(m torture) bool { return m.name == "wsinv" })
	call := establish(t, canary, b, canary.invite("+15551234567").set("Call-ID", parse(corpus[within].text).get("Call-ID")))
	for _, m := range corpus {
		t.Run(m.name, func(t *testing.T) {
			a := n.caller(t)
			route := "sip:" + n.udp.String() + ";lr"
			if m.name == "wsinv" {
				route = inBrackets(call.a.routes[0])
			}
			sent := m.prepared(route)
			a.send(t, raw(sent))
			verdict, got := m.outcome(t, a, b, sent)
			if !accepted(m.ourPolicy(), verdict) {
				t.Errorf("%s, want one of %q", verdict, m.ourPolicy())
			}
			switch {
			case verdict == "fwd":
				code := 486
				b.answer(t, got, code)
				if rep := a.next(t, final(), soon); rep == nil || rep.code() != code {
					t.Errorf("the reply of b did not come back: %s", a.summary())
				}
			case verdict == "420":
				if want := []string{"noProxiesSupportThis", "norDoAnyProxiesSupportThis"}; !slices.Equal(got.list("Unsupported"), want) {
					t.Errorf("Unsupported is %q, want %q", got.list("Unsupported"), want)
				}
			case verdict != "drop" && !strings.HasPrefix(got.start, "SIP/2.0 "):
				t.Errorf("our reply begins %q", got.start)
			}
			inv := canary.invite("+15551234567")
			canary.send(t, inv)
			b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
			canary.send(t, ackFor(inv, canary.expect(t, final().of(inv.get("Call-ID")))))
		})
	}
	if strings.Contains(n.log.String(), "panic") {
		t.Error("the router panicked")
	}
}

// TestX06_TortureByteByByte sends the corpus over TCP, one byte in each write. What frames well has the same outcome
// as over UDP; what does not must harm nobody else.
func TestX06_TortureByteByByte(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp")), budgets: calm, t1: 10 * time.Millisecond, sip: []string{"preloaded_routes: true"}})
	canary := n.tcpCaller(t)
	for _, m := range tortures(t) {
		was := parse(m.text)
		var length int
		_, err := fmt.Sscan(was.get("Content-Length"), &length)
		frames := err == nil && length == len(was.body) && len(was.all("Content-Length")) == 1 && m.kind == "request" && strings.Contains(m.text, "\r\n\r\n")
		t.Run(m.name, func(t *testing.T) {
			a := n.tcpCaller(t)
			sent := m.prepared("sip:" + n.tcp.String() + ";transport=tcp;lr")
			conn := a.stream(t, n.tcp)
			for i := range len(sent) {
				if _, err := conn.Write([]byte(sent[i : i+1])); err != nil {
					break // The router had enough of it.
				}
			}
			if frames && m.name != "wsinv" { // Its route is of no dialog of ours.
				verdict, got := m.outcome(t, a, b, sent)
				if !accepted(m.ourPolicy(), verdict) {
					t.Errorf("%s, want one of %q", verdict, m.ourPolicy())
				}
				if verdict == "fwd" {
					b.answer(t, got, 486)
					a.expect(t, status(486))
				}
			}
			inv := canary.invite("+15551234567")
			canary.send(t, inv)
			b.answer(t, b.expect(t, request("INVITE").of(inv.get("Call-ID"))), 486)
			canary.send(t, ackFor(inv, canary.expect(t, final().of(inv.get("Call-ID")))))
		})
	}
}

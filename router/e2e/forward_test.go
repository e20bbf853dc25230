package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestF01_BodyAndContentLength(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	bodies := map[string]string{
		"application/sdp":              wideOffer(),
		"application/x-unknown":        "\x00\x01\xff\r\n\r\n\n",
		"multipart/mixed;boundary=abc": "--abc\r\nContent-Type: application/sdp\r\n\r\n" + wideOffer() + "\r\n--abc--\r\n",
		"text/plain":                   "",
	}
	for contentType, body := range bodies {
		inv := a.invite("+15551234567").with(contentType, body)
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		if got.body != body {
			t.Errorf("%s: body changed to %q", contentType, got.body)
		}
		if got.get("Content-Length") != strconv.Itoa(len(body)) {
			t.Errorf("%s: Content-Length %s, want %d", contentType, got.get("Content-Length"), len(body))
		}
	}
}

// TestF01_BytesAfterTheMessage checks that what follows the body in a datagram stays here (RFC 3261 section 18.3).
func TestF01_BytesAfterTheMessage(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	tail := a.invite("+15559999999").text()
	for _, body := range []string{"", "hello"} {
		inv := a.invite("+15551234567").with("text/plain", body)
		a.send(t, raw(inv.text()+tail))
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		if got.body != body {
			t.Errorf("the body is %q, want %q", got.body, body)
		}
	}
	b.expectNone(t, anything().of(parse(tail).get("Call-ID")), quiet)
}

func TestF02_ViaOfEachTry(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	first := b.expect(t, request("INVITE"))
	b.answer(t, first, 503)
	second := c.expect(t, request("INVITE"))
	branches := map[string]bool{}
	for _, got := range []*msg{first, second} {
		vias := got.list("Via")
		if len(vias) != 2 {
			t.Fatalf("got %d Vias, want 2: %q", len(vias), vias)
		}
		branch := param(vias[0], "branch")
		if !strings.HasPrefix(branch, "z9hG4bK") || branches[branch] {
			t.Errorf("branch %q lacks the cookie or was used before", branch)
		}
		branches[branch] = true
		if !strings.HasPrefix(vias[0], "SIP/2.0/UDP "+n.udp.String()+";") {
			t.Errorf("our Via is %q, want our address %s", vias[0], n.udp)
		}
		if param(vias[1], "branch") != param(inv.get("Via"), "branch") {
			t.Errorf("the caller's Via is %q, want that of %q", vias[1], inv.get("Via"))
		}
	}
}

func TestF03_RetransmittedInvite(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: time.Second})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	a.send(t, inv) // Nothing came yet: our own 100 is the answer.
	a.expect(t, status(100))
	b.answer(t, got, 180)
	a.expect(t, status(180))
	trying := a.count(status(100))
	for range 3 {
		a.send(t, inv)
		a.expect(t, status(180))
	}
	b.expectNone(t, request("INVITE"), quiet)
	if now := a.count(status(100)); now != trying {
		t.Errorf("a got 100 after the 180 for %d copies", now-trying)
	}
}

func TestF04_RecordRoute(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	theirs := "<sip:192.0.2.50;lr>"
	inv := a.invite("+15551234567").add("Record-Route: " + theirs)
	a.send(t, inv)
	routes := b.expect(t, request("INVITE")).list("Record-Route")
	if len(routes) != 2 || routes[1] != theirs {
		t.Fatalf("Record-Route is %q, want ours before %q", routes, theirs)
	}
	if !hasParam(inBrackets(routes[0]), "lr") {
		t.Errorf("ours has no lr: %q", routes[0])
	}
	if transport, addr := destination(inBrackets(routes[0])); transport != "udp" || addr != n.udp {
		t.Errorf("ours leads to %s %s, want udp %s", transport, addr, n.udp)
	}
}

// TestF05_DoubleRecordRoute checks that a change of transport shows in two Record-Routes, and that both are consumed
// on each way.
func TestF05_DoubleRecordRoute(t *testing.T) {
	t.Parallel()
	for _, ways := range [][2]string{{"udp", "tcp"}, {"tcp", "udp"}} {
		t.Run(ways[0]+" to "+ways[1], func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: "+ways[1]))})
			a := newPeer(t).speaks(n, ways[0])
			call := establish(t, a, b, a.invite("+15551234567"))
			routes := call.got.list("Record-Route")
			if len(routes) != 2 {
				t.Fatalf("Record-Route is %q, want two", routes)
			}
			for i, want := range []string{ways[1], ways[0]} { // The provider's side is on top.
				transport, addr := destination(inBrackets(routes[i]))
				wantAddr := n.udp
				if want == "tcp" {
					wantAddr = n.tcp
				}
				if transport != want || addr != wantAddr {
					t.Errorf("Record-Route %d is %q, want %s %s", i, routes[i], want, wantAddr)
				}
			}
			for _, way := range []struct {
				from *dialog
				to   *peer
			}{{call.a, b}, {call.b, a}} {
				info := way.from.request("INFO")
				way.from.send(t, info)
				got := way.to.expect(t, request("INFO"))
				if got.has("Route") {
					t.Errorf("Route is left: %q", got.list("Route"))
				}
				if got.uri() != way.from.target {
					t.Errorf("Request-URI %q, want %q", got.uri(), way.from.target)
				}
				way.to.answer(t, got, 200)
				way.from.self.expect(t, status(200).to("INFO"))
			}
			call.b.hangUp(t, a)
		})
	}
}

// longInvite is an INVITE that does not fit into a datagram of 1300 bytes.
func longInvite(a *peer) *draft {
	return a.invite("+15551234567").add("X-Long: " + strings.Repeat("0123456789", 200)).offering(wideOffer())
}

// TestF06_LongRequests checks that a request over 1300 bytes tries TCP first, falls back to UDP where nobody listens,
// and stays on UDP where the provider says so.
func TestF06_LongRequests(t *testing.T) {
	t.Parallel()
	t.Run("TCP listens", func(t *testing.T) {
		t.Parallel()
		b := newPeer(t)
		n := startRouter(t, setup{providers: trunks(b)})
		a := n.caller(t)
		inv := longInvite(a)
		a.send(t, inv)
		got := b.expect(t, request("INVITE"))
		if got.transport() != "tcp" || !strings.HasPrefix(got.list("Via")[0], "SIP/2.0/TCP ") {
			t.Errorf("it came over %s with Via %q, want TCP", got.transport(), got.list("Via")[0])
		}
		checkUntouched(t, inv, got)
		b.answer(t, got, 180)
		a.expect(t, status(180))
	})
	t.Run("TCP refused", func(t *testing.T) {
		t.Parallel()
		b, c := newUDPPeer(t), newPeer(t)
		n := startRouter(t, setup{providers: trunks(b, c)})
		a := n.caller(t)
		inv := longInvite(a)
		a.send(t, inv)
		got := b.expect(t, request("INVITE"))
		if !strings.HasPrefix(got.list("Via")[0], "SIP/2.0/UDP ") {
			t.Errorf("it came over UDP with Via %q", got.list("Via")[0])
		}
		checkUntouched(t, inv, got)
		b.answer(t, got, 180)
		a.expect(t, status(180))
		c.expectNone(t, anything(), quiet)
	})
	t.Run("UDP by configuration", func(t *testing.T) {
		t.Parallel()
		b := newPeer(t)
		n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: udp"))})
		a := n.caller(t)
		a.send(t, longInvite(a))
		if got := b.expect(t, request("INVITE")); got.transport() != "udp" {
			t.Errorf("it came over %s, want udp", got.transport())
		}
	})
}

func TestF07_ContentLengthOnStreams(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "transport: tcp"))})
	a := n.caller(t)
	inv := a.invite("+15551234567").offering(wideOffer())
	inv.noLength = true
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	if want := strconv.Itoa(len(inv.body)); got.get("Content-Length") != want || got.body != inv.body {
		t.Errorf("Content-Length %q with %d bytes, want %s", got.get("Content-Length"), len(got.body), want)
	}
	none := a.request("MESSAGE", "+15551234567")
	none.noLength = true
	a.send(t, none)
	if got := b.expect(t, request("MESSAGE")).get("Content-Length"); got != "0" {
		t.Errorf("Content-Length %q without a body, want 0", got)
	}
}

// TestF08_Received checks that received is added where the Via claims another host, and that the reply goes to where
// the packet came from.
func TestF08_Received(t *testing.T) {
	t.Parallel()
	b, claimed := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for name, host := range map[string]string{
		"a name":            "other.example",
		"a name and port":   "other.example:5099",
		"another address":   claimed.addr.String(),
		"another and maddr": claimed.addr.String() + ";maddr=" + claimed.addr.Addr().String(),
	} {
		inv := a.invite("+15551234567").set("Via", "SIP/2.0/UDP "+host+";branch="+newBranch())
		a.send(t, inv)
		of := inv.get("Call-ID")
		got := b.expect(t, request("INVITE").of(of))
		if via := got.list("Via")[1]; param(via, "received") != a.addr.Addr().String() {
			t.Errorf("%s: the caller's Via became %q, want received=%s", name, via, a.addr.Addr())
		}
		b.answer(t, got, 180)
		a.expect(t, status(180).of(of))
	}
	claimed.expectNone(t, anything(), quiet)
}

func TestF09_Rport(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, host := range []string{"other.example:7", a.addr.Addr().String() + ":9", a.addr.String()} {
		inv := a.invite("+15551234567").set("Via", "SIP/2.0/UDP "+host+";rport;branch="+newBranch()+";x=y")
		a.send(t, inv)
		of := inv.get("Call-ID")
		got := b.expect(t, request("INVITE").of(of))
		via := got.list("Via")[1]
		if param(via, "rport") != fmt.Sprint(a.addr.Port()) || param(via, "received") != a.addr.Addr().String() {
			t.Errorf("the caller's Via became %q, want rport=%d and received=%s", via, a.addr.Port(), a.addr.Addr())
		}
		if !strings.Contains(via, "x=y") {
			t.Errorf("the caller's Via lost a parameter: %q", via)
		}
		b.answer(t, got, 180)
		rep := a.expect(t, status(180).of(of))
		if rep.from != n.udp {
			t.Errorf("the reply came from %s, want the same socket %s", rep.from, n.udp)
		}
	}
}

func TestF10_BranchOfCancelAndAck(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	got := ringing(t, a, b, inv)
	a.send(t, cancelFor(inv))
	cancel := b.expect(t, request("CANCEL"))
	b.answer(t, cancel, 200)
	b.answer(t, got, 487)
	ack := b.expect(t, request("ACK"))
	want := got.list("Via")[0]
	if cancel.list("Via")[0] != want || ack.list("Via")[0] != want {
		t.Errorf("Via of the INVITE %q, CANCEL %q, ACK %q", want, cancel.list("Via")[0], ack.list("Via")[0])
	}
}

func TestF11_Trying(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	var inv *draft
	var rep *msg
	var delay time.Duration
	for range 30 { // A busy machine may delay some of them.
		inv = a.invite("+15551234567").add("Timestamp: 54.21")
		sent := time.Now()
		a.send(t, inv)
		rep = a.expect(t, status(100).of(inv.get("Call-ID")))
		if delay = rep.at.Sub(sent); delay <= 200*time.Millisecond {
			break
		}
	}
	if delay > 200*time.Millisecond {
		t.Errorf("100 came after %v", delay)
	}
	if got, _, _ := strings.Cut(rep.get("Timestamp"), " "); got != "54.21" {
		t.Errorf("Timestamp is %q, want the request's 54.21", rep.get("Timestamp"))
	}
	if rep.get("To") != inv.get("To") {
		t.Errorf("To is %q, want %q without a tag", rep.get("To"), inv.get("To"))
	}
	for _, name := range []string{"From", "Call-ID", "CSeq"} {
		if rep.get(name) != inv.get(name) {
			t.Errorf("%s is %q, want %q", name, rep.get(name), inv.get(name))
		}
	}
}

// TestF12_NoTryingForOtherMethods checks that a slow non-INVITE gets no 100 before Timer E would have reached T2, and no
// other provisional at all.
func TestF12_NoTryingForOtherMethods(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b), t1: 100 * time.Millisecond, budgets: "{no_reply: 5s}"})
	a := n.caller(t)
	a.send(t, a.request("OPTIONS", "+15551234567"))
	got := b.expect(t, request("OPTIONS"))
	a.expectNone(t, anything(), 600*time.Millisecond) // Timer E reaches T2 after 100+200+400 ms.
	b.answer(t, got, 200)
	a.expect(t, status(200))
	for _, rep := range a.received(anything()) {
		if rep.code() > 100 && rep.code() < 200 {
			t.Errorf("a got %s", rep.start)
		}
	}
}

func TestF13_CredentialsOfOthersPass(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add(
		`Proxy-Authorization: Digest username="u", realm="elsewhere.example", nonce="n", uri="sip:x", response="0"`,
		"Authorization: NoOneKnowsThisScheme opaque-data=here",
	)
	a.send(t, inv)
	checkUntouched(t, inv, b.expect(t, request("INVITE")))
}

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestDialString checks the Request-URI that a provider gets for what was dialled.
func TestDialString(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dialled string   // The whole Request-URI of the caller.
		keys    []string // Of the provider.
		want    string   // HOST stands for the provider's hostname.
	}{
		"as dialled":              {"sip:+15551234567@carrier.example", nil, "sip:+15551234567@HOST"},
		"no plus is added":        {"sip:15551234567@carrier.example", nil, "sip:15551234567@HOST"},
		"prefix":                  {"sip:+15551234567@carrier.example", []string{`tech_prefix: "1"`}, "sip:1+15551234567@HOST"},
		"prefix of four digits":   {"sip:+15551234567@carrier.example", []string{`tech_prefix: "7701"`}, "sip:7701+15551234567@HOST"},
		"prefix is escaped":       {"sip:+15551234567@carrier.example", []string{`tech_prefix: "9#"`}, "sip:9%23+15551234567@HOST"},
		"prefix stays raw":        {"sip:+15551234567@carrier.example", []string{`tech_prefix: "9#"`, "raw_user: true"}, "sip:9#+15551234567@HOST"},
		"postfix":                 {"sip:+15551234567@carrier.example", []string{`tech_postfix: "99"`}, "sip:+1555123456799@HOST"},
		"postfix is escaped":      {"sip:+15551234567@carrier.example", []string{`tech_postfix: "#"`}, "sip:+15551234567%23@HOST"},
		"postfix names the host":  {"sip:+15551234567@carrier.example", []string{`tech_prefix: "1"`, `tech_postfix: "@provider.com"`}, "sip:1+15551234567@provider.com"},
		"postfix with host":       {"sip:+15551234567@carrier.example", []string{`tech_postfix: "44@provider.com"`}, "sip:+1555123456744@provider.com"},
		"separators are dropped":  {"sip:+1-555-(123).4567@carrier.example", nil, "sip:+15551234567@HOST"},
		"tel URI":                 {"tel:+1-555-123-4567", nil, "sip:+15551234567@HOST"},
		"tel URI with prefix":     {"tel:+15551234567", []string{`tech_prefix: "9#"`}, "sip:9%23+15551234567@HOST"},
		"a name as it stands":     {"sip:alice@carrier.example", nil, "sip:alice@HOST"},
		"a name keeps separators": {"sip:alice.b-c@carrier.example", nil, "sip:alice.b-c@HOST"},
		"a service code":          {"sip:*69@carrier.example", nil, "sip:*69@HOST"},
		"escapes are kept":        {"sip:a%40b%3A1@carrier.example", nil, "sip:a%40b%3A1@HOST"},
		"port and parameters go":  {"sip:+15551234567@carrier.example:5080;transport=udp", nil, "sip:+15551234567@HOST"},
		"user without host":       {"sip:+15551234567@ROUTER", nil, "sip:+15551234567@HOST"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, append(test.keys, "priority: 1")...))})
			a := n.caller(t)
			a.send(t, a.requestTo("INVITE", strings.ReplaceAll(test.dialled, "ROUTER", n.udp.String())))
			got := b.expect(t, request("INVITE"))
			if want := strings.ReplaceAll(test.want, "HOST", b.addr.String()); got.uri() != want {
				t.Errorf("Request-URI %q, want %q", got.uri(), want)
			}
		})
	}
}

// TestDialStringWithoutRoute checks calls that have no number, or one that nobody carries.
func TestDialStringWithoutRoute(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, `targets: ["+1"]`))})
	tests := []struct {
		method, uri string
		want        int
	}{
		{"INVITE", "sip:carrier.example", 484},
		{"MESSAGE", "sip:carrier.example", 404},
		{"SUBSCRIBE", "sip:carrier.example", 404},
		{"INVITE", "sip:+4930123456@carrier.example", 404},
		{"MESSAGE", "sip:+4930123456@carrier.example", 404},
		{"INVITE", "tel:+4930123456", 404},
		{"INVITE", "sip:alice@carrier.example", 404}, // Not a number: only a route to all would carry it.
		{"INVITE", "sip:*69@carrier.example", 404},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.uri, func(t *testing.T) {
			t.Parallel()
			a := n.caller(t)
			req := a.requestTo(test.method, test.uri)
			a.send(t, req)
			rep := a.expect(t, final())
			if rep.code() != test.want {
				t.Errorf("got %s, want %d", rep.start, test.want)
			}
			if tag(rep.get("To")) == "" {
				t.Errorf("our own final reply has no To tag: %q", rep.get("To"))
			}
			b.expectNone(t, anything().of(req.get("Call-ID")), quiet)
		})
	}
}

// TestInternationalPrefix checks that 00 is read as + where it is configured, and goes out as dialled.
func TestInternationalPrefix(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{
		providers: catalog(trunk("b", b, `targets: ["+49"]`)),
		more:      []string{`numbers: {international_prefixes: ["00"]}`},
	})
	a := n.caller(t)
	a.send(t, a.invite("004930123456"))
	if got, want := b.expect(t, request("INVITE")).uri(), "sip:004930123456@"+b.addr.String(); got != want {
		t.Errorf("Request-URI %q, want %q", got, want)
	}
}

// TestPostfixHostIsNotTheDestination checks that a host named by the postfix stands in the Request-URI only.
func TestPostfixHostIsNotTheDestination(t *testing.T) {
	t.Parallel()
	b, stranger := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", `tech_postfix: "@`+stranger.addr.String()+`"`))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	if got, want := b.expect(t, request("INVITE")).uri(), "sip:+15551234567@"+stranger.addr.String(); got != want {
		t.Errorf("Request-URI %q, want %q", got, want)
	}
	stranger.expectNone(t, anything(), quiet)
}

// TestTechHeaders checks that they go out in the order of the file, for that provider only.
func TestTechHeaders(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, "priority: 1", `tech_headers: {X-Zulu: "1", X-Alpha: "two words", X-Mike: "a;b=\"c\""}`),
		trunk("c", c, "priority: 2", `tech_headers: {X-Other: "c"}`),
	)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567"))
	got := b.expect(t, request("INVITE"))
	var ours []string
	for _, f := range got.fields {
		if strings.HasPrefix(f.name, "X-") {
			ours = append(ours, f.raw)
		}
	}
	if want := []string{"X-Zulu: 1", "X-Alpha: two words", `X-Mike: a;b="c"`}; !slices.Equal(ours, want) {
		t.Errorf("b got %q, want %q", ours, want)
	}
	b.answer(t, got, 503)
	second := c.expect(t, request("INVITE"))
	if second.get("X-Other") != "c" {
		t.Errorf("c has no X-Other:\n%s", second.raw)
	}
	for _, name := range []string{"X-Zulu", "X-Alpha", "X-Mike"} {
		if second.has(name) {
			t.Errorf("c got %s, which is b's", name)
		}
	}
}

// TestTechHeaderReplacesTheCallers checks that a caller cannot speak for the provider's own header.
func TestTechHeaderReplacesTheCallers(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", `tech_headers: {X-Account: "42"}`))})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567").add("x-account: 7", "X-Account: 8"))
	if got := b.expect(t, request("INVITE")).all("X-Account"); !slices.Equal(got, []string{"42"}) {
		t.Errorf("X-Account is %q, want the provider's 42 alone", got)
	}
}

// TestBadWishes checks that a header for us which cannot be read is no call to anywhere.
func TestBadWishes(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, line := range []string{"VB-CUSTOMER-ID: me", "VB-PROVIDER-IDS: b", "VB-PROVIDER-IDS: " + customerOne + ",,", "VBOUT-CODECS: PCMU,,PCMA", "VBOUT-CODECS: (PCMU)"} {
		inv := a.invite("+15551234567").add(line).offering(wideOffer())
		a.send(t, inv)
		rep := a.expect(t, final().of(inv.get("Call-ID")))
		if rep.code() != 400 {
			t.Errorf("%s: got %s, want 400", line, rep.start)
		}
		a.send(t, ackFor(inv, rep))
	}
	b.expectNone(t, anything(), quiet)
}

// TestEveryAttemptStartsFromTheOriginal checks that nothing that was made for one provider reaches the next one.
func TestEveryAttemptStartsFromTheOriginal(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, "priority: 1", `tech_prefix: "77"`, `tech_postfix: "@b.example"`, "codecs: PCMA"),
		trunk("c", c, "priority: 2"),
	)})
	a := n.caller(t)
	offer := sdp("0 8 9", "0 PCMU/8000", "8 PCMA/8000", "9 G722/8000")
	a.send(t, a.invite("+15551234567").offering(offer))
	first := b.expect(t, request("INVITE"))
	if first.body == offer {
		t.Errorf("b's codec list left the offer alone:\n%s", first.body)
	}
	b.answer(t, first, 404)
	second := c.expect(t, request("INVITE"))
	if want := "sip:+15551234567@" + c.addr.String(); second.uri() != want {
		t.Errorf("c's Request-URI is %q, want %q", second.uri(), want)
	}
	if second.body != offer {
		t.Errorf("c's offer is %q, want the caller's %q", second.body, offer)
	}
	if vias := second.list("Via"); len(vias) != 2 {
		t.Errorf("c has %d Vias, want ours and the caller's: %q", len(vias), vias)
	}
	if routes := second.list("Record-Route"); len(routes) != 1 {
		t.Errorf("c has %d Record-Routes, want one: %q", len(routes), routes)
	}
}

// TestHeadersForUs checks that no header that is meant for us goes downstream, whatever its case.
func TestHeadersForUs(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add(
		"X-Before: 1",
		"VBOUT-CODECS: PCMU",
		"VBOUT-SDP_Transport: RTP/AVP",
		"vbout-anything: x",
		"VB-CUSTOMER-ID: 4dbeabd6-f397-4375-95d2-a38411e07ed1",
		"Vb-Unknown: y",
		"X-VB-Kept: 2",
		"VBX: 3",
	)
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	for _, f := range got.fields {
		if name := strings.ToLower(f.name); strings.HasPrefix(name, "vbout-") || strings.HasPrefix(name, "vb-") {
			t.Errorf("%q went downstream", f.raw)
		}
	}
	for _, name := range []string{"X-Before", "X-VB-Kept", "VBX"} {
		if !got.has(name) {
			t.Errorf("%s was removed with them", name)
		}
	}
	message := a.request("MESSAGE", "+15551234567").add("VB-Note: x")
	a.send(t, message)
	if b.expect(t, request("MESSAGE")).has("VB-Note") {
		t.Error("VB-Note went downstream with a MESSAGE")
	}
}

// TestCallIdentityIsKept checks that Call-ID, tags and CSeq are the same on both sides, on requests and replies.
func TestCallIdentityIsKept(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: trunks(b)})
			a := newPeer(t).speaks(n, transport)
			call := establish(t, a, b, a.invite("+15551234567"))
			for _, name := range []string{"Call-ID", "From", "To", "CSeq", "Contact"} {
				if got, want := call.got.get(name), call.sent.get(name); got != want {
					t.Errorf("%s of b's INVITE is %q, want %q", name, got, want)
				}
				if got, want := call.answeredAt.get(name), call.answered.get(name); got != want {
					t.Errorf("%s of a's 200 is %q, want %q", name, got, want)
				}
			}
			call.a.hangUp(t, b)
		})
	}
}

// TestUntouchedBytes checks that whatever no rule names leaves as it came, in its order: unknown headers, folding,
// compact names, odd case and spacing.
func TestUntouchedBytes(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	inv := a.invite("+15551234567").add(
		"X-Folded: one\r\n  two\r\n\tthree",
		"k: timer,  100rel",
		"x-LOWER-case :   spaced   ",
		"NewFangledHeader:   newfangled value\r\n continued newfangled value",
		"X-Twice: 1",
		"Date: Fri, 01 Jan 2010 16:00:00 EST",
		"X-Twice: 2",
		"Warning: 1812 overture \"In Progress\"",
		"X-Empty:",
		"X-UTF8: \xe3\x81\x82 caf\xc3\xa9",
		"Proxy-Authorization: Digest username=\"x\", realm=\"elsewhere\"",
		"Authorization: NoOneKnowsThisScheme opaque-data=here",
	).with("application/unknown", "\x00\x01raw\nbody\r\n\r\nwith: all sorts\r\n")
	a.send(t, inv)
	checkUntouched(t, inv, b.expect(t, request("INVITE")))
}

// checkUntouched compares all header lines but those that a proxy has to change, and the body, byte by byte.
func checkUntouched(t *testing.T, sent wire, got *msg) {
	t.Helper()
	ours := []string{"Via", "Max-Forwards", "Route", "Record-Route", "Content-Length"}
	was := parse(sent.text())
	if want, have := was.lines(ours...), got.lines(ours...); !slices.Equal(want, have) {
		t.Errorf("headers changed\nsent %q\ngot  %q", want, have)
	}
	if got.body != was.body {
		t.Errorf("body changed\nsent %q\ngot  %q", was.body, got.body)
	}
}

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDialogOutlivesTheRouter checks that requests of an established call pass after a restart with the same key,
// both ways, and that another key refuses them.
func TestDialogOutlivesTheRouter(t *testing.T) {
	t.Parallel()
	for _, sameKey := range []bool{true, false} {
		t.Run(fmt.Sprintf("same key %v", sameKey), func(t *testing.T) {
			t.Parallel()
			address := freePort(t)
			b := newPeer(t)
			s := setup{
				listen: at(address), dir: t.TempDir(), providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU")),
				sip: []string{"route_key_file: cookie.key"},
			}
			n := startRouter(t, s)
			a := n.caller(t)
			call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
			n.stop(t)
			key := filepath.Join(s.dir, "cookie.key")
			if info, err := os.Stat(key); err != nil || info.Size() != 32 {
				t.Fatalf("the key file: %v, %v", info, err)
			} else if mode := info.Mode().Perm(); mode&0o077 != 0 {
				t.Errorf("the key file has mode %v: others may read it", mode)
			}
			if !sameKey {
				if err := os.Remove(key); err != nil {
					t.Fatal(err)
				}
			}
			startRouter(t, s)

			reinvite := call.a.request("INVITE").offering(wideOffer())
			call.a.send(t, reinvite)
			if !sameKey {
				a.expect(t, status(403).to("INVITE"))
				b.expectNone(t, request("INVITE"), quiet)
				return
			}
			got := b.expect(t, request("INVITE"))
			if !sameFormats(got.body, "0", "101") {
				t.Errorf("the codec policy was forgotten: %q", got.body)
			}
			b.answer(t, got, 200)
			rep := a.expect(t, status(200).to("INVITE"))
			call.a.send(t, call.a.ack(rep))
			b.expect(t, request("ACK"))
			call.b.hangUp(t, a)
		})
	}
}

// TestForgedRoute checks that a Route which we did not write makes us a relay for nobody.
func TestForgedRoute(t *testing.T) {
	t.Parallel()
	b, victim := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	ours := inBrackets(call.a.routes[0])

	// Change each byte of the parameters that we wrote: none of them may be free.
	head, params, _ := strings.Cut(ours, ";")
	for i := range len(params) {
		if params[i] == ';' || params[i] == '=' {
			continue
		}
		forged := []byte(params)
		if forged[i]++; forged[i] == ';' || forged[i] == '>' || forged[i] == '=' {
			forged[i] = 'A'
		}
		if !hasParam(";"+string(forged), "lr") {
			continue // Without lr we are another kind of router; the cookie is what is tested.
		}
		d := *call.a
		d.routes = []string{"<" + head + ";" + string(forged) + ">"}
		d.target = inBrackets(victim.contact("udp"))
		info := d.request("INFO")
		a.sendTo(t, "udp", n.udp, info)
		rep := a.expect(t, final().and("to this one", func(m *msg) bool { return m.get("CSeq") == info.get("CSeq") }))
		sameNames := paramNames(string(forged)) == paramNames(params)
		if rep.code() != 403 && (sameNames || rep.code() != 481) {
			t.Errorf("byte %d of %q changed to %q: got %s, want 403", i, params, forged, rep.start)
		}
		call.a.cseq = d.cseq
	}
	victim.expectNone(t, anything(), quiet)
	b.expectNone(t, request("INFO"), 0)
	call.a.hangUp(t, b)
}

// paramNames lists the names of parameters: when one of them changed, the Route may pass for one without a cookie.
func paramNames(params string) string {
	var names []string
	for part := range strings.SplitSeq(params, ";") {
		name, _, _ := strings.Cut(part, "=")
		names = append(names, name)
	}
	return strings.Join(names, ";")
}

// TestForeignRoutes checks in-dialog requests whose Route is not ours.
func TestForeignRoutes(t *testing.T) {
	t.Parallel()
	b, victim := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	tests := map[string][]string{ // All carry no Route of ours (481), or one that we did not write (403).
		"none":                 nil,
		"another host":         {"<sip:" + victim.addr.String() + ";lr>"},
		"us without a cookie":  {"<sip:" + n.udp.String() + ";lr>"},
		"us, then another":     {"<sip:" + n.udp.String() + ";lr>", "<sip:" + victim.addr.String() + ";lr>"},
		"another, then ours":   append([]string{"<sip:" + victim.addr.String() + ";lr>"}, call.a.routes...),
		"a name that is no IP": {"<sip:proxy.example;lr>"},
	}
	for name, routes := range tests {
		for _, method := range []string{"BYE", "INVITE", "INFO"} {
			d := *call.a
			d.routes = routes
			d.target = inBrackets(victim.contact("udp"))
			req := d.request(method)
			call.a.cseq = d.cseq
			a.sendTo(t, "udp", n.udp, req)
			rep := a.expect(t, final().and("to this one", func(m *msg) bool { return m.get("CSeq") == req.get("CSeq") }))
			if rep.code() != 481 && (len(routes) == 0 || rep.code() != 403) {
				t.Errorf("%s, %s: got %s, want 481 or 403", name, method, rep.start)
			}
			if method == "INVITE" {
				a.send(t, ackFor(req, rep))
			}
		}
	}
	victim.expectNone(t, anything(), quiet)
	b.expectNone(t, request("BYE").or(request("INVITE")).or(request("INFO")), 0)
}

// TestStrayAck checks that an ACK which belongs to nothing is dropped in silence.
func TestStrayAck(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	a.send(t, a.request("ACK", "+15551234567").add("X-A: no To tag"))
	a.send(t, a.request("ACK", "+15551234567").set("To", "<sip:x@y>;tag=1"))
	a.expectNone(t, anything(), quiet)
	b.expectNone(t, anything(), 0)
}

// TestInDialogIgnoresThePlan checks that a request with our cookie follows its route set even when the catalog no
// longer knows its provider.
func TestInDialogIgnoresThePlan(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567").offering(wideOffer()))
	n.writeFile(t, "providers.yaml", trunks(c))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	reinvite := call.a.request("INVITE").offering(wideOffer()).add("VB-CUSTOMER-ID: "+customerOne, "VBOUT-CODECS: PCMU")
	call.a.send(t, reinvite)
	got := b.expect(t, request("INVITE"))
	for _, f := range got.fields {
		if strings.HasPrefix(f.name, "VB") {
			t.Errorf("%q went downstream", f.raw)
		}
	}
	b.answer(t, got, 200)
	rep := a.expect(t, status(200).to("INVITE"))
	call.a.send(t, call.a.ack(rep))
	b.expect(t, request("ACK"))
	call.a.hangUp(t, b)
	c.expectNone(t, anything(), 0)
}

// TestInDialogFailureDoesNotFailOver checks that a re-INVITE which is refused stays with its provider.
func TestInDialogFailureDoesNotFailOver(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: trunks(b, c)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	for _, code := range []int{404, 488, 500} {
		reinvite := call.a.request("INVITE")
		call.a.send(t, reinvite)
		b.answer(t, b.expect(t, request("INVITE")), code)
		rep := a.expect(t, status(code).to("INVITE"))
		call.a.send(t, ackFor(reinvite, rep))
	}
	c.expectNone(t, anything(), quiet)
	call.b.hangUp(t, a)
}

// TestReinviteFromProvider checks a re-INVITE and its ACK on the way up, and the CANCEL of one.
func TestReinviteFromProvider(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	call := establish(t, a, b, a.invite("+15551234567"))
	reinvite := call.b.request("INVITE").offering(wideOffer())
	call.b.send(t, reinvite)
	got := a.expect(t, request("INVITE"))
	checkUntouched(t, reinvite, got)
	ok := a.answer(t, got, 200)
	rep := b.expect(t, status(200).to("INVITE"))
	if rep.get("Contact") != ok.get("Contact") {
		t.Errorf("Contact %q, want %q", rep.get("Contact"), ok.get("Contact"))
	}
	call.b.send(t, call.b.ack(rep))
	a.expect(t, request("ACK"))

	second := call.b.request("INVITE")
	call.b.send(t, second)
	got = a.expect(t, request("INVITE"))
	a.answer(t, got, 180)
	b.expect(t, status(180))
	b.sendTo(t, "udp", n.udp, cancelFor(second))
	b.expect(t, status(200).to("CANCEL"))
	a.answer(t, a.expect(t, request("CANCEL")), 200)
	a.answer(t, got, 487)
	b.expect(t, status(487))
	call.a.hangUp(t, b)
}

// TestSubscriptionDialog checks that a subscription's NOTIFY passes by the route set of its SUBSCRIBE.
func TestSubscriptionDialog(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	subscribe := a.request("SUBSCRIBE", "+15551234567").add("Event: dialog", "Expires: 60")
	a.send(t, subscribe)
	got := b.expect(t, request("SUBSCRIBE"))
	ok := b.answer(t, got, 200)
	a.expect(t, status(200))
	back := b.calleeDialog(got, ok)
	if len(back.routes) == 0 {
		t.Fatal("a SUBSCRIBE makes a dialog, but carries no Record-Route of ours")
	}
	back.send(t, back.request("NOTIFY"))
	a.answer(t, a.expect(t, request("NOTIFY")), 200)
	b.expect(t, status(200).to("NOTIFY"))
}

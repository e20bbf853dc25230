package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestCodecs checks what each side's list makes of the offer.
func TestCodecs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		provider string   // The provider's codecs.
		call     string   // VBOUT-CODECS.
		global   string   // The daemon's codecs.
		want     []string // Payload types in order.
	}{
		"no list":                        {"", "", "", []string{"9", "0", "8", "18", "111", "101"}},
		"the provider's list":            {"PCMU,PCMA", "", "", []string{"0", "8", "101"}},
		"the list is the order":          {"PCMA, pcmu", "", "", []string{"8", "0", "101"}},
		"the call's list":                {"", "G729,PCMA", "", []string{"18", "8", "101"}},
		"the provider's wins":            {"PCMU", "G722,PCMA", "", []string{"0", "101"}},
		"the daemon's list":              {"", "", "PCMA", []string{"8", "101"}},
		"the provider's over daemon's":   {"G722", "", "PCMA", []string{"9", "101"}},
		"the call's over the daemon's":   {"", "PCMU", "PCMA", []string{"0", "101"}},
		"telephone-event by clock rate":  {"opus", "", "", []string{"111"}},
		"what is not offered is no harm": {"GSM,PCMA,iLBC", "", "", []string{"8", "101"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			s := setup{providers: catalog(trunk("b", b, "priority: 1", fmt.Sprintf("codecs: %q", test.provider)))}
			if test.global != "" {
				s.more = []string{fmt.Sprintf("codecs: %q", test.global)}
			}
			n := startRouter(t, s)
			a := n.caller(t)
			inv := a.invite("+15551234567").offering(wideOffer())
			if test.call != "" {
				inv.add("VBOUT-CODECS: " + test.call)
			}
			a.send(t, inv)
			got := b.expect(t, request("INVITE"))
			if !sameFormats(got.body, test.want...) {
				t.Errorf("formats %q, want %q", formats(got.body), test.want)
			}
			if got.get("Content-Length") != fmt.Sprint(len(got.body)) {
				t.Errorf("Content-Length %s with %d bytes", got.get("Content-Length"), len(got.body))
			}
			for _, payload := range []string{"9", "0", "8", "18", "111", "101"} {
				kept := strings.Contains(" "+strings.Join(test.want, " ")+" ", " "+payload+" ")
				if has := strings.Contains(got.body, "a=rtpmap:"+payload+" "); has != kept {
					t.Errorf("rtpmap of %s: there %v, want %v", payload, has, kept)
				}
			}
		})
	}
}

// TestD06_NoCodecLeft checks that a provider which would get an empty offer is skipped, and that 488 is the answer
// when all are.
func TestD06_NoCodecLeft(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, setup{providers: catalog(
		trunk("b", b, "priority: 1", "codecs: G729"),
		trunk("c", c, "priority: 2", "codecs: PCMU"),
	)})
	a := n.caller(t)
	a.send(t, a.invite("+15551234567").offering(sdp("0 8", "0 PCMU/8000", "8 PCMA/8000")))
	if got := c.expect(t, request("INVITE")); !sameFormats(got.body, "0") {
		t.Errorf("c's formats are %q, want 0", formats(got.body))
	}
	b.expectNone(t, anything(), quiet)

	inv := a.invite("+15551234567").offering(sdp("9", "9 G722/8000"))
	a.send(t, inv)
	if rep := a.expect(t, final().of(inv.get("Call-ID"))); rep.code() != 488 {
		t.Errorf("got %s, want 488", rep.start)
	}
	b.expectNone(t, anything(), quiet)
	c.expectNone(t, anything().of(inv.get("Call-ID")), 0)
}

// TestD08_AnswerWithARemovedCodec checks that an answer is never edited.
func TestD08_AnswerWithARemovedCodec(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	answer := sdp("18 101", "18 G729/8000", "101 telephone-event/8000")
	call := establishWith(t, a, b, a.invite("+15551234567").offering(wideOffer()), func(ok *draft) { ok.offering(answer) })
	if call.answeredAt.body != answer {
		t.Errorf("the answer became %q", call.answeredAt.body)
	}
}

// TestD09_DelayedOffer checks that the offer of a 200 and the answer in its ACK are left alone, by both directions'
// bytes.
func TestD09_DelayedOffer(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.respond(t, got, b.reply(got, 200).offering(wideOffer()))
	rep := a.expect(t, status(200))
	if rep.body != wideOffer() {
		t.Errorf("the provider's offer became %q", rep.body)
	}
	call := a.callerDialog(inv, rep)
	answer := sdp("18", "18 G729/8000")
	call.send(t, call.ack(rep).offering(answer))
	if ack := b.expect(t, request("ACK")); ack.body != answer {
		t.Errorf("the media server's answer became %q", ack.body)
	}
}

// TestD09_DelayedOfferReliable is the same with the offer in a reliable 183 and the answer in its PRACK.
func TestD09_DelayedOfferReliable(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	inv := a.invite("+15551234567").add("Supported: 100rel")
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	b.respond(t, got, b.reply(got, 183).add("Require: 100rel", "RSeq: 7").offering(wideOffer()))
	rep := a.expect(t, status(183))
	if rep.body != wideOffer() {
		t.Errorf("the provider's offer became %q", rep.body)
	}
	early := a.callerDialog(inv, rep)
	answer := sdp("18", "18 G729/8000")
	early.send(t, early.request("PRACK").add("RAck: 7 100 INVITE").offering(answer))
	prack := b.expect(t, request("PRACK"))
	if prack.body != answer {
		t.Errorf("the media server's answer became %q", prack.body)
	}
}

// TestD10_LaterOffers checks that offers from the media server in re-INVITE, UPDATE and PRACK get the policy of the
// call, the same each time, and that what the provider says is left alone.
func TestD10_LaterOffers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ provider, call string }{{"PCMA,PCMU", ""}, {"", "PCMA,PCMU"}} {
		t.Run(test.provider+" "+test.call, func(t *testing.T) {
			t.Parallel()
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", fmt.Sprintf("codecs: %q", test.provider)))})
			a := n.caller(t)
			inv := a.invite("+15551234567").add("Supported: 100rel").offering(wideOffer())
			if test.call != "" {
				inv.add("VBOUT-CODECS: " + test.call)
			}
			a.send(t, inv)
			got := b.expect(t, request("INVITE"))
			want := got.body
			if !sameFormats(want, "8", "0", "101") {
				t.Fatalf("formats %q, want 8 0 101", formats(want))
			}
			b.respond(t, got, b.reply(got, 183).add("Require: 100rel", "RSeq: 1").offering(sdp("8", "8 PCMA/8000")))
			rep := a.expect(t, status(183))
			early := a.callerDialog(inv, rep)

			// PRACK with a second offer, then UPDATE, both in the early dialog.
			early.send(t, early.request("PRACK").add("RAck: 1 100 INVITE").offering(wideOffer()))
			prack := b.expect(t, request("PRACK"))
			checkOffer(t, prack, want)
			answer := b.reply(prack, 200).offering(wideOffer())
			b.respond(t, prack, answer)
			if up := a.expect(t, status(200).to("PRACK")); up.body != answer.body {
				t.Errorf("the answer in the 200 to PRACK became %q", up.body)
			}
			early.send(t, early.request("UPDATE").offering(wideOffer()))
			update := b.expect(t, request("UPDATE"))
			checkOffer(t, update, want)
			b.answer(t, update, 200)
			a.expect(t, status(200).to("UPDATE"))

			ok := b.answer(t, got, 200)
			rep = a.expect(t, status(200).to("INVITE"))
			call := a.callerDialog(inv, rep)
			call.cseq = early.cseq
			call.send(t, call.ack(rep))
			b.expect(t, request("ACK"))
			for range 2 { // Hold and resume: the same input gives the same output.
				call.send(t, call.request("INVITE").offering(wideOffer()))
				again := b.expect(t, request("INVITE"))
				checkOffer(t, again, want)
				b.answer(t, again, 200)
				call.send(t, call.ack(a.expect(t, status(200).to("INVITE"))))
				b.expect(t, request("ACK"))
			}
			back := b.calleeDialog(got, ok)
			for _, method := range []string{"INVITE", "UPDATE"} {
				back.send(t, back.request(method).offering(wideOffer()))
				up := a.expect(t, request(method))
				if up.body != wideOffer() {
					t.Errorf("the provider's offer in %s became %q", method, up.body)
				}
				a.respond(t, up, a.reply(up, 200).offering(wideOffer()))
				if down := b.expect(t, status(200).to(method)); down.body != wideOffer() {
					t.Errorf("the media server's answer to %s became %q", method, down.body)
				}
			}
		})
	}
}

func checkOffer(t *testing.T, got *msg, want string) {
	t.Helper()
	if got.body != want {
		t.Errorf("the offer in %s is %q, want %q", got.method(), got.body, want)
	}
	if got.get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Errorf("Content-Length of %s is %s with %d bytes", got.method(), got.get("Content-Length"), len(got.body))
	}
}

// TestD12_BodiesThatAreNeverEdited checks signed, encrypted and encoded bodies, and what cannot be read.
func TestD12_BodiesThatAreNeverEdited(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	tests := map[string]func(inv *draft){
		"gzip":  func(inv *draft) { inv.offering(wideOffer()).add("Content-Encoding: gzip") },
		"pkcs7": func(inv *draft) { inv.with("application/pkcs7-mime; smime-type=enveloped-data", wideOffer()) },
		"signed": func(inv *draft) {
			inv.with("multipart/signed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\n"+wideOffer()+"\r\n--b--\r\n")
		},
		"no SDP": func(inv *draft) { inv.offering("this is no session description\r\n") },
	}
	for name, dress := range tests {
		inv := a.invite("+15551234567")
		dress(inv)
		a.send(t, inv)
		if got := b.expect(t, request("INVITE").of(inv.get("Call-ID"))); got.body != inv.body {
			t.Errorf("%s: the body became %q", name, got.body)
		}
	}
}

// TestD11_Multipart checks that only the session description of a multipart body changes.
func TestD11_Multipart(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	body := func(sdp string) string {
		return "preamble\r\n--unique-1\r\nContent-Type: application/sdp\r\n\r\n" + sdp +
			"\r\n--unique-1\r\nContent-Type: application/isup;version=itu-t92+\r\nContent-Disposition: signal\r\n\r\n" +
			"\x01\x00\x49\x00\x00\x0a\r\n--unique-1--\r\nepilogue"
	}
	inv := a.invite("+15551234567").with("multipart/mixed;boundary=unique-1", body(wideOffer()))
	a.send(t, inv)
	got := b.expect(t, request("INVITE"))
	want := strings.Replace(wideOffer(), "RTP/AVP 9 0 8 18 111 101", "RTP/AVP 0 101", 1)
	for _, gone := range []string{"9 G722/8000", "8 PCMA/8000", "18 G729/8000", "111 opus/48000/2"} {
		want = strings.Replace(want, "a=rtpmap:"+gone+"\r\n", "", 1)
	}
	if got.body != body(want) {
		t.Errorf("the body is %q, want %q", got.body, body(want))
	}
	if got.get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Errorf("Content-Length %s with %d bytes", got.get("Content-Length"), len(got.body))
	}
}

// TestD15_ContentTypeSpelling checks that a description is found under each spelling of its type.
func TestD15_ContentTypeSpelling(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: PCMU"))})
	a := n.caller(t)
	for _, line := range []string{"Content-Type: Application/SDP", "c: application/sdp", "CONTENT-TYPE: application/sdp;charset=utf-8", "Content-Type : application/sdp ; x=y"} {
		inv := a.invite("+15551234567").add(line)
		inv.body = wideOffer()
		a.send(t, inv)
		if got := b.expect(t, request("INVITE").of(inv.get("Call-ID"))); !sameFormats(got.body, "0", "101") {
			t.Errorf("%s: formats %q, want 0 101", line, formats(got.body))
		}
	}
}

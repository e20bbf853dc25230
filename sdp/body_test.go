package sdp

import (
	"strings"
	"testing"
)

const (
	// partOffer is a description that the policy PCMU edits into partWant; neither ends with a line break, as that
	// belongs to the delimiter.
	partOffer = "v=0\r\nm=audio 1 RTP/AVP 8 0"
	partWant  = "v=0\r\nm=audio 1 RTP/AVP 0"
	// partNone has no codec of that policy.
	partNone = "v=0\r\nm=audio 1 RTP/AVP 8"
	// partBad cannot be read.
	partBad = "v=0\r\nm=audio 1 RTP/AVP"
	// partFine stays as it is.
	partFine = "v=0\r\nm=audio 1 RTP/AVP 0"
)

// multipart builds a multipart body from its parts, each with its header.
func multipart(boundary string, parts ...string) string {
	return "--" + boundary + "\r\n" + strings.Join(parts, "\r\n--"+boundary+"\r\n") + "\r\n--" + boundary + "--\r\n"
}

// sdpPart makes a part of a description.
func sdpPart(description string) string {
	return "Content-Type: application/sdp\r\n\r\n" + description
}

func TestContentTypes(t *testing.T) {
	for _, tt := range []struct {
		contentType, encoding string
		want                  Outcome
	}{
		{"application/sdp", "", Edited},
		{"Application/SDP", "", Edited},
		{" application / sdp ", "", Edited},
		{"application/sdp;charset=UTF-8", "", Edited},
		{"application/sdp ; x=\"a,b;c\"", "", Edited},
		{"application/sdp\r\n ;charset=utf-8", "", Edited},
		{"application/sdp", "identity", Edited},
		{"application/sdp", " Identity , identity", Edited},
		{"application/sdp", "gzip", Protected},
		{"application/sdp", "identity, deflate", Protected},
		{"", "", Untouched},
		{"sdp", "", Untouched},
		{"application/sdpx", "", Untouched},
		{"application/sdp/x", "", Untouched},
		{"text/sdp", "", Untouched},
		{"application", "", Untouched},
		{"application/isup", "gzip", Untouched},
		{"message/sip", "", Untouched},
		{"application/pkcs7-mime; smime-type=enveloped-data", "", Protected},
		{"Application/X-PKCS7-Mime", "", Protected},
		{"application/cms", "", Protected},
		{"multipart/signed;boundary=b", "", Protected},
		{"MULTIPART/Encrypted; boundary=b", "", Protected},
		{"multipart/mixed;boundary=b", "gzip", Protected},
		{"multipart/mixed", "", Unreadable},
		{"multipart/mixed;boundary=", "", Unreadable},
		{"multipart/mixed;boundary", "", Unreadable},
		{"multipart/mixed;boundary=b", "", Unreadable},
	} {
		t.Run(tt.contentType+" "+tt.encoding, func(t *testing.T) {
			p := compile(t, "PCMU")
			got, outcome := p.FilterBody(nil, []byte(tt.contentType), []byte(tt.encoding), []byte(partOffer))
			if outcome != tt.want || (outcome == Edited) != (string(got) == partWant) || outcome != Edited && got != nil {
				t.Errorf("%v, want %v: %q", outcome, tt.want, got)
			}
			if violates := p.ViolatesBody([]byte(tt.contentType), []byte(tt.encoding), []byte(partOffer)); violates != (tt.want == Edited) {
				t.Errorf("violates: %v", violates)
			}
		})
	}
}

func TestEmptyBody(t *testing.T) {
	p := compile(t, "PCMU")
	for _, contentType := range []string{"", "application/sdp", "multipart/mixed", "multipart/signed", "application/pkcs7-mime"} {
		if got, outcome := p.FilterBody(nil, []byte(contentType), []byte("gzip"), nil); got != nil || outcome != Untouched {
			t.Errorf("%q: %v, %q", contentType, outcome, got)
		}
	}
}

func TestBoundaries(t *testing.T) {
	body := multipart("b 1", sdpPart(partOffer))
	for _, tt := range []struct {
		contentType, body string
		want              Outcome
	}{
		{`multipart/mixed; boundary="b 1"`, body, Edited},
		{`multipart/related;type="application/sdp" ; BOUNDARY = "b 1" ; start="<x>"`, body, Edited},
		{"multipart/alternative;x=\"\\\"boundary=y\";\r\n\tboundary=\"b 1\"", body, Edited},
		{`multipart/mixed; boundary=b 1`, body, Edited},
		{`multipart/mixed; x="\";boundary=y;"; boundary="b 1"`, body, Edited},
		{`multipart/mixed; xboundary="b 1"`, body, Unreadable},
		{`multipart/mixed; boundary="b\ 1"`, body, Unreadable},
		{`multipart/mixed; boundary="b 1`, body, Unreadable},
		{`multipart/mixed; boundary=B`, multipart("b", sdpPart(partOffer)), Unreadable},
		{`multipart/mixed; boundary=b`, multipart("bb", sdpPart(partOffer)), Unreadable},
		{`multipart/mixed; boundary=b`, "preamble\r\n" + multipart("b", sdpPart(partOffer)) + "epilogue", Edited},
		{`multipart/mixed; boundary=b`, strings.ReplaceAll(multipart("b", sdpPart(partOffer)), "--b\r\n", "--b \t\r\n"), Edited},
		{`multipart/mixed; boundary=b`, strings.ReplaceAll(multipart("b", sdpPart(partOffer)), "\r\n", "\n"), Edited},
		{`multipart/mixed; boundary=b`, strings.TrimSuffix(multipart("b", sdpPart(partOffer)), "\r\n"), Edited},
		{`multipart/mixed; boundary=b`, strings.TrimSuffix(multipart("b", sdpPart(partOffer)), "--\r\n"), Unreadable},
		{`multipart/mixed; boundary=b`, "--b\r\n" + sdpPart(partOffer), Unreadable},
		{`multipart/mixed; boundary=b`, "--b--\r\n", Untouched},
		{`multipart/mixed; boundary=b`, "--b\r\n--b--\r\n", Untouched},
		{`multipart/mixed; boundary=b`, multipart("b", "", "\r\n", "\r\n"+partOffer, "Content-Type: application/sdp"), Untouched},
	} {
		t.Run(tt.contentType, func(t *testing.T) {
			p := compile(t, "PCMU")
			got, outcome := p.FilterBody(nil, []byte(tt.contentType), nil, []byte(tt.body))
			if outcome != tt.want {
				t.Fatalf("%v, want %v:\n%q", outcome, tt.want, got)
			}
			want := ""
			if outcome == Edited {
				want = strings.ReplaceAll(tt.body, "AVP 8 0", "AVP 0")
			}
			if string(got) != want {
				t.Errorf("%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestParts(t *testing.T) {
	const isup = "Content-Type: application/isup\r\n\r\n\x01\x00\r\n--\r\n--B"
	encoded := "Content-Transfer-Encoding: base64\r\nContent-Type: application/sdp\r\n\r\ndj0wDQo="
	for _, tt := range []struct {
		name  string
		parts []string
		want  []string // Nil unless edited.
		is    Outcome
	}{
		{"one of three", []string{isup, sdpPart(partOffer), "\r\n" + partOffer}, []string{isup, sdpPart(partWant), "\r\n" + partOffer}, Edited},
		{"two", []string{sdpPart(partOffer), isup, sdpPart(partOffer)}, []string{sdpPart(partWant), isup, sdpPart(partWant)}, Edited},
		{"one of two to edit", []string{sdpPart(partFine), sdpPart(partOffer)}, []string{sdpPart(partFine), sdpPart(partWant)}, Edited},
		{"no description", []string{isup}, nil, Untouched},
		{"nothing to edit", []string{isup, sdpPart(partFine)}, nil, Untouched},
		{"one has no codec", []string{sdpPart(partOffer), sdpPart(partNone)}, nil, NoCodec},
		{"one cannot be read", []string{sdpPart(partOffer), sdpPart(partBad)}, nil, Unreadable},
		{"one has no codec, one cannot be read", []string{sdpPart(partBad), sdpPart(partNone)}, nil, NoCodec},
		{"encoded", []string{encoded, isup}, nil, Protected},
		{"encoded beside another", []string{encoded, sdpPart(partOffer)}, []string{encoded, sdpPart(partWant)}, Edited},
		{"encoded beside one to leave", []string{encoded, sdpPart(partFine)}, nil, Protected},
		{"encoded isup", []string{"Content-Transfer-Encoding: base64\r\n" + isup}, nil, Untouched},
		{"zipped", []string{"Content-Encoding: gzip\r\n" + sdpPart(partOffer)}, nil, Protected},
		{"plain in many words", []string{"content-transfer-encoding: Binary\r\nE: identity\r\n" + sdpPart(partOffer)}, []string{"content-transfer-encoding: Binary\r\nE: identity\r\n" + sdpPart(partWant)}, Edited},
		{"compact name", []string{"c:application/sdp\r\n\r\n" + partOffer}, []string{"c:application/sdp\r\n\r\n" + partWant}, Edited},
		{"a line that begins like a delimiter", []string{"\r\n--bx\r\n" + sdpPart(partOffer), sdpPart(partOffer)}, []string{"\r\n--bx\r\n" + sdpPart(partOffer), sdpPart(partWant)}, Edited},
		{"folded", []string{"Content-Type:\r\n application/sdp;\r\n\tx=y\r\n\r\n" + partOffer}, []string{"Content-Type:\r\n application/sdp;\r\n\tx=y\r\n\r\n" + partWant}, Edited},
		{"a field without colon", []string{"nothing\r\n" + sdpPart(partOffer)}, []string{"nothing\r\n" + sdpPart(partWant)}, Edited},
		{"encrypted", []string{"Content-Type: application/pkcs7-mime\r\n\r\n\x30"}, nil, Protected},
		{"early session", []string{"Content-Disposition: early-session\r\n" + sdpPart(partOffer)}, []string{"Content-Disposition: early-session\r\n" + sdpPart(partWant)}, Edited},

		{"length", []string{"Content-Length: 26\r\n" + sdpPart(partOffer)}, []string{"Content-Length: 24\r\n" + sdpPart(partWant)}, Edited},
		{"length with the line break", []string{"Content-Length: 28\r\n" + sdpPart(partOffer)}, []string{"Content-Length: 26\r\n" + sdpPart(partWant)}, Edited},
		{"length that is wrong", []string{"l:7\r\n" + sdpPart(partOffer)}, []string{"l:24\r\n" + sdpPart(partWant)}, Edited},
		{"length far too high", []string{"Content-Length: 1000000 \r\n" + sdpPart(partOffer)}, []string{"Content-Length: 24 \r\n" + sdpPart(partWant)}, Edited},
		{"length that is none", []string{"Content-Length: x\r\n" + sdpPart(partOffer)}, []string{"Content-Length: x\r\n" + sdpPart(partWant)}, Edited},
		{"length and more", []string{"Content-Length: 26x\r\n" + sdpPart(partOffer)}, []string{"Content-Length: 26x\r\n" + sdpPart(partWant)}, Edited},
		{"length that is empty", []string{"Content-Length:\r\n" + sdpPart(partOffer)}, []string{"Content-Length:\r\n" + sdpPart(partWant)}, Edited},
		{"length folded", []string{"Content-Length:\r\n  26\r\n" + sdpPart(partOffer)}, []string{"Content-Length:\r\n  24\r\n" + sdpPart(partWant)}, Edited},
		{"length of what stays", []string{"Content-Length: 99\r\n" + sdpPart(partFine), sdpPart(partOffer)}, []string{"Content-Length: 99\r\n" + sdpPart(partFine), sdpPart(partWant)}, Edited},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, "PCMU")
			want := ""
			if tt.want != nil {
				want = multipart("b", tt.want...)
			}
			got, outcome := p.FilterBody(nil, []byte("multipart/mixed;boundary=b"), nil, []byte(multipart("b", tt.parts...)))
			if outcome != tt.is || string(got) != want {
				t.Errorf("%v, want %v:\n%q\nwant\n%q", outcome, tt.is, got, want)
			}
		})
	}
}

func TestNesting(t *testing.T) {
	p := compile(t, "PCMU")
	in, want := sdpPart(partOffer), sdpPart(partWant)
	for depth := range maxNesting + 1 {
		boundary := strings.Repeat("b", depth+1)
		header := "Content-Type: multipart/mixed;boundary=" + boundary
		in, want = header+"\r\n\r\n"+multipart(boundary, in), header+"\r\n\r\n"+multipart(boundary, want)
		_, body, _ := strings.Cut(in, "\r\n\r\n")
		_, wanted, _ := strings.Cut(want, "\r\n\r\n")
		outcome := Edited
		if depth == maxNesting {
			outcome, wanted = Unreadable, ""
		}
		got, is := p.FilterBody(nil, []byte("multipart/mixed;boundary="+boundary), nil, []byte(body))
		if is != outcome || string(got) != wanted {
			t.Errorf("depth %d: %v, want %v:\n%q\nwant\n%q", depth, is, outcome, got, wanted)
		}
		violates := p.ViolatesBody([]byte("multipart/mixed;boundary="+boundary), nil, []byte(body))
		if violates != (outcome == Edited) {
			t.Errorf("depth %d: violates: %v", depth, violates)
		}
	}
}

func TestNestedOutcomes(t *testing.T) {
	p := compile(t, "PCMU")
	for description, want := range map[string]Outcome{partNone: NoCodec, partBad: Unreadable, partFine: Untouched} {
		inner := "Content-Type: multipart/mixed;boundary=i\r\n\r\n" + multipart("i", sdpPart(description))
		got, outcome := p.FilterBody(nil, []byte("multipart/mixed;boundary=o"), nil, []byte(multipart("o", inner)))
		if got != nil || outcome != want {
			t.Errorf("%q: %v, want %v", description, outcome, want)
		}
	}
	// Both parts have lengths, and the outer one is right only when the inner one was set right before.
	inner := func(length, description string) string {
		return multipart("i", "Content-Length: "+length+"\r\n"+sdpPart(description))
	}
	in := "Content-Type: multipart/mixed;boundary=i\r\nContent-Length: 1\r\n\r\n" + inner("1", partOffer)
	want := "Content-Type: multipart/mixed;boundary=i\r\nContent-Length: 91\r\n\r\n" + inner("24", partWant)
	if n := len(inner("24", partWant)); n != 91 {
		t.Fatalf("the inner body has %d bytes", n)
	}
	got, _ := p.FilterBody([]byte("before"), []byte("multipart/mixed;boundary=o"), nil, []byte(multipart("o", in)))
	if string(got) != "before"+multipart("o", want) {
		t.Errorf("%q\nwant\n%q", got, multipart("o", want))
	}
}

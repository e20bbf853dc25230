package sdp

import (
	"bytes"
	"strings"
	"testing"
)

// benchOffer is the offer of the load test's caller.
const benchOffer = `v=0
o=- 3926418312 3926418312 IN IP4 127.0.0.1
s=call
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 96 9 0 8 18 97 3 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 minptime=10;useinbandfec=1
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:97 iLBC/8000
a=fmtp:97 mode=20
a=rtpmap:3 GSM/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=sendrecv
`

// crlf ends each line as SIP does.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// compile is Compile for lists that are right.
func compile(tb testing.TB, list string) *Policy {
	tb.Helper()
	p, err := Compile(list)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func BenchmarkFilter(b *testing.B) {
	webrtc := readGolden(b, "testdata/webrtc.txt").in
	for _, bb := range []struct{ name, list, offer string }{
		{"eight codecs to two", "PCMU,PCMA", crlf(benchOffer)},
		{"eight codecs to all", "opus,G722,PCMU,PCMA,G729,iLBC,GSM", crlf(benchOffer)},
		{"eight codecs to none", "AMR-WB", crlf(benchOffer)},
		{"browser", "PCMU,opus", webrtc},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p, offer := compile(b, bb.list), []byte(bb.offer)
			dst := make([]byte, 0, 2*len(offer))
			b.ReportAllocs()
			b.SetBytes(int64(len(offer)))
			for b.Loop() {
				p.Filter(dst, offer)
			}
		})
	}
	b.Run("eight codecs to two, never seen", func(b *testing.B) {
		p, offer := compile(b, "PCMU,PCMA"), []byte(crlf(benchOffer))
		dst := make([]byte, 0, 2*len(offer))
		mode := bytes.Index(offer, []byte("mode=20"))
		n := 0
		b.ReportAllocs()
		b.SetBytes(int64(len(offer)))
		for b.Loop() {
			n++
			offer[mode+5], offer[mode+6] = byte('0'+n%10), byte('0'+n/10%10)
			p.Filter(dst, offer)
		}
	})
}

func BenchmarkFilterBody(b *testing.B) {
	isup := readGolden(b, "testdata/isup.txt")
	for _, bb := range []struct{ name, contentType, body string }{
		{"sdp", "application/sdp", crlf(benchOffer)},
		{"multipart", isup.contentType, isup.in},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p, contentType, body := compile(b, "PCMU,PCMA"), []byte(bb.contentType), []byte(bb.body)
			dst := make([]byte, 0, 2*len(body))
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				p.FilterBody(dst, contentType, nil, body)
			}
		})
	}
}

func BenchmarkViolates(b *testing.B) {
	p, answer := compile(b, "PCMU,PCMA"), []byte(describe("m=audio 4000 RTP/AVP 0 101|a=rtpmap:0 PCMU/8000|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-16"))
	b.ReportAllocs()
	for b.Loop() {
		p.Violates(answer)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile("PCMU,PCMA,opus/48000/2"); err != nil {
			b.Fatal(err)
		}
	}
}

package sdp

import (
	"strings"
	"testing"
)

// benchOffer is the offer of bench/sipp/uac.xml.
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
	offer := []byte(crlf(benchOffer))
	for _, bb := range []struct{ name, list string }{
		{"edited", "PCMU,PCMA"},
		{"untouched", "opus,G722,PCMU,PCMA,G729,iLBC,GSM"},
		{"no codec", "AMR-WB"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := compile(b, bb.list)
			dst := make([]byte, 0, 2*len(offer))
			b.ReportAllocs()
			b.SetBytes(int64(len(offer)))
			for b.Loop() {
				p.Filter(dst, offer)
			}
		})
	}
}

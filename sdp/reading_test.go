package sdp

import (
	"strconv"
	"strings"
	"testing"
)

func TestLineEndings(t *testing.T) {
	const (
		offer  = "v=0\ns=-\nt=0 0\nm=audio 4000 RTP/AVP 0 8\na=rtpmap:8 PCMA/8000\na=ptime:20\n"
		edited = "v=0\ns=-\nt=0 0\nm=audio 4000 RTP/AVP 0\na=ptime:20\n"
	)
	for _, tt := range []struct{ name, in, want string }{
		{"CRLF", crlf(offer), crlf(edited)},
		{"LF", offer, edited},
		{"mixed", strings.ReplaceAll(offer, "0\n", "0\r\n"), strings.ReplaceAll(strings.ReplaceAll(edited, "0\n", "0\r\n"), "AVP 0\r\n", "AVP 0\n")},
		{"no final line ending", strings.TrimSuffix(crlf(offer), "\r\n"), strings.TrimSuffix(crlf(edited), "\r\n")},
		{"no final LF line ending", strings.TrimSuffix(offer, "\n"), strings.TrimSuffix(edited, "\n")},
		{"ends with the m-line", "v=0\r\nm=audio 4000 RTP/AVP 8 0", "v=0\r\nm=audio 4000 RTP/AVP 0"},
		{"ends with a line that goes", "v=0\r\nm=audio 4000 RTP/AVP 8 0\r\na=fmtp:8 x", "v=0\r\nm=audio 4000 RTP/AVP 0\r\n"},
		{"empty lines at the end", crlf(offer + "\n\n"), crlf(edited + "\n\n")},
		{"an LF line at the end", crlf(offer) + "\n", crlf(edited) + "\n"},
		{"blanks at the end of the m-line", "v=0\r\nm=audio 4000 RTP/AVP 8 0 \t\r\n", "v=0\r\nm=audio 4000 RTP/AVP 0 \t\r\n"},
		{"other blanks in the m-line", "v=0\r\nm=audio  4000\tRTP/AVP  8  0\r\n", "v=0\r\nm=audio  4000\tRTP/AVP  0\r\n"},
		{"capital line type", "v=0\r\nX=y\r\nm=audio 4000 RTP/AVP 8 0\r\n", "v=0\r\nX=y\r\nm=audio 4000 RTP/AVP 0\r\n"},
		{"empty value", "v=0\r\ns=\r\nm=audio 4000 RTP/AVP 8 0\r\na=\r\n", "v=0\r\ns=\r\nm=audio 4000 RTP/AVP 0\r\na=\r\n"},
		{"not UTF-8", "v=0\r\ns=\xff\xfe\r\nm=audio 4000 RTP/AVP 8 0\r\n", "v=0\r\ns=\xff\xfe\r\nm=audio 4000 RTP/AVP 0\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, "PCMU")
			got, outcome := p.Filter(nil, []byte(tt.in))
			if outcome != Edited || string(got) != tt.want {
				t.Errorf("%v:\n%q\nwant\n%q", outcome, got, tt.want)
			}
			checkInvariants(t, p, []byte(tt.in))
		})
	}
}

// unreadable are bodies that are no session descriptions, or that two readers could take for different ones. All but
// the first few would be edited without their fault.
var unreadable = map[string]string{
	"text":                       "hello",
	"line breaks alone":          "\r\n\r\n",
	"blanks":                     "  \r\n",
	"zero bytes":                 "\x00\x00",
	"no v":                       "o=- 1 1 IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0 8\r\n",
	"m before v":                 "m=audio 1 RTP/AVP 0 8\r\nv=0\r\n",
	"another version":            "v=1\r\nm=audio 1 RTP/AVP 0 8\r\n",
	"version with more":          "v=0 \r\nm=audio 1 RTP/AVP 0 8\r\n",
	"begins with a line break":   "\r\nv=0\r\nm=audio 1 RTP/AVP 0 8\r\n",
	"two descriptions":           "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nv=0\r\nm=audio 1 RTP/AVP 0 8\r\n",
	"line without =":             "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nsendrecv\r\n",
	"line without = in session":  "v=0\r\nfoo\r\nm=audio 1 RTP/AVP 0 8\r\n",
	"line of one letter":         "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na\r\n",
	"type of two letters":        "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nab=c\r\n",
	"type that is no letter":     "v=0\r\nm=audio 1 RTP/AVP 0 8\r\n1=c\r\n",
	"blank before =":             "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na =x\r\n",
	"blank before the type":      "v=0\r\nm=audio 1 RTP/AVP 0 8\r\n a=x\r\n",
	"empty line inside":          "v=0\r\nm=audio 1 RTP/AVP 0 8\r\n\r\na=x\r\n",
	"CR inside a line":           "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=x\ry\r\n",
	"CR as line ending":          "v=0\rm=audio 1 RTP/AVP 0 8\r",
	"CR before CRLF":             "v=0\r\nm=audio 1 RTP/AVP 0 8\r\r\n",
	"NUL":                        "v=0\r\nm=audio 1 RTP/AVP 0 8\r\ns=\x00\r\n",
	"m-line without formats":     "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nm=video 1 RTP/AVP\r\n",
	"m-line with blanks only":    "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nm=video 1 RTP/AVP  \r\n",
	"m-line without transport":   "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nm=video 1\r\n",
	"empty m-line":               "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nm=\r\n",
	"m-line begins with a blank": "v=0\r\nm= audio 1 RTP/AVP 0 8\r\n",
	"port that is none":          "v=0\r\nm=audio x RTP/AVP 0 8\r\n",
	"port below 0":               "v=0\r\nm=audio -1 RTP/AVP 0 8\r\n",
	"port too high":              "v=0\r\nm=audio 65536 RTP/AVP 0 8\r\n",
	"port far too high":          "v=0\r\nm=audio 18446744073709551617 RTP/AVP 0 8\r\n",
	"port with more":             "v=0\r\nm=audio 1x RTP/AVP 0 8\r\n",
	"count that is none":         "v=0\r\nm=audio 1/ RTP/AVP 0 8\r\n",
	"count of 0":                 "v=0\r\nm=audio 1/0 RTP/AVP 0 8\r\n",
	"count with more":            "v=0\r\nm=audio 1/2/3 RTP/AVP 0 8\r\n",
	"payload type too high":      "v=0\r\nm=audio 1 RTP/AVP 0 128\r\n",
	"payload type far too high":  "v=0\r\nm=audio 1 RTP/AVP 0 4294967304\r\n",
	"payload type below 0":       "v=0\r\nm=audio 1 RTP/AVP 0 -8\r\n",
	"payload type that is none":  "v=0\r\nm=audio 1 RTP/AVP 0 PCMA\r\n",
	"payload type with more":     "v=0\r\nm=audio 1 RTP/AVP 0 8,\r\n",
	"payload type of many zeros": "v=0\r\nm=audio 1 RTP/AVP 0 0008\r\n",
	"rtpmap without number":      "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:PCMA/8000\r\n",
	"rtpmap number too high":     "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:128 PCMA/8000\r\n",
	"rtpmap without name":        "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8\r\n",
	"rtpmap with empty name":     "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 /8000\r\n",
	"rtpmap without clock":       "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA\r\n",
	"rtpmap with empty clock":    "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/\r\n",
	"rtpmap with clock 0":        "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/0\r\n",
	"rtpmap with clock too high": "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/4294967296\r\n",
	"rtpmap with clock and more": "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/8000x\r\n",
	"rtpmap with no channels":    "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/8000/\r\n",
	"rtpmap with channels 0":     "v=0\r\nm=audio 1 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/8000/0\r\n",
	"fault in a later section":   "v=0\r\nm=audio 1 RTP/AVP 0 8\r\nm=audio 1 RTP/AVP 0 800\r\n",
	"fault after an empty one":   "v=0\r\nm=audio 1 RTP/AVP 18\r\nm=audio 1 RTP/AVP 0 800\r\n",
}

func TestUnreadable(t *testing.T) {
	p := compile(t, "PCMU")
	for name, body := range unreadable {
		t.Run(name, func(t *testing.T) {
			dst := []byte("dst")
			got, outcome := p.Filter(dst, []byte(body))
			if outcome != Unreadable || string(got) != "dst" {
				t.Errorf("%v, %q", outcome, got)
			}
			if p.Violates([]byte(body)) {
				t.Error("violates")
			}
			checkInvariants(t, p, []byte(body))
		})
	}
}

func TestTruncated(t *testing.T) {
	p := compile(t, "PCMU,PCMA")
	offer := crlf(benchOffer)
	for n := range offer {
		checkInvariants(t, p, []byte(offer[:n]))
		checkInvariants(t, p, []byte(offer[n:]))
	}
}

func TestManyPayloadTypes(t *testing.T) {
	var formats, lines strings.Builder
	for n := 127; n >= 0; n-- {
		formats.WriteString(" " + strconv.Itoa(n))
		lines.WriteString("a=rtpmap:" + strconv.Itoa(n) + " n" + strconv.Itoa(n%3) + "/8000\r\n")
	}
	body := prologue + "m=audio 1 RTP/AVP" + formats.String() + formats.String() + "\r\n" + lines.String()
	p := compile(t, "n2,n0")
	got, outcome := p.Filter(nil, []byte(body))
	if outcome != Edited || !strings.Contains(string(got), "RTP/AVP 125 122 ") || strings.Contains(string(got), "n1") || strings.Count(string(got), "rtpmap") != 85 {
		t.Errorf("%v:\n%s", outcome, got)
	}
	checkInvariants(t, p, []byte(body))
}

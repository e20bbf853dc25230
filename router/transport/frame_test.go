package transport

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// testLimits are small, so that a fuzzer reaches them.
var testLimits = framer{maxHeader: 300, maxMessage: 400}

// framed is all that a stream gives.
type framed struct {
	messages []string
	pings    int
	err      error
	rest     string // of a message that is not whole
}

// frameAll feeds a framer with pieces of a stream.
func frameAll(f framer, pieces ...string) framed {
	var out framed
	var buf []byte
	for _, p := range pieces {
		buf = append(buf, p...)
		for out.err == nil {
			fr := f.next(buf)
			out.pings += fr.pings
			out.err = fr.err
			if fr.size > 0 {
				out.messages = append(out.messages, string(buf[fr.skip:fr.skip+fr.size]))
			}
			buf = buf[fr.skip+fr.size:]
			if fr.size == 0 {
				break
			}
		}
	}
	out.rest = string(buf)
	return out
}

func (a framed) same(b framed) bool {
	if len(a.messages) != len(b.messages) || a.pings != b.pings || !errors.Is(a.err, b.err) {
		return false
	}
	for i := range a.messages {
		if a.messages[i] != b.messages[i] {
			return false
		}
	}
	// After an error, how much came behind it depends on the pieces.
	return a.err != nil || a.rest == b.rest
}

func TestFramer(t *testing.T) {
	const (
		start = "OPTIONS sip:a@b SIP/2.0\r\n"
		empty = start + "\r\n"
	)
	with := func(fields string) string { return start + fields + "\r\n\r\n" }
	tests := []struct {
		name string
		in   string
		want framed
	}{
		{"nothing", "", framed{}},
		{"no header", empty, framed{messages: []string{empty}}},
		{"no length", with("To: a"), framed{messages: []string{with("To: a")}}},
		{"body", with("Content-Length: 3") + "abc", framed{messages: []string{with("Content-Length: 3") + "abc"}}},
		{"zero", with("Content-Length: 0"), framed{messages: []string{with("Content-Length: 0")}}},
		{"leading zeros", with("Content-Length: 003") + "abc", framed{messages: []string{with("Content-Length: 003") + "abc"}}},
		{"compact", with("l:3") + "abc", framed{messages: []string{with("l:3") + "abc"}}},
		{"compact capital", with("L \t: 3 \t") + "abc", framed{messages: []string{with("L \t: 3 \t") + "abc"}}},
		{"any case", with("cOnTeNt-lEnGtH: 3") + "abc", framed{messages: []string{with("cOnTeNt-lEnGtH: 3") + "abc"}}},
		{"folded", with("Content-Length:\r\n 3") + "abc", framed{messages: []string{with("Content-Length:\r\n 3") + "abc"}}},
		{"folded twice", with("l :\r\n\t\r\n  3") + "abc", framed{messages: []string{with("l :\r\n\t\r\n  3") + "abc"}}},
		{"length inside another field", with("Subject: x\r\n l: 3\r\nX-Content-Length: 9"), framed{messages: []string{with("Subject: x\r\n l: 3\r\nX-Content-Length: 9")}}},
		{"other fields with the same letters", with("Contact: c\r\nContent-Type: t\r\nlength: 9\r\nLx: 9\r\nc: 9"), framed{messages: []string{with("Contact: c\r\nContent-Type: t\r\nlength: 9\r\nLx: 9\r\nc: 9")}}},
		{"field without a colon", with("length 7\r\nl: 1") + "x", framed{messages: []string{with("length 7\r\nl: 1") + "x"}}},
		{"same length twice", with("l: 3\r\nContent-Length: 3") + "abc", framed{messages: []string{with("l: 3\r\nContent-Length: 3") + "abc"}}},
		{"line feeds only", "OPTIONS sip:a@b SIP/2.0\nl: 2\n\nab\n\nOPTIONS", framed{messages: []string{"OPTIONS sip:a@b SIP/2.0\nl: 2\n\nab"}, pings: 1, rest: "OPTIONS"}},
		{"empty line inside the body", with("l: 4") + "\r\n\r\n" + empty, framed{messages: []string{with("l: 4") + "\r\n\r\n", empty}}},
		{"reply", "SIP/2.0 200 OK\r\n\r\n", framed{messages: []string{"SIP/2.0 200 OK\r\n\r\n"}}},
		{"pipelined", with("l: 1") + "x" + empty + with("l: 2") + "yz", framed{messages: []string{with("l: 1") + "x", empty, with("l: 2") + "yz"}}},
		{"body to come", with("l: 5") + "abc", framed{rest: with("l: 5") + "abc"}},
		{"keep-alive", "\r\n" + empty + "\r\n", framed{messages: []string{empty}}},
		{"ping", "\r\n\r\n", framed{pings: 1}},
		{"two pings and a half", "\r\n\r\n\r\n\r\n\r\n", framed{pings: 2}},
		{"ping between messages", empty + "\r\n\r\n" + empty, framed{messages: []string{empty, empty}, pings: 1}},
		{"half a line end", "\r\n\r", framed{rest: "\r"}},
		{"negative", with("Content-Length: -1"), framed{messages: []string{with("Content-Length: -1")}, err: errLength}},
		{"no number", with("Content-Length: five"), framed{messages: []string{with("Content-Length: five")}, err: errLength}},
		{"plus", with("Content-Length: +5"), framed{messages: []string{with("Content-Length: +5")}, err: errLength}},
		{"empty length", with("Content-Length: "), framed{messages: []string{with("Content-Length: ")}, err: errLength}},
		{"list", with("Content-Length: 5, 5"), framed{messages: []string{with("Content-Length: 5, 5")}, err: errLength}},
		{"different lengths", with("l: 3\r\nl: 4") + "abcd", framed{messages: []string{with("l: 3\r\nl: 4")}, err: errLength}},
		{"one usable, one not", with("l: 3\r\nl: x"), framed{messages: []string{with("l: 3\r\nl: x")}, err: errLength}},
		{"longest message", with("l: 300") + padding(300), framed{messages: []string{with("l: 300") + padding(300)}}},
		{"too long", with("l: 400"), framed{messages: []string{with("l: 400")}, err: errBodyLimit}},
		{"overflow", with("l: 99999999999999999999999999"), framed{messages: []string{with("l: 99999999999999999999999999")}, err: errBodyLimit}},
		{"longest header", start + "T: " + padding(300-len(start)-7) + "\r\n\r\n", framed{messages: []string{start + "T: " + padding(300-len(start)-7) + "\r\n\r\n"}}},
		{"header too long", start + "T: " + padding(300-len(start)-6) + "\r\n\r\n", framed{err: errHeaderLimit}},
		{"header never ends", start + "T: " + padding(300), framed{err: errHeaderLimit}},
		{"another protocol", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", framed{err: errNotSIP}},
		{"tls", "\x16\x03\x01\x02\x00", framed{err: errNotSIP}},
		{"control byte", "OPT\x01", framed{err: errNotSIP}},
		{"control byte in the uri", "OPTIONS sip:\x00", framed{err: errNotSIP}},
		{"endless word", padding(maxMethod + 1), framed{err: errNotSIP}},
		{"begins with a space", " OPTIONS", framed{err: errNotSIP}},
		{"carriage return alone", "OPTIONS sip:a@b\rx", framed{err: errNotSIP}},
		{"carriage return first", "\rx", framed{err: errNotSIP}},
		{"message, then garbage", empty + "?", framed{messages: []string{empty}, err: errNotSIP}},
		{"any version", "OPTIONS sip:a@b sip/7.0\r\n\r\n", framed{messages: []string{"OPTIONS sip:a@b sip/7.0\r\n\r\n"}}},
		{"utf-8 reason", "SIP/2.0 200 = 2**3 * 5**2 но сто\r\n\r\n", framed{messages: []string{"SIP/2.0 200 = 2**3 * 5**2 но сто\r\n\r\n"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := frameAll(testLimits, tt.in); !got.same(tt.want) {
				t.Errorf("whole: got %+v, want %+v", got, tt.want)
			}
			if got := frameAll(testLimits, bytewise(tt.in)...); !got.same(tt.want) {
				t.Errorf("byte by byte: got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestFramerStartLine: a request-line may be long, but not without end.
func TestFramerStartLine(t *testing.T) {
	f := framer{maxHeader: defaultMaxHeader, maxMessage: defaultMaxMessage}
	for _, tt := range []struct {
		uri  int
		want error
	}{{maxStartLine - 100, nil}, {maxStartLine, errNotSIP}} {
		in := "OPTIONS sip:" + padding(tt.uri) + " SIP/2.0\r\n\r\n"
		if got := frameAll(f, in); !errors.Is(got.err, tt.want) || tt.want == nil && len(got.messages) != 1 {
			t.Errorf("uri of %d bytes: %d messages, error %v, want %v", tt.uri, len(got.messages), got.err, tt.want)
		}
	}
}

// FuzzFramer checks that it does not matter in which pieces a stream arrives.
// Each byte of cuts is the length of a piece, from which a new one begins.
func FuzzFramer(f *testing.F) {
	seeds, err := filepath.Glob("testdata/streams/*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), []byte{1, 40, 3, 200})
	}
	f.Fuzz(func(t *testing.T, stream string, cuts []byte) {
		want := frameAll(testLimits, stream)
		if got := frameAll(testLimits, bytewise(stream)...); !got.same(want) {
			t.Fatalf("byte by byte: got %+v, want %+v", got, want)
		}
		var pieces []string
		for rest := stream; rest != ""; {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, int(cuts[0])+1)
				cuts = cuts[1:]
			}
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := frameAll(testLimits, pieces...); !got.same(want) {
			t.Fatalf("in pieces %q: got %+v, want %+v", pieces, got, want)
		}
		for _, m := range want.messages {
			if len(m) > testLimits.maxMessage || !strings.Contains(m, "\n") {
				t.Fatalf("no message: %q", m)
			}
		}
	})
}

// bytewise cuts a stream into single bytes.
func bytewise(s string) []string {
	pieces := make([]string, len(s))
	for i := range pieces {
		pieces[i] = s[i : i+1]
	}
	return pieces
}

func BenchmarkFramer(b *testing.B) {
	msg := []byte(invite)
	f := framer{maxHeader: defaultMaxHeader, maxMessage: defaultMaxMessage}
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if fr := f.next(msg); fr.size != len(msg) {
			b.Fatal(fr)
		}
	}
}

// invite is an INVITE of ordinary size.
var invite = "INVITE sip:+15551234567@192.0.2.10 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.20:5060;rport;branch=z9hG4bKPj6a1c4a2b-0b7e-4d0c-a2a5-0c6b3f1f1b11\r\n" +
	"From: \"Alice\" <sip:+15557654321@192.0.2.20>;tag=1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809\r\n" +
	"To: <sip:+15551234567@192.0.2.10>\r\n" +
	"Contact: <sip:asterisk@192.0.2.20:5060>\r\n" +
	"Call-ID: 0e7b6f2c-9f8e-4d3c-b2a1-706f5e4d3c2b\r\n" +
	"CSeq: 21874 INVITE\r\n" +
	"Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO\r\n" +
	"Supported: 100rel, timer, replaces, norefersub, histinfo\r\n" +
	"Session-Expires: 1800\r\nMin-SE: 90\r\nMax-Forwards: 70\r\nUser-Agent: media\r\n" +
	"Content-Type: application/sdp\r\nContent-Length: " + strconv.Itoa(len(offer)) + "\r\n\r\n" + offer

const offer = "v=0\r\no=- 1825433041 1825433041 IN IP4 192.0.2.20\r\ns=media\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n" +
	"m=audio 17410 RTP/AVP 0 8 107 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n" +
	"a=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\n" +
	"a=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n"

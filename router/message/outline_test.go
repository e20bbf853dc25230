package message_test

import (
	"bytes"
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

// checkOutline holds an outline against what Parse finds.
func checkOutline(t *testing.T, b []byte) (found bool) {
	t.Helper()
	var o message.Outline
	if !o.Read(b) {
		return false
	}
	var m message.Message
	if err := m.Parse(b); err != nil {
		return true // The fault is one that an outline does not look for.
	}
	for kind, got := range map[message.Kind]message.Span{message.From: o.From, message.To: o.To, message.CallID: o.CallID, message.CSeq: o.CSeq} {
		if h := m.First(kind); h == nil || h.Line != got {
			t.Errorf("kind %v: %q", kind, b[got.Start:got.End])
		}
	}
	var vias []byte
	for i := range m.Headers {
		if m.Headers[i].Kind == message.Via {
			vias = append(vias, m.Bytes(m.Headers[i].Line)...)
		}
	}
	if got := b[o.Via.Start:o.Via.End]; !bytes.Equal(got, vias) {
		t.Errorf("Via:\n%s\nwant\n%s", got, vias)
	}
	top, fault := m.TopVia()
	if fault != nil || top != o.Top {
		t.Errorf("top Via: %+v (%v), want %+v", o.Top, fault, top)
	}
	if got, ok := message.TopViaOf(b); ok && got != top {
		t.Errorf("top Via of the first line: %+v, want %+v", got, top)
	}
	if _, tag, fault := m.Address(message.To); fault == nil && tag != nil {
		t.Errorf("a request in a dialog: %q", tag)
	}
	return true
}

// TestOutline: what is written as usual has an outline, and what Parse may read in another way has none.
func TestOutline(t *testing.T) {
	const start = "INVITE sip:a@b SIP/2.0\r\n"
	edit := func(old, text string) string {
		if !bytes.Contains([]byte(start+minimal), []byte(old)) {
			t.Fatalf("no %q", old)
		}
		return string(bytes.Replace([]byte(start+minimal), []byte(old), []byte(text), 1)) + "\r\n"
	}
	for name, tt := range map[string]struct {
		text  string
		found bool
	}{
		"minimal":           {start + minimal + "\r\nbody", true},
		"two Via":           {edit("From", "Via: SIP/2.0/UDP b\r\nFrom"), true},
		"white space":       {edit("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", "Via:\t SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa  "), true},
		"others like them":  {edit("To", "Contact: <a>\r\nTimestamp: 5\r\nFoo: 1\r\nIn-Reply-To: x\r\nVBOUT-Codecs: a\r\nTo"), true},
		"Via apart":         {edit("CSeq", "Via: SIP/2.0/UDP b\r\nCSeq"), false},
		"v":                 {edit("CSeq", "v: SIP/2.0/UDP b\r\nCSeq"), false},
		"VIA":               {edit("CSeq", "VIA : SIP/2.0/UDP b\r\nCSeq"), false},
		"no Via":            {edit("Via", "Vie"), false},
		"a bad Via":         {edit("192.0.2.1", "192.0.2.1:x"), false},
		"f":                 {edit("From", "f"), false},
		"no From":           {edit("From", "Fram"), false},
		"two From":          {edit("Call", "From: <sip:x@y>\r\nCall"), false},
		"t":                 {edit("To", "t"), false},
		"to":                {edit("To", "to"), false},
		"i":                 {edit("Call-ID", "i"), false},
		"call-id":           {edit("Call-ID", "call-id"), false},
		"cseq":              {edit("CSeq", "cseq"), false},
		"a To tag":          {edit("b@example.net>", "b@example.net>;tag=x"), false},
		"a To without <>":   {edit("<sip:b@example.net>", "sip:b@example.net"), false},
		"a tag without <>":  {edit("<sip:b@example.net>", "sip:b@example.net;tag=x;y=>"), false},
		"a tag in <>":       {edit("<sip:b@example.net>", "sip:b@example.net;tag=<x>"), false},
		"a tag with >":      {edit("<sip:b@example.net>", "<sip:b@example.net>;tag=x>"), false},
		"two To at once":    {edit("<sip:b@example.net>", "<sip:b@example.net>, <sip:c@example.net>"), false},
		"folded":            {edit("CSeq: 1", "CSeq:\r\n 1"), false},
		"folded by a tab":   {edit("CSeq: 1", "CSeq:\r\n\t1"), false},
		"a lone LF":         {edit("Call-ID: c\r", "Call-ID: c"), false},
		"a lone CR":         {edit("Call-ID: c", "Call-ID: \rc"), false},
		"LF, and a CR more": {edit("Call-ID: c\r", "Call-ID: c\rc"), false},
		"LF at first":       {"INVITE sip:a@b SIP/2.0\n" + minimal + "\r\n", false},
		"no end":            {start + minimal, false},
		"half an end":       {start + minimal + "\r", false},
		"an end by LF":      {start + minimal + "\n", false},
		"nothing":           {"", false},
		"one line":          {start, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checkOutline(t, []byte(tt.text)); got != tt.found {
				t.Errorf("found: %v", got)
			}
		})
	}
}

// TestTopViaOf: the first line's, if it is a Via.
func TestTopViaOf(t *testing.T) {
	for text, want := range map[string]string{
		"ACK sip:a@b SIP/2.0\r\n" + minimal + "\r\n":                      "z9hG4bKa",
		"ACK sip:a@b SIP/2.0\r\nMax-Forwards: 1\r\n" + minimal + "\r\n":   "",
		"ACK sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP b;branch=z9hG4bKb\r\n\r\n": "",
		"ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bKb":       "",
		"ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0;branch=z9hG4bKb\r\n\r\n":     "",
		"ACK sip:a@b SIP/2.0": "", "": "",
	} {
		v, ok := message.TopViaOf([]byte(text))
		if got := text[v.Branch.Start:v.Branch.End]; ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}

// FuzzOutline: whatever has an outline has the one that Parse finds.
func FuzzOutline(f *testing.F) {
	seed(f)
	for _, to := range []string{"sip:b@c;tag=x;y=>", "sip:b@c;tag=<x>", "<sip:b@c>;tag=x>", "\"b\" <sip:b@c;x=y>"} {
		f.Add(bytes.Replace([]byte("INVITE sip:a@b SIP/2.0\r\n"+minimal+"\r\n"), []byte("<sip:b@example.net>"), []byte(to), 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		checkOutline(t, b)
		if !bytes.Equal(b, in) {
			t.Fatal("the input was changed")
		}
	})
}

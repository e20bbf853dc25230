package message_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

// wire makes a message of lines.
func wire(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

const minimal = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n" +
	"From: <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"

func TestParse(t *testing.T) {
	var m message.Message
	b := wire("INVITE sip:+1555@example.net SIP/2.0", "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", "Subject : a long",
		" story", "VB-CUSTOMER-ID:", "vbout-codecs: PCMU", "l: 4", "", "bodyEXTRA")
	if err := m.Parse(b); err != nil {
		t.Fatal(err)
	}
	if !m.Request || m.Method != message.INVITE || string(m.Bytes(m.URI)) != "sip:+1555@example.net" {
		t.Errorf("start line: %v %v %q", m.Request, m.Method, m.Bytes(m.URI))
	}
	want := []struct {
		kind        message.Kind
		name, value string
	}{
		{message.Via, "v", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"},
		{message.Other, "Subject", "a long\r\n story"},
		{message.Private, "VB-CUSTOMER-ID", ""},
		{message.Private, "vbout-codecs", "PCMU"},
		{message.ContentLength, "l", "4"},
	}
	if len(m.Headers) != len(want) {
		t.Fatalf("%d headers, want %d", len(m.Headers), len(want))
	}
	for i, w := range want {
		h := m.Headers[i]
		if h.Kind != w.kind || string(m.Bytes(h.Name)) != w.name || string(m.Bytes(h.Value)) != w.value {
			t.Errorf("header %d: %v %q %q, want %v", i, h.Kind, m.Bytes(h.Name), m.Bytes(h.Value), w)
		}
	}
	if string(m.Body()) != "body" {
		t.Errorf("body %q: what is behind Content-Length belongs to nobody", m.Body())
	}
	if from, to := m.Range(message.Private); from != 2 || to != 4 {
		t.Errorf("private headers in [%d, %d)", from, to)
	}
}

func TestParseFaults(t *testing.T) {
	tests := []struct {
		name, text string
		want       *message.Fault
	}{
		{"empty", "", message.ErrNotSIP},
		{"no line", "INVITE sip:a@b SIP/2.0", message.ErrNotSIP},
		{"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", message.ErrNotSIP},
		{"binary", "\x00\x01\x02\r\n\r\n", message.ErrNotSIP},
		{"method with a space less", "INVITE  SIP/2.0\r\n" + minimal + "\r\n", message.ErrRequestLine},
		{"two spaces", "INVITE  sip:a@b SIP/2.0\r\n" + minimal + "\r\n", message.ErrRequestLine},
		{"space behind", "INVITE sip:a@b SIP/2.0 \r\n" + minimal + "\r\n", message.ErrRequestLine},
		{"angle brackets", "INVITE <sip:a@b> SIP/2.0\r\n" + minimal + "\r\n", message.ErrRequestLine},
		{"space in the URI", "INVITE sip:a@b; lr SIP/2.0\r\n" + minimal + "\r\n", message.ErrRequestLine},
		{"version", "INVITE sip:a@b SIP/7.0\r\n" + minimal + "\r\n", message.ErrVersion},
		{"no empty line", "INVITE sip:a@b SIP/2.0\r\n" + minimal, message.ErrHeadersEnd},
		{"cut in a header", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "Subj", message.ErrHeadersEnd},
		{"no colon", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "Subject\r\n\r\n", message.ErrHeaderLine},
		{"no name", "INVITE sip:a@b SIP/2.0\r\n" + minimal + ": x\r\n\r\n", message.ErrHeaderLine},
		{"space in the name", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "X Y: x\r\n\r\n", message.ErrHeaderLine},
		{"first line folded", "INVITE sip:a@b SIP/2.0\r\n x: y\r\n" + minimal + "\r\n", message.ErrHeaderLine},
		{"bare CR", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "X: a\rRoute: <sip:x>\r\n\r\n", message.ErrHeaderLine},
		{"two From", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "f: <sip:x@y>\r\n\r\n", message.ErrRepeated},
		{"two lengths", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "l: 0\r\nContent-Length: 0\r\n\r\n", message.ErrRepeated},
		{"negative length", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "l: -1\r\n\r\n", message.ErrContentLength},
		{"long length", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "l: 9\r\n\r\n12345678", message.ErrContentLength},
		{"huge length", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "l: 99999999999999999999\r\n\r\n", message.ErrContentLength},
		{"no digits", "INVITE sip:a@b SIP/2.0\r\n" + minimal + "l:\r\n\r\n", message.ErrContentLength},
		{"header flood", "INVITE sip:a@b SIP/2.0\r\n" + minimal + strings.Repeat("a:\n", 2000) + "\r\n", message.ErrTooManyHeaders},
		{"status of two digits", "SIP/2.0 99 X\r\n" + minimal + "\r\n", message.ErrStatusLine},
		{"status that overflows", "SIP/2.0 4294967301 better\r\n" + minimal + "\r\n", message.ErrStatusLine},
		{"status beyond", "SIP/2.0 700 X\r\n" + minimal + "\r\n", message.ErrStatusLine},
		{"status of letters", "SIP/2.0 2oo OK\r\n" + minimal + "\r\n", message.ErrStatusLine},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m message.Message
			if err := m.Parse([]byte(tt.text)); err != error(tt.want) { //nolint:errorlint // Faults are never wrapped.
				t.Errorf("fault %v, want %v", err, tt.want)
			}
		})
	}
}

func TestParseLeniency(t *testing.T) {
	tests := map[string]string{
		"empty lines first":     "\r\n\r\nINVITE sip:a@b SIP/2.0\r\n" + minimal + "\r\n",
		"line feeds alone":      strings.ReplaceAll("INVITE sip:a@b SIP/2.0\r\n"+minimal+"\r\n", "\r\n", "\n"),
		"version in lower case": "INVITE sip:a@b sip/2.0\r\n" + minimal + "\r\n",
		"no reason":             "SIP/2.0 100 \r\n" + minimal + "\r\n",
		"no space behind":       "SIP/2.0 100\r\n" + minimal + "\r\n",
		"UTF-8 reason":          "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять\r\n" + minimal + "\r\n",
		"method of odd tokens":  "!interesting-Method0123456789_*+`.%indeed'~ sip:a@b SIP/2.0\r\n" + minimal + "\r\n",
		"nameless unknown":      "INVITE sip:a@b SIP/2.0\r\n" + minimal + "X-Thing:\r\n\r\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			var m message.Message
			if err := m.Parse([]byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseHead(t *testing.T) {
	full := []byte("INVITE sip:a@b SIP/2.0\r\n" + minimal + "Subject: x\r\nl: 500\r\n\r\nv=0\r\n")
	var m message.Message
	for n := len("INVITE sip:a@b SIP/2.0\r\n"); n <= len(full); n++ {
		if err := m.ParseHead(full[:n]); err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if n > 70 {
			if v, fault := m.TopVia(); fault != nil || string(m.Bytes(v.Branch)) != "z9hG4bKa" {
				t.Fatalf("cut at %d: branch %q, %v", n, m.Bytes(v.Branch), fault)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	names := map[string]message.Kind{
		"v": message.Via, "VIA": message.Via, "f": message.From, "From": message.From, "T": message.To, "tO": message.To,
		"i": message.CallID, "Call-ID": message.CallID, "CSEQ": message.CSeq, "Max-Forwards": message.MaxForwards,
		"Route": message.Route, "Record-Route": message.RecordRoute, "m": message.Contact, "contact": message.Contact,
		"l": message.ContentLength, "Content-Length": message.ContentLength, "c": message.ContentType,
		"Content-Type": message.ContentType, "e": message.ContentEncoding, "Content-Encoding": message.ContentEncoding,
		"Proxy-Require": message.ProxyRequire, "Require": message.Require, "Authorization": message.Authorization,
		"Proxy-Authorization": message.ProxyAuthorization, "Proxy-Authenticate": message.ProxyAuthenticate,
		"WWW-Authenticate": message.WWWAuthenticate, "Retry-After": message.RetryAfter, "Timestamp": message.Timestamp,
		"P-Asserted-Identity": message.PAssertedIdentity, "Privacy": message.Privacy, "Max-Breadth": message.MaxBreadth,
		"Reason": message.Reason, "x": message.SessionExpires, "Session-Expires": message.SessionExpires,
		"RAck": message.RAck, "RSeq": message.RSeq, "Event": message.Event, "o": message.Event, "Evens": message.Other, "VB-CUSTOMER-ID": message.Private, "VBOUT-CODECS": message.Private,
		"vbout-SDP_Transport": message.Private, "Vb-X": message.Private, "VBX": message.Other, "VBOUT": message.Other,
		"Subject": message.Other, "s": message.Other, "Record-Rout": message.Other, "Fromm": message.Other,
		"k": message.Other, "Viaa": message.Other, "Rabc": message.Other, "Max-Breadtx": message.Other,
	}
	for name, want := range names {
		var m message.Message
		if err := m.Parse([]byte("INVITE sip:a@b SIP/2.0\r\n" + name + ": x\r\n\r\n")); err != nil && want != message.ContentLength {
			t.Errorf("%s: %v", name, err)
		}
		if got := m.Headers[0].Kind; got != want {
			t.Errorf("%s is kind %d, want %d", name, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	src := []byte("0123456789")
	var e message.Edits
	e.Insert(10)
	e.PutString("end")
	e.Replace(message.Span{Start: 2, End: 4})
	e.PutString("ab")
	e.PutUint(0)
	e.PutUint(18446744073709551615)
	e.Insert(0)
	e.Put([]byte("<"))
	e.Insert(0)
	e.Put([]byte(">"))
	e.Delete(message.Span{Start: 7, End: 9})
	e.Insert(2)
	e.Wrote(append(e.Buffer(), '!'))
	want := "<>01" + "ab018446744073709551615" + "!" + "456" + "9end"
	if got := e.Apply(nil, src); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := len(want) - len(src); e.Grown() != got {
		t.Errorf("grown by %d, want %d", e.Grown(), got)
	}
	e.Reset()
	e.Replace(message.Span{Start: 4, End: 5})
	e.PutString("x")
	if got := e.ApplyRange([]byte("p"), src, message.Span{Start: 3, End: 6}); string(got) != "p3x5" {
		t.Errorf("range: %q", got)
	}
	if !bytes.Equal(src, []byte("0123456789")) {
		t.Error("the source was changed")
	}
}

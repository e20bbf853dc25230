package message_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

// seed adds real messages, good and bad.
func seed(f *testing.F) {
	f.Helper()
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\n" + minimal + "\r\nbody"))
	f.Add([]byte("SIP/2.0 180 Ringing\r\n" + minimal + "l: 0\r\n\r\n"))
	names, err := filepath.Glob("../testdata/torture/rfc*/*.dat")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzParse: whatever is parsed holds together, and without edits it leaves as it came.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message.Message
		in := bytes.Clone(b)
		err := m.Parse(b)
		if !bytes.Equal(b, in) {
			t.Fatal("the input was changed")
		}
		pos := uint32(0)
		for _, h := range m.Headers {
			if h.Line.Start < pos || h.Line.End <= h.Line.Start || h.Line.End > uint32(len(b)) ||
				h.Name.Start < h.Line.Start || h.Name.End <= h.Name.Start || h.Value.Start < h.Name.End ||
				h.Value.End < h.Value.Start || h.Value.End > h.Line.End {
				t.Fatalf("header out of place: %+v", h)
			}
			pos = h.Line.End
		}
		_, _ = m.TopVia()
		_, _, _ = m.Address(message.From)
		_, _, _ = m.Address(message.To)
		_, _, _ = m.CSeqOf()
		_, _ = message.ParseURI(m.Bytes(m.URI))
		if err != nil {
			return
		}
		if m.HeadersEnd < pos || m.BodyStart < m.HeadersEnd || int(m.BodyStart) > len(m.Buf) {
			t.Fatalf("headers end at %d, body starts at %d", m.HeadersEnd, m.BodyStart)
		}
		var e message.Edits
		if out := e.Apply(nil, m.Buf); !bytes.Equal(out, b[:len(m.Buf)]) {
			t.Fatal("without edits the message changed")
		}
	})
}

// FuzzEdit: an edited message parses to the edit, and all else in it is as before.
func FuzzEdit(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message.Message
		if m.Parse(b) != nil || !m.Request || len(m.Headers) == 0 {
			return
		}
		var e message.Edits
		e.Replace(m.URI)
		e.PutString("sip:new@example.net")
		e.Insert(m.HeadersEnd)
		e.PutString("X-Added: yes\r\n")
		e.Insert(m.Headers[0].Line.Start)
		e.PutString("Via: SIP/2.0/UDP new.example.net;branch=z9hG4bKnew\r\n")
		out := e.Apply(nil, m.Buf)
		if len(out) != len(m.Buf)+e.Grown() {
			t.Fatalf("%d bytes, want %d", len(out), len(m.Buf)+e.Grown())
		}
		var n message.Message
		if err := n.Parse(out); err != nil {
			t.Fatalf("edited message: %v\n%q", err, out)
		}
		if string(n.Bytes(n.URI)) != "sip:new@example.net" || len(n.Headers) != len(m.Headers)+2 ||
			n.Method != m.Method || !bytes.Equal(n.Body(), m.Body()) {
			t.Fatalf("edited message differs: %q", out)
		}
		for i, h := range m.Headers {
			if !bytes.Equal(m.Bytes(h.Line), n.Bytes(n.Headers[i+1].Line)) {
				t.Fatalf("header %d changed to %q", i, n.Bytes(n.Headers[i+1].Line))
			}
		}
		if last := n.Headers[len(n.Headers)-1]; string(n.Bytes(last.Value)) != "yes" {
			t.Fatalf("added header is %q", n.Bytes(last.Line))
		}
	})
}

// FuzzURI: what is read lies within the text, and reads the same when written from its parts.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"sip:+1@b", "sip:a:p@[::1]:5060;lr?h=v", "tel:+1;x=y", "sips:h", "sip:a;b@c;d=e@f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, fault := message.ParseURI(b)
		if fault != nil || u.Scheme == message.SchemeTel {
			return
		}
		scheme := "sip:"
		if u.Scheme == message.SchemeSIPS {
			scheme = "sips:"
		}
		var again []byte
		again = append(again, scheme...)
		if u.HasUser {
			again = append(append(again, u.User...), '@')
		}
		if u.V6 {
			again = append(append(append(again, '['), u.Host...), ']')
		} else {
			again = append(again, u.Host...)
		}
		if u.Port != 0 {
			var e message.Edits
			e.Insert(0)
			e.PutUint(uint64(u.Port))
			again = append(append(again, ':'), e.Buffer()...)
		}
		again = append(append(again, u.Params...), u.Headers...)
		v, fault := message.ParseURI(again)
		if fault != nil || !bytes.Equal(u.User, v.User) || !bytes.Equal(u.Host, v.Host) || u.Port != v.Port ||
			!bytes.Equal(u.Params, v.Params) || !bytes.Equal(u.Headers, v.Headers) {
			t.Fatalf("%q reads as %+v, written as %q reads as %+v (%v)", b, u, again, v, fault)
		}
	})
}

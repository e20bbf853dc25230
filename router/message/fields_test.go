package message_test

import (
	"net/netip"
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

func TestParseURI(t *testing.T) {
	tests := []struct {
		in, user, host, params, headers string
		port                            uint16
		scheme                          message.Scheme
		v6                              bool
		fault                           *message.Fault
	}{
		{in: "sip:+15551234567@example.net", user: "+15551234567", host: "example.net"},
		{in: "SIP:a@b:5070;lr;transport=tcp", user: "a", host: "b", port: 5070, params: ";lr;transport=tcp"},
		{in: "sip:a:secret@b", user: "a", host: "b"},
		{in: "sip:user;par=u%40example.net@example.com", user: "user;par=u%40example.net", host: "example.com"},
		{in: "sip:[2001:db8::10]:5070", host: "2001:db8::10", port: 5070, v6: true},
		{in: "sip:[::1]", host: "::1", v6: true},
		{in: "sips:a@b", user: "a", host: "b", scheme: message.SchemeSIPS},
		{in: "tel:+1-555;phone-context=x", user: "+1-555;phone-context=x", scheme: message.SchemeTel},
		{in: "sip:a@b?Route=%3Csip:c%3E", user: "a", host: "b", headers: "?Route=%3Csip:c%3E"},
		{in: "sip:b;x=a@c", user: "b;x=a", host: "c"},
		{in: "sip:a_b.example", host: "a_b.example"},
		{in: "soap.beep://192.0.2.103:3002", fault: message.ErrScheme},
		{in: "nobodyKnowsThisScheme:totallyopaquecontent", fault: message.ErrScheme},
		{in: "sip:2001:db8::10", fault: message.ErrURI},
		{in: "sip:", fault: message.ErrURI},
		{in: "sip:@b", fault: message.ErrURI},
		{in: "sip:a@", fault: message.ErrURI},
		{in: "sip:a@b:0", fault: message.ErrURI},
		{in: "sip:a@b:65536", fault: message.ErrURI},
		{in: "sip:a@b:", fault: message.ErrURI},
		{in: "sip:a@b c", fault: message.ErrURI},
		{in: "sip:a@[::1", fault: message.ErrURI},
		{in: "sip:a@[::1]x", fault: message.ErrURI},
		{in: "sip:a@b@c", fault: message.ErrURI},
		{in: "tel:", fault: message.ErrURI},
		{in: ":a", fault: message.ErrURI},
		{in: "a", fault: message.ErrURI},
		{in: "", fault: message.ErrURI},
	}
	for _, tt := range tests {
		u, fault := message.ParseURI([]byte(tt.in))
		if fault != tt.fault {
			t.Errorf("%q: fault %v, want %v", tt.in, fault, tt.fault)
			continue
		}
		if fault != nil {
			continue
		}
		if string(u.User) != tt.user || string(u.Host) != tt.host || u.Port != tt.port || u.Scheme != tt.scheme ||
			string(u.Params) != tt.params || string(u.Headers) != tt.headers || u.V6 != tt.v6 || u.HasUser != (tt.user != "") {
			t.Errorf("%q: %+v", tt.in, u)
		}
	}
}

func TestParseVia(t *testing.T) {
	tests := []struct {
		in, proto, host, branch, rport, received, rest string
		port                                           uint16
		v6, bad                                        bool
	}{
		{in: "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx", proto: "UDP", host: "192.0.2.1", port: 5060, branch: "z9hG4bKx"},
		{in: "SIP/2.0/TCP h;rport;branch=b;received=1.2.3.4", proto: "TCP", host: "h", branch: "b", rport: ";rport", received: ";received=1.2.3.4"},
		{
			in:    "SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP/2.0/UDP x;branch=y",
			proto: "TCP", host: "spindle.example.com", branch: "z9hG4bK9ikj8", rest: "SIP/2.0/UDP x;branch=y",
		},
		{
			in: "SIP/2.0/UDP [2001:db8::9:1]:5070;received=[2001:db8::9:255];branch=b", proto: "UDP", host: "2001:db8::9:1",
			port: 5070, v6: true, branch: "b", received: ";received=[2001:db8::9:255]",
		},
		{in: "SIP/2.0/UDP h", proto: "UDP", host: "h"},
		{in: "SIP/2.0/UDP h;rport=5062;x=\"a;b,c\";branch=b", proto: "UDP", host: "h", branch: "b", rport: ";rport=5062"},
		{in: "SIP/2.0/UDP h : 5061 ;branch=b", proto: "UDP", host: "h", port: 5061, branch: "b"},
		{in: "SIP/2.0/UDP 192.0.2.15;;,;,,", bad: true},
		{in: "SIP/2.0/UDP", bad: true},
		{in: "SIP/2.0 h;branch=b", bad: true},
		{in: "HTTP/2.0/UDP h;branch=b", bad: true},
		{in: "SIP/2.0/UDP h:0;branch=b", bad: true},
		{in: "SIP/2.0/UDP h:x;branch=b", bad: true},
		{in: "SIP/2.0/UDP h;branch=", bad: true},
		{in: "SIP/2.0/UDP h;branch=a;branch=b", bad: true},
		{in: "SIP/2.0/UDP h;branch=a,", bad: true},
		{in: "", bad: true},
	}
	for _, tt := range tests {
		b := []byte(tt.in)
		v, fault := message.ParseVia(b, message.Span{End: uint32(len(b))})
		if (fault != nil) != tt.bad {
			t.Errorf("%q: fault %v", tt.in, fault)
			continue
		}
		if tt.bad {
			continue
		}
		text := func(s message.Span) string { return string(b[s.Start:s.End]) }
		rest := ""
		if v.More {
			rest = string(b[v.Next:])
		}
		got := []string{text(v.Proto), text(v.Host), text(v.Branch), text(v.RPort), text(v.Received), rest}
		want := []string{tt.proto, tt.host, tt.branch, tt.rport, tt.received, tt.rest}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: field %d is %q, want %q", tt.in, i, got[i], want[i])
			}
		}
		if v.Port != tt.port || v.V6 != tt.v6 {
			t.Errorf("%q: port %d, v6 %v", tt.in, v.Port, v.V6)
		}
	}
}

func TestParseNameAddr(t *testing.T) {
	tests := []struct {
		in, uri, tag, rest string
		bad                bool
	}{
		{in: `"Alice" <sip:a@b>;tag=1`, uri: "sip:a@b", tag: "1"},
		{in: `<sip:a@b;lr>`, uri: "sip:a@b;lr"},
		{in: `sip:a@b;tag=2`, uri: "sip:a@b", tag: "2"},
		{in: `caller<sip:a@b>;tag=323`, uri: "sip:a@b", tag: "323"},
		{in: `"a \" , <x>" <sip:a@b> ; tag = 7`, uri: "sip:a@b", tag: "7"},
		{in: `"Watson" < sip:t@example.org >`, uri: "sip:t@example.org"},
		{in: `<sip:a@b>, <sip:c@d>`, uri: "sip:a@b", rest: "<sip:c@d>"},
		{in: `Anders Bo <sip:a@b>;x="1,2",<sip:c@d>`, uri: "sip:a@b", rest: "<sip:c@d>"},
		{in: `isbn:2983792873`, uri: "isbn:2983792873"},
		{in: `"Mr. J. User <sip:j.user@example.com>`, bad: true},
		{in: `Bell, Alexander <sip:a@b>;tag=43`, bad: true},
		{in: `"A" sip:a@b`, bad: true},
		{in: `<sip:a@b`, bad: true},
		{in: `<>`, bad: true},
		{in: ``, bad: true},
		{in: `<sip:a@b>x`, bad: true},
	}
	for _, tt := range tests {
		b := []byte(tt.in)
		n, ok := message.ParseNameAddr(b, message.Span{End: uint32(len(b))})
		if ok == tt.bad {
			t.Errorf("%q: ok is %v", tt.in, ok)
			continue
		}
		if tt.bad {
			continue
		}
		tag, _ := message.Param(b[n.Params.Start:n.Params.End], "tag")
		rest := ""
		if n.More {
			rest = string(b[n.Next:])
		}
		if uri := string(b[n.URI.Start:n.URI.End]); uri != tt.uri || string(tag) != tt.tag || rest != tt.rest {
			t.Errorf("%q: uri %q tag %q rest %q", tt.in, uri, tag, rest)
		}
	}
}

func TestCSeq(t *testing.T) {
	tests := []struct {
		in, method string
		n          uint32
		bad        bool
	}{
		{in: "1 INVITE", n: 1, method: "INVITE"},
		{in: "0009\r\n  INVITE", n: 9, method: "INVITE"},
		{in: "4294967295 BYE", n: 1<<32 - 1, method: "BYE"},
		{in: "4294967296 BYE", bad: true},
		{in: "36893488147419103232 REGISTER", bad: true},
		{in: "-1 BYE", bad: true},
		{in: "1", bad: true},
		{in: "INVITE", bad: true},
		{in: "1 IN VITE", bad: true},
		{in: "", bad: true},
	}
	for _, tt := range tests {
		var m message.Message
		_ = m.Parse([]byte("INVITE sip:a@b SIP/2.0\r\nCSeq: " + tt.in + "\r\n\r\n"))
		n, method, fault := m.CSeqOf()
		if (fault != nil) != tt.bad || !tt.bad && (n != tt.n || string(method) != tt.method) {
			t.Errorf("%q: %d %q %v", tt.in, n, method, fault)
		}
	}
}

func TestParseAddr(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "255.255.255.255", "0.0.0.0", "::1", "2001:db8::192.0.2.1"} {
		if a, ok := message.ParseAddr([]byte(s)); !ok || a != netip.MustParseAddr(s) {
			t.Errorf("%s: %v %v", s, a, ok)
		}
	}
	for _, s := range []string{"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1..2.3", "1.2.3.", "example.net", "1.2.3.4a", "fe80::1%eth0", "0001.2.3.4"} {
		if a, ok := message.ParseAddr([]byte(s)); ok {
			t.Errorf("%q is read as %v", s, a)
		}
	}
	if a, _ := message.ParseAddr([]byte("::ffff:192.0.2.1")); a != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("mapped address is %v", a)
	}
}

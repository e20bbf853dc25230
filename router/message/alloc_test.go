package message_test

import (
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

// invite is like what an Asterisk sends.
var invite = []byte("INVITE sip:15551234567@127.0.0.1:5060 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 127.0.0.5:5060;branch=z9hG4bK-1-1-0;rport\r\nMax-Forwards: 70\r\n" +
	"From: \"Alice Example\" <sip:+15557654321@127.0.0.5>;tag=1uac1\r\nTo: <sip:15551234567@127.0.0.1:5060>\r\n" +
	"Call-ID: 1-1@127.0.0.5\r\nCSeq: 1 INVITE\r\nContact: <sip:+15557654321@127.0.0.5:5060;transport=udp>\r\n" +
	"User-Agent: ExamplePBX/4.2.0\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER\r\n" +
	"Supported: timer, replaces, norefersub, 100rel\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n" +
	"P-Asserted-Identity: \"Alice Example\" <sip:+15557654321@127.0.0.5>\r\nContent-Type: application/sdp\r\n" +
	"Content-Length: 5\r\n\r\nv=0\r\n")

func read(m *message.Message) {
	if m.Parse(invite) != nil {
		panic("parse")
	}
	_, _ = m.TopVia()
	_, _, _ = m.Address(message.From)
	_, _, _ = m.Address(message.To)
	_, _, _ = m.CSeqOf()
	_, _ = message.ParseURI(m.Bytes(m.URI))
}

func TestParseAllocatesNothing(t *testing.T) {
	var m message.Message
	read(&m)
	if n := testing.AllocsPerRun(100, func() { read(&m) }); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkParse(b *testing.B) {
	var m message.Message
	b.ReportAllocs()
	b.SetBytes(int64(len(invite)))
	for b.Loop() {
		read(&m)
	}
}

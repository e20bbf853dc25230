package sdp

import "testing"

func TestViolates(t *testing.T) {
	for _, tt := range []struct {
		name, policy, answer string
		want                 bool
	}{
		{"listed", "PCMU,PCMA", "m=audio 1 RTP/AVP 8 101|a=rtpmap:101 telephone-event/8000", false},
		{"removed by number", "PCMU,PCMA", "m=audio 1 RTP/AVP 18", true},
		{"removed by name", "PCMU,PCMA", "m=audio 1 RTP/AVP 0 96|a=rtpmap:96 opus/48000/2", true},
		{"removed clock", "speex/16000", "m=audio 1 RTP/AVP 96|a=rtpmap:96 speex/8000", true},
		{"removed, second section", "PCMU", "m=audio 1 RTP/AVP 0|m=audio 3 RTP/AVP 8", true},
		{"removed, first section", "PCMU", "m=audio 1 RTP/AVP 8|m=audio 3 RTP/AVP 0", true},
		{"refused section", "PCMU", "m=audio 0 RTP/AVP 18", false},
		{"another medium", "PCMU", "m=video 1 RTP/AVP 31|m=image 1 udptl t38", false},
		{"another transport", "PCMU", "m=audio 1 udp 8", false},
		{"events of another rate", "PCMU", "m=audio 1 RTP/AVP 0 101 13|a=rtpmap:101 telephone-event/48000", false},
		{"no name", "PCMU", "m=audio 1 RTP/AVP 0 99", false},
		{"unreadable", "PCMU", "m=audio 1 RTP/AVP 8|junk", false},
		{"no sections", "PCMU", "a=x", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, tt.policy)
			if got := p.Violates([]byte(describe(tt.answer))); got != tt.want {
				t.Errorf("Violates = %v", got)
			}
		})
	}
	if compile(t, "PCMU").Violates(nil) {
		t.Error("an empty answer violates")
	}
}

func TestViolatesBodyOfParts(t *testing.T) {
	p := compile(t, "PCMU")
	for _, tt := range []struct {
		name, body string
		want       bool
	}{
		{"listed", multipart("b", sdpPart(partFine)), false},
		{"removed", multipart("b", sdpPart(partFine), sdpPart(partNone)), true},
		{"another type", multipart("b", "\r\n"+partNone), false},
		{"encoded", multipart("b", "Content-Encoding: gzip\r\n"+sdpPart(partNone)), false},
		{"not closed", "--b\r\n" + sdpPart(partNone) + "\r\n--b\r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.ViolatesBody([]byte("multipart/mixed;boundary=b"), nil, []byte(tt.body)); got != tt.want {
				t.Errorf("ViolatesBody = %v", got)
			}
		})
	}
}

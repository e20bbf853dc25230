package sdp

import (
	"strings"
	"testing"
)

// prologue opens the descriptions of the table tests.
const prologue = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

// describe builds a description from its lines behind the prologue, which are parted by "|".
func describe(lines string) string {
	return prologue + strings.ReplaceAll(lines, "|", "\r\n") + "\r\n"
}

// rule is one case: the lines of a description, and what a policy makes of them. Without want they stay as they are.
type rule struct {
	name, policy, in, want string
	outcome                Outcome
}

// run checks a table of rules, and what holds for each of them.
func run(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			p, in := compile(t, r.policy), describe(r.in)
			want, outcome := "", r.outcome
			if r.want != "" {
				want, outcome = describe(r.want), Edited
			}
			got, o := p.Filter(nil, []byte(in))
			if o != outcome || string(got) != want {
				t.Errorf("%s of\n%s is %v:\n%s\nwant %v:\n%s", p, in, o, got, outcome, want)
			}
			checkInvariants(t, p, []byte(in))
		})
	}
}

func TestCodecRules(t *testing.T) {
	run(t, []rule{
		{name: "nothing to change", policy: "PCMU,PCMA", in: "m=audio 4000 RTP/AVP 0 8"},
		{name: "list order", policy: "PCMA,PCMU", in: "m=audio 4000 RTP/AVP 0 8", want: "m=audio 4000 RTP/AVP 8 0"},
		{name: "case", policy: "pcma", in: "m=audio 4000 RTP/AVP 8 96|a=rtpmap:96 PcMa/8000"},
		{
			name: "one name twice stays as offered", policy: "PCMU,AMR", in: "m=audio 4000 RTP/AVP 98 96 0 97|a=rtpmap:96 AMR/8000|a=rtpmap:97 AMR/8000|a=rtpmap:98 AMR/8000",
			want: "m=audio 4000 RTP/AVP 0 98 96 97|a=rtpmap:96 AMR/8000|a=rtpmap:97 AMR/8000|a=rtpmap:98 AMR/8000",
		},
		{
			name: "the first element that matches ranks", policy: "opus/48000/2,PCMU,opus", in: "m=audio 4000 RTP/AVP 96 0 97|a=rtpmap:96 opus/8000|a=rtpmap:97 opus/48000/2",
			want: "m=audio 4000 RTP/AVP 97 0 96|a=rtpmap:96 opus/8000|a=rtpmap:97 opus/48000/2",
		},
		{name: "name as a whole", policy: "G729,G72", in: "m=audio 4000 RTP/AVP 96 18|a=rtpmap:96 G729D/8000", want: "m=audio 4000 RTP/AVP 18"},
		{name: "clock", policy: "speex/16000", in: "m=audio 4000 RTP/AVP 96 97|a=rtpmap:96 speex/8000|a=rtpmap:97 speex/16000", want: "m=audio 4000 RTP/AVP 97|a=rtpmap:97 speex/16000"},
		{name: "no channels is one", policy: "L16/8000/1", in: "m=audio 4000 RTP/AVP 96 97 98|a=rtpmap:96 L16/8000|a=rtpmap:97 L16/8000/1|a=rtpmap:98 L16/8000/2", want: "m=audio 4000 RTP/AVP 96 97|a=rtpmap:96 L16/8000|a=rtpmap:97 L16/8000/1"},
		{name: "dynamic without rtpmap has no name", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 101", want: "m=audio 4000 RTP/AVP 0"},
		{name: "rtpmap overrules the number", policy: "PCMU", in: "m=audio 4000 RTP/AVP 8 0|a=rtpmap:8 PCMU/8000|a=rtpmap:0 GSM/8000", want: "m=audio 4000 RTP/AVP 8|a=rtpmap:8 PCMU/8000"},
		{name: "mapped twice stays by either", policy: "iLBC", in: "m=audio 4000 RTP/AVP 97|a=rtpmap:97 opus/48000/2|a=rtpmap:97 iLBC/8000"},
		{name: "mapped twice to other roles", policy: "iLBC", in: "m=audio 4000 RTP/AVP 97|a=rtpmap:97 iLBC/8000|a=rtpmap:97 CN/8000"},
		{name: "the first role of two counts", policy: "iLBC", in: "m=audio 4000 RTP/AVP 97|a=rtpmap:97 CN/8000|a=rtpmap:97 iLBC/8000", outcome: NoCodec},
		{name: "nothing listed", policy: "opus", in: "m=audio 4000 RTP/AVP 0 8 101|a=rtpmap:101 telephone-event/8000", outcome: NoCodec},
		{name: "events are no codec", policy: "telephone-event,CN,red", in: "m=audio 4000 RTP/AVP 0 13 101|a=rtpmap:101 telephone-event/8000", outcome: NoCodec},
		{name: "an element nobody can match", policy: "PCMU/fast", in: "m=audio 4000 RTP/AVP 0", outcome: NoCodec},
		{name: "a payload type twice", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 0 8 8", want: "m=audio 4000 RTP/AVP 0"},
		{name: "a payload type twice and all stay", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 0"},
		{name: "leading zeros", policy: "PCMU", in: "m=audio 4000 RTP/AVP 08 000|a=rtpmap:8 PCMA/8000|a=rtpmap:00 PCMU/8000", want: "m=audio 4000 RTP/AVP 000|a=rtpmap:00 PCMU/8000"},
		{name: "attributes that only look so", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8|a=fmtp:8x y|a=fmtp:8;y|a=rtcp-fb:8* nack|a=rid:1 send xpt=8|a=rid:2 send pt=8,x|a=fmtp:|a=imageattr|a=r", want: "m=audio 4000 RTP/AVP 0|a=fmtp:8x y|a=fmtp:8;y|a=rtcp-fb:8* nack|a=rid:1 send xpt=8|a=rid:2 send pt=8,x|a=fmtp:|a=imageattr|a=r"},
		{name: "blanks in attributes", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 96|a=rtpmap: 96  opus/48000/2 |a=fmtp:\t96 x", want: "m=audio 4000 RTP/AVP 0"},
	})
}

func TestStaticPayloadTypes(t *testing.T) {
	for pt, names := range map[string]string{
		"0": "PCMU/8000/1 ulaw", "3": "GSM/8000", "4": "G723/8000", "5": "DVI4/8000", "6": "DVI4/16000", "7": "LPC/8000", "8": "PCMA/8000 alaw",
		"9": "G722/8000 G722/16000 G722", "10": "L16/44100/2", "11": "L16/44100/1", "12": "QCELP/8000", "14": "MPA/90000",
		"15": "G728/8000", "16": "DVI4/11025", "17": "DVI4/22050", "18": "G729/8000",
	} {
		for name := range strings.FieldsSeq(names) {
			t.Run(pt+" is "+name, func(t *testing.T) {
				run(t, []rule{
					{name: "alone", policy: name, in: "m=audio 4000 RTP/AVP " + pt},
					{name: "among others", policy: name, in: "m=audio 4000 RTP/AVP 1 2 19 " + pt + " 34 127", want: "m=audio 4000 RTP/AVP " + pt},
				})
			})
		}
	}
}

func TestEventRules(t *testing.T) {
	const both = "|a=rtpmap:96 opus/48000/2|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-16|a=rtpmap:102 telephone-event/48000|a=fmtp:102 0-15"
	run(t, []rule{
		{name: "both rates used", policy: "opus,PCMU", in: "m=audio 4000 RTP/AVP 96 0 101 102" + both},
		{name: "8 kHz left", policy: "PCMU", in: "m=audio 4000 RTP/AVP 96 0 101 102" + both, want: "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-16"},
		{name: "48 kHz left", policy: "opus", in: "m=audio 4000 RTP/AVP 96 0 101 102" + both, want: "m=audio 4000 RTP/AVP 96 102|a=rtpmap:96 opus/48000/2|a=rtpmap:102 telephone-event/48000|a=fmtp:102 0-15"},
		{name: "behind the codecs, as offered", policy: "PCMU,opus", in: "m=audio 4000 RTP/AVP 102 0 101 96" + both, want: "m=audio 4000 RTP/AVP 0 96 102 101" + both},
		{name: "its last codec goes", policy: "opus", in: "m=audio 4000 RTP/AVP 96 0 101|a=rtpmap:96 opus/48000/2|a=rtpmap:101 telephone-event/8000", want: "m=audio 4000 RTP/AVP 96|a=rtpmap:96 opus/48000/2"},
		{name: "never had a codec", policy: "opus", in: "m=audio 4000 RTP/AVP 96 101|a=rtpmap:96 opus/48000/2|a=rtpmap:101 telephone-event/8000"},
		{name: "never had a codec, but another fits", policy: "opus", in: "m=audio 4000 RTP/AVP 96 101 102" + both, want: "m=audio 4000 RTP/AVP 96 102|a=rtpmap:96 opus/48000/2|a=rtpmap:102 telephone-event/48000|a=fmtp:102 0-15"},
		{name: "any case", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 Telephone-Event/8000/1"},
		{name: "events alone", policy: "PCMU", in: "m=audio 4000 RTP/AVP 101|a=rtpmap:101 telephone-event/8000", outcome: NoCodec},
		{name: "mapped to two rates, the first fits", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 96 101|a=rtpmap:96 AMR-WB/16000|a=rtpmap:101 telephone-event/8000|a=rtpmap:101 telephone-event/16000", want: "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000|a=rtpmap:101 telephone-event/16000"},
		{name: "mapped to two rates, the second fits", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 96 101|a=rtpmap:96 AMR-WB/16000|a=rtpmap:101 telephone-event/16000|a=rtpmap:101 telephone-event/8000", want: "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/16000|a=rtpmap:101 telephone-event/8000"},
		{name: "noise by number", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 13", want: "m=audio 4000 RTP/AVP 0 13"},
		{name: "noise by number without 8 kHz", policy: "opus", in: "m=audio 4000 RTP/AVP 96 0 13|a=rtpmap:96 opus/48000", want: "m=audio 4000 RTP/AVP 96|a=rtpmap:96 opus/48000"},
		{name: "noise by name", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 19|a=rtpmap:19 cn/8000", want: "m=audio 4000 RTP/AVP 0 19|a=rtpmap:19 cn/8000"},
		{name: "noise of another rate", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 98|a=rtpmap:98 CN/16000", want: "m=audio 4000 RTP/AVP 0"},
	})
}

func TestRedundancyRules(t *testing.T) {
	run(t, []rule{
		{name: "red of a removed codec", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 63 96|a=rtpmap:63 red/48000/2|a=fmtp:63 96/96|a=rtpmap:96 opus/48000/2", want: "m=audio 4000 RTP/AVP 0"},
		{name: "red of a mix", policy: "PCMU", in: "m=audio 4000 RTP/AVP 121 0 5|a=rtpmap:121 red/8000/1|a=fmtp:121 0/5", want: "m=audio 4000 RTP/AVP 0"},
		{name: "red goes behind all it carries", policy: "PCMU,PCMA,GSM", in: "m=audio 4000 RTP/AVP 121 0 8 3|a=rtpmap:121 red/8000|a=fmtp:121 0/8", want: "m=audio 4000 RTP/AVP 0 8 121 3|a=rtpmap:121 red/8000|a=fmtp:121 0/8"},
		{name: "red lists what it carries in any order", policy: "PCMU,PCMA,GSM", in: "m=audio 4000 RTP/AVP 121 0 8 3|a=rtpmap:121 red/8000|a=fmtp:121 8/0", want: "m=audio 4000 RTP/AVP 0 8 121 3|a=rtpmap:121 red/8000|a=fmtp:121 8/0"},
		{name: "red of removed red", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 121 122|a=rtpmap:121 red/8000|a=rtpmap:122 red/8000|a=fmtp:122 8/8|a=fmtp:121 122/122", want: "m=audio 4000 RTP/AVP 0 121|a=rtpmap:121 red/8000|a=fmtp:121 122/122"},
		{name: "red of rtx", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 121 97|a=rtpmap:121 red/8000|a=fmtp:121 97|a=rtpmap:97 rtx/8000", want: "m=audio 4000 RTP/AVP 0 97|a=rtpmap:97 rtx/8000"},
		{name: "red without fmtp", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 121|a=rtpmap:121 red/8000", want: "m=audio 4000 RTP/AVP 0 121|a=rtpmap:121 red/8000"},
		{name: "red without fmtp of another rate", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 121|a=rtpmap:121 red/48000", want: "m=audio 4000 RTP/AVP 0"},
		{name: "red of what is not here", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 121|a=rtpmap:121 red/8000|a=fmtp:121 99/99"},
		{name: "red of events", policy: "PCMU", in: "m=audio 4000 RTP/AVP 121 101 0|a=rtpmap:121 red/8000|a=fmtp:121 101/101|a=rtpmap:101 telephone-event/8000", want: "m=audio 4000 RTP/AVP 0 121 101|a=rtpmap:121 red/8000|a=fmtp:121 101/101|a=rtpmap:101 telephone-event/8000"},
		{name: "red of a payload type without meaning", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 121 99|a=rtpmap:121 red/8000|a=fmtp:121 0/99", want: "m=audio 4000 RTP/AVP 0"},
		{name: "red of itself", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 121|a=rtpmap:121 red/8000|a=fmtp:121 121/121"},
		{name: "fmtp before rtpmap", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 63 96|a=fmtp:63 96/96|a=rtpmap:96 opus/48000/2|a=rtpmap:63 red/48000/2", want: "m=audio 4000 RTP/AVP 0"},
		{name: "rtx of a removed codec", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 97|a=rtpmap:97 rtx/8000|a=fmtp:97 apt=8", want: "m=audio 4000 RTP/AVP 0"},
		{name: "rtx of a kept codec", policy: "PCMA,PCMU", in: "m=audio 4000 RTP/AVP 97 0 8|a=rtpmap:97 rtx/8000|a=fmtp:97 rtx-time=200; APT=8", want: "m=audio 4000 RTP/AVP 8 97 0|a=rtpmap:97 rtx/8000|a=fmtp:97 rtx-time=200; APT=8"},
		{name: "rtx of removed red", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 98 97 96|a=rtpmap:97 red/48000|a=fmtp:97 96/96|a=rtpmap:98 rtx/48000|a=fmtp:98 apt=97|a=rtpmap:96 opus/48000", want: "m=audio 4000 RTP/AVP 0"},
		{name: "rtx without apt", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 97 98|a=rtpmap:97 rtx/8000|a=fmtp:97 rtx-time=9|a=rtpmap:98 rtx/90000", want: "m=audio 4000 RTP/AVP 0 97|a=rtpmap:97 rtx/8000|a=fmtp:97 rtx-time=9"},
		{name: "rtx of rtx", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 97 98|a=rtpmap:97 rtx/8000|a=fmtp:97 apt=98|a=rtpmap:98 rtx/8000|a=fmtp:98 apt=97"},
		{name: "rtx of removed rtx at another rate", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 97 98|a=rtpmap:97 rtx/90000|a=fmtp:97 apt=98|a=rtpmap:98 rtx/8000|a=fmtp:98 apt=8", want: "m=audio 4000 RTP/AVP 0"},
		{name: "a parameter that ends like apt", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 97|a=rtpmap:97 rtx/8000|a=fmtp:97 xapt=8", want: "m=audio 4000 RTP/AVP 0 97|a=rtpmap:97 rtx/8000|a=fmtp:97 xapt=8"},
		{name: "error correction", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 96 97 98 99 100 102 103 104 105|a=rtpmap:96 opus/48000/2|a=rtpmap:97 ulpfec/8000|a=rtpmap:98 ulpfec/48000|a=rtpmap:99 flexfec/8000|a=rtpmap:100 parityfec/8000|a=rtpmap:102 1d-interleaved-parityfec/8000|a=rtpmap:103 raptorfec/8000|a=rtpmap:104 flexfec-03/8000|a=rtpmap:105 x-ulpfecuc/8000", want: "m=audio 4000 RTP/AVP 0 97 99 100 102 103 104 105|a=rtpmap:97 ulpfec/8000|a=rtpmap:99 flexfec/8000|a=rtpmap:100 parityfec/8000|a=rtpmap:102 1d-interleaved-parityfec/8000|a=rtpmap:103 raptorfec/8000|a=rtpmap:104 flexfec-03/8000|a=rtpmap:105 x-ulpfecuc/8000"},
		{name: "delayed red", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 97|a=rtpmap:97 fwdred/8000|a=fmtp:97 8/8;d=5", want: "m=audio 4000 RTP/AVP 0"},
		{name: "the first fmtp of red counts", policy: "PCMU", in: "m=audio 4000 RTP/AVP 0 8 121|a=rtpmap:121 red/8000|a=fmtp:121 0/0|a=fmtp:121 8/8", want: "m=audio 4000 RTP/AVP 0 121|a=rtpmap:121 red/8000|a=fmtp:121 0/0|a=fmtp:121 8/8"},
	})
}

func TestSectionRules(t *testing.T) {
	run(t, []rule{
		{name: "one of two is emptied", policy: "PCMU", in: "m=audio 4000 RTP/AVP 18 8|a=sendrecv|m=audio 4002 RTP/AVP 0", want: "m=audio 0 RTP/AVP 18|a=sendrecv|m=audio 4002 RTP/AVP 0"},
		{name: "both are emptied", policy: "PCMU", in: "m=audio 4000 RTP/AVP 18|m=audio 4002 RTP/AVP 8", outcome: NoCodec},
		{name: "emptied beside one that is off", policy: "PCMU", in: "m=audio 0 RTP/AVP 0|m=audio 4002 RTP/AVP 8", outcome: NoCodec},
		{name: "emptied beside video", policy: "PCMU", in: "m=video 4000 RTP/AVP 31|m=audio 4002 RTP/AVP 8", outcome: NoCodec},
		{name: "emptied beside another transport", policy: "PCMU", in: "m=audio 4000 UDP/BFCP 1|m=audio 4002 RTP/AVP 8", want: "m=audio 4000 UDP/BFCP 1|m=audio 0 RTP/AVP 8"},
		{name: "emptied keeps its first format", policy: "PCMU", in: "m=audio 4000 RTP/AVP 96 97 101|a=rtpmap:96 opus/48000|a=fmtp:96 x|a=rtpmap:97 iLBC/8000|a=rtpmap:101 telephone-event/8000|m=audio 1 RTP/AVP 0", want: "m=audio 0 RTP/AVP 96|a=rtpmap:96 opus/48000|a=fmtp:96 x|m=audio 1 RTP/AVP 0"},
		{name: "port count", policy: "PCMU", in: "m=audio 4000/2 RTP/AVP 8 0", want: "m=audio 4000/2 RTP/AVP 0"},
		{name: "port count emptied", policy: "PCMU", in: "m=audio 4000/2 RTP/AVP 8|m=audio 4004/2 RTP/AVP 0", want: "m=audio 0 RTP/AVP 8|m=audio 4004/2 RTP/AVP 0"},
		{name: "off from the start", policy: "PCMU", in: "m=audio 0 RTP/AVP 8 18|a=rtpmap:18 G729/8000"},
		{name: "off with a count", policy: "PCMU", in: "m=audio 0/2 RTP/AVP 8"},
		{name: "no sections", policy: "PCMU", in: "a=sendrecv"},
		{name: "other media", policy: "PCMU", in: "m=image 4000 udptl t38|m=application 9 DTLS/SCTP 5000|m=message 9 TCP/MSRP *|m=video 4002 RTP/AVP 96|a=rtpmap:96 PCMA/8000|m=text 1 RTP/AVP 98|m=xyz 1 RTP/AVP 8"},
		{name: "other transports", policy: "PCMU", in: "m=audio 1 RTP 8|m=audio 1 AVP 8|m=audio 1 UDP/RTP/AVP 8|m=audio 1 UDP/TLS/RTP 8|m=audio 1 tcp/ 8|m=audio 1 TCP/TCP/RTP/AVP 8|m=audio 1 RTP/AVP/X 8|m=audio 1 RTP/AVP- wb"},
		{name: "attributes before the first section", policy: "PCMU", in: "a=rtpmap:8 PCMA/8000|a=fmtp:8 x|m=audio 4000 RTP/AVP 8 0", want: "a=rtpmap:8 PCMA/8000|a=fmtp:8 x|m=audio 4000 RTP/AVP 0"},
		{name: "attributes of other sections", policy: "PCMU", in: "m=video 1 RTP/AVP 8|a=rtpmap:8 x/1|a=rtpmap:bad|m=audio 4000 RTP/AVP 8 0|m=video 1 RTP/AVP 8|a=fmtp:8 x", want: "m=video 1 RTP/AVP 8|a=rtpmap:8 x/1|a=rtpmap:bad|m=audio 4000 RTP/AVP 0|m=video 1 RTP/AVP 8|a=fmtp:8 x"},
	})
}

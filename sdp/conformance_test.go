package sdp

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// rows are the rows on session descriptions of the conformance table, with the golden files that show them, by name,
// and what else this package can show of them without a socket.
var rows = []struct {
	id      string
	goldens []string
	also    func(t *testing.T)
}{
	{"D01", []string{"asterisk_pjsip", "freeswitch", "cisco_gateway", "attributes_that_name_payloads"}, nil},
	{"D02", []string{"static_only", "linear"}, TestStaticPayloadTypes},
	{"D03", []string{"per_section_numbers", "linear", "g722_clock"}, TestCodecRules},
	{"D04", []string{"asterisk_pjsip", "asterisk_opus_only", "webrtc_g711", "events_mapped_twice", "g722_clock"}, TestEventRules},
	{"D05", []string{"redundancy", "webrtc", "webrtc_g711"}, TestRedundancyRules},
	{"D06", []string{"emptied_beside_another", "t38_audio_emptied"}, TestSectionRules},
	{"D07", []string{"t38", "t38_beside_audio", "unknown_transport", "transports"}, nil},
	{"D08", nil, TestViolates},
	{"D09", nil, TestEmptyBody},
	{"D10", []string{"hold", "srtp"}, testDialog},
	{"D11", []string{"isup", "pidf_lo", "signed_beside_description"}, TestParts},
	{"D12", []string{"signed"}, TestContentTypes},
	{"D13", []string{"asterisk_pjsip", "webrtc", "attributes_that_name_payloads"}, nil},
	{"D14", nil, TestUnreadable},
	{"D15", []string{"ipv6", "pidf_lo"}, func(t *testing.T) {
		t.Helper()
		t.Run("line endings", TestLineEndings)
		t.Run("content types", TestContentTypes)
		t.Run("empty body", TestEmptyBody)
	}},
}

func TestConformance(t *testing.T) {
	files := goldens(t)
	shown := map[string]bool{}
	for _, row := range rows {
		t.Run(row.id, func(t *testing.T) {
			for _, name := range row.goldens {
				i := slices.IndexFunc(files, func(g golden) bool { return g.name == name })
				if i < 0 {
					t.Fatalf("no golden file %s", name)
				}
				shown[name] = true
				t.Run(name, files[i].check)
			}
			if row.also != nil {
				row.also(t)
			}
		})
	}
	for _, g := range files {
		if !shown[g.name] {
			t.Errorf("golden file %s stands for no row", g.name)
		}
	}
}

// testDialog sends the offers of one dialog, from several goroutines as calls come, through one policy: the same offer
// always becomes the same, and hold and resume keep the codecs of the first offer.
func testDialog(t *testing.T) {
	t.Helper()
	p := compile(t, "PCMA,PCMU")
	const body = "m=audio 4000 RTP/AVP 0 8 18 101|a=rtpmap:101 telephone-event/8000|a="
	const want = "m=audio 4000 RTP/AVP 8 0 101|a=rtpmap:101 telephone-event/8000|a="
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 100 {
				for direction := range strings.FieldsSeq("sendrecv sendonly inactive recvonly sendrecv") {
					got, outcome := p.Filter(nil, []byte(describe(body+direction)))
					if outcome != Edited || string(got) != describe(want+direction) {
						t.Errorf("%s: %v\n%s", direction, outcome, got)
					}
				}
			}
		})
	}
	wait.Wait()
}

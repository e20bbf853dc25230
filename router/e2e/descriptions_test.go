package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// filtered sends an INVITE with each of the golden offers of package sdp through a provider with that codec list, and
// checks that exactly the golden body arrives.
func filtered(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy, in, out := goldenPair(t, name)
			b := newPeer(t)
			n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", "codecs: "+strconv.Quote(policy)))})
			a := n.caller(t)
			inv := a.invite("+15551234567").offering(in)
			a.send(t, inv)
			got := b.expect(t, request("INVITE"))
			checkOffer(t, got, out)
			if l := got.get("Content-Length"); l != strconv.Itoa(len(out)) {
				t.Errorf("Content-Length is %s for %d bytes", l, len(out))
			}
			b.answer(t, got, 486)
			a.send(t, ackFor(inv, a.expect(t, status(486))))
		})
	}
}

// goldenPair reads a file of sdp/testdata: its codec list, the offer and what is to become of it.
func goldenPair(t *testing.T, name string) (policy, in, out string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "sdp", "testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "-- in --\n")
	in, out, edited := strings.Cut(rest, "-- out --\n")
	if !edited {
		out = in
	}
	for line := range strings.Lines(head) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "policy: "); ok {
			policy = value
		}
	}
	return policy, strings.ReplaceAll(in, "\n", "\r\n"), strings.ReplaceAll(out, "\n", "\r\n")
}

func TestD01_RemovedCodecLeavesWhole(t *testing.T) {
	t.Parallel()
	filtered(t, "asterisk_pjsip", "freeswitch", "cisco_gateway", "attributes_that_name_payloads")
}

func TestD02_StaticPayloadTypes(t *testing.T) {
	t.Parallel()
	filtered(t, "static_only", "linear")
}

func TestD03_DynamicPayloadTypes(t *testing.T) {
	t.Parallel()
	filtered(t, "per_section_numbers", "g722_clock")
}

func TestD04_TelephoneEvents(t *testing.T) {
	t.Parallel()
	filtered(t, "asterisk_opus_only", "webrtc_g711", "events_mapped_twice")
}

func TestD05_RedundancyGoesToo(t *testing.T) {
	t.Parallel()
	filtered(t, "redundancy", "webrtc")
}

func TestD07_OtherMediaStay(t *testing.T) {
	t.Parallel()
	filtered(t, "t38", "t38_beside_audio", "unknown_transport", "transports")
}

func TestD13_AttributesOfTheSectionStay(t *testing.T) {
	t.Parallel()
	filtered(t, "asterisk_pjsip", "attributes_that_name_payloads")
}

// TestD14_UnreadableDescriptions checks that what is no session description beyond doubt goes on byte for byte.
func TestD14_UnreadableDescriptions(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: catalog(trunk("b", b, "priority: 1", `codecs: "PCMU"`))})
	a := n.caller(t)
	for _, body := range []string{
		"x",
		"v=0\r\nm=audio\r\n",
		"v=0\r\nm=audio 4000 RTP/AVP 999999\r\n",
		"v=0\r\nm=audio 4000 RTP/AVP 18 18\r\nnonsense\r\n",
		"\x00\x01\x02",
	} {
		inv := a.invite("+15551234567").offering(body)
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(inv.get("Call-ID")))
		checkOffer(t, got, body)
		b.answer(t, got, 486)
		a.send(t, ackFor(inv, a.expect(t, status(486).of(inv.get("Call-ID")))))
	}
}

package e2e

import (
	"slices"
	"strings"
)

// sdp is a session description with one audio line: its formats, and an rtpmap for each codec named.
func sdp(formats string, codecs ...string) string {
	lines := []string{
		"v=0",
		"o=- 1 1 IN IP4 192.0.2.10",
		"s=-",
		"c=IN IP4 192.0.2.10",
		"t=0 0",
		"m=audio 4000 RTP/AVP " + formats,
	}
	for _, codec := range codecs {
		lines = append(lines, "a=rtpmap:"+codec)
	}
	return strings.Join(append(lines, "a=ptime:20", "a=sendrecv"), "\r\n") + "\r\n"
}

// wideOffer is what a media server offers: more codecs than a carrier likes.
func wideOffer() string {
	return sdp("9 0 8 18 111 101", "9 G722/8000", "0 PCMU/8000", "8 PCMA/8000", "18 G729/8000", "111 opus/48000/2", "101 telephone-event/8000")
}

// formats returns the payload types of the first audio line.
func formats(body string) []string {
	for line := range strings.SplitSeq(body, "\r\n") {
		if strings.HasPrefix(line, "m=audio ") {
			return strings.Fields(line)[3:]
		}
	}
	return nil
}

func sameFormats(body string, want ...string) bool { return slices.Equal(formats(body), want) }

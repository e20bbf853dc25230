package sdp

import (
	"bytes"
	"testing"
)

// fuzzPolicies are lists that a fuzzed body meets beside the fuzzed one.
var fuzzPolicies = [...]string{"PCMU,PCMA", "opus/48000/2,G722", "nobody"}

// FuzzFilter checks what holds for each list and each body: no panic, the same result again, nothing to do the second
// time, no line or payload type that was not there, other lines as they were, and a result that pion can read when it
// could read the offer.
func FuzzFilter(f *testing.F) {
	for _, g := range goldens(f) {
		if g.contentType == "" {
			f.Add(g.policy, []byte(g.in))
		}
	}
	for _, body := range unreadable {
		f.Add("PCMU", []byte(body))
	}
	f.Fuzz(func(t *testing.T, list string, body []byte) {
		if p, err := Compile(list); err == nil {
			again, err := Compile(p.String())
			if err != nil || again.String() != p.String() {
				t.Fatalf("list %q reads as %q, that as %q: %v", list, p, again, err)
			}
			checkInvariants(t, p, body)
			one, _ := p.Filter(nil, body)
			two, _ := again.Filter(nil, body)
			if !bytes.Equal(one, two) {
				t.Fatalf("list %q and %q differ:\n%q\n%q", list, p, one, two)
			}
		}
		for _, list := range fuzzPolicies {
			checkInvariants(t, compile(t, list), body)
		}
	})
}

// FuzzFilterBody checks for each type, encoding and body: no panic, nothing to do the second time, and that a body that
// is not edited leaves the destination alone.
func FuzzFilterBody(f *testing.F) {
	for _, g := range goldens(f) {
		if g.contentType != "" {
			f.Add(g.contentType, g.contentEncoding, []byte(g.in))
		}
	}
	f.Add("application/sdp", "identity", []byte(partOffer))
	f.Add("multipart/mixed;boundary=b", "", []byte(multipart("b", "Content-Length: 0\r\n"+sdpPart(partOffer), sdpPart(partFine))))
	f.Fuzz(func(t *testing.T, contentType, encoding string, body []byte) {
		p := compile(t, "PCMU,G722")
		before := bytes.Clone(body)
		out, outcome := p.FilterBody([]byte("dst"), []byte(contentType), []byte(encoding), body)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was written to")
		}
		if outcome != Edited {
			if string(out) != "dst" {
				t.Fatalf("%v with a body", outcome)
			}
			return
		}
		out = out[len("dst"):]
		twice, again := p.FilterBody(nil, []byte(contentType), []byte(encoding), out)
		if again == Edited || again == NoCodec || again == Unreadable {
			t.Fatalf("filtering twice: %v\n%q\n%q", again, out, twice)
		}
		if p.ViolatesBody([]byte(contentType), []byte(encoding), out) {
			t.Fatalf("a codec is left: %q", out)
		}
	})
}

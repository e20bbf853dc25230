package message_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

// reply is a response with these header lines.
func reply(start string, lines ...string) []byte {
	return []byte("SIP/2.0 " + start + "\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n" +
		"Call-ID: x\r\nCSeq: 1 INVITE\r\n" + strings.Join(append(lines, ""), "\r\n") + "Content-Length: 0\r\n\r\n")
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lines []string
		want  []string
	}{
		{nil, nil},
		{[]string{`Reason: Q.850;cause=21;text="CALL_REJECTED"`}, []string{`Q.850 21 "CALL_REJECTED"`}},
		{[]string{`Reason: SIP ;cause=600 ;text="Busy Everywhere"`}, []string{`SIP 600 "Busy Everywhere"`}},
		{[]string{`Reason: SIP;cause=503,Q.850;cause=34`}, []string{"SIP 503 ", "Q.850 34 "}},
		{[]string{`reason: q.850 ; CAUSE = 16`}, []string{"q.850 16 "}},
		{[]string{`Reason: Q.850;cause=16`, `Subject: x`, `Reason: SIP;cause=200`}, []string{"Q.850 16 ", "SIP 200 "}},
		{[]string{`Reason: Q.850;text="a, b; cause=1";cause=2`}, []string{`Q.850 2 "a, b; cause=1"`}},
		{[]string{`Reason: Q.850;text="say \"no\", thanks";cause=2, SIP`}, []string{`Q.850 2 "say \"no\", thanks"`, "SIP -1 "}},
		{[]string{"Reason: Q.850\r\n ;cause=17"}, []string{"Q.850 17 "}},
		{[]string{`Reason: preemption ;cause=1`}, []string{"preemption 1 "}},
		{[]string{`Reason: Q.850;cause=x`}, []string{"Q.850 -1 "}},
		{[]string{`Reason: Q.850;cause=-1`}, []string{"Q.850 -1 "}},
		{[]string{`Reason: Q.850;cause=99999999999999999999`}, []string{"Q.850 -1 "}},
		{[]string{`Reason: ;cause=1`, `Reason: a b;cause=1`, `Reason: "Q.850";cause=1`, `Reason:`, `Reason: ,,`}, nil},
		{[]string{`Reason: Q.850;text="never ends, SIP;cause=1`}, []string{`Q.850 -1 "never ends, SIP;cause=1`}},
		{[]string{"Reason: " + strings.Repeat("SIP,", 40)}, slices.Repeat([]string{"SIP -1 "}, 16)},
	} {
		var m message.Message
		if err := m.Parse(reply("503 Service Unavailable", c.lines...)); err != nil {
			t.Fatalf("%q: %v", c.lines, err)
		}
		var got []string
		for v := range m.Reasons() {
			got = append(got, fmt.Sprintf("%s %d %s", v.Protocol, v.Cause, v.Text))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.lines, got, c.want)
		}
	}
}

// TestReasonsAllocateNothing includes stopping early.
func TestReasonsAllocateNothing(t *testing.T) {
	var m message.Message
	if err := m.Parse(reply("503 x", `Reason: SIP;cause=503;text="x",Q.850;cause=34;text="y"`)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		for v := range m.Reasons() {
			if v.Cause == 34 {
				break
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzReasons: whatever is read is part of the message, in order, and reads the same when it stands alone.
func FuzzReasons(f *testing.F) {
	for _, seed := range []string{
		`Q.850;cause=21;text="CALL_REJECTED"`, `SIP;cause=503,Q.850;cause=34`, `Q.850;text="a, \"b;"`, ",;=\"\\", "a b;c,d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\r\n") {
			return
		}
		var m, alone message.Message
		if m.Parse(reply("503 x", "Reason: "+value)) != nil {
			return
		}
		for v := range m.Reasons() {
			if !bytes.Contains([]byte(value), v.Protocol) || !bytes.Contains([]byte(value), v.Text) {
				t.Fatalf("%+v is not of %q", v, value)
			}
			again := string(v.Protocol)
			if v.Cause >= 0 {
				again += fmt.Sprintf(";cause=%d", v.Cause)
			}
			if v.Text != nil {
				again += ";text=" + string(v.Text)
			}
			if err := alone.Parse(reply("503 x", "Reason: "+again)); err != nil {
				t.Fatalf("%q of %q: %v", again, value, err)
			}
			for w := range alone.Reasons() {
				if !bytes.Equal(w.Protocol, v.Protocol) || w.Cause != v.Cause || !bytes.Equal(w.Text, v.Text) {
					t.Fatalf("%q of %q reads as %+v", again, value, w)
				}
				break
			}
		}
	})
}

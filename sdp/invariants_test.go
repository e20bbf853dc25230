package sdp

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	pion "github.com/pion/sdp/v3"
)

// mayGo matches the only lines that a filter may take out.
var mayGo = regexp.MustCompile(`^a=(rtpmap|fmtp|rtcp-fb|imageattr|rid):`)

// checkInvariants filters a body and checks what holds for each body and each policy.
func checkInvariants(tb testing.TB, p *Policy, body []byte) {
	tb.Helper()
	checkMemo(tb, p, body)
	before := bytes.Clone(body)
	out, outcome := p.Filter(nil, body)
	if !bytes.Equal(body, before) {
		tb.Fatalf("the body was written to")
	}
	behind, again := p.Filter([]byte("before"), body)
	if again != outcome || string(behind) != "before"+string(out) {
		tb.Fatalf("behind other bytes: %v %q, alone: %v %q", again, behind, outcome, out)
	}
	if outcome != Edited {
		if out != nil {
			tb.Fatalf("%v with a body", outcome)
		}
		if outcome == Untouched && p.Violates(body) {
			tb.Fatalf("untouched, and yet not as the policy wants it:\n%q", body)
		}
		return
	}
	if len(out) > len(body) {
		tb.Fatalf("%d bytes grew to %d", len(body), len(out))
	}
	if twice, o := p.Filter(nil, out); o != Untouched {
		tb.Fatalf("filtering twice: %v\n%q\nbefore:\n%q", o, twice, out)
	}
	if p.Violates(out) {
		tb.Fatalf("a codec is left that the policy %q does not name:\n%q", p, out)
	}
	checkLines(tb, body, out)
	var read pion.SessionDescription
	if read.Unmarshal(body) == nil {
		if err := read.Unmarshal(out); err != nil {
			tb.Fatalf("pion reads the offer but not the result: %v\n%q\n%q", err, body, out)
		}
	}
}

// checkLines checks that each line of out is the next one of body, but for lines that may go and edited m-lines.
func checkLines(tb testing.TB, body, out []byte) {
	tb.Helper()
	rest := slices.Collect(strings.Lines(string(body)))
	for line := range strings.Lines(string(out)) {
		for len(rest) > 0 && rest[0] != line && mayGo.MatchString(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			tb.Fatalf("line %q is new", line)
		}
		if rest[0] != line {
			checkMediaLine(tb, rest[0], line)
		}
		rest = rest[1:]
	}
	for _, line := range rest {
		if !mayGo.MatchString(line) {
			tb.Fatalf("line %q is lost", line)
		}
	}
}

// checkMediaLine checks that an m-line was edited as one may be.
func checkMediaLine(tb testing.TB, was, is string) {
	tb.Helper()
	old, now := strings.Fields(was), strings.Fields(is)
	if !strings.HasPrefix(was, "m=") || len(old) < 4 || len(now) < 4 {
		tb.Fatalf("line %q became %q", was, is)
	}
	if old[0] != now[0] || old[2] != now[2] || old[1] != now[1] && now[1] != "0" {
		tb.Fatalf("m-line %q became %q", was, is)
	}
	offered := old[3:]
	for _, format := range now[3:] {
		i := slices.Index(offered, format)
		if i < 0 {
			tb.Fatalf("m-line %q became %q: %s is new", was, is, format)
		}
		offered = slices.Delete(offered, i, i+1)
	}
	cut := func(s string) string { return s[len(strings.TrimRight(s, " \t\r\n")):] }
	if cut(was) != cut(is) {
		tb.Fatalf("m-line %q became %q: another ending", was, is)
	}
}

package sdp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// forgetful is Filter and Violates of somebody who never saw a description before.
func forgetful(p *Policy, body []byte) (out []byte, outcome Outcome, violates bool) {
	if p.Unrestricted() || len(body) == 0 {
		return nil, Untouched, false
	}
	one, two := new(media), new(media)
	w, v := walker{body: body}, walker{body: body}
	w.open()
	v.open()
	out, outcome = p.filter(one, &w, nil)
	return out, outcome, p.violates(two, &v)
}

// checkMemo checks that what is remembered of a body changes nothing: neither for it, nor for others with the same end.
func checkMemo(tb testing.TB, p *Policy, body []byte) {
	tb.Helper()
	bodies := [][]byte{body}
	if at := bytes.Index(body, []byte("m=")); at >= 0 {
		for _, head := range []string{"v=0\r\n", "v=0\r\ns=a\rb\r\n", "v=0\r\ns=\x00\r\n", "v=0\n", "", "v=0\r\nm=audio 0 RTP/AVP 0\r\n", "v=0\r\nm=audio 9 RTP/AVP 0\r\n"} {
			bodies = append(bodies, append([]byte(head), body[at:]...))
		}
		if parts := bytes.SplitN(body[at:], []byte{' '}, 3); len(parts) == 3 {
			for _, port := range []string{"0", "00", "9", " 9", "40002", "40002\t", "40000/2", "70000", "x", "9\r"} {
				bodies = append(bodies, slices.Concat(body[:at], parts[0], []byte(" "+port+" "), parts[2]))
			}
		}
	}
	for range 2 { // The second time all are known that can be.
		for _, b := range bodies {
			want, wantOutcome, violates := forgetful(p, b)
			got, outcome := p.Filter(nil, b)
			if outcome != wantOutcome || !bytes.Equal(got, want) {
				tb.Fatalf("%q:\n%v %q, and when nothing is remembered\n%v %q", b, outcome, got, wantOutcome, want)
			}
			if p.Violates(b) != violates {
				tb.Fatalf("%q violates: %t when nothing is remembered", b, violates)
			}
		}
	}
}

func TestMemoChangesNothing(t *testing.T) {
	for _, g := range goldens(t) {
		if g.contentType == "" {
			t.Run(g.name, func(t *testing.T) {
				checkMemo(t, compile(t, g.policy), []byte(g.in))
			})
		}
	}
	for i, body := range unreadable {
		t.Run(fmt.Sprint("unreadable ", i), func(t *testing.T) {
			checkMemo(t, compile(t, "PCMU"), []byte(body))
		})
	}
}

// TestMemo looks at what is remembered: most calls' descriptions, by the policy, and no more than there is room for.
func TestMemo(t *testing.T) {
	policies := []*Policy{compile(t, "PCMU"), compile(t, "PCMA")}
	offer := func(port int, format string) []byte {
		return fmt.Appendf(nil, "v=0\r\no=- %d 1 IN IP4 192.0.2.1\r\nm=audio %[1]d RTP/AVP %s\r\na=sendrecv\r\n", port, format)
	}
	m := new(media)
	// known says whether a description is known by the end of the one that is asked for.
	known := func(p *Policy, q question, body []byte) bool {
		w := walker{body: body}
		w.open()
		at := w.tailAt()
		if at == 0 {
			return false
		}
		k, _ := m.memo.find(p, q, body[at:])
		return k != nil
	}
	add := func(p *Policy, q question, body []byte) {
		w := walker{body: body}
		w.open()
		m.memo.add(memoKey{policy: p, question: q}, body[w.tailAt():], []byte("result"))
	}
	add(policies[0], asksFilter, offer(40000, "0 8"))
	for name, tt := range map[string]struct {
		policy   *Policy
		question question
		body     []byte
		want     bool
	}{
		"the same":          {policies[0], asksFilter, offer(40000, "0 8"), true},
		"another port":      {policies[0], asksFilter, offer(2, "0 8"), true},
		"the port off":      {policies[0], asksFilter, offer(0, "0 8"), false},
		"another policy":    {policies[1], asksFilter, offer(40000, "0 8"), false},
		"another question":  {policies[0], asksViolates, offer(40000, "0 8"), false},
		"another format":    {policies[0], asksFilter, offer(40000, "0 9"), false},
		"another kind":      {policies[0], asksFilter, bytes.Replace(offer(40000, "0 8"), []byte("audio"), []byte("video"), 1), false},
		"a CR in front":     {policies[0], asksFilter, bytes.Replace(offer(40000, "0 8"), []byte("o=-"), []byte("o=\r-"), 1), false},
		"longer":            {policies[0], asksFilter, append(offer(40000, "0 8"), "a=x\r\n"...), false},
		"no session's line": {policies[0], asksFilter, offer(40000, "0 8")[len("v=0\r\n"):], false},
	} {
		if got := known(tt.policy, tt.question, tt.body); got != tt.want {
			t.Errorf("%s: known: %t", name, got)
		}
	}
	for i := range memoEntries {
		add(policies[0], asksFilter, offer(40000, fmt.Sprint("0 ", 20+i)))
	}
	if known(policies[0], asksFilter, offer(40000, "0 8")) || !known(policies[0], asksFilter, offer(40000, "0 20")) {
		t.Error("the oldest one did not make room, or another one did")
	}
	add(policies[0], asksFilter, append(offer(40000, "0 8"), strings.Repeat("a=x\r\n", memoRoom/5)...))
	if !known(policies[0], asksFilter, offer(40000, "0 20")) {
		t.Error("one that has no room took some")
	}
}

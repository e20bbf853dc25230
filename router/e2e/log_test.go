package e2e

import (
	"strings"
	"testing"
)

// TestLogOfHostileCalls checks that what a caller writes into a call cannot break or fill the log.
func TestLogOfHostileCalls(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	n := startRouter(t, setup{providers: trunks(b)})
	a := n.caller(t)
	for _, callID := range []string{
		strings.Repeat("long", 5000) + newToken("@"),
		"bell\x07and\x1b[31mcolour" + newToken("@"),
		"quote\"level=ERROR msg=owned " + newToken("@"),
		"caf\xc3\xa9\xff" + newToken("@"),
	} {
		for _, number := range []string{"+15551234567", "x%0D%0Alevel=ERROR%1B", strings.Repeat("9", 5000)} {
			inv := a.invite(number).set("Call-ID", callID).set("Via", a.via("udp"))
			if len(inv.text()) > 60000 {
				continue
			}
			a.send(t, inv)
			eventually(t, "an answer", func() bool {
				if got := b.next(t, request("INVITE").of(callID), 0); got != nil {
					b.answer(t, got, 486)
				}
				rep := a.next(t, final().and("to it", func(m *msg) bool { return strings.Contains(m.get("Via"), param(inv.get("Via"), "branch")) }), 0)
				return rep != nil
			})
		}
	}
	n.stop(t)
	log := n.log.String()
	if !strings.Contains(log, "call_id=") {
		t.Fatalf("no call was logged:\n%s", log)
	}
	for line := range strings.SplitSeq(log, "\n") {
		if len(line) > 2000 {
			t.Errorf("a line of %d bytes: %.200q", len(line), line)
		}
		for _, c := range []byte(line) {
			if c < ' ' || c == 0x7f {
				t.Errorf("a line has the byte %#x: %.200q", c, line)
				break
			}
		}
		if strings.HasPrefix(line, "level=") {
			t.Errorf("a line that a caller wrote: %.200q", line)
		}
	}
}

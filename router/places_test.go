package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

// TestWhatKeepsAPlace checks which requests within a dialog say how much longer its session lives: those that refresh it
// (RFC 4028), and no others.
func TestWhatKeepsAPlace(t *testing.T) {
	b := newBed(t)
	for head, want := range map[string]int{
		"INFO":                            0,
		"OPTIONS":                         0,
		"NOTIFY":                          0,
		"BYE":                             0,
		"UPDATE":                          1, // It says nothing: the timer is off.
		"INVITE":                          1,
		"UPDATE\r\nSession-Expires: 90":   1,
		"INVITE\r\nx: 1800;refresher=uac": 1,
		"INFO\r\nSession-Expires: 1800":   0,
		"REFER\r\nSession-Expires: 1800":  0,
		"BYE\r\nSession-Expires: 1800":    0,
		"INVITE\r\nSession-Expires: 30;a=b\r\nX: y": 0,
	} {
		s := &snapshot{limited: true, byTag: map[uint64]int32{7: 0}, providers: []provider{{
			Provider: &providers.Provider{Limits: providers.Limits{Calls: 1}}, state: new(health.State),
		}}}
		state, callID := s.providers[0].state, []byte("one")
		state.Add(b.now, b.w.dialogKey(callID))
		state.Refresh(b.now, b.w.dialogKey(callID), 80*time.Second)
		method, more := head, ""
		if i := len(method); i > 0 {
			if n, err := fmt.Sscanf(head, "%s", &method); n != 1 || err != nil {
				t.Fatal(err)
			}
			more = head[len(method):]
		}
		text := method + " sip:a@b SIP/2.0\r\nCSeq: 2 " + method + more + "\r\nContent-Length: 0\r\n\r\n"
		if err := b.w.msg.Parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		b.w.now, b.w.rq = b.now, request{callID: callID}
		b.w.dialogAlive(s, &path{cookie: cookie{providerTag: 7}})
		if got := state.Calls(b.now + int64(100*time.Second)); got != want {
			t.Errorf("%q: %d calls after the first timer, want %d", head, got, want)
		}
	}
}

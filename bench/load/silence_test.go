//go:build linux

package load

import (
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// TestFallsSilent checks that the first provider of scenario S answers until its time, that the calls after that are the
// second one's, and that delays are told apart by when a call began.
func TestFallsSilent(t *testing.T) {
	e := providers(t, S)
	e.plan.SilentAfter = time.Second
	e.begin, e.now = 1, 2
	invite := dressed(t)
	e.handle(e.silent, []byte(invite), mmsg.AddrOf(e.cfg.Caller), 2)
	first := &e.calls[3].legs[legFirst]
	if first.arrived == 0 || e.count.unanswered != 0 || e.count.bad != 0 || first.reply == nil {
		t.Fatalf("before its time: %+v, %+v", e.count, first)
	}
	e.now = e.begin + int64(time.Second)
	e.handle(e.silent, []byte(invite), mmsg.AddrOf(e.cfg.Caller), e.now)
	if e.count.unanswered != 1 || e.count.againINVITE != 0 {
		t.Errorf("after it: %+v", e.count)
	}
	get(t, e, strings.Replace(invite, "sip:7701", "sip:7702", 1))
	if e.calls[3].legs[legSecond].arrived == 0 || e.count.bad != 0 {
		t.Errorf("the second one: %+v", e.count)
	}

	for i := range e.calls[:3] {
		e.calls[i].sent = e.begin + int64(i)*int64(time.Second)
		e.calls[i].heard = e.calls[i].sent + int64(time.Millisecond)
	}
	e.calls[1].heard = 0
	if p, n := e.PostDialDelay(time.Second, 3*time.Second); n != 2 || p.Samples != 1 || p.Max != 1 {
		t.Errorf("%d calls, %+v", n, p)
	}
}

func TestSilenceIsPlanned(t *testing.T) {
	for want, p := range map[bool]Plan{
		true:  {Scenario: S, Rate: 1, Calls: 1, SilentAfter: 1},
		false: {Scenario: S, Rate: 1, Calls: 1},
	} {
		if err := p.validate(); (err == nil) != want {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := (Plan{Scenario: A, Rate: 1, Calls: 1, SilentAfter: 1}).validate(); err == nil {
		t.Error("a time in another scenario is taken")
	}
}

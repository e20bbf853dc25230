//go:build linux

package load

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/bench/mmsg"
	"github.com/voipbin/dialrouter/bench/table"
)

// providers returns an engine in the middle of a run whose one call has been offered.
func providers(t *testing.T, s Scenario) *Engine {
	t.Helper()
	cfg := DefaultConfig()
	free := netip.MustParseAddrPort("127.0.0.1:0")
	cfg.Caller, cfg.Answers, cfg.Busy, cfg.Silent = free, free, free, free
	e, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	e.plan, e.numbers, e.calls = Plan{Scenario: s, Rate: 1, Calls: 4}, []table.Number{*dialled()}, make([]call, 4)
	e.text = text()
	e.provider = newProviderText(DefaultConfig().Answers, DefaultConfig().Caller)
	e.count.started = 4
	return e
}

// get hands a datagram to the provider that answers.
func get(t *testing.T, e *Engine, s string) {
	t.Helper()
	strays := e.count.stray
	e.handle(e.answers, []byte(s), mmsg.AddrOf(e.cfg.Caller), 1)
	if e.count.stray != strays {
		t.Fatalf("a stray:\n%s", s)
	}
}

func TestBothChoicesAnswerAtOneAddress(t *testing.T) {
	e := providers(t, A)
	invite := dressed(t)
	get(t, e, invite)
	get(t, e, strings.Replace(invite, "sip:7701", "sip:7702", 1)) // A proxy that did not want to wait.
	legs := &e.calls[3].legs
	if e.count.bad != 0 || e.count.againINVITE != 0 || legs[legFirst].arrived == 0 || legs[legSecond].arrived == 0 {
		t.Fatalf("%+v, legs %+v", e.count, legs)
	}
	if r := e.result(1); r.Failovers != 1 {
		t.Errorf("failovers %d", r.Failovers)
	}
	// The proxy takes the second and ends the first itself: no Via of the caller.
	ack := func(method, tag string) string {
		return method + " " + string(e.provider.contact) + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKp\r\nMax-Forwards: 70\r\n" +
			"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=" + tag + "00000003\r\nCall-ID: 00000003-abcdef01@127.0.0.5\r\nCSeq: 1 " + method + "\r\nContent-Length: 0\r\n\r\n"
	}
	get(t, e, ack("ACK", "uas"))
	if !legs[legFirst].acked || legs[legSecond].acked {
		t.Errorf("the ACK went to the wrong leg: %+v", legs)
	}
	get(t, e, ack("BYE", "uas"))
	get(t, e, ack("ACK", "alt"))
	if e.count.own != 3 || e.count.bad != 0 || !legs[legSecond].acked || !legs[legFirst].byed || legs[legSecond].byed {
		t.Errorf("%+v, legs %+v", e.count, legs)
	}
	// Beyond the two there is no provider for this number.
	get(t, e, strings.Replace(invite, "sip:7701", "sip:7703", 1))
	if e.count.faults[faultRequestURI] != 1 {
		t.Errorf("%+v", e.count)
	}
}

func TestInviteTwiceIsAnsweredTwice(t *testing.T) {
	e := providers(t, A)
	get(t, e, dressed(t))
	get(t, e, dressed(t))
	if e.count.againINVITE != 1 || e.count.finals != 1 || e.count.bad != 0 {
		t.Errorf("%+v", e.count)
	}
}

func TestSecondChoiceIsCheckedInB(t *testing.T) {
	e := providers(t, B)
	get(t, e, dressed(t)) // The first provider's number, at the provider that is second.
	if e.count.faults[faultRequestURI] != 1 {
		t.Errorf("%+v", e.count)
	}
}

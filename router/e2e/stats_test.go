package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// stats is what GET /v1.0/providers/{id}/stats says of a window.
type stats struct {
	Attempts int            `json:"attempts"`
	Outcomes map[string]int `json:"outcomes"`
	ASR      *float64       `json:"asr"`
	NER      *float64       `json:"ner"`
	ACD      *float64       `json:"acd_s"`
	ACDCalls int            `json:"acd_calls"`
	PDD50    *float64       `json:"pdd_p50_ms"`
	PDD95    *float64       `json:"pdd_p95_ms"`
	PDDCalls int            `json:"pdd_calls"`
}

// String spells the figures that are exact.
func (s *stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d attempts:", s.Attempts)
	for _, name := range []string{"answered", "busy", "no_answer", "rejected", "hung_up", "not_found", "redirected", "failed"} {
		if n := s.Outcomes[name]; n > 0 {
			fmt.Fprintf(&b, " %s %d", name, n)
		}
	}
	fmt.Fprintf(&b, "; asr %s ner %s; acd of %d, pdd of %d", percent(s.ASR), percent(s.NER), s.ACDCalls, s.PDDCalls)
	return b.String()
}

func percent(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprintf("%.0f%%", *v*100)
}

// TestStatsOverHTTP plays calls that end in every way, and reads what became of them.
func TestStatsOverHTTP(t *testing.T) {
	t.Parallel()
	const idB, idC = "b0000000-0000-4000-8000-000000000000", "c0000000-0000-4000-8000-000000000000"
	b, c := newPeer(t), newPeer(t)
	d := startDaemon(t, catalog(
		trunk("b", b, "id: "+idB, `targets: ["+1"]`, "priority: 1"), trunk("c", c, "id: "+idC, "priority: 2"),
	))
	a := newPeer(t)
	a.router, a.transport = d.sip, "udp"

	const rings = 300 * time.Millisecond
	ring := func(inv *draft) *msg {
		t.Helper()
		of := inv.get("Call-ID")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(of))
		time.Sleep(rings)
		b.answer(t, got, 180)
		a.expect(t, status(180).of(of))
		return got
	}
	answer := func(inv *draft, got *msg) *established {
		t.Helper()
		e := &established{sent: inv, got: got, answered: b.answer(t, got, 200)}
		e.answeredAt = a.expect(t, status(200).of(inv.get("Call-ID")))
		e.a, e.b = a.callerDialog(inv, e.answeredAt), b.calleeDialog(got, e.answered)
		e.a.send(t, e.a.ack(e.answeredAt))
		b.expect(t, request("ACK").of(inv.get("Call-ID")))
		return e
	}
	end := func(code int, then ...int) {
		t.Helper()
		of, _ := a.place(t)
		b.turnDown(t, of, code)
		for _, code := range then {
			c.turnDown(t, of, code)
		}
		a.expect(t, final().of(of))
	}

	// Three calls are answered: one is ended by each side, one goes on.
	inv := a.invite("+15551234567")
	first := answer(inv, ring(inv))
	inv = a.invite("+15551234567")
	second := answer(inv, ring(inv))
	inv = a.invite("+15551234567")
	answer(inv, ring(inv))
	time.Sleep(time.Second)
	first.a.hangUp(t, b)
	second.b.hangUp(t, a)

	end(486)
	end(600)
	end(603)
	end(480)
	end(404, 486)
	end(500, 404)
	// One rings, and the caller hangs up.
	inv = a.invite("+15551234567")
	got := ring(inv)
	a.send(t, cancelFor(inv))
	b.answer(t, b.expect(t, request("CANCEL")), 200)
	b.answer(t, got, 487)
	a.expect(t, status(487))
	// One is silence.
	of, _ := a.place(t)
	b.expect(t, request("INVITE").of(of))
	c.turnDown(t, of, 488)
	a.expect(t, final().of(of))

	check := func(id, want string, targets ...string) (short stats) {
		t.Helper()
		var page struct {
			Name         string `json:"provider_name"`
			Short        stats  `json:"last_5m"`
			Long         stats  `json:"last_1h"`
			Destinations []struct {
				Target string `json:"target"`
				Short  stats  `json:"last_5m"`
			} `json:"destinations"`
		}
		if err := json.Unmarshal([]byte(d.get(t, "/v1.0/providers/"+id+"/stats")), &page); err != nil {
			t.Fatal(err)
		}
		if page.Name != id[:1] || page.Short.String() != want || page.Long.String() != want {
			t.Errorf("%s: %s\nin an hour: %s\nwant: %s", page.Name, &page.Short, &page.Long, want)
		}
		var have []string
		for _, one := range page.Destinations {
			have = append(have, one.Target)
			if one.Short.String() != want {
				t.Errorf("%s to %s: %s, want %s", page.Name, one.Target, &one.Short, want)
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(targets) {
			t.Errorf("%s has destinations %q, want %q", page.Name, have, targets)
		}
		return page.Short
	}
	s := check(idB, "11 attempts: answered 3 busy 2 rejected 2 hung_up 1 not_found 1 failed 2; asr 27% ner 80%; acd of 2, pdd of 4", "+1")
	if s.ACD == nil || *s.ACD < 0.9 || *s.ACD > 5 {
		t.Errorf("the average call took %v s, want about 1", s.ACD)
	}
	for q, v := range map[string]*float64{"p50": s.PDD50, "p95": s.PDD95} {
		if v == nil || *v < rings.Seconds()*1000*7/8 || *v > 3000 {
			t.Errorf("the %s of the post-dial delay is %v ms, want about %v", q, v, rings)
		}
	}
	s = check(idC, "3 attempts: busy 1 not_found 1 failed 1; asr 0% ner 50%; acd of 0, pdd of 0", "all")
	if s.ACD != nil || s.PDD50 != nil || s.PDD95 != nil || s.ASR == nil || math.Abs(*s.ASR) > 0 {
		t.Errorf("c never rang: %+v", s)
	}
}

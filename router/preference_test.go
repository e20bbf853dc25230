package router

import (
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/dialplan"
	"github.com/voipbin/dialrouter/router/transport"
)

// orderOf plans one provider for each letter of states: w is well, r rests, o has an open breaker, c one whose canary
// is due, p is down by probes; f is as c and full; a capital W is well but disabled. It spells the plan as places in states.
func orderOf(states string, canary func(*health.State, int64) bool) string {
	const now = int64(time.Hour)
	s := &snapshot{providers: make([]provider, len(states))}
	var plan []dialplan.Choice
	for i, letter := range states {
		p := &s.providers[i]
		p.Provider = &providers.Provider{Enabled: letter != 'W'}
		p.hops = make([]transport.Flow, 1)
		p.state = new(health.State)
		switch letter {
		case 'r':
			p.state.Rest(now, time.Second)
		case 'o':
			p.state.Failed(now, health.Silent, 1)
		case 'c':
			p.state.Failed(now-int64(time.Minute), health.Silent, 1)
		case 'f':
			p.Limits.Calls = 1
			p.state.Enter(now, 1, 0)
			p.state.Failed(now-int64(time.Minute), health.Silent, 1)
		case 'p':
			p.state.Probed(now, false)
		}
		plan = append(plan, dialplan.Choice{Provider: int32(i)})
	}
	order(plan, s, now, canary)
	text := ""
	for _, ch := range plan {
		text += string('0' + ch.Provider)
	}
	return text
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct{ states, want string }{
		{"", ""},
		{"w", "0"},
		{"www", "012"},
		{"rwwrww", "124503"},
		{"owpw", "1302"},
		{"opr", "012"},   // None is well: in order.
		{"cop", "012"},   // Nor is a test of one worth a thing then.
		{"cw", "01"},     // A test of one that would be tried first.
		{"wc", "01"},     // It would not be.
		{"ccw", "021"},   // One at most.
		{"occw", "1302"}, // The first that is due.
		{"oWcw", "1230"}, // One that is never tried comes before nobody.
		{"rcw", "120"},
		{"oWc", "012"}, // Nobody who can take the call is well: in order.
		{"fcw", "120"}, // One that is full cannot be tested.
		{"fw", "10"},
	} {
		if got := orderOf(tt.states, (*health.State).Try); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.states, got, tt.want)
		}
		if got := orderOf(tt.states, (*health.State).Due); got != tt.want {
			t.Errorf("%s: the dry run says %s, want %s", tt.states, got, tt.want)
		}
	}
	if got := orderOf("cc", func(*health.State, int64) bool { t.Error("a test where none is well"); return true }); got != "01" {
		t.Errorf("all down: %s, want 01", got)
	}
	if got := orderOf("cw", noCanary); got != "10" {
		t.Errorf("what is no test: %s, want 10", got)
	}
}

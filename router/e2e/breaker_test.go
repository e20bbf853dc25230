package e2e

import (
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

// watchful has the breaker open after three failures; silence is noticed soon.
func watchful(peers ...*peer) setup {
	return setup{
		providers: trunks(peers...), health: "{interval: 0, failures: 3}",
		budgets: "{no_reply: 600ms, no_ringing: 8s, answer: 10s, setup: 20s, max_attempts: 5}",
	}
}

// place sends an INVITE and returns its Call-ID and when it left.
func (p *peer) place(t *testing.T) (of string, at time.Time) {
	t.Helper()
	inv := p.invite("+15551234567")
	at = time.Now()
	p.send(t, inv)
	return inv.get("Call-ID"), at
}

// turnDown answers the INVITE of a call and sees to the ACK.
func (p *peer) turnDown(t *testing.T, of string, code int) {
	t.Helper()
	p.answer(t, p.expect(t, request("INVITE").of(of)), code)
	p.expect(t, request("ACK").of(of))
}

// TestSilentProvider checks what a provider costs that goes silent: the calls in flight one no_reply, later ones nothing;
// and that a call in a while tries it and brings it back.
func TestSilentProvider(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(b, c))
	a := n.caller(t)
	of, _ := a.place(t)
	b.turnDown(t, of, 486)
	a.expect(t, status(486).of(of))

	var inFlight []string
	for range 5 {
		of, _ := a.place(t)
		inFlight = append(inFlight, of)
	}
	for _, of := range inFlight {
		b.expect(t, request("INVITE").of(of))
		c.turnDown(t, of, 486)
		a.expect(t, status(486).of(of))
	}
	opened := time.Now()
	if s := n.ProviderReport(n.providerID(t, "b")).Status; s.Health != providers.HealthUnhealthy ||
		s.Reason != "3 calls in a row failed, the last got no reply" {
		t.Errorf("b's status is %+v", s)
	}
	for range 5 {
		of, left := a.place(t)
		got := c.expect(t, request("INVITE").of(of))
		if d := got.at.Sub(left); d > 400*time.Millisecond {
			t.Errorf("a later call came to c after %v", d)
		}
		c.answer(t, got, 486)
		a.expect(t, status(486).of(of))
		if b.count(request("INVITE").of(of)) > 0 {
			t.Error("a later call went to b")
		}
	}
	// The dry run says so, too.
	if got := n.planned(t); got[0] != "c" || got[1] != "b" {
		t.Errorf("the plan is %q", got)
	}

	// The first call after two seconds tries b in its place. It is there again, and has its calls back at once.
	time.Sleep(time.Until(opened.Add(2100 * time.Millisecond)))
	if got := n.planned(t); got[0] != "b" {
		t.Errorf("the plan when a test is due is %q", got)
	}
	for range 3 {
		of, _ := a.place(t)
		b.turnDown(t, of, 486)
		a.expect(t, status(486).of(of))
	}
	if s := n.ProviderReport(n.providerID(t, "b")).Status; s.Health != providers.HealthHealthy || s.Reason != "" {
		t.Errorf("b's status is %+v", s)
	}
}

// TestBreakerEvidence checks which endings of calls count against a provider.
func TestBreakerEvidence(t *testing.T) {
	t.Parallel()
	repeat := func(code int) func(t *testing.T, b *peer, got *msg) {
		return func(t *testing.T, b *peer, got *msg) {
			t.Helper()
			b.answer(t, got, 100)
			b.answer(t, got, code)
		}
	}
	for name, test := range map[string]struct {
		end  func(t *testing.T, b *peer, got *msg)
		down bool
	}{
		"500": {repeat(500), true},
		"503": {repeat(503), true},
		"599": {repeat(599), true},
		"501": {repeat(501), false},
		"505": {repeat(505), false},
		"513": {repeat(513), false},
		"580": {repeat(580), false},
		"408": {repeat(408), false},
		"404": {repeat(404), false},
		"403": {repeat(403), false},
		"407": {repeat(407), false},
		"488": {repeat(488), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c := newPeer(t), newPeer(t)
			s := watchful(b, c)
			s.failover = "{next: [4xx, 5xx]}"
			n := startRouter(t, s)
			a := n.caller(t)
			for range 4 {
				of, _ := a.place(t)
				if got := b.next(t, request("INVITE").of(of), quiet); got != nil {
					test.end(t, b, got)
				}
				c.turnDown(t, of, 486)
				a.expect(t, final().of(of))
			}
			if got := n.planned(t); (got[0] == "c") != test.down {
				t.Errorf("the plan is %q", got)
			}
		})
	}
}

// TestRefusalsBetweenCalls checks that what callers and callees decide neither opens a breaker nor is taken for a
// failure between failures.
func TestRefusalsBetweenCalls(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(b, c))
	a := n.caller(t)
	for range 3 {
		for range 2 {
			of, _ := a.place(t)
			b.turnDown(t, of, 500)
			c.turnDown(t, of, 486)
			a.expect(t, status(486).of(of))
		}
		of, _ := a.place(t)
		b.turnDown(t, of, 486) // Somebody is busy: it works.
		a.expect(t, status(486).of(of))
	}
	// Callers who do not wait say nothing.
	for range 4 {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		got := b.expect(t, request("INVITE").of(of))
		b.answer(t, got, 100)
		time.Sleep(20 * time.Millisecond)
		a.send(t, cancelFor(inv))
		b.answer(t, b.expect(t, request("CANCEL").of(of)), 200)
		b.answer(t, got, 487)
		a.expect(t, status(487).of(of))
	}
	if got := n.planned(t); got[0] != "b" {
		t.Errorf("the plan is %q", got)
	}
}

// TestAllDown checks that providers that are all down are tried in order all the same.
func TestAllDown(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(b, c))
	a := n.caller(t)
	for range 5 {
		of, _ := a.place(t)
		b.turnDown(t, of, 503)
		c.turnDown(t, of, 503)
		a.expect(t, status(500).of(of))
	}
	for _, name := range []string{"b", "c"} {
		if s := n.ProviderReport(n.providerID(t, name)).Status; s.Health != providers.HealthUnhealthy {
			t.Errorf("%s's status is %+v", name, s)
		}
	}
	of, _ := a.place(t)
	b.turnDown(t, of, 503)
	c.turnDown(t, of, 486)
	a.expect(t, status(486).of(of))
	// c answered: it is well, and goes first.
	of, _ = a.place(t)
	c.turnDown(t, of, 486)
	a.expect(t, status(486).of(of))
}

// TestUnreachableProvider checks that transport errors open the breaker.
func TestUnreachableProvider(t *testing.T) {
	t.Parallel()
	gone, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(gone, c))
	gone.close()
	a := n.caller(t)
	for range 3 {
		of, _ := a.place(t)
		c.turnDown(t, of, 486)
		a.expect(t, status(486).of(of))
	}
	if s := n.ProviderReport(n.providerID(t, "b")).Status; s.Reason != "3 calls in a row failed, the last could not be sent" {
		t.Errorf("b's status is %+v", s)
	}
}

// providerID is the id of a provider that the test's catalog names.
func (n *node) providerID(t *testing.T, name string) (id [16]byte) {
	t.Helper()
	p, err := n.Plan(&providers.PlanRequest{Number: "+15551234567"})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range p.Attempts {
		if one.ProviderName == name {
			return one.ProviderID
		}
	}
	t.Fatalf("no provider %s in %+v", name, p)
	return id
}

// planned are the providers of a dry run, in order.
func (n *node) planned(t *testing.T) []string {
	t.Helper()
	p, err := n.Plan(&providers.PlanRequest{Number: "+15551234567"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range p.Attempts {
		names = append(names, one.ProviderName)
	}
	return names
}

// TestLateAnswerIsCounted checks that an attempt which is given up and then answered after all is one answered call, and
// no proof that its provider answers in time.
func TestLateAnswerIsCounted(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(b, c))
	a := n.caller(t)
	for range 3 {
		of, _ := a.place(t)
		late := b.expect(t, request("INVITE").of(of))
		c.expect(t, request("INVITE").of(of))
		b.answer(t, late, 200)
		a.expect(t, status(200).of(of))
	}
	f := n.ProviderReport(n.providerID(t, "b")).Windows.Minutes5
	if f.Attempts() != 3 || f.Outcomes[health.Answered] != 3 {
		t.Errorf("b is told of %v", f.Outcomes)
	}
	if got := n.planned(t); got[0] != "c" {
		t.Errorf("the plan is %q", got)
	}
}

// TestSilenceUnderLoad has a hundred calls a second to a provider that goes silent: those that begin five seconds later
// ring as soon as ever.
func TestSilenceUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twelve seconds")
	}
	b, c := newPeer(t), newPeer(t)
	var silent atomic.Bool
	rings := func(p *peer, never *atomic.Bool) func(m *msg) bool {
		return func(m *msg) bool {
			if m.method() == "INVITE" && (never == nil || !never.Load()) {
				p.answer(t, m, 180)
				p.answer(t, m, 486)
			}
			return true
		}
	}
	b.on(rings(b, &silent))
	c.on(rings(c, nil))
	s := watchful(b, c)
	s.health, s.budgets = "{interval: 0}", "{no_reply: 2s, no_ringing: 8s, answer: 10s, setup: 20s, max_attempts: 5}"
	a := startRouter(t, s).caller(t)
	var mu sync.Mutex
	rang := make(map[string]time.Time)
	a.on(func(m *msg) bool {
		mu.Lock()
		defer mu.Unlock()
		if m.code() == 180 {
			rang[m.get("Call-ID")] = m.at
		}
		return m.code() < 200
	})

	left := make(map[string]time.Time)
	load := func(d time.Duration) (calls []string) {
		t.Helper()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
			inv := a.invite("+15551234567")
			of := inv.get("Call-ID")
			left[of] = time.Now()
			a.send(t, inv)
			calls = append(calls, of)
		}
		return calls
	}
	before := load(2 * time.Second)
	silent.Store(true)
	struck := load(5 * time.Second)
	after := load(3 * time.Second)
	time.Sleep(2500 * time.Millisecond)

	delays := func(calls []string) (sorted []time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		for _, of := range calls {
			if at, ok := rang[of]; ok {
				sorted = append(sorted, at.Sub(left[of]))
			}
		}
		slices.Sort(sorted)
		if len(sorted) != len(calls) {
			t.Errorf("%d of %d calls rang", len(sorted), len(calls))
		}
		return sorted
	}
	was, hit, is := delays(before), delays(struck), delays(after)
	waited := 0
	for _, d := range hit {
		if d > time.Second {
			waited++
		}
	}
	t.Logf("post-dial delay p50, p95: %v, %v before; %v, %v of calls from five seconds after the failure on; %d calls waited for no_reply",
		was[len(was)/2], was[len(was)*95/100], is[len(is)/2], is[len(is)*95/100], waited)
	// How far apart the two are is printed, and depends on the machine; none of them waits for the silent one.
	if d := is[len(is)*95/100]; d > time.Second {
		t.Errorf("p95 of the post-dial delay is %v, was %v", d, was[len(was)*95/100])
	}
	if limit := 2*100 + 50; waited > limit {
		t.Errorf("%d calls waited, want those of two seconds", waited)
	}
}

// TestStalledProvider has a provider that answers each call with 100 and nothing more: later calls do not wait for it, and
// their records say so.
func TestStalledProvider(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	s := watchful(b, c)
	s.budgets = "{no_reply: 600ms, no_ringing: 700ms, answer: 10s, setup: 20s, max_attempts: 5}"
	n := startRouter(t, s)
	a := n.caller(t)
	var calls []string
	for range 3 {
		of, _ := a.place(t)
		calls = append(calls, of)
		b.answer(t, b.expect(t, request("INVITE").of(of)), 100)
	}
	for _, of := range calls {
		c.turnDown(t, of, 486)
		a.expect(t, status(486).of(of))
	}
	of, _ := a.place(t)
	c.turnDown(t, of, 486)
	a.expect(t, status(486).of(of))
	b.expectNone(t, request("INVITE").of(of), 0)
	want := "486 busy\nc 486 busy reply: 486: the callee has spoken\nskipped b: behind the others: it was down"
	if got := n.client(t).call(t, of).summary(); got != want {
		t.Errorf("the record says\n%s\nwant\n%s", got, want)
	}
	if r := n.ProviderReport(n.providerID(t, "b")).Status.Reason; r != "3 calls in a row failed, the last got a 100 and nothing more" {
		t.Errorf("b is unhealthy because %q", r)
	}
}

// TestRestingIsOnRecord checks that the record of a call says which provider it passed by because that one rests.
func TestRestingIsOnRecord(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(b, c))
	a := n.caller(t)
	of, _ := a.place(t)
	got := b.expect(t, request("INVITE").of(of))
	b.respond(t, got, b.reply(got, 503).add("Retry-After: 300"))
	c.turnDown(t, of, 486)
	goesTo(t, a, c)
	var list struct {
		Result []callRecord `json:"result"`
		Next   string       `json:"next_page_token"`
	}
	if code := n.client(t).get(t, "/v1.0/calls?page_size=1", &list); code != 200 || len(list.Result) != 1 {
		t.Fatalf("%d, %d calls", code, len(list.Result))
	}
	want := regexp.MustCompile("^486 busy\nc 486 busy reply: 486: the callee has spoken\nskipped b: behind the others: resting for (300|29[0-9])s more$")
	if text := list.Result[0].summary(); !want.MatchString(text) {
		t.Errorf("the record says\n%s", text)
	}
}

// TestImpatientCallers checks that silence is noticed even where no caller waits for the end of it.
func TestImpatientCallers(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	n := startRouter(t, watchful(b, c))
	a := n.caller(t)
	for range 3 {
		inv := a.invite("+15551234567")
		of := inv.get("Call-ID")
		a.send(t, inv)
		b.expect(t, request("INVITE").of(of))
		a.send(t, cancelFor(inv))
		a.expect(t, status(487).of(of))
	}
	eventually(t, "b is down", func() bool { return n.planned(t)[0] == "c" })
}

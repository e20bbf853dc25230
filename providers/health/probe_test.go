package health_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/health"
)

type place string

func (p place) String() string { return string(p) }

// carrier answers the probes of a test as it is told to.
type carrier struct {
	mu     sync.Mutex
	answer func(ctx context.Context, at health.Address) health.Answer
	asked  map[health.Address][]time.Time
	flying int
	most   int // Of flying.
	twice  bool
	busy   map[health.Address]bool
}

func newCarrier(answer func(context.Context, health.Address) health.Answer) *carrier {
	return &carrier{answer: answer, asked: make(map[health.Address][]time.Time), busy: make(map[health.Address]bool)}
}

func (c *carrier) ask(ctx context.Context, at health.Address) health.Answer {
	c.mu.Lock()
	c.asked[at] = append(c.asked[at], time.Now())
	c.twice = c.twice || c.busy[at]
	c.busy[at] = true
	c.flying++
	c.most = max(c.most, c.flying)
	answer := c.answer
	c.mu.Unlock()
	a := answer(ctx, at)
	c.mu.Lock()
	c.flying--
	c.busy[at] = false
	c.mu.Unlock()
	return a
}

func (c *carrier) becomes(answer func(context.Context, health.Address) health.Answer) {
	c.mu.Lock()
	c.answer = answer
	c.mu.Unlock()
}

func (c *carrier) times(at place) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[at]
}

func says(code int) func(context.Context, health.Address) health.Answer {
	return func(context.Context, health.Address) health.Answer { return health.Answer{Code: code} }
}

func fails(err error) func(context.Context, health.Address) health.Answer {
	return func(context.Context, health.Address) health.Answer { return health.Answer{Err: err} }
}

func silent(ctx context.Context, _ health.Address) health.Answer {
	<-ctx.Done()
	return health.Answer{}
}

const (
	interval = 30 * time.Second
	turn     = interval + interval/10 // The longest time between two probes.
)

// bench is a prober with one carrier behind it.
type bench struct {
	*health.Prober

	*carrier

	registry *health.Registry
	log      *bytes.Buffer
	start    time.Time
}

func (b *bench) clock() int64 { return int64(time.Since(b.start) + time.Hour) }

func newBench(t *testing.T, c *carrier) *bench {
	t.Helper()
	b := &bench{carrier: c, registry: health.NewRegistry(), log: new(bytes.Buffer), start: time.Now()}
	b.Prober = health.NewProber(b.clock, slog.New(slog.NewTextHandler(b.log, nil)))
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// check is what is asked of a provider, with the configuration's defaults.
func (b *bench) check(name string, at ...health.Address) health.Check {
	id := uuid.NewSHA1(uuid.Nil, []byte(name))
	return health.Check{
		ID: id, Name: name, State: b.registry.State(id), Host: name + ".example", Addresses: at,
		Interval: interval, Timeout: 4 * time.Second, DownAfter: 3, UpAfter: 1, Up: providers.DefaultUp(), Ask: b.ask,
	}
}

func (b *bench) must(t *testing.T, c *health.Check, want providers.Health, detail string) {
	t.Helper()
	synctest.Wait()
	r := b.Found(c.ID)
	if r.Health != want || !strings.Contains(r.Detail, detail) {
		t.Errorf("%s is %s (%s), want %s (%s)", c.Name, r.Health, r.Detail, want, detail)
	}
	if down := c.State.Down(b.clock()); down != (want == providers.HealthUnhealthy) {
		t.Errorf("%s: down for calls: %v, though probes say %s", c.Name, down, want)
	}
}

// TestProbeThresholds plays rows of answers: U is up, D a reply that means down, S silence, T a transport error, and
// behind it what is known then: ? + or -.
func TestProbeThresholds(t *testing.T) {
	for _, tt := range []struct {
		down, up int
		row      string
	}{
		{1, 1, "U+ D- U+ S- T- U+"},
		{3, 1, "S? T? D- D- U+ S+ S+ U+ S+ S+ S-"},
		{3, 2, "U? U+ S+ U+ S+ S+ T- U- S- U- U+"},
		{2, 3, "U? U? S? U? U? U+ S+ U+ S+ S- U- U- U+"},
		{1, 3, "U? S- U- U- U+"},
	} {
		t.Run(fmt.Sprint(tt.down, " ", tt.up, " ", tt.row), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := map[byte]func(context.Context, health.Address) health.Answer{
					'U': says(404), 'D': says(503), 'S': silent, 'T': fails(errors.New("connection refused")),
				}
				known := map[byte]providers.Health{
					'?': providers.HealthUnknown, '+': providers.HealthHealthy, '-': providers.HealthUnhealthy,
				}
				row := strings.Fields(tt.row)
				i := 0
				c := newCarrier(func(ctx context.Context, at health.Address) health.Answer { return answers[row[i][0]](ctx, at) })
				b := newBench(t, c)
				check := b.check("a", place("1"))
				check.DownAfter, check.UpAfter = tt.down, tt.up
				b.Watch([]health.Check{check})
				for ; i < len(row); i++ {
					for len(b.times("1")) <= i {
						time.Sleep(time.Second)
					}
					time.Sleep(5 * time.Second)
					b.must(t, &check, known[row[i][1]], "")
				}
			})
		})
	}
}

// TestProbeWords checks what an operator reads.
func TestProbeWords(t *testing.T) {
	for _, tt := range []struct {
		answer func(context.Context, health.Address) health.Answer
		want   string
		result health.Result
	}{
		{says(200), "", health.ResultUp},
		{says(401), "", health.ResultUp},
		{says(408), "answered 408, which does not mean up", health.ResultDown},
		{says(503), "answered 503, which does not mean up", health.ResultDown},
		{silent, "no reply within 4s", health.ResultSilence},
		{fails(errors.New("connection refused")), "could not be sent: connection refused", health.ResultTransport},
		{func(context.Context, health.Address) health.Answer {
			return health.Answer{TLS: true, Err: errors.New("the certificate is not for a.example")}
		}, "TLS failed: the certificate is not for a.example", health.ResultTLS},
		{fails(errors.New(strings.Repeat("x", 1000))), "could not be sent: xxx", health.ResultTransport},
	} {
		t.Run(tt.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, newCarrier(tt.answer))
				check := b.check("a", place("1"))
				check.DownAfter = 1
				b.Watch([]health.Check{check})
				time.Sleep(10 * time.Second)
				want := providers.HealthUnhealthy
				if tt.result == health.ResultUp {
					want = providers.HealthHealthy
				}
				b.must(t, &check, want, tt.want)
				r := b.Found(check.ID)
				if len(r.Detail) > 250 || b.Results(check.ID)[tt.result] != 1 || r.CheckedAt.IsZero() {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestProbeTurns checks when an address is asked: soon, then after each interval, a tenth of it more or less, never
// twice at a time.
func TestProbeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(says(200)))
		quick, slow := b.check("quick", place("1")), b.check("slow", place("2"))
		slow.Interval, slow.Timeout = time.Second, 10*time.Second
		slow.Ask = func(ctx context.Context, at health.Address) health.Answer { b.ask(ctx, at); return silent(ctx, at) }
		b.Watch([]health.Check{quick, slow})
		time.Sleep(100 * time.Millisecond)
		if len(b.times("1")) != 1 {
			t.Error("the first probe is not sent at once")
		}
		time.Sleep(time.Hour)
		for at, want := range map[place][2]time.Duration{
			"1": {interval - interval/10, turn}, "2": {10 * time.Second, 10 * time.Second},
		} {
			all := b.times(at)
			spread := make(map[time.Duration]bool)
			for i := range all[1:] {
				gap := all[i+1].Sub(all[i])
				spread[gap] = true
				if gap < want[0] || gap > want[1] {
					t.Errorf("%s is asked %v after the last time", at, gap)
				}
			}
			if at == "1" && len(spread) < len(all)/2 {
				t.Error("there is no jitter")
			}
		}
		if b.twice {
			t.Error("an address was asked while an answer was due")
		}
	})
}

// TestProbesAreSpread watches 10,000 providers come at once: no tenth of a second has much more than its share of the
// probes, in the first round and later.
func TestProbesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		b := newBench(t, newCarrier(says(200)))
		all := make([]health.Check, n)
		for i := range all {
			all[i] = b.check(fmt.Sprint(i), place(fmt.Sprint(i)))
		}
		begin := time.Now()
		b.Watch(all)
		time.Sleep(5 * turn)
		b.mu.Lock()
		defer b.mu.Unlock()
		perTenth := make(map[int]int)
		for at, times := range b.asked {
			if len(times) < 4 || times[0].Sub(begin) > interval {
				t.Fatalf("%s was asked %d times, first after %v", at, len(times), times[0].Sub(begin))
			}
			for _, asked := range times {
				perTenth[int(asked.Sub(begin)/(100*time.Millisecond))]++
			}
		}
		for tenth, sent := range perTenth {
			if share := n / int(interval/(100*time.Millisecond)); sent > 3*share {
				t.Errorf("%d probes within 100 ms, %v after the start; their share is %d", sent, time.Duration(tenth)*100*time.Millisecond, share)
			}
		}
	})
}

// TestProbesInFlight bounds them, however many providers are silent, and lets each have its turn.
func TestProbesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(silent))
		all := make([]health.Check, 5000)
		for i := range all {
			all[i] = b.check(fmt.Sprint(i), place(fmt.Sprint(i)))
			all[i].Interval = time.Second
		}
		b.Watch(all)
		time.Sleep(time.Minute)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.most > 2048 || len(b.asked) != len(all) {
			t.Errorf("%d probes at a time, %d of %d were asked", b.most, len(b.asked), len(all))
		}
	})
}

// TestProbeManyAddresses checks that a provider is down when all its addresses are, and each is known for itself.
func TestProbeManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := map[health.Address]bool{}
		var mu sync.Mutex
		b := newBench(t, newCarrier(func(ctx context.Context, at health.Address) health.Answer {
			mu.Lock()
			gone := dead[at]
			mu.Unlock()
			if gone {
				return silent(ctx, at)
			}
			return health.Answer{Code: 200}
		}))
		kill := func(at place, gone bool) {
			mu.Lock()
			dead[at] = gone
			mu.Unlock()
			time.Sleep(4 * turn)
		}
		check := b.check("a", place("1"), place("2"), place("2"))
		one, two := b.Place(check.ID, place("1")), b.Place(check.ID, place("2"))
		b.Watch([]health.Check{check})
		time.Sleep(time.Second)
		kill("1", true)
		b.must(t, &check, providers.HealthHealthy, "")
		if !one.Down() || two.Down() {
			t.Errorf("down: %v, %v", one.Down(), two.Down())
		}
		kill("2", true)
		b.must(t, &check, providers.HealthUnhealthy, "none of 2 addresses answers; 1: no reply within 4s")
		kill("1", false)
		b.must(t, &check, providers.HealthHealthy, "")
		if one.Down() || !two.Down() {
			t.Errorf("down: %v, %v", one.Down(), two.Down())
		}
		if r := b.Found(check.ID); len(r.Places) != 2 || r.Places[1].Detail != "no reply within 4s" || r.Places[0].Address != "1" {
			t.Errorf("%+v", r.Places)
		}
		for line, want := range map[string]int{`"provider healthy"`: 2, `"provider unhealthy"`: 1, "address=1": 3, "address=2": 2} {
			if n := strings.Count(b.log.String(), line); n != want {
				t.Errorf("%d times %s in the log, want %d:\n%s", n, line, want, b.log)
			}
		}
	})
}

// TestProbeReload takes providers away and brings others, while probes are on their way.
func TestProbeReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(silent))
		a, c := b.check("a", place("1")), b.check("c", place("2"))
		b.Watch([]health.Check{a, c})
		before := b.Place(a.ID, place("1"))
		time.Sleep(4 * turn)
		b.must(t, &a, providers.HealthUnhealthy, "no reply")
		if before != b.Place(a.ID, place("1")) || !before.Down() {
			t.Error("an address is not its own")
		}

		// What is edited but keeps its host keeps what is known, and its turn.
		asked := len(b.times("1"))
		a.UpAfter = 2
		for range 50 {
			b.Watch([]health.Check{a, c})
			time.Sleep(time.Millisecond)
		}
		b.must(t, &a, providers.HealthUnhealthy, "no reply")
		if more := len(b.times("1")) - asked; more > 1 {
			t.Errorf("50 reloads made %d probes", more)
		}

		// Gone: asked no more, and not known any more when it comes back.
		b.Watch([]health.Check{c})
		time.Sleep(5 * time.Second)
		asked = len(b.times("1"))
		time.Sleep(4 * turn)
		if len(b.times("1")) != asked || before.Down() {
			t.Error("a provider that went is still asked, or its address down")
		}
		a.State.Forget() // As the registry does when the catalog has it no more.
		b.Watch([]health.Check{a, c})
		b.must(t, &a, providers.HealthUnknown, "")
	})
}

// TestProbeAnotherHost checks that what was known of a host says nothing about the next one: not even the answer that
// is on its way at that time.
func TestProbeAnotherHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(silent))
		check := b.check("a", place("1"))
		check.DownAfter = 1
		b.Watch([]health.Check{check})
		time.Sleep(5 * time.Second)
		b.must(t, &check, providers.HealthUnhealthy, "")
		for len(b.times("1")) < 2 {
			time.Sleep(100 * time.Millisecond)
		}
		check.Host = "another.example"
		b.Watch([]health.Check{check})
		b.must(t, &check, providers.HealthUnknown, "")
		b.becomes(says(200))
		time.Sleep(4 * time.Second) // The old question ends here; the new one follows at once.
		b.must(t, &check, providers.HealthHealthy, "")
		if n := strings.Count(b.log.String(), "provider unhealthy"); n != 1 {
			t.Errorf("%d times unhealthy: the old host's silence was taken for the new one's:\n%s", n, b.log)
		}
	})
}

// TestProbesOff turns probes off and on, and makes them more frequent.
func TestProbesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(silent))
		check := b.check("a", place("1"))
		b.Watch([]health.Check{check})
		time.Sleep(4 * turn)
		b.must(t, &check, providers.HealthUnhealthy, "")
		check.Interval = 0
		b.Watch([]health.Check{check})
		b.must(t, &check, providers.HealthUnknown, "")
		asked := len(b.times("1"))
		time.Sleep(time.Hour)
		if len(b.times("1")) != asked || b.Place(check.ID, place("1")).Down() {
			t.Error("probes are off, and somebody is asked or down")
		}
		b.becomes(says(200))
		check.Interval = time.Hour
		b.Watch([]health.Check{check})
		time.Sleep(time.Second)
		b.must(t, &check, providers.HealthHealthy, "")
		asked = len(b.times("1"))
		check.Interval = time.Second
		b.Watch([]health.Check{check})
		time.Sleep(10 * time.Second)
		if more := len(b.times("1")) - asked; more < 8 {
			t.Errorf("asked %d times in 10 s, once a second is wanted", more)
		}
	})
}

// TestProbeNoAddress checks a provider whose name leads nowhere.
func TestProbeNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(says(200)))
		check := b.check("a")
		b.Watch([]health.Check{check})
		b.must(t, &check, providers.HealthUnknown, "")
		check.Trouble = errors.New("no such host")
		b.Watch([]health.Check{check})
		b.must(t, &check, providers.HealthUnhealthy, "no such host")
		check.Trouble, check.Addresses = nil, []health.Address{place("1")}
		b.Watch([]health.Check{check})
		time.Sleep(time.Second)
		b.must(t, &check, providers.HealthHealthy, "")
	})
}

// TestProbeNotSent checks that a probe which we could not send says nothing of the provider.
func TestProbeNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(says(200)))
		check := b.check("a", place("1"))
		check.DownAfter = 1
		b.Watch([]health.Check{check})
		time.Sleep(time.Second)
		b.becomes(func(context.Context, health.Address) health.Answer {
			return health.Answer{Err: errors.New("too many connections"), Ours: true}
		})
		time.Sleep(4 * turn)
		b.must(t, &check, providers.HealthHealthy, "")
		if asked, counted := len(b.times("1")), b.Results(check.ID); asked < 4 || counted != [health.NumResults]uint64{1} {
			t.Errorf("asked %d times, counted %v", asked, counted)
		}
	})
}

// TestCallsSayMoreThanProbes checks a provider that does not care for OPTIONS: probes put it behind the others once,
// and the calls that it serves bring it back for good.
func TestCallsSayMoreThanProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(silent))
		check := b.check("a", place("1"))
		b.Watch([]health.Check{check})
		time.Sleep(4 * turn)
		b.must(t, &check, providers.HealthUnhealthy, "")
		check.State.Served(b.clock(), b.clock())
		time.Sleep(10 * turn)
		if check.State.Down(b.clock()) {
			t.Error("probes put it down again, though calls were served")
		}
	})
}

// TestProbesClose ends what is on its way.
func TestProbesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newCarrier(silent))
		check := b.check("a", place("1"))
		check.Timeout = time.Hour
		b.Watch([]health.Check{check})
		time.Sleep(time.Second)
		b.Close()
		if b.flying != 0 || len(b.times("1")) != 1 {
			t.Errorf("%d probes on their way, %d were sent", b.flying, len(b.times("1")))
		}
		b.Watch([]health.Check{check})
		time.Sleep(time.Hour)
		if len(b.times("1")) != 1 {
			t.Error("a closed prober asks")
		}
	})
}

package router

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// crowd is a world in which callers send more than there is time for.
type crowd struct {
	*world

	n uint32
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	return &crowd{world: newWorld(t)}
}

func source(ip string) transport.Flow {
	return transport.Flow{Proto: transport.UDP, Remote: netip.AddrPortFrom(netip.MustParseAddr(ip), 5060)}
}

// behind makes the worker be under pressure.
func (c *crowd) behind(percent int) {
	for range 20 {
		c.now += int64(time.Millisecond)
		c.w.Backlog(c.now, percent)
	}
}

// send gives the worker a request from a source and returns the status that it gets at once, 0 for none, or -1 when the
// request went on.
func (c *crowd) send(from transport.Flow, method, toTag string) int {
	c.n++
	return c.sendAs(c.n, from, method, toTag)
}

func (c *crowd) sendAs(n uint32, from transport.Flow, method, toTag string) int {
	c.queue = c.queue[:0]
	b := c.request(nil, method, n, "sip:15551234567@127.0.0.1:5060", nil, toTag, "")
	c.w.Receive(c.now, from, bytes.Replace(b, []byte("z9hG4bKCANCEL"), []byte("z9hG4bKINVITE"), 1))
	if len(c.queue) == 0 {
		return 0
	}
	first := c.queue[0].data
	var m message.Message
	if err := m.Parse(first); err != nil {
		c.tb.Fatal(err)
	}
	if m.Request {
		return -1
	}
	if m.Status == 503 && !bytes.Contains(first, []byte("\r\nRetry-After: ")) {
		c.tb.Errorf("no Retry-After:\n%s", first)
	}
	return m.Status
}

func (c *crowd) dropped(why dropReason) float64 {
	reg := prometheus.NewRegistry()
	reg.MustRegister(c.metrics.drops[why])
	families, err := reg.Gather()
	if err != nil {
		c.tb.Fatal(err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// tally sends many requests and counts what they get.
func (c *crowd) tally(n int, from transport.Flow, method, toTag string) map[int]int {
	got := map[int]int{}
	for range n {
		got[c.send(from, method, toTag)]++
	}
	return got
}

// TestShed: under pressure a source beyond its share gets 503 for what is new, and another source notices nothing.
func TestShed(t *testing.T) {
	c := newCrowd(t)
	loud, calm := source("127.0.0.9"), source("127.0.0.5")
	if got := c.tally(100, loud, "INVITE", ""); got[-1] != 100 {
		t.Errorf("without pressure: %v", got)
	}
	known := c.n
	c.behind(50)
	held := c.Router.calls.Used()
	if got := c.tally(1000, loud, "INVITE", ""); got[503] < 900 {
		t.Errorf("the loud one: %v", got)
	}
	if now := c.Router.calls.Used(); now-held > 100 {
		t.Errorf("%d transactions for what was refused", now-held)
	}
	if got := c.tally(5, calm, "INVITE", ""); got[-1] != 5 {
		t.Errorf("the calm one: %v", got)
	}
	if got := c.tally(5, calm, "MESSAGE", ""); got[503] == 5 {
		t.Errorf("the calm one's messages: %v", got)
	}
	if got := c.tally(100, loud, "MESSAGE", ""); got[503] != 100 {
		t.Errorf("the loud one's messages: %v", got)
	}
	// What is known goes on: copies, requests in dialogs (481, as these have no route of ours), CANCEL.
	if got := c.sendAs(known, loud, "INVITE", ""); got == 503 {
		t.Error("a copy of a call in progress was refused")
	}
	for method, want := range map[string]int{"BYE": 481, "INVITE": 481, "UPDATE": 481} {
		if got := c.send(loud, method, "uas"); got != want {
			t.Errorf("%s in a dialog got %d", method, got)
		}
	}
	if got := c.sendAs(known, loud, "CANCEL", ""); got != 200 {
		t.Errorf("CANCEL got %d", got)
	}
	if got := c.send(loud, "REGISTER", ""); got != 405 {
		t.Errorf("REGISTER got %d", got)
	}
	if n := c.dropped(dropPressure); n < 1000 {
		t.Errorf("%v counted", n)
	}
	c.w.Backlog(c.now, 0)
	if got := c.tally(100, loud, "INVITE", ""); got[-1] != 100 {
		t.Errorf("afterwards: %v", got)
	}
	if n := c.shares.pressed.Load(); n != 0 {
		t.Errorf("%d workers under pressure in the end", n)
	}
}

// TestUnread: when even refusing takes too long, what a source beyond its share sends is not read any more, unless it
// belongs to a call that is known.
func TestUnread(t *testing.T) {
	c := newCrowd(t)
	loud, calm := source("127.0.0.9"), source("127.0.0.5")
	c.behind(95)
	if got := c.tally(1000, loud, "INVITE", ""); got[0] < 900 {
		t.Errorf("the loud one: %v", got)
	}
	if n := c.dropped(dropUnread); n < 900 {
		t.Errorf("%v counted", n)
	}
	if got := c.tally(3, calm, "INVITE", ""); got[-1] != 3 {
		t.Errorf("the calm one: %v", got)
	}
	if got := c.send(loud, "BYE", "uas"); got != 481 {
		t.Errorf("BYE got %d", got)
	}
}

// TestShedStreams: what comes over a stream is weighed too while datagrams wait.
func TestShedStreams(t *testing.T) {
	c := newCrowd(t)
	stream := newWorker(c.Router, c.world)
	loud := source("127.0.0.9")
	loud.Proto = transport.TCP
	datagrams := c.w
	c.w = stream
	if got := c.tally(100, loud, "INVITE", ""); got[-1] != 100 {
		t.Errorf("without pressure: %v", got)
	}
	c.w = datagrams
	c.behind(50)
	c.w = stream
	if got := c.tally(200, loud, "INVITE", ""); got[503] < 100 {
		t.Errorf("under pressure: %v", got)
	}
	loud.Proto = transport.UDP
	if got := c.tally(100, loud, "INVITE", ""); got[-1] != 100 {
		t.Errorf("a worker that is not behind refused: %v", got)
	}
}

// TestSourceRate: the limit that is configured holds without any pressure.
func TestSourceRate(t *testing.T) {
	c := newCrowd(t)
	c.sourceRate, c.sourceMeter = 100, new(meter)
	loud := source("127.0.0.9")
	if got := c.tally(100, loud, "INVITE", ""); got[-1] != meterBurst || got[503] != 100-meterBurst {
		t.Errorf("at once: %v", got)
	}
	c.now += int64(time.Second)
	if got := c.tally(100, loud, "INVITE", ""); got[-1] != meterBurst {
		t.Errorf("a second later: %v", got)
	}
	if n := c.dropped(dropSourceRate); n != 200-2*meterBurst {
		t.Errorf("%v counted", n)
	}
	if got := c.tally(meterBurst, source("127.0.0.5"), "INVITE", ""); got[-1] != meterBurst {
		t.Errorf("another source: %v", got)
	}
}

// TestPlacesForOthers: one source that takes all places leaves some for others, and those that come back are known.
func TestPlacesForOthers(t *testing.T) {
	c := newCrowd(t)
	c.maxCalls, c.manyCalls = 160, 80
	loud, calm := source("127.0.0.9"), source("127.0.0.5")
	if got := c.tally(300, loud, "INVITE", ""); got[-1] != 160 || got[503] != 140 {
		t.Errorf("the loud one: %v", got)
	}
	if got := c.tally(20, calm, "INVITE", ""); got[-1] != 10 || got[503] != 10 {
		t.Errorf("the calm one: %v", got)
	}
	if n := c.dropped(dropOverload); n != 150 {
		t.Errorf("%v counted", n)
	}
	for range 2000 {
		c.now += int64(100 * time.Millisecond)
		c.w.turn(c.now)
		c.queue = c.queue[:0]
	}
	if n := c.inProgress.Load(); n != 0 {
		t.Fatalf("%d in progress in the end", n)
	}
	for row := range c.holders.n {
		for i := range c.holders.n[row] {
			if n := c.holders.n[row][i].Load(); n != 0 {
				t.Fatalf("cell %d of row %d holds %d in the end", i, row, n)
			}
		}
	}
}

// TestComeAgainLater: not everybody is told the same.
func TestComeAgainLater(t *testing.T) {
	w := newBed(t).w
	seen := map[extra]bool{}
	for range 200 {
		x := w.retryAfter()
		seen[x] = true
		if !strings.HasPrefix(string(x), "Retry-After: ") || !strings.HasSuffix(string(x), "\r\n") {
			t.Fatalf("%q", x)
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d different", len(seen))
	}
}

// TestShedAllocates: refusing under pressure takes no memory, however often.
func TestShedAllocates(t *testing.T) {
	b := newBed(t)
	for range 20 {
		b.now += int64(time.Millisecond)
		b.w.Backlog(b.now, 50)
	}
	flood := b.request(nil, "INVITE", 7, "sip:15551234567@127.0.0.1:5060", nil, "", offer)
	in := make([]byte, 0, 2*len(flood))
	refuse := func() {
		in = append(in[:0], flood...)
		in[bytes.Index(in, []byte("z9hG4bK"))+20]++
		b.receive(in)
	}
	for range 100 {
		refuse()
	}
	before := b.calls.Used()
	if n := testing.AllocsPerRun(1000, refuse); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if now := b.calls.Used(); now != before {
		t.Errorf("%d transactions", now-before)
	}
}

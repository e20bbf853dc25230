package router

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
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

func (b *bed) dropped(why dropReason) float64 {
	reg := prometheus.NewRegistry()
	reg.MustRegister(b.metrics.drops[why])
	families, err := reg.Gather()
	if err != nil {
		panic(err)
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

// TestShareBegins: a share begins with what there was time for before, once each time there is too much.
func TestShareBegins(t *testing.T) {
	c := newCrowd(t)
	c.shares.used.Store(2000)
	for _, tt := range []struct {
		pause      time.Duration
		rate, want int64
	}{{0, 50_000, 2000}, {time.Duration(episode / 2), 5000, 5000}, {time.Duration(2 * episode), 5000, 2000}} {
		c.now += int64(tt.pause)
		c.w.Backlog(c.now, 0)
		c.shares.rate.Store(tt.rate)
		c.behind(50)
		if got := c.shares.current(); got != tt.want {
			t.Errorf("after %v: a share of %d is %d, want %d", tt.pause, tt.rate, got, tt.want)
		}
	}
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

// TestTurnAwayUnread: what is refused by its outline gets the response that it would get if it were read, with a tag by which the
// ACK is known, and what does not fit an outline is read.
func TestTurnAwayUnread(t *testing.T) {
	b, _ := flooded(t)
	from := source("127.0.0.9")
	good := string(b.request(nil, "INVITE", 0xfade, "sip:15551234567@127.0.0.1:5060", nil, "", offer))
	via := good[strings.Index(good, "Via: "):strings.Index(good, "Max-Forwards")]
	with := func(old, text string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(good, old, text, 1)
	}
	for name, tt := range map[string]struct {
		text   string
		unread bool
	}{
		"as nearly all are":    {good, true},
		"from another address": {with("127.0.0.5:5060;branch", "192.0.2.7;branch"), true},
		"from a name":          {with("127.0.0.5:5060;branch", "Media.Example.Net:5070;branch"), true},
		"received":             {with(";rport", ";received=192.0.2.7"), true},
		"neither":              {with("127.0.0.5:5060;branch=z9hG4bKINVITE0000fade;rport", "127.0.0.9;branch=z9hG4bKINVITE0000fade"), true},
		"another Via line":     {with(via, via+"Via: SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKx\r\n"), true},
		"two in one line":      {with(";rport", ";rport, SIP/2.0/TCP b;branch=z9hG4bKx"), true},
		"a Via line far below": {with("Call-ID: ", "Via: SIP/2.0/TCP b;branch=z9hG4bKx\r\nCall-ID: "), false},
		"a short Via below":    {with("Call-ID: ", "v: SIP/2.0/TCP b;branch=z9hG4bKx\r\nCall-ID: "), false},
		"a short name":         {with("From: ", "f: "), false},
		"another spelling":     {with("CSeq: ", "CSEQ : "), false},
		"folded":               {with("Via: ", "Via:\r\n "), false},
		"line feeds alone":     {with("Max-Forwards: 70\r\n", "Max-Forwards: 70\n"), false},
		"a lone return":        {with("load test", "load\rtest"), false},
		"RFC 2543":             {with("z9hG4bK", "1"), false},
		"a tag":                {with("@127.0.0.1:5060>\r\nCall", "@127.0.0.1:5060>;tag=a\r\nCall"), false},
		"another method":       {with("CSeq: 1 INVITE", "CSeq: 1 OPTIONS"), false},
		"no From":              {with("From: ", "X-From: "), false},
		"two To":               {with("Call-ID: ", "To: <sip:x@y>\r\nCall-ID: "), false},
		"cut off":              {good[:strings.Index(good, "\r\n\r\n")], false},
		"a bad Via":            {with("SIP/2.0/UDP ", "SIP/2.0 "), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(b.Router, &wireTap{})
			w.now = b.now
			sent := func() string {
				tap := w.out.(*wireTap)
				if len(tap.sent) != 1 || tap.sent[0].to != from {
					t.Fatalf("%d sent", len(tap.sent))
				}
				data := tap.sent[0].data
				tap.sent = nil
				if len(data)%lengthStep != 0 {
					t.Errorf("a length of %d", len(data))
				}
				return string(data)
			}
			for w.within(from) {
			}
			if got := w.turnAwayUnread(from, []byte(tt.text)); got != tt.unread {
				t.Fatalf("unread: %v", got)
			}
			if !tt.unread {
				return
			}
			got := sent()
			if err := w.msg.Parse([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			w.rq = request{}
			if fault := w.read(&w.msg, &w.rq); fault != nil {
				t.Fatal(fault)
			}
			w.rq.key = w.keyFor(&w.msg, &w.rq, w.rq.method)
			w.turnAway(from, w.retryAfter())
			want := sent()
			plain := func(s string) string {
				s = strings.Replace(s, string(b.awayTag), ";tag=", 1)
				s = regexp.MustCompile(`Retry-After: \d+`).ReplaceAllString(s, "")
				return regexp.MustCompile(`Content-Length: +`).ReplaceAllString(s, "Content-Length: ")
			}
			if plain(got) != plain(want) || !strings.Contains(got, string(b.awayTag)) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestShedWeighs: only what opens a call is weighed, so that neither copies nor requests in dialogs use a share up, and of who
// may not call nothing is.
func TestShedWeighs(t *testing.T) {
	for _, percent := range []int{50, 90} {
		c := newCrowd(t)
		loud := source("127.0.0.9")
		if got := c.send(loud, "INVITE", ""); got != -1 {
			t.Fatalf("got %d", got)
		}
		known := c.n
		c.behind(percent)
		for i := range 200 {
			c.send(source(fmt.Sprintf("203.0.113.%d", i)), "INVITE", "")
			if percent < dropAt { // Beyond, they are dropped unread when they are too many.
				c.sendAs(known, loud, "INVITE", "")
				c.send(loud, "INVITE", "uas")
			}
		}
		if c.w.press.taken != 0 {
			t.Errorf("at %d %%: %d are taken for new", percent, c.w.press.taken)
		}
		if got := c.tally(10, loud, "INVITE", ""); got[-1] != 10 {
			t.Errorf("at %d %%: new ones then: %v", percent, got)
		}
	}
}

// TestShareFalls: a share is halved again only when the backlog does not fall on its own.
func TestShareFalls(t *testing.T) {
	for _, tt := range []struct {
		each        float64 // Percent by which the backlog falls with each batch, of which there is one in 0.6 ms.
		least, most int64
	}{{0, 64, 256}, {1, 4096, 8192}} {
		c := newCrowd(t)
		c.behind(50)
		c.shares.rate.Store(16_384)
		percent := 84.0
		for range 25 {
			c.now += int64(600 * time.Microsecond)
			c.w.press.taken = manyTaken
			c.w.Backlog(c.now, int(percent))
			percent -= tt.each
		}
		if got := c.shares.current(); got < tt.least || got > tt.most {
			t.Errorf("falling by %v: a share of %d", tt.each, got)
		}
	}
}

// TestSharesCount: calls that are done with are counted, and the timers look at how many.
func TestSharesCount(t *testing.T) {
	c := newCrowd(t)
	c.w.turn(c.now)
	for range 100 {
		c.send(source("127.0.0.9"), "INVITE", "")
	}
	used := int64(0)
	for range 100 { // Nobody answers.
		c.now += int64(time.Second)
		c.w.turn(c.now)
		used = max(used, c.shares.used.Load())
	}
	if n := c.shares.done.Load(); n != 100 || used == 0 {
		t.Errorf("%d done, %d in a second", n, used)
	}
}

// TestAckOfRefusal: the ACK of a refusal is no stray, whether the INVITE was read or not, and goes nowhere.
func TestAckOfRefusal(t *testing.T) {
	c := newCrowd(t)
	from := source("127.0.0.9")
	c.behind(50)
	refused := func() []byte {
		for range 1000 {
			if c.send(from, "INVITE", "") == 503 {
				return c.queue[0].data
			}
		}
		t.Fatal("never refused")
		return nil
	}
	ack := func(response []byte) {
		t.Helper()
		var m message.Message
		if err := m.Parse(response); err != nil {
			t.Fatal(err)
		}
		_, tag, fault := m.Address(message.To)
		if fault != nil || len(tag) == 0 {
			t.Fatalf("no tag: %v", fault)
		}
		for range 2 {
			c.queue = c.queue[:0]
			b := c.request(nil, "ACK", c.n, "sip:15551234567@127.0.0.1:5060", nil, string(tag), "")
			c.w.Receive(c.now, from, bytes.Replace(b, []byte("z9hG4bKACK"), []byte("z9hG4bKINVITE"), 1))
			if len(c.queue) != 0 || c.dropped(dropStray) != 0 {
				t.Errorf("%d sent, %v strays", len(c.queue), c.dropped(dropStray))
			}
			c.now += int64(time.Hour) // Without pressure it is read.
			c.w.Backlog(c.now, 0)
		}
	}
	ack(refused())
	c.draining.Store(true)
	from = source("127.0.0.7")
	ack(refused())
}

// TestAckUnread: under pressure the ACK of a refusal is known by its tag and branch, and any other is read.
func TestAckUnread(t *testing.T) {
	b, _ := flooded(t)
	from := source("127.0.0.9")
	invite := b.request(nil, "INVITE", 0xfade, "sip:15551234567@127.0.0.1:5060", nil, "", offer)
	tap := &wireTap{}
	w := newWorker(b.Router, tap)
	w.press, w.now = b.w.press, b.now
	for w.within(from) {
	}
	w.Receive(b.now, from, invite)
	if len(tap.sent) != 1 {
		t.Fatalf("%d sent", len(tap.sent))
	}
	_, tag, _ := bytes.Cut(tap.sent[0].data, []byte(";tag="+string(b.awayTag[len(";tag="):])))
	tag = append(bytes.Clone(b.awayTag[len(";tag="):]), tag[:tagDigits]...)
	good := string(b.request(nil, "ACK", 0xfade, "sip:15551234567@127.0.0.1:5060", nil, string(tag), ""))
	good = strings.Replace(good, "z9hG4bKACK", "z9hG4bKINVITE", 1)
	for name, tt := range map[string]struct {
		text   string
		unread bool
	}{
		"it is":             {good, true},
		"of another branch": {strings.Replace(good, "0000fade", "0000face", 1), false},
		"another tag":       {strings.Replace(good, string(tag), "uas", 1), false},
		"half a tag":        {good[:strings.Index(good, string(tag))+12], false},
		"another order":     {strings.Replace(good, "Via: ", "Subject: x\r\nVia: ", 1), false},
		"RFC 2543":          {strings.Replace(good, "z9hG4bK", "1", 1), false},
		"a BYE":             {strings.Replace(good, "ACK sip", "BYE sip", 1), false},
	} {
		if got := w.unread(from, []byte(tt.text)); got != tt.unread {
			t.Errorf("%s: unread: %v", name, got)
		}
	}
	for _, tt := range []struct {
		after  time.Duration
		unread bool
	}{{0, true}, {time.Duration(episode - 1), true}, {time.Duration(2 * episode), false}} {
		w.press.level = pressNone
		strays, read := b.dropped(dropMalformed), strings.Replace(good, "CSeq: 1 ACK", "CSeq: 1 NACK", 1) // No ACK for who reads it.
		w.Receive(b.now+int64(tt.after), from, []byte(read))
		if got := b.dropped(dropMalformed) == strays; got != tt.unread {
			t.Errorf("%v after the pressure: unread: %v", tt.after, got)
		}
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

// flooded returns what gives a worker under pressure the next INVITE of a source that has had its share.
func flooded(tb testing.TB) (b *bed, invite func()) {
	tb.Helper()
	b = newBed(tb)
	for range 20 {
		b.now += int64(time.Millisecond)
		b.w.Backlog(b.now, 50)
	}
	flood := b.request(nil, "INVITE", 7, "sip:15551234567@127.0.0.1:5060", nil, "", offer)
	branch := bytes.Index(flood, []byte("z9hG4bKINVITE")) + len("z9hG4bKINVITE")
	in := make([]byte, 0, 2*len(flood))
	n := uint64(0)
	invite = func() {
		n++
		in = append(in[:0], flood...)
		appendHex(in[:branch], n, 8)
		b.receive(in)
	}
	for range 1000 {
		invite()
	}
	return b, invite
}

// TestShedAllocates: refusing under pressure takes no memory, however often.
func TestShedAllocates(t *testing.T) {
	b, invite := flooded(t)
	used, refused := b.calls.Used(), b.dropped(dropPressure)
	if n := testing.AllocsPerRun(1000, invite); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if now := b.calls.Used(); now != used {
		t.Errorf("%d transactions", now-used)
	}
	if now := b.dropped(dropPressure); now != refused+1001 {
		t.Errorf("%v refused of 1001", now-refused)
	}
}

// BenchmarkTurnAway is an INVITE that is refused under pressure, sent by itself, and the ACK that it brings.
func BenchmarkTurnAway(b *testing.B) {
	bed, invite := flooded(b)
	b.Run("INVITE", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			invite()
		}
	})
	b.Run("ACK", func(b *testing.B) {
		key := bed.w.branchKey([]byte("z9hG4bKACK00000007"), []byte("127.0.0.5:5060"), []byte("INVITE"))
		tag := appendHex(bytes.Clone(bed.awayTag[len(";tag="):]), key[1], tagDigits)
		ack := bed.request(nil, "ACK", 7, "sip:15551234567@127.0.0.1:5060", nil, string(tag), "")
		if !bed.w.unread(bed.from, ack) {
			b.Fatal("it is read")
		}
		b.ReportAllocs()
		for b.Loop() {
			bed.receive(ack)
		}
	})
}

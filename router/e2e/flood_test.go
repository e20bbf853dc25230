package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sturdy is a peer that refuses each call at once, as often as it is asked: what gets lost in a flood is sent again.
func sturdy(t *testing.T) *peer {
	t.Helper()
	p := newPeer(t)
	p.on(func(m *msg) bool {
		if m.method() != "INVITE" {
			return true
		}
		text := p.reply(m, 486).text()
		if m.conn != nil {
			_, _ = io.WriteString(m.conn, text) // The router may be gone: then nobody waits for it.
		} else {
			_, _ = p.udp.WriteToUDPAddrPort([]byte(text), m.from)
		}
		return true
	})
	return p
}

// persistent is a caller's call that is repeated until its answer comes, as RFC 3261 has it.
func (p *peer) persistent(t *testing.T) {
	t.Helper()
	inv := p.invite("+15551234567").offering(wideOffer())
	began := time.Now()
	for time.Since(began) < soon {
		p.send(t, inv)
		if rep := p.next(t, status(486).of(inv.get("Call-ID")), 200*time.Millisecond); rep != nil {
			p.send(t, ackFor(inv, rep))
			return
		}
	}
	t.Fatalf("a call had no answer within %v; the caller got: %s", soon, p.summary())
}

// TestFlood sends the real program 20,000 datagrams of garbage from one source, while the calls of another all succeed.
// The garbage is counted by reason, makes a few lines of log a second without a byte of it, and leaves no memory behind.
func TestFlood(t *testing.T) {
	t.Parallel()
	b := sturdy(t)
	d := startDaemon(t, trunks(b))
	a, stranger := newPeer(t), newPeer(t)
	a.transport, a.router = "udp", d.sip
	stranger.transport, stranger.router = "udp", d.sip
	stranger.on(func(*msg) bool { return true })
	for range 5 {
		a.persistent(t)
	}
	before := d.memory(t)

	began := time.Now()
	flooded := make(chan map[string]int, 1)
	go func() { flooded <- flood(stranger, d.sip) }()
	calls := 0
	var sent map[string]int
	for sent == nil {
		select {
		case sent = <-flooded:
		default:
			a.persistent(t)
			calls++
			time.Sleep(10 * time.Millisecond)
		}
	}
	took := time.Since(began)
	if took > 20*time.Second { // Three seconds, unless the machine is busy.
		t.Errorf("the flood took %v", took)
	}
	if calls < 5 {
		t.Errorf("%d calls in %v", calls, took)
	}
	a.persistent(t)

	page := d.get(t, "/metrics")
	for reason, n := range sent {
		got := sample(page, fmt.Sprintf("dialrouter_messages_dropped_total{reason=%q}", reason))
		// On a busy machine the kernel drops what finds no room, and says nothing.
		if got > float64(n) || got < float64(n)/2 {
			t.Errorf("%v were counted as %s, want %d", got, reason, n)
		}
	}
	if grown := d.memory(t) - before; grown > 64<<20 {
		t.Errorf("the program grew by %d MiB", grown>>20)
	}
	d.stop(t)
	checkLog(t, d.err.String(), took)
}

// flood sends garbage of several kinds as fast as the router is meant to bear it, and says how much of which kind.
func flood(p *peer, to netip.AddrPort) map[string]int {
	random := rand.New(rand.NewPCG(5, 6))
	bytes := func() string {
		b := make([]byte, 30+random.IntN(500))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		b[0] = '\xff' // Surely no SIP.
		return string(b)
	}
	kinds := []struct {
		reason string
		make   func() string
	}{
		{"not_sip", bytes},
		{"not_sip", func() string { return "\x1b[31mGET /" + bytes() + " HTTP/1.1\r\n\r\n" }},
		{"not_sip", func() string { return "\x00\x01" + strings.Repeat("\x00\x07\x08", 400) }},
		{"malformed", func() string {
			return "INVITE sip:\x1b]0;owned\x07@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=" + newBranch() + "\r\nCSeq: 1 INVITE\r\n\r\n"
		}},
		{"malformed", func() string { return "SIP/2.0 200 OK\r\nVia: \x1b[2J\r\n\r\n" }},
		{"stray", func() string {
			return fmt.Sprintf("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%08x%016x00000000\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 100 INVITE\r\nContent-Length: 0\r\n\r\n",
				to, random.IntN(64), random.Uint64())
		}},
	}
	sent := map[string]int{}
	const total, burst = 20000, 50
	for i := range total {
		kind := kinds[i%len(kinds)]
		if _, err := p.udp.WriteToUDPAddrPort([]byte(kind.make()), to); err == nil {
			sent[kind.reason]++
		}
		if i%burst == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return sent
}

// sample is a value on the metrics page, 0 when it is not there.
func sample(page, name string) float64 {
	for line := range strings.SplitSeq(page, "\n") {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, _ := strconv.ParseFloat(rest, 64)
			return v
		}
	}
	return 0
}

// memory is how much memory the program holds, in bytes.
func (d *daemon) memory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatal("no VmRSS")
	}
	kib, _ := strconv.Atoi(string(m[1]))
	return kib << 10
}

// checkLog checks that a log of so much time holds a few lines a second about what was dropped, each short and readable.
func checkLog(t *testing.T, log string, took time.Duration) {
	t.Helper()
	dropped := 0
	for line := range strings.SplitSeq(log, "\n") {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes: %.200q", len(line), line)
		}
		for _, c := range []byte(line) {
			if c < ' ' || c == 0x7f {
				t.Errorf("a line has the byte %#x: %.200q", c, line)
				break
			}
		}
		if strings.Contains(line, "WARN") {
			dropped++
			named := []string{"reason=", "source="}
			if strings.Contains(line, "not delivered") {
				named = []string{"error=", "destination="}
			}
			for _, want := range named {
				if !strings.Contains(line, want) {
					t.Errorf("no %s in %q", want, line)
				}
			}
		}
	}
	if limit := 5 * (int(took.Seconds()) + 2); dropped == 0 || dropped > limit {
		t.Errorf("%d lines about what was dropped in %v, want at most %d", dropped, took, limit)
	}
}

package router

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// notebook is an outbox that keeps what is sent.
type notebook struct {
	mu   sync.Mutex
	sent []string
	to   []transport.Flow
}

func (n *notebook) Send(to transport.Flow, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.to, n.sent = append(n.to, to), append(n.sent, string(data))
}

func (n *notebook) SendUnordered(to transport.Flow, data []byte) { n.Send(to, data) }

func (n *notebook) Flush(int64) {}

func (n *notebook) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.sent)
}

// probeBed is a router whose probes are written into a notebook.
func probeBed(t *testing.T) (*bed, *notebook) {
	t.Helper()
	b, n := newBed(t), new(notebook)
	b.probes.socket.out, b.probes.socket.tally = n, b.traffic.join()
	return b, n
}

func viaOf(nonce uint64) string {
	return "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=" + string(appendBranch(nil, probeMark, nonce, 0)) + "\r\n"
}

func parsed(t *testing.T, text string) *message.Message {
	t.Helper()
	m := new(message.Message)
	if err := m.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestProbeSocketLetsIn enumerates what is taken for the answer to a probe.
func TestProbeSocketLetsIn(t *testing.T) {
	b, _ := probeBed(t)
	s := b.probes.socket
	hop := transport.Flow{Proto: transport.UDP, Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
	from := func(proto transport.Proto, remote string) transport.Flow {
		return transport.Flow{Proto: proto, Remote: netip.MustParseAddrPort(remote)}
	}
	for _, tt := range []struct {
		name   string
		nonce  uint64
		from   transport.Flow
		status int
		method string
		taken  bool
		stays  bool
	}{
		{"an answer", 1, from(transport.UDP, "192.0.2.1:5060"), 200, "OPTIONS", true, false},
		{"by another port", 1, from(transport.UDP, "192.0.2.1:5080"), 404, "OPTIONS", true, false},
		{"on the way", 1, from(transport.UDP, "192.0.2.1:5060"), 100, "OPTIONS", true, true},
		{"of another host", 1, from(transport.UDP, "192.0.2.2:5060"), 200, "OPTIONS", false, true},
		{"by another transport", 1, from(transport.TCP, "192.0.2.1:5060"), 200, "OPTIONS", false, true},
		{"to another method", 1, from(transport.UDP, "192.0.2.1:5060"), 200, "INVITE", false, true},
		{"to another probe", 2, from(transport.UDP, "192.0.2.1:5060"), 200, "OPTIONS", false, true},
	} {
		s.expect(1, &probe{hop: hop, head: "\r\n"})
		m := parsed(t, fmt.Sprintf("SIP/2.0 %d X\r\n%sCSeq: 1 %s\r\n\r\n", tt.status, viaOf(tt.nonce), tt.method))
		if taken := s.response(tt.nonce, tt.from, m); taken != tt.taken || len(s.inbox) == 0 == tt.taken {
			t.Errorf("%s: taken %v, %d for the agent", tt.name, taken, len(s.inbox))
		}
		if stays := len(s.waiting) == 1; stays != tt.stays {
			t.Errorf("%s: waited for any longer: %v", tt.name, stays)
		}
		for len(s.inbox) > 0 {
			if in := string(<-s.inbox); !strings.HasPrefix(in, fmt.Sprintf("SIP/2.0 %d ", tt.status)) {
				t.Errorf("%s: the agent hears %q", tt.name, in)
			}
		}
		s.forget(1)
	}
}

// TestProbeSocketIsBounded floods it while nobody reads.
func TestProbeSocketIsBounded(t *testing.T) {
	b, _ := probeBed(t)
	s := b.probes.socket
	flow := transport.Flow{Proto: transport.UDP, Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
	s.expect(0, &probe{hop: flow})
	m := parsed(t, "SIP/2.0 100 X\r\n"+viaOf(0)+"CSeq: 1 OPTIONS\r\n\r\n")
	for range 1000 {
		s.response(0, flow, m)
	}
	if len(s.inbox) != maxProvisional {
		t.Errorf("%d provisional responses of one probe", len(s.inbox))
	}
	m = parsed(t, "SIP/2.0 200 X\r\n"+viaOf(0)+"CSeq: 1 OPTIONS\r\n\r\n")
	for nonce := range uint64(2 * probeBacklog) {
		s.expect(nonce, &probe{hop: flow})
		if !s.response(nonce, flow, m) {
			t.Fatal("an answer is called stray")
		}
	}
	// Those that found no room are waited for still: they are repeated.
	if len(s.inbox) != probeBacklog || len(s.waiting) != probeBacklog+maxProvisional {
		t.Errorf("%d for the agent, %d waited for", len(s.inbox), len(s.waiting))
	}
}

// TestProbeSocketFailures checks which messages that could not be sent are probes.
func TestProbeSocketFailures(t *testing.T) {
	b, _ := probeBed(t)
	s := b.probes.socket
	broken := errors.New("broken")
	var got []error
	s.expect(1, &probe{fail: func(err error) { got = append(got, err) }})
	for text, want := range map[string]bool{
		"INVITE sip:a SIP/2.0\r\n" + viaOf(1):                                                            false,
		"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n":                        false,
		"OPTIONS sip:a SIP/2.0\r\nFrom: <sip:a>\r\n":                                                     false,
		"SIP/2.0 200 OK\r\n" + viaOf(1):                                                                  false,
		"OPTIONS sip:a SIP/2.0\r\n" + strings.ReplaceAll(viaOf(1), "fffffffe", "00000001"):               false,
		"OPTIONS sip:a SIP/2.0\r\n" + viaOf(7):                                                           true,
		"OPTIONS sip:a SIP/2.0\r\n" + strings.TrimSuffix(viaOf(8), "\r\n") + ";rport\r\nMax-Forwards: 7": true,
	} {
		if s.failed(parsed(t, text+"\r\n\r\n"), broken) != want {
			t.Errorf("%q: not %v", text, want)
		}
	}
	if len(got) > 0 || len(s.waiting) != 1 {
		t.Error("a probe failed by another's failure")
	}
	if !s.failed(parsed(t, "OPTIONS sip:a SIP/2.0\r\n"+viaOf(1)+"\r\n"), broken) || len(got) != 1 || !errors.Is(got[0], broken) || len(s.waiting) != 0 {
		t.Errorf("its own failure: %v, %d waited for", got, len(s.waiting))
	}
}

// TestProbeIsAsked sends probes through the agent: repeated over UDP and not over a stream, answered, failed and
// forgotten, and none is waited for afterwards.
func TestProbeIsAsked(t *testing.T) {
	b, n := probeBed(t)
	b.probes.client.start()
	ask := func(hop transport.Flow, within time.Duration, then func(nonce uint64)) (code int, err error) {
		before := n.count()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		var acting sync.WaitGroup
		acting.Go(func() {
			for n.count() == before && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			b.probes.socket.mu.Lock()
			nonce := slices.Collect(maps.Keys(b.probes.socket.waiting))[0]
			b.probes.socket.mu.Unlock()
			then(nonce)
		})
		a := b.probes.client.ask(ctx, config.HostPort{Host: "carrier.test"}, hop)
		acting.Wait()
		b.probes.socket.mu.Lock()
		defer b.probes.socket.mu.Unlock()
		if left := len(b.probes.socket.waiting); left != 0 {
			t.Errorf("%d are waited for still", left)
		}
		return a.Code, a.Err
	}
	udp := transport.Flow{Proto: transport.UDP, Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
	tcp := transport.Flow{Proto: transport.TCP, Remote: udp.Remote}
	for _, hop := range []transport.Flow{udp, tcp} {
		code, err := ask(hop, 10*time.Second, func(nonce uint64) {
			m := parsed(t, "SIP/2.0 486 X\r\n"+viaOf(nonce)+"CSeq: 1 OPTIONS\r\n\r\n")
			if !b.probes.socket.response(nonce, hop, m) || b.probes.socket.response(nonce, hop, m) {
				t.Error("the answer is not taken once")
			}
		})
		if code != 486 || err != nil {
			t.Errorf("%s: %d %v", hop.Proto, code, err)
		}
		broken := errors.New("broken")
		code, err = ask(hop, 10*time.Second, func(nonce uint64) {
			b.probes.socket.failed(parsed(t, "OPTIONS sip:a SIP/2.0\r\n"+viaOf(nonce)+"\r\n"), broken)
		})
		if code != 0 || !errors.Is(err, broken) {
			t.Errorf("%s: %d %v", hop.Proto, code, err)
		}
		before := n.count()
		code, err = ask(hop, 700*time.Millisecond, func(uint64) {})
		if code != 0 || err != nil {
			t.Errorf("%s: %d %v", hop.Proto, code, err)
		}
		if sent, want := n.count()-before, map[transport.Proto]int{transport.UDP: 2, transport.TCP: 1}[hop.Proto]; sent != want {
			t.Errorf("%s: sent %d times, want %d", hop.Proto, sent, want)
		}
	}
	for _, to := range n.to {
		if to != udp && to != tcp {
			t.Errorf("sent to %v", to)
		}
	}
}

// TestProbesCostNothing asserts that a response to a probe that is over is dropped without an allocation: anybody can
// send such, as often as they like.
func TestProbesCostNothing(t *testing.T) {
	b, _ := probeBed(t)
	text := []byte("SIP/2.0 200 OK\r\n" + strings.Replace(viaOf(1), "127.0.0.1:5060", b.Listeners()[0].Addr.String(), 1) + "CSeq: 1 OPTIONS\r\n\r\n")
	if n := testing.AllocsPerRun(1000, func() { b.receive(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

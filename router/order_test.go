package router

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/filestore"
)

// TestT14_OrderOverManyCalls sends 100,000 calls through sockets, in each of which the provider's 180 and 200 follow each
// other at once, and so do the caller's ACK and BYE: no 200 overtakes its 180, and no BYE its ACK.
func TestT14_OrderOverManyCalls(t *testing.T) {
	calls := 100_000
	if underRace {
		calls = 5000 // Ten times the price, for the same sockets and workers.
	}
	const window = 64 // Calls at once.
	callee := newTalker(t)
	r := orderedRouter(t, callee.addr)
	caller := newTalker(t)
	caller.to = r.Listeners()[0].Addr

	answered := make(chan error, 1)
	go func() { answered <- callee.answerCalls(calls) }()
	placed := caller.placeCalls(calls, window)
	_ = callee.conn.SetReadDeadline(time.Now()) // It has nothing to wait for any more.
	if err := errors.Join(placed, <-answered); err != nil {
		t.Error(err)
	}
}

// orderedRouter starts a router with one provider.
func orderedRouter(t *testing.T, provider netip.AddrPort) *Router {
	t.Helper()
	cfg, problems := config.Parse(t.TempDir()+"/dialrouter.yaml", []byte("sip: {listen: ['udp://127.0.0.1:0'], workers: 4}\nhealth: {interval: 0}\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	cat, bad := filestore.Parse("providers.yaml", []byte("providers: [{name: b, hostname: '"+provider.String()+"', transport: udp, priority: 1}]\n"), time.Unix(0, 0))
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	// With RFC 3261's timers: on a machine that halts for longer than T1 a repeated BYE goes before the ACK, which the
	// first one did not.
	r, err := New(Options{Config: cfg, Store: still{cat}})
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// talker is a caller or a provider that reads no more of a message than it needs.
type talker struct {
	conn *net.UDPConn
	addr netip.AddrPort
	to   netip.AddrPort
	in   []byte
	out  []byte
}

func newTalker(t *testing.T) *talker {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	return &talker{conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), in: make([]byte, 1<<16)}
}

// next reads one message: its start line, what stands under some names, and its call's number.
func (k *talker) next() (start string, lines map[string]string, call int, from netip.AddrPort, err error) {
	n, from, err := k.conn.ReadFromUDPAddrPort(k.in)
	if err != nil {
		return "", nil, 0, from, err
	}
	start, head, _ := strings.Cut(string(k.in[:n]), "\r\n")
	lines = make(map[string]string, 8)
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		lines[name] += line + "\r\n"
		if name == "Call-ID" {
			call, err = strconv.Atoi(value)
		}
	}
	return start, lines, call, from, err
}

func (k *talker) write(to netip.AddrPort, format string, args ...any) error {
	k.out = fmt.Appendf(k.out[:0], format, args...)
	_, err := k.conn.WriteToUDPAddrPort(k.out, to)
	return err
}

// placeCalls places calls, so many at once, and hangs each up as it is answered.
func (k *talker) placeCalls(calls, window int) error {
	rang := make([]bool, calls)
	early := 0
	request := func(call int, method, uri, route, tag string) error {
		return k.write(k.to, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d\r\n%sMax-Forwards: 70\r\nFrom: <sip:a@a>;tag=a\r\n"+
			"To: <sip:b@b>%s\r\nCall-ID: %d\r\nCSeq: 1 %s\r\nContact: <sip:a@%s>\r\nContent-Length: 0\r\n\r\n",
			method, uri, k.addr, method, call, route, tag, call, method, k.addr)
	}
	invite := func(call int) error { return request(call, "INVITE", "sip:15551234567@"+k.to.String(), "", "") }
	placed := 0
	for ; placed < min(window, calls); placed++ {
		if err := invite(placed); err != nil {
			return err
		}
	}
	for ended := 0; ended < calls; {
		if err := k.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		start, lines, call, _, err := k.next()
		switch {
		case err != nil:
			return fmt.Errorf("%d of %d calls ended: %w", ended, calls, err)
		case strings.Contains(start, " 180 "):
			rang[call] = true
		case strings.Contains(start, " 200 ") && strings.Contains(lines["CSeq"], "INVITE"):
			if !rang[call] {
				early++
			}
			route := strings.ReplaceAll(lines["Record-Route"], "Record-Route", "Route")
			uri, _, _ := strings.Cut(strings.TrimPrefix(lines["Contact"], "Contact: <"), ">")
			if err := errors.Join(request(call, "ACK", uri, route, ";tag=b"), request(call, "BYE", uri, route, ";tag=b")); err != nil {
				return err
			}
		case strings.Contains(start, " 200 "):
			ended++
			if placed < calls {
				if err := invite(placed); err != nil {
					return err
				}
				placed++
			}
		case !strings.Contains(start, " 100 "):
			return fmt.Errorf("call %d got %s", call, start)
		}
	}
	if early > 0 {
		return fmt.Errorf("%d of %d 180s were overtaken by their 200", early, calls)
	}
	return nil
}

// answerCalls answers each INVITE with 180 and 200 at once, until nothing is waited for any more.
func (k *talker) answerCalls(calls int) error {
	acked := make([]bool, calls)
	early := 0
	for {
		start, lines, call, from, err := k.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if early > 0 {
				return fmt.Errorf("%d of %d ACKs were overtaken by their BYE", early, calls)
			}
			return nil
		case err != nil:
			return err
		}
		statuses := []string{"200 OK"}
		switch method, _, _ := strings.Cut(start, " "); method {
		case "INVITE":
			statuses = []string{"180 Ringing", "200 OK"}
		case "ACK":
			acked[call] = true
			continue
		case "BYE":
			if !acked[call] {
				early++
			}
		}
		to := lines["To"]
		if !strings.Contains(to, "tag=") {
			to = strings.TrimSuffix(to, "\r\n") + ";tag=b\r\n"
		}
		for _, status := range statuses {
			err := k.write(from, "SIP/2.0 %s\r\n%s%s%s%s%s%sContact: <sip:b@%s>\r\nContent-Length: 0\r\n\r\n",
				status, lines["Via"], lines["Record-Route"], lines["From"], to, lines["Call-ID"], lines["CSeq"], k.addr)
			if err != nil {
				return err
			}
		}
	}
}

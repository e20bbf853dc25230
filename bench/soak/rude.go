//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// What callers do wrong; the digit stands in the Call-ID and in the number.
const (
	givesUp       = iota // CANCEL while it rings, ACK to the 487.
	givesUpRudely        // The same without the ACK.
	hangsMute            // No ACK to a 486.
	answersMute          // No ACK to a 200, no BYE.
	resets               // Over TCP; the connection is reset while it rings.
	resetsEarly          // Over TCP; the connection is reset within the INVITE.
	manners
)

// rudePrefix is the prefix of the numbers that lead to the rude provider.
const rudePrefix = "990"

// rude is a caller that misbehaves, and a provider that does as the number says.
type rude struct {
	caller, callee *net.UDPConn
	reading        sync.WaitGroup
	calling        sync.WaitGroup
	placed         int

	mu     sync.Mutex
	router netip.AddrPort
}

func newRude(ctx context.Context) (*rude, error) {
	r := &rude{}
	for _, conn := range []**net.UDPConn{&r.caller, &r.callee} {
		var lc net.ListenConfig
		pc, err := lc.ListenPacket(ctx, "udp4", "127.0.0.1:0")
		if err != nil {
			r.close()
			return nil, err
		}
		*conn = pc.(*net.UDPConn)
		_ = (*conn).SetReadBuffer(4 << 20) // As much as is allowed.
	}
	r.reading.Go(func() { read(r.caller, r.heard) })
	r.reading.Go(func() { read(r.callee, r.asked) })
	return r, nil
}

func (r *rude) close() {
	r.calling.Wait()
	for _, conn := range []*net.UDPConn{r.caller, r.callee} {
		if conn != nil {
			_ = conn.Close() // Ends its reader.
		}
	}
	r.reading.Wait()
}

// provider is the rude provider's entry in providers.yaml.
func (r *rude) provider() string {
	return fmt.Sprintf("  - {name: rude, hostname: %q, transport: udp, targets: [\"+%s\"]}\n", r.callee.LocalAddr(), rudePrefix)
}

func read(conn *net.UDPConn, handle func(text string, from netip.AddrPort)) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			handle(string(b[:n]), netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
	}
}

// calls places calls, all kinds in turn.
func (r *rude) calls(ctx context.Context, n *node, count, rate int) error {
	r.mu.Lock()
	r.router = n.udp
	r.mu.Unlock()
	pace := time.NewTicker(time.Second / time.Duration(rate))
	defer pace.Stop()
	for range count {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.placed++
		kind, id := r.placed%manners, r.placed
		if kind == resets || kind == resetsEarly {
			r.calling.Go(func() { r.byStream(ctx, n.tcp, kind, id) })
			continue
		}
		if _, err := r.caller.WriteToUDPAddrPort([]byte(r.invite("UDP", n.udp, r.caller.LocalAddr(), kind, id)), n.udp); err != nil {
			return err
		}
	}
	r.calling.Wait()
	return nil
}

func (r *rude) invite(transport string, router netip.AddrPort, at net.Addr, kind, id int) string {
	uri := fmt.Sprintf("sip:+%s%d%07d@%s", rudePrefix, kind, id, router)
	return fmt.Sprintf("INVITE %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKrude%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:rude@%s>;tag=%d\r\n"+
		"To: <%s>\r\nCall-ID: %d-%d-rude@%s\r\nCSeq: 1 INVITE\r\nContact: <sip:rude@%s>\r\nContent-Length: 0\r\n\r\n",
		uri, transport, at, id, at, id, uri, kind, id, at, at)
}

// heard is the caller, without a memory: all it does follows from the reply.
func (r *rude) heard(text string, _ netip.AddrPort) {
	status, ok := strings.CutPrefix(text, "SIP/2.0 ")
	if !ok || !strings.HasSuffix(header(text, "CSeq"), "INVITE") {
		return
	}
	var kind, id int
	if _, err := fmt.Sscanf(header(text, "Call-ID"), "%d-%d-rude", &kind, &id); err != nil {
		return
	}
	r.mu.Lock()
	router := r.router
	r.mu.Unlock()
	cancels := kind == givesUp || kind == givesUpRudely
	invite := r.invite("UDP", router, r.caller.LocalAddr(), kind, id)
	switch {
	case strings.HasPrefix(status, "180") && cancels:
		r.say(r.caller, strings.ReplaceAll(invite, "INVITE", "CANCEL"), router)
	case strings.HasPrefix(status, "487") && kind == givesUp:
		ack := strings.ReplaceAll(invite, "INVITE", "ACK")
		r.say(r.caller, strings.Replace(ack, "\r\nTo: "+header(invite, "To"), "\r\nTo: "+header(text, "To"), 1), router)
	}
}

// asked is the provider. The digit behind the prefix says what the call is about.
func (r *rude) asked(text string, from netip.AddrPort) {
	_, kind, _ := strings.Cut(text, "sip:+"+rudePrefix)
	switch method, _, _ := strings.Cut(text, " "); {
	case method == "CANCEL":
		r.say(r.callee, r.reply(text, "200 OK"), from)
		r.say(r.callee, strings.Replace(r.reply(text, "487 Request Terminated"), "1 CANCEL", "1 INVITE", 1), from)
	case method != "INVITE" || kind == "":
	case kind[0] == '0'+hangsMute:
		r.say(r.callee, r.reply(text, "486 Busy Here"), from)
	case kind[0] == '0'+answersMute:
		r.say(r.callee, r.reply(text, "200 OK"), from)
	default:
		r.say(r.callee, r.reply(text, "180 Ringing"), from)
		if kind[0] == '0'+resets {
			r.calling.Go(func() {
				_ = pause(context.Background(), 300*time.Millisecond) // Until the caller is gone.
				r.say(r.callee, r.reply(text, "480 Temporarily Unavailable"), from)
			})
		}
	}
}

func (r *rude) reply(text, status string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for line := range strings.SplitSeq(text, "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Via", "From", "Call-ID", "CSeq", "Record-Route":
			fmt.Fprintf(&b, "%s\r\n", line)
		case "To":
			fmt.Fprintf(&b, "%s;tag=rude\r\n", line)
		}
	}
	fmt.Fprintf(&b, "Contact: <sip:%s>\r\nContent-Length: 0\r\n\r\n", r.callee.LocalAddr())
	return b.String()
}

// say sends what may get lost.
func (r *rude) say(conn *net.UDPConn, text string, to netip.AddrPort) {
	_, _ = conn.WriteToUDPAddrPort([]byte(text), to)
}

// byStream places a call on a connection of its own, which is reset. That it fails is what it is for.
func (r *rude) byStream(ctx context.Context, to netip.AddrPort, kind, id int) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetLinger(0) // A reset in place of an end.
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	text := r.invite("TCP", to, conn.LocalAddr(), kind, id)
	if kind == resetsEarly {
		_, _ = conn.Write([]byte(text[:len(text)/2]))
		_ = pause(ctx, 5*time.Millisecond)
		return
	}
	_, _ = conn.Write([]byte(text))
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		if err != nil || strings.Contains(string(b[:n]), "SIP/2.0 180 ") {
			return
		}
	}
}

// header returns the value of a message's first header of a name.
func header(text, name string) string {
	for line := range strings.SplitSeq(text, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return value
		}
	}
	return ""
}

//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
)

// runDrain ends a router by SIGTERM while calls ring.
func runDrain(ctx context.Context, b *bench) error {
	if err := b.drainInPeace(ctx); err != nil {
		return err
	}
	if err := b.drainTwice(ctx); err != nil {
		return err
	}
	return b.drainTooLong(ctx)
}

// drainInPeace lets all calls that ring be answered, and looks at what else the router says meanwhile. The first calls
// end then, which must not keep the router. Another one takes its place.
func (b *bench) drainInPeace(ctx context.Context) error {
	ring := long(b, 8*time.Second, 1500*time.Millisecond)
	// The network is slow here and there, so that the ACK to the last answer comes when its call is no more in progress.
	cfg := parties()
	cfg.Network = load.Network{Reorder: 0.5, Delay: 300 * time.Millisecond}
	at, err := freePort(ctx)
	if err != nil {
		return err
	}
	c, n, err := b.carried(ctx, cfg, settings{listen: "udp://" + at, drain: ring + 10*time.Second}, "")
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { _ = n.stop() }()
	calls, err := c.begin(ctx, load.Plan{Scenario: load.A, Rate: rate, Calls: atRate(2 * ring), Ring: ring, Hold: ring + time.Second})
	if err != nil {
		return err
	}
	if err := pause(ctx, ring*5/4); err != nil {
		return err
	}
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	began := time.Now()
	if _, err := await(ctx, "a drain that is told", time.Second, func() (bool, error) {
		code, _, err := n.ask(ctx, http.MethodGet, "/readyz", "")
		return code == http.StatusServiceUnavailable, err
	}); err != nil {
		return err
	}
	b.note(true, "/readyz while it drains", "503", "503")
	answer, err := options(ctx, n.udp.String())
	if err != nil {
		return err
	}
	status, _, _ := strings.Cut(answer, "\r\n")
	b.note(strings.HasPrefix(status, "SIP/2.0 503 ") && strings.Contains(answer, "\r\nRetry-After: "), "OPTIONS while it drains", status, "503, Retry-After")
	code, err := n.ended(ctx, ring+20*time.Second)
	if err != nil {
		return err
	}
	took := time.Since(began)
	// Calls that are up end at the next router there. What the first one owed to the last calls must be done by now.
	if err := errors.Join(pause(ctx, 500*time.Millisecond), n.start(ctx)); err != nil {
		return err
	}
	r, err := calls.end()
	if err != nil {
		return err
	}
	b.lost(fmt.Sprintf("%d calls at %d/s that ring for %v, SIGTERM meanwhile, then a new start", r.Calls, rate, ring), r)
	b.note(r.Told > 0 && r.OK > rate, "calls answered and ended, calls refused with Retry-After", fmt.Sprintf("%d, %d", r.OK, r.Told), "all")
	b.equal("ACKs that did not arrive", r.MissingACKs, 0)
	b.note(code == "exit status 0", "exit after the last call", code, "exit status 0")
	b.note(took < ring+4*time.Second, "time to the end", took.Round(10*time.Millisecond).String(), fmt.Sprintf("< %v", ring+4*time.Second))
	return nil
}

// drainTwice sends a second SIGTERM, which does not wait for calls.
func (b *bench) drainTwice(ctx context.Context) error {
	n, stop, err := b.ringing(ctx, 30*time.Second)
	if err != nil {
		return err
	}
	defer stop()
	if err := errors.Join(n.signal(syscall.SIGTERM), pause(ctx, 300*time.Millisecond)); err != nil {
		return err
	}
	select {
	case <-n.program.Ended():
		return errors.New("the first SIGTERM did not wait for calls")
	default:
	}
	code, took, err := n.terminate(ctx)
	if err != nil {
		return err
	}
	b.note(took < time.Second && code == "exit status 0", "a second SIGTERM", fmt.Sprintf("%s in %v", code, took.Round(10*time.Millisecond)), "exit status 0 in < 1s")
	return nil
}

// drainTooLong waits for calls that outlast the limit.
func (b *bench) drainTooLong(ctx context.Context) error {
	const limit = time.Second
	n, stop, err := b.ringing(ctx, limit)
	if err != nil {
		return err
	}
	defer stop()
	code, took, err := n.terminate(ctx)
	if err != nil {
		return err
	}
	b.note(took > limit*9/10 && took < limit+time.Second && code == "exit status 0",
		fmt.Sprintf("calls that ring beyond a limit of %v", limit), fmt.Sprintf("%s in %v", code, took.Round(10*time.Millisecond)), "exit status 0 after the limit")
	return nil
}

// ringing starts a node with calls that ring for longer than anyone waits. stop ends all of it.
func (b *bench) ringing(ctx context.Context, limit time.Duration) (n *node, stop func(), err error) {
	c, n, err := b.carried(ctx, parties(), settings{drain: limit}, "")
	if err != nil {
		return nil, nil, err
	}
	inner, cancel := context.WithCancel(ctx)
	calls, err := c.begin(inner, load.Plan{Scenario: load.A, Rate: 100, Calls: 50, Ring: time.Minute})
	stop = func() {
		cancel()
		if calls != nil {
			_, _ = calls.end() // Given up.
		}
		_ = n.stop()
		c.Close()
	}
	if err == nil {
		_, err = await(ctx, "50 calls", 10*time.Second, func() (bool, error) {
			m, err := n.metrics(ctx)
			return m["dialrouter_calls_in_progress"] == 50, err
		})
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return n, stop, nil
}

// terminate sends SIGTERM and waits for the end: how the node ended, and how long that took.
func (n *node) terminate(ctx context.Context) (code string, took time.Duration, err error) {
	began := time.Now()
	if err := n.signal(syscall.SIGTERM); err != nil {
		return "", 0, err
	}
	code, err = n.ended(ctx, 10*time.Second)
	return code, time.Since(began), err
}

// ended waits for the end of a node and returns how it ended.
func (n *node) ended(ctx context.Context, within time.Duration) (string, error) {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	select {
	case <-n.program.Ended():
		return n.program.Status(), nil
	case <-timeout.C:
		return "", fmt.Errorf("the router has not ended after %v", within)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// options asks a node by OPTIONS over UDP and returns the answer.
func options(ctx context.Context, to string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", to)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	at := conn.LocalAddr().String()
	text := fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKdrain;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:soak@%s>;tag=1\r\nTo: <sip:%s>\r\nCall-ID: drain@%s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", to, at, at, to, at)
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	k, err := conn.Read(b)
	if err != nil {
		return "", errors.Join(errors.New("no answer to OPTIONS"), err)
	}
	return string(b[:k]), nil
}

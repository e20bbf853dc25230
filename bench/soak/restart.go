//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/voipbin/dialrouter/bench/load"
)

// upCalls is how many calls are up when the router is killed.
const upCalls = 500

// runRestart kills a router while calls are up. A re-INVITE and the BYE of each follow, to the router that was started
// again, and in a second turn to another node that has the same key and name and never heard of these calls.
func runRestart(ctx context.Context, b *bench) error {
	if err := b.restarted(ctx); err != nil {
		return err
	}
	return b.takenOver(ctx)
}

func (b *bench) restarted(ctx context.Context) (err error) {
	at, err := freePort(ctx)
	if err != nil {
		return err
	}
	c, n, err := b.carried(ctx, parties(), settings{listen: "udp://" + at}, "")
	if err != nil {
		return err
	}
	defer c.Close()
	defer func() { err = errors.Join(err, n.stop()) }()
	calls, err := b.up(ctx, c, n)
	if err != nil {
		return err
	}
	if err := n.kill(); err != nil {
		return err
	}
	if err := n.start(ctx); err != nil {
		return err
	}
	code, _, err := n.ask(ctx, http.MethodGet, "/readyz", "")
	if err != nil {
		return err
	}
	b.note(n.took < time.Second && code == http.StatusOK, "ready again after kill -9", n.took.Round(time.Millisecond).String(), "< 1s")
	return b.followed("after a restart", calls)
}

// takenOver has a second node take all that comes after the first was killed.
func (b *bench) takenOver(ctx context.Context) (err error) {
	c, err := newCallers(ctx, parties())
	if err != nil {
		return err
	}
	defer c.Close()
	// The name by which both are known: that of whoever stands before them, which is nobody here.
	s := settings{advertise: "127.0.0.1:5060", keyFile: filepath.Join(b.dir, "route.key")}
	var nodes [2]*node
	for i := range nodes {
		n, err := b.newNode(s, c.Config().Hosts(), "")
		if err != nil {
			return err
		}
		if err := n.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.stop()) }()
		nodes[i] = n
	}
	c.Redirect(nodes[0].udp)
	calls, err := b.up(ctx, c, nodes[0])
	if err != nil {
		return err
	}
	if err := nodes[0].kill(); err != nil {
		return err
	}
	c.Redirect(nodes[1].udp)
	return b.followed("on another node", calls)
}

// up places calls and returns when all are up, before the first of them goes on.
func (b *bench) up(ctx context.Context, c *callers, n *node) (*run, error) {
	const rate = 500
	hold := long(b, 10*time.Second, 6*time.Second)
	calls, err := c.begin(ctx, load.Plan{Scenario: load.A, Rate: rate, Calls: upCalls, Hold: hold, Renew: true})
	if err != nil {
		return nil, err
	}
	_, err = await(ctx, "calls that are up", hold-time.Second, func() (bool, error) {
		m, err := n.metrics(ctx)
		return m[`dialrouter_calls_total{outcome="answered"}`] == upCalls, err
	})
	return calls, err
}

// followed waits for the end of calls of which a router knows nothing.
func (b *bench) followed(what string, calls *run) error {
	r, err := calls.end()
	if err != nil {
		return err
	}
	b.lost(fmt.Sprintf("%d calls that were up, %s", r.Calls, what), r)
	b.equal("re-INVITEs delivered and answered "+what, r.Renewed, upCalls)
	b.equal("BYEs delivered and answered "+what, r.OK, upCalls)
	return nil
}

// freePort returns an address that a router may be started at twice.
func freePort(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return conn.LocalAddr().String(), conn.Close()
}

package router

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/router/transport"
)

// noisePerSecond bounds what strangers can make us log.
const noisePerSecond = 3

// noise logs dropped messages, a few a second at most: the source and the reason, never the message.
type noise struct {
	log    *slog.Logger
	second atomic.Int64
	count  atomic.Int64
	hidden atomic.Int64
}

func (n *noise) note(now int64, why dropReason, from transport.Flow) {
	// Stray responses and copies are daily business.
	if why == dropStray || why == dropHops || why == dropUndelivered {
		return
	}
	if !n.admit(now) {
		return
	}
	n.log.LogAttrs(context.Background(), slog.LevelWarn, "message dropped",
		slog.String("reason", dropNames[why]), slog.String("source", from.Remote.String()),
		slog.String("transport", from.Proto.String()), slog.Int64("hidden", n.hidden.Swap(0)))
}

// unsent logs why a message could not be delivered: a certificate that is not the provider's, a closed port.
func (n *noise) unsent(now int64, to transport.Flow, err error) {
	if err == nil || !n.admit(now) {
		return
	}
	n.log.LogAttrs(context.Background(), slog.LevelWarn, "message not delivered",
		slog.String("destination", to.Remote.String()), slog.String("transport", to.Proto.String()),
		slog.String("error", string(clip([]byte(err.Error())))), slog.Int64("hidden", n.hidden.Swap(0)))
}

// admit says whether one more line may be written in this second.
func (n *noise) admit(now int64) bool {
	if s := now / int64(time.Second); n.second.Swap(s) != s {
		n.count.Store(0)
	}
	if n.count.Add(1) > noisePerSecond {
		n.hidden.Add(1)
		return false
	}
	return true
}

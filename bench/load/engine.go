//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
	"github.com/voipbin/dialrouter/bench/table"
)

const (
	defaultT1 = 500 * time.Millisecond
	// burst is how many calls start before the sockets are read again.
	burst = 32
	// lateAfter is how far behind its schedule a call may start; beyond it the generator is the limit, not the proxy.
	lateAfter = int64(20 * time.Millisecond)
	// drain is how long a run waits at its end for ACKs that a proxy let a BYE overtake.
	drain = 200 * time.Millisecond
)

// Engine is a caller and three providers. It belongs to one goroutine.
type Engine struct {
	cfg     Config
	t1, t2  int64
	caller  *line
	answers *line
	busy    *line
	silent  *line
	sockets []*line // All of them, in the poller's order: the caller is the first.
	stream  *stream // The caller's, when it speaks TCP.
	poller  *mmsg.Poller
	net     *network
	proxy   mmsg.Addr
	detour  bool // Requests go to proxy, whatever the route set says.
	moved   atomic.Pointer[mmsg.Addr]

	plan     Plan
	begin    int64 // When the run began.
	numbers  []table.Number
	calls    []call
	text     *callerText
	provider *providerText
	router   router
	wheel    wheel
	buffers  buffers
	scratch  []byte
	message  message
	now      int64
	fireFn   func(uint32)

	count counters
}

// New opens the sockets. Close frees them.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	if !cfg.Proxy.Addr().Is4() || cfg.Proxy.Port() == 0 {
		return nil, fmt.Errorf("proxy %v: want an IPv4 address and port", cfg.Proxy)
	}
	if err := cfg.Network.validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, t1: int64(cfg.T1)}
	if e.t1 <= 0 {
		e.t1 = int64(defaultT1)
	}
	e.t2 = 8 * e.t1 // RFC 3261: T1 is 500 ms, T2 4 s.
	e.fireFn = e.fire
	e.net, e.detour = newNetwork(cfg.Network), cfg.Outbound
	if cfg.Stream && cfg.Network != (Network{}) {
		return nil, errors.New("a stream loses nothing: no network for it")
	}
	var descriptors []int
	for _, s := range []struct {
		socket **line
		at     *netip.AddrPort
	}{{&e.caller, &e.cfg.Caller}, {&e.answers, &e.cfg.Answers}, {&e.busy, &e.cfg.Busy}, {&e.silent, &e.cfg.Silent}} {
		var p port
		if cfg.Stream && s.socket == &e.caller {
			e.stream = newStream(*s.at, cfg.Proxy)
			p = e.stream
		} else {
			socket, err := mmsg.Listen(ctx, *s.at, mmsg.Options{Stamps: true})
			if err != nil {
				e.Close()
				return nil, err
			}
			p = socket
		}
		*s.socket, *s.at = &line{p, e.net}, p.LocalAddr()
		e.sockets = append(e.sockets, *s.socket)
		descriptors = append(descriptors, p.FD())
	}
	e.poller = mmsg.NewPoller(descriptors...)
	e.proxy = mmsg.AddrOf(cfg.Proxy)
	e.provider = newProviderText(e.cfg.Answers, e.cfg.Caller)
	e.wheel.origin = time.Now().UnixNano()
	return e, nil
}

// Config returns the configuration with the ports that were free.
func (e *Engine) Config() Config { return e.cfg }

// Direct says where the proxy is, when New was told before it was known. It must not be called during a run.
func (e *Engine) Direct(proxy netip.AddrPort) {
	e.cfg.Proxy, e.proxy = proxy, mmsg.AddrOf(proxy)
	if e.stream != nil {
		e.stream.to = proxy
	}
}

// Redirect sends all that follows to another proxy, requests in dialogs too: as whoever stands before two nodes of a
// cluster does when one of them is gone. It may be called while a run is on its way.
func (e *Engine) Redirect(to netip.AddrPort) {
	a := mmsg.AddrOf(to)
	e.moved.Store(&a)
}

// Close closes the sockets.
func (e *Engine) Close() {
	for _, s := range e.sockets {
		s.Close()
	}
}

// Run offers the calls of a plan and returns when each has ended. numbers are dialled in turn. offered, when not
// nil, is called once after the last call has started; it must not block.
func (e *Engine) Run(ctx context.Context, plan Plan, numbers []table.Number, offered func()) (Result, error) {
	if err := plan.validate(); err != nil {
		return Result{}, fmt.Errorf("planning a run: %w", err)
	}
	if len(numbers) == 0 {
		return Result{}, errors.New("planning a run: no numbers to dial")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := mmsg.PreciseTimers(); err != nil {
		return Result{}, fmt.Errorf("setting the timer slack: %w", err)
	}
	if err := e.connect(); err != nil {
		return Result{}, err
	}
	e.plan, e.numbers, e.count = plan, numbers, counters{}
	if e.net != nil {
		e.net.lost = 0
	}
	e.text = newCallerText(e.cfg.Caller, e.cfg.Proxy, e.cfg.Stream, rand.Uint32())
	e.calls = make([]call, plan.Calls)
	sendErrors := e.sendErrors()

	e.begin = time.Now().UnixNano()
	s := schedule{begin: e.begin, rate: plan.Rate, rnd: rand.New(rand.NewPCG(1, 1))}
	due, last := s.due(0), e.begin
	for e.count.ended < plan.Calls {
		if err := ctx.Err(); err != nil {
			return Result{}, fmt.Errorf("offering calls: %w", err)
		}
		e.now = time.Now().UnixNano()
		for n := 0; n < burst && e.count.started < plan.Calls && due <= e.now; n++ {
			if e.now-due > lateAfter {
				e.count.late++
			}
			e.start(uint32(e.count.started))
			last = e.now
			due = s.due(e.count.started)
			if e.count.started == plan.Calls && offered != nil {
				offered()
			}
		}
		next := e.wheel.next()
		if e.count.started < plan.Calls {
			next = min(next, due)
		}
		if err := e.step(next); err != nil {
			return Result{}, err
		}
	}
	if err := e.idle(ctx, drain); err != nil {
		return Result{}, err
	}
	e.count.sendErrors = e.sendErrors() - sendErrors
	return e.result(last - e.begin), nil
}

// connect opens the caller's stream, if it has one that is not open.
func (e *Engine) connect() error {
	if e.stream == nil || e.stream.fd >= 0 {
		return nil
	}
	if err := e.stream.connect(); err != nil {
		return err
	}
	e.poller.Replace(0, e.stream.fd)
	e.cfg.Caller = e.stream.LocalAddr()
	e.provider = newProviderText(e.cfg.Answers, e.cfg.Caller)
	return nil
}

// Idle serves what still comes in, retransmissions of the last run, for a time.
func (e *Engine) Idle(ctx context.Context, d time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return e.idle(ctx, d)
}

func (e *Engine) idle(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d).UnixNano()
	for e.now = time.Now().UnixNano(); e.now < end; e.now = time.Now().UnixNano() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("waiting between runs: %w", err)
		}
		if err := e.step(min(end, e.wheel.next())); err != nil {
			return err
		}
	}
	return nil
}

// step sends what is queued, waits until next for datagrams, handles them, and does what is due.
func (e *Engine) step(next int64) error {
	if to := e.moved.Swap(nil); to != nil {
		e.proxy, e.detour = *to, true
	}
	e.caller.Flush()
	if err := e.poller.Wait(time.Duration(next - e.now)); err != nil {
		return fmt.Errorf("waiting for datagrams: %w", err)
	}
	e.now = time.Now().UnixNano()
	for i, s := range e.sockets {
		if !e.poller.Ready(i) {
			continue
		}
		n, err := s.Receive()
		if err != nil {
			return fmt.Errorf("receiving on %v: %w", s.LocalAddr(), err)
		}
		for k := range n {
			b, from := s.Datagram(k)
			e.arrive(s, b, from, s.Stamp(k))
		}
		s.Flush()
	}
	if e.net != nil {
		e.net.deliver(e)
	}
	e.wheel.advance(e.now, e.fireFn)
	for _, s := range e.sockets {
		s.Flush()
	}
	return nil
}

// handle gives a datagram to whom it was sent.
func (e *Engine) handle(s *line, b []byte, from mmsg.Addr, stamp int64) {
	if stamp == 0 {
		stamp = e.now
	}
	if s == e.silent && e.muted() {
		e.count.unanswered++
	}
	m := &e.message
	// What belongs to an earlier run, a late retransmission, is nobody's any more.
	if e.text == nil || !m.scan(b) || m.run != e.text.run || int(m.id) >= e.count.started {
		e.count.stray++
		return
	}
	switch s {
	case e.caller:
		e.heard(m, stamp)
	case e.answers:
		e.answer(m, from, stamp)
	case e.busy:
		e.reject(m, from, stamp)
	default:
		if e.muted() {
			e.ignore(m)
		} else {
			e.answerAtFirst(m, from, stamp)
		}
	}
}

// fire acts on a token of the wheel.
func (e *Engine) fire(t uint32) {
	id, who := t>>tokenBits, int(t&(1<<tokenBits-1))
	if int(id) >= len(e.calls) {
		return // Of an earlier run.
	}
	if who == tokenCaller {
		e.callerDue(id)
		return
	}
	e.legDue(id, who-1)
}

func (e *Engine) sendErrors() uint64 {
	var n uint64
	for _, s := range e.sockets {
		n += s.SendErrors()
	}
	return n
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handler takes what arrives. Each goroutine that reads has a Handler of its
// own, so a Handler needs no lock for its scratch memory. It must not wait for
// anything: the socket waits meanwhile.
type Handler interface {
	// Receive handles one datagram or one framed stream message. The bytes are
	// valid only during the call and may be modified. The time is the same for
	// all messages of a batch, in nanoseconds of Config.Now.
	//
	// Of a stream message with an unusable Content-Length only the header
	// block comes, so that it can be answered; its connection is closed after
	// the answer.
	Receive(now int64, from Flow, data []byte)
	// Failed reports that a message could not be delivered. data is the
	// message, or only its first bytes when an ICMP error is the reason, and
	// valid only during the call. to is the flow given to Send, for an ICMP
	// error its Proto, Listener and Remote. err wraps a syscall.Errno, the
	// error of a dial or TLS handshake, or one of this package's errors.
	//
	// A message that is not reported has left this host, which does not mean
	// that it arrived. On a stream, one that the peer's kernel had not
	// acknowledged when the connection was lost goes out once more over a
	// connection dialled to the flow's Remote, and is reported when that fails
	// too.
	Failed(now int64, to Flow, data []byte, err error)
}

// Transport owns the sockets and the goroutines that serve them.
type Transport struct {
	cfg     Config
	bound   []Listener
	sockets [][]*udpSocket // of UDP listeners, by listener
	readers []*udpWorker   // of all of these sockets
	streams []*streamListener
	conns   *connTable
	sources sources
	// spare is how many of Go's processors no UDP worker keeps; see udpWait.
	spare atomic.Int32
	// idle are the workers that connections borrow.
	idle    chan *worker
	orphans *orphans
	log     *limitedLog

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing atomic.Bool
	start   sync.Once
	stop    sync.Once
}

// Listen binds every listener, or none and returns an error that names the
// address. Nothing is read before Start.
func Listen(cfg Config) (*Transport, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t := &Transport{
		cfg:     cfg,
		bound:   slices.Clone(cfg.Listeners),
		sockets: make([][]*udpSocket, len(cfg.Listeners)),
		conns:   newConnTable(cfg.MaxConns, cfg.MaxConnsPerSource),
		orphans: newOrphans(cfg.Dropped),
		log:     newLimitedLog(cfg.Log),
	}
	t.spare.Store(int32(cfg.Spare))
	t.ctx, t.cancel = context.WithCancel(context.Background())
	for i := range cfg.Listeners {
		if err := t.bind(uint16(i)); err != nil {
			_ = t.Close()
			return nil, fmt.Errorf("listening on %s: %w", cfg.Listeners[i], err)
		}
	}
	return t, nil
}

// bind opens the sockets of one listener.
func (t *Transport) bind(i uint16) error {
	if t.cfg.Listeners[i].Proto == UDP {
		sockets, err := openUDP(&t.cfg, i, t.cfg.Workers)
		if err != nil {
			return err
		}
		t.sockets[i] = sockets
		t.bound[i].Addr = sockets[0].bound
		return nil
	}
	l, err := openStream(t.ctx, &t.cfg, i)
	if err != nil {
		return err
	}
	t.streams = append(t.streams, l)
	t.bound[i].Addr = unmapped(l.ln.Addr().(*net.TCPAddr).AddrPort())
	return nil
}

// Start begins to read. It makes all handlers, and does nothing when called
// again.
func (t *Transport) Start() {
	t.start.Do(func() {
		t.conns.open()
		t.idle = make(chan *worker, t.cfg.Workers)
		for range t.cfg.Workers {
			w := t.newWorker(nil)
			t.idle <- &w
		}
		for _, sockets := range t.sockets {
			for _, s := range sockets {
				w := newUDPWorker(t, s)
				t.readers = append(t.readers, w)
				t.running.Add(1)
				go w.run()
			}
		}
		for _, l := range t.streams {
			t.running.Add(1)
			go t.accept(l)
		}
		t.running.Add(1)
		go t.reportOrphans(t.newWorker(nil))
	})
}

// newWorker makes a handler and its Sender. own is the socket that its
// goroutine reads, if any.
func (t *Transport) newWorker(own *udpSocket) worker {
	s := t.newSender()
	s.own = own
	return worker{handler: t.cfg.NewHandler(s), sender: s}
}

func (t *Transport) newSender() *Sender {
	return &Sender{t: t, udp: make([]*udpQueue, len(t.bound))}
}

// pause waits, but not for a transport that is closed.
func (t *Transport) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	}
}

// Listeners returns the addresses that are bound, in the order of
// Config.Listeners. Where port 0 was asked, it holds the port that was chosen.
func (t *Transport) Listeners() []Listener { return slices.Clone(t.bound) }

// NewSender returns a Sender for a goroutine that is not the transport's, such
// as one that runs timers. That goroutine calls Flush. What fails is reported
// to a handler of the transport.
func (t *Transport) NewSender() *Sender {
	s := t.newSender()
	s.orphan = true
	return s
}

// Now returns the time on the clock that Receive and Failed use.
func (t *Transport) Now() int64 { return t.cfg.Now() }

// ReceiveDrops returns how many datagrams the kernel has thrown away since
// Listen because nobody read them in time.
func (t *Transport) ReceiveDrops() uint64 {
	var sum uint64
	for _, sockets := range t.sockets {
		for _, s := range sockets {
			sum += uint64(s.receiveDrops())
		}
	}
	return sum
}

// Waited appends for each UDP worker how long it has waited for datagrams since
// Start, about; what is missing to the time that has passed it has worked, or
// would have if it had had the processor. The order is always the same. It must
// not be called while Start runs.
func (t *Transport) Waited(dst []time.Duration) []time.Duration {
	now := t.cfg.Now()
	for _, w := range t.readers {
		dst = append(dst, w.wait.total(now))
	}
	return dst
}

// Conns returns how many stream connections are open.
func (t *Transport) Conns() int { return t.conns.len() }

// Close stops reading, closes every socket and connection, and waits until all
// goroutines have ended. Messages that did not leave yet are dropped and not
// reported. It must not be called from a Handler. Calling it again is
// harmless.
func (t *Transport) Close() error {
	var errs []error
	t.stop.Do(func() {
		t.closing.Store(true)
		t.cancel()
		for _, l := range t.streams {
			errs = append(errs, l.ln.Close())
		}
		for _, sockets := range t.sockets {
			closeUDP(sockets)
		}
		for _, c := range t.conns.close() {
			c.close(ErrClosed)
		}
	})
	t.running.Wait()
	return errors.Join(errs...)
}

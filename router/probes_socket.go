package router

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// probeLocal is the address that the user agent takes for its own, and for everybody else's: it remembers each one that
// it hears from for ever, and is to hear from one only.
var probeLocal = netip.MustParseAddrPort("127.0.0.1:5060") //nolint:gochecknoglobals // A constant; Go has none of structs.

// probe is one OPTIONS on its way.
type probe struct {
	hop         transport.Flow
	head        string // Of a response, behind its status line.
	fail        func(error)
	sent        bool
	provisional int
}

const (
	// maxProvisional is how many 1xx of one probe are passed on: they only slow its repetitions down.
	maxProvisional = 3
	// probeBacklog is how many responses may wait for the user agent. What comes beyond that is repeated, or lost.
	probeBacklog = 256
)

// probeSocket is a net.PacketConn to the user agent. What it writes is sent by our own sockets. What it reads is a
// response that we have read ourselves, and from it only the status: the agent's parser sees nothing that others wrote.
type probeSocket struct {
	r *Router

	sending sync.Mutex // Guards the two below.
	out     outbox
	tally   *tally
	msg     message.Message

	mu      sync.Mutex
	waiting map[uint64]*probe // By the nonce in their branch.

	inbox  chan []byte
	read   chan struct{} // Closed when it was read from.
	closed chan struct{}
	first  sync.Once
	last   sync.Once
}

func newProbeSocket(r *Router) *probeSocket {
	return &probeSocket{
		r: r, waiting: make(map[uint64]*probe), inbox: make(chan []byte, probeBacklog),
		read: make(chan struct{}), closed: make(chan struct{}),
	}
}

// expect lets a response in.
func (s *probeSocket) expect(nonce uint64, p *probe) {
	s.mu.Lock()
	s.waiting[nonce] = p
	s.mu.Unlock()
}

// forget lets no more in.
func (s *probeSocket) forget(nonce uint64) {
	s.mu.Lock()
	delete(s.waiting, nonce)
	s.mu.Unlock()
}

// response takes a response whose branch says that it answers a probe. It is false when none is waited for, or when it
// does not come from where the probe went: who does as RFC 3581 section 4 says answers from there. It waits for nothing.
func (s *probeSocket) response(nonce uint64, from transport.Flow, m *message.Message) bool {
	_, method, fault := m.CSeqOf()
	if fault != nil || string(method) != "OPTIONS" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.waiting[nonce]
	if p == nil || from.Proto != p.hop.Proto || from.Remote.Addr() != p.hop.Remote.Addr() {
		return false
	}
	if m.Status < 200 {
		if p.provisional++; p.provisional > maxProvisional {
			return true
		}
	}
	select {
	case s.inbox <- []byte("SIP/2.0 " + strconv.Itoa(m.Status) + " Heard\r\n" + p.head):
		if m.Status >= 200 {
			delete(s.waiting, nonce)
		}
	default: // Too many at a time: the probe is repeated, and so is this.
	}
	return true
}

// failed takes the news that a message could not be sent, and says whether it was a probe.
func (s *probeSocket) failed(m *message.Message, err error) bool {
	if !m.Request || m.Method != message.OPTIONS {
		return false
	}
	via, fault := m.TopVia()
	if fault != nil {
		return false
	}
	slot, nonce, _, ok := parseBranch(m.Bytes(via.Branch))
	if !ok || slot != probeMark {
		return false
	}
	s.mu.Lock()
	p := s.waiting[nonce]
	delete(s.waiting, nonce)
	s.mu.Unlock()
	if p != nil {
		p.fail(err)
	}
	return true
}

// WriteTo implements net.PacketConn: it sends a probe where its branch says.
func (s *probeSocket) WriteTo(b []byte, _ net.Addr) (int, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.msg.Parse(b); err != nil {
		return 0, err
	}
	via, fault := s.msg.TopVia()
	if fault != nil {
		return 0, fault
	}
	_, nonce, _, _ := parseBranch(s.msg.Bytes(via.Branch))
	s.mu.Lock()
	p := s.waiting[nonce]
	again := p != nil && p.sent
	if p != nil {
		p.sent = true
	}
	s.mu.Unlock()
	// The agent repeats itself as over UDP. A stream does that by itself.
	if p == nil || again && p.hop.Proto.Reliable() {
		return len(b), nil
	}
	if s.out == nil {
		s.out, s.tally = s.r.tr.NewSender(), s.r.traffic.join()
	}
	s.out.Send(p.hop, b)
	s.out.Flush(s.r.clock())
	k := requestKind(message.OPTIONS)
	if again {
		k = kindRepeat
	}
	s.tally.sent(p.hop.Proto, k)
	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (s *probeSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	s.first.Do(func() { close(s.read) })
	select {
	case in := <-s.inbox:
		return copy(b, in), s.LocalAddr(), nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	}
}

// Close implements net.PacketConn.
func (s *probeSocket) Close() error {
	s.last.Do(func() { close(s.closed) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (s *probeSocket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(probeLocal) }

// SetDeadline implements net.PacketConn. There is nothing to wait for without end: probes end by their context.
func (s *probeSocket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn.
func (s *probeSocket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn.
func (s *probeSocket) SetWriteDeadline(time.Time) error { return nil }

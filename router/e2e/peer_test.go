package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// peer is a scripted SIP element with an address of its own: a UDP socket and a TCP listener on one port. It
// answers nothing by itself and remembers all it got, so each retransmission shows.
type peer struct {
	addr netip.AddrPort
	udp  *net.UDPConn
	tcp  net.Listener // Nil when the peer has no TCP.

	// What a caller adds to a peer: where the router listens, and over which transport it is spoken to.
	router    netip.AddrPort
	transport string
	secure    *tls.Config // What its own connections are encrypted by; nil: they are plain TCP.

	mu      sync.Mutex
	handle  func(m *msg) bool // Sees each message first; true: it is not kept.
	inbox   []*msg
	changed chan struct{} // Closed and replaced at each arrival.
	conns   map[netip.AddrPort]net.Conn
	pings   int // Bare CRLFs that came over TCP.
	closed  bool
	readers sync.WaitGroup
}

// newPeer opens a peer on UDP and TCP, on a loopback address that no other peer has.
func newPeer(t *testing.T) *peer {
	t.Helper()
	p := newUDPPeer(t)
	var lc net.ListenConfig
	tcp, err := lc.Listen(t.Context(), "tcp", p.addr.String())
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	p.tcp = tcp
	p.readers.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			p.adopt(conn)
		}
	})
	return p
}

// newUDPPeer opens a peer that has no TCP listener.
func newUDPPeer(t *testing.T) *peer {
	t.Helper()
	return newPeerAt(t, netip.AddrPortFrom(newIP(), 0))
}

// newPeerAt opens a peer without TCP at an address.
func newPeerAt(t *testing.T, addr netip.AddrPort) *peer {
	t.Helper()
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	if err := udp.SetReadBuffer(4 << 20); err != nil {
		t.Fatalf("making room for datagrams: %v", err)
	}
	p := &peer{
		addr:    udp.LocalAddr().(*net.UDPAddr).AddrPort(),
		udp:     udp,
		changed: make(chan struct{}),
		conns:   make(map[netip.AddrPort]net.Conn),
	}
	p.readers.Go(p.readUDP)
	t.Cleanup(func() {
		p.close()
		if t.Failed() {
			t.Logf("peer %s got:\n%s", p.addr, p.transcript())
		}
	})
	return p
}

// close ends all sockets and waits for their readers.
func (p *peer) close() {
	p.mu.Lock()
	p.closed = true
	for _, conn := range p.conns {
		conn.Close()
	}
	p.mu.Unlock()
	p.udp.Close()
	if p.tcp != nil {
		p.tcp.Close()
	}
	p.readers.Wait()
}

func (p *peer) readUDP() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if p.isClosed() {
				return
			}
			continue // An ICMP error of an earlier send.
		}
		m := parse(string(buf[:n]))
		m.from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		p.got(m)
	}
}

func (p *peer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// adopt reads messages from a connection until it ends.
func (p *peer) adopt(conn net.Conn) {
	remote := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		conn.Close()
		return
	}
	p.conns[remote] = conn
	p.mu.Unlock()
	p.readers.Go(func() {
		r := bufio.NewReader(conn)
		for {
			text, err := p.readStream(r)
			if err != nil {
				p.mu.Lock()
				if p.conns[remote] == conn {
					delete(p.conns, remote)
				}
				p.wakeLocked()
				p.mu.Unlock()
				conn.Close()
				return
			}
			m := parse(text)
			m.from, m.conn = remote, conn
			p.got(m)
		}
	})
}

// readStream reads one message of a stream, framed by its Content-Length.
func (p *peer) readStream(r *bufio.Reader) (string, error) {
	var head bytes.Buffer
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return "", err
		}
		if head.Len() == 0 && strings.TrimSpace(string(line)) == "" {
			p.mu.Lock()
			p.pings++
			p.wakeLocked()
			p.mu.Unlock()
			continue
		}
		head.Write(line)
		if string(line) == "\r\n" {
			break
		}
	}
	length, _ := strconv.Atoi(parse(head.String()).get("Content-Length"))
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", err
	}
	return head.String() + string(body), nil
}

// on gives the peer a reflex: what it says true to is done with. It runs on the reader, one message at a time.
func (p *peer) on(handle func(m *msg) bool) {
	p.mu.Lock()
	p.handle = handle
	p.mu.Unlock()
}

func (p *peer) got(m *msg) {
	m.at = time.Now()
	p.mu.Lock()
	handle := p.handle
	p.mu.Unlock()
	if handle != nil && handle(m) {
		return
	}
	p.mu.Lock()
	p.inbox = append(p.inbox, m)
	p.wakeLocked()
	p.mu.Unlock()
}

func (p *peer) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// send puts a message on the way to the router.
func (p *peer) send(t *testing.T, w wire) {
	t.Helper()
	p.sendTo(t, p.transport, p.router, w)
}

// sendTo puts a message on the way to an address; over TCP a connection to it is used again.
func (p *peer) sendTo(t *testing.T, transport string, to netip.AddrPort, w wire) {
	t.Helper()
	if transport == "udp" {
		if _, err := p.udp.WriteToUDPAddrPort([]byte(w.text()), to); err != nil {
			t.Fatalf("sending to %s: %v", to, err)
		}
		return
	}
	if _, err := io.WriteString(p.stream(t, to), w.text()); err != nil {
		t.Fatalf("sending to %s: %v", to, err)
	}
}

// stream returns the connection to an address and makes it when there is none.
func (p *peer) stream(t *testing.T, to netip.AddrPort) net.Conn {
	t.Helper()
	p.mu.Lock()
	conn := p.conns[to]
	p.mu.Unlock()
	if conn != nil {
		return conn
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: p.addr.Addr().AsSlice()}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		t.Fatalf("connecting to %s: %v", to, err)
	}
	if p.secure != nil {
		conn = tls.Client(conn, p.secure)
	}
	p.adopt(conn)
	return conn
}

// respond sends a reply back on the way that its request came.
func (p *peer) respond(t *testing.T, req *msg, w wire) {
	t.Helper()
	if req.conn == nil {
		p.sendTo(t, "udp", req.from, w)
		return
	}
	if _, err := io.WriteString(req.conn, w.text()); err != nil {
		t.Fatalf("answering %s: %v", req.from, err)
	}
}

// answer replies to a request with a status, and returns what was sent.
func (p *peer) answer(t *testing.T, req *msg, code int) *draft {
	t.Helper()
	d := p.reply(req, code)
	p.respond(t, req, d)
	return d
}

// contact is the peer's own Contact value.
func (p *peer) contact(transport string) string {
	if transport != "udp" {
		return fmt.Sprintf("<sip:peer@%s;transport=%s>", p.addr, transport)
	}
	return fmt.Sprintf("<sip:peer@%s>", p.addr)
}

// transcript prints all that came, in order.
func (p *peer) transcript() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, m := range p.inbox {
		fmt.Fprintf(&b, "--- %s from %s %s\n%s\n", m.at.Format("05.000"), m.transport(), m.from, m.raw)
	}
	return b.String()
}

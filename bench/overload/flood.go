//go:build linux

package overload

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// flood sends datagrams at a rate from an address of its own and throws away what comes back.
type flood struct {
	from, to netip.AddrPort
	rate     int
	append   func(b []byte, n uint64) []byte // Datagram number n.

	sent, refused, other atomic.Uint64 // Datagrams out; 503s, and all else, in.
}

// step is how often a flood sends.
const step = time.Millisecond

// run floods until ctx ends.
func (f *flood) run(ctx context.Context) error {
	s, err := mmsg.Listen(ctx, f.from, mmsg.Options{})
	if err != nil {
		return fmt.Errorf("flooding: %w", err)
	}
	defer s.Close()
	poller := mmsg.NewPoller(s.FD())
	to := mmsg.AddrOf(f.to)
	began, n := time.Now(), uint64(0)
	for ctx.Err() == nil {
		// What is late is sent all the same, but not all at once.
		for due := uint64(time.Since(began).Seconds() * float64(f.rate)); n < due; n++ {
			s.Queue(f.append(s.Slot(), n), to, nil)
		}
		s.Flush()
		f.sent.Store(n)
		if err := poller.Wait(step); err != nil {
			return fmt.Errorf("flooding: %w", err)
		}
		if !poller.Ready(0) {
			continue
		}
		count, err := s.Receive()
		if err != nil {
			return fmt.Errorf("flooding: %w", err)
		}
		for i := range count {
			if b, _ := s.Datagram(i); len(b) > 12 && string(b[:12]) == "SIP/2.0 503 " {
				f.refused.Add(1)
			} else {
				f.other.Add(1)
			}
		}
	}
	return nil
}

// invites returns datagrams that are each the INVITE of another call to a number. Nobody answers them.
func invites(from, to netip.AddrPort, number string) func([]byte, uint64) []byte {
	return func(b []byte, n uint64) []byte {
		return fmt.Appendf(b, "INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKflood%x;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:flood@%s>;tag=%x\r\nTo: <sip:%s@%s>\r\nCall-ID: flood-%x\r\nCSeq: 1 INVITE\r\n"+
			"Contact: <sip:flood@%s>\r\nContent-Length: 0\r\n\r\n", number, to, from, n, from, n, number, to, n, from)
	}
}

// garbage returns datagrams that are no SIP, or hardly.
func garbage(b []byte, n uint64) []byte {
	switch n % 4 {
	case 0:
		return fmt.Appendf(b, "\xff\x00%x%0300d", n, n)
	case 1:
		return fmt.Appendf(b, "GET /%x HTTP/1.1\r\nHost: example.net\r\n\r\n", n)
	case 2:
		return fmt.Appendf(b, "INVITE sip:x@example.net SIP/2.0\r\nVia: \x01%x\r\n\r\n", n)
	default:
		return fmt.Appendf(b, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%016x\r\nCSeq: 1 INVITE\r\n\r\n", n)
	}
}

// connections opens as many streams as it gets, up to n, and sends nothing on them until ctx ends. Those that are closed
// are opened again.
func connections(ctx context.Context, from netip.Addr, to netip.AddrPort, n int) (opened int) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: time.Second}
	open := make([]net.Conn, n)
	defer func() {
		for _, c := range open {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	one := make([]byte, 1)
	for ctx.Err() == nil {
		for i, c := range open {
			if ctx.Err() != nil {
				break
			}
			if c != nil {
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Microsecond))
				if _, err := c.Read(one); isTimeout(err) {
					continue
				}
				_ = c.Close()
				open[i] = nil
			}
			if c, err := d.DialContext(ctx, "tcp", to.String()); err == nil {
				open[i] = c
				opened++
			}
		}
	}
	return opened
}

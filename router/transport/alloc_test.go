package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// quietEcho is an echo that notes nothing, so that only the transport's own
// allocations are counted.
type quietEcho struct{ sender *Sender }

func (e quietEcho) Receive(_ int64, from Flow, data []byte) { e.sender.Send(from, data) }
func (e quietEcho) Failed(int64, Flow, []byte, error)       {}

func startEcho(tb testing.TB, cfg Config) *Transport {
	tb.Helper()
	cfg.NewHandler = func(s *Sender) Handler { return quietEcho{s} }
	tr, err := Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { tr.Close() })
	tr.Start()
	return tr
}

// roundTrip sends n messages at once and reads them all back, without
// allocating.
func roundTrip(c net.Conn, msg, in []byte, n int) error {
	for range n {
		if _, err := c.Write(msg); err != nil {
			return err
		}
	}
	for got := 0; got < n*len(msg); {
		m, err := c.Read(in)
		if err != nil {
			return err
		}
		got += m
	}
	return nil
}

// TestAllocations: a message that is received and answered allocates nothing.
func TestAllocations(t *testing.T) {
	for _, l := range []Listener{loopback(UDP), loopback(TCP), {UDP, netip.MustParseAddrPort("0.0.0.0:0")}, {UDP, netip.MustParseAddrPort("[::]:0")}} {
		t.Run(l.String(), func(t *testing.T) {
			tr := startEcho(t, Config{Listeners: []Listener{l}, Workers: 1})
			c, err := net.Dial(strings.ToLower(l.Proto.String()), tr.Listeners()[0].Addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.SetDeadline(time.Now().Add(10 * patience)); err != nil {
				t.Fatal(err)
			}
			msg, in := []byte(invite), make([]byte, 1<<16)
			const batch = 10
			for range 200 {
				err = errors.Join(err, roundTrip(c, msg, in, batch))
			}
			n := testing.AllocsPerRun(2000, func() {
				if e := roundTrip(c, msg, in, batch); e != nil {
					err = e
				}
			})
			if n > 0 || err != nil {
				t.Errorf("%v allocations for %d messages: %v", n, batch, err)
			}
		})
	}
}

// BenchmarkEcho is a message in and one out, with so many at once. It counts
// the client's system calls as well.
func BenchmarkEcho(b *testing.B) {
	ca := newAuthority(b)
	for _, proto := range []Proto{UDP, TCP, TLS} {
		for _, bm := range []struct {
			name  string
			batch int
		}{{"1", 1}, {"8", 8}, {"64", 64}} {
			b.Run(proto.String()+"/"+bm.name, func(b *testing.B) {
				tr := startEcho(b, Config{Listeners: []Listener{loopback(proto)}, TLS: ca.server(b, "a"), Workers: 1})
				network := "tcp"
				if proto == UDP {
					network = "udp"
				}
				c, err := net.Dial(network, tr.Listeners()[0].Addr.String())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				if proto == TLS {
					c = tls.Client(c, &tls.Config{RootCAs: ca.pool, ServerName: "a"})
				}
				msg, in := []byte(invite), make([]byte, 1<<16)
				if err := roundTrip(c, msg, in, bm.batch); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.SetBytes(int64(len(msg)))
				b.ResetTimer()
				for i := 0; i < b.N; i += bm.batch {
					if err := roundTrip(c, msg, in, bm.batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSend is what a datagram costs to send, by how many a flush holds, in
// order or not. Nobody reads them.
func BenchmarkSend(b *testing.B) {
	peer := udpPeer(b)
	if err := peer.SetReadBuffer(1); err != nil {
		b.Fatal(err)
	}
	tr := startEcho(b, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	to := Flow{Proto: UDP, Remote: addrOf(peer.LocalAddr())}
	for _, bm := range []struct {
		name  string
		batch int
		send  func(*Sender, Flow, []byte)
	}{{"1", 1, (*Sender).Send}, {"8", 8, (*Sender).Send}, {"64", 64, (*Sender).Send}, {"64/unordered", 64, (*Sender).SendUnordered}} {
		b.Run(bm.name, func(b *testing.B) {
			s := tr.NewSender()
			msg := []byte(invite)
			b.ReportAllocs()
			for i := 0; i < b.N; i += bm.batch {
				for range bm.batch {
					bm.send(s, to, msg)
				}
				s.Flush(0)
			}
		})
	}
}

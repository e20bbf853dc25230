package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSendUnordered: whatever is grouped, each datagram arrives once, as it was, from where it should, and those that
// have an order arrive in it; also where the kernel does not take groups.
func TestSendUnordered(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"} {
		for _, groups := range []bool{true, false} {
			if !groups && strings.HasPrefix(listen, "[") {
				continue // An IPv6 datagram without a checksum is not received.
			}
			t.Run(fmt.Sprintf("%s/groups=%v", listen, groups), func(t *testing.T) {
				r := newRig()
				r.start(t, Config{Listeners: []Listener{{UDP, netip.MustParseAddrPort(listen)}}, Workers: 1})
				sock := r.sockets[0][0]
				if !groups {
					// Without checksums the kernel takes no groups.
					if err := unix.SetsockoptInt(sock.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
						t.Fatal(err)
					}
				}
				at := []string{"127.0.0.1", "127.0.0.1"}
				switch {
				case strings.HasPrefix(listen, "["):
					at = []string{"::1", "::1"}
				case sock.wildcard:
					at = []string{"127.0.0.2", "127.0.0.3"}
				}
				var flows []Flow
				var peers []func(n int) []string
				for _, addr := range at {
					c := dialUDP(t, netip.AddrPort{}, netip.AddrPortFrom(netip.MustParseAddr(addr), r.addr(0).Port()))
					if err := c.SetReadBuffer(8 << 20); err != nil {
						t.Fatal(err)
					}
					write(t, c, "hello")
					flows = append(flows, r.next(t).from)
					peers = append(peers, func(n int) (got []string) {
						b := make([]byte, 3000)
						for range n {
							n, err := c.Read(b)
							if err != nil {
								t.Fatal(err)
							}
							got = append(got, string(b[:n]))
						}
						return got
					})
				}
				s := r.NewSender()
				const rounds, ordered = 3, 20
				for round := range rounds {
					// More bytes than one datagram has; of one length 150, more than a group holds; of twelve
					// lengths, more than there are groups; and long ones.
					sizes := slices.Repeat([]int{maxGrouped}, maxGroupBytes/maxGrouped+2)
					for i := range 150 {
						sizes = append(sizes, 480)
						if i%10 == 0 {
							sizes = append(sizes, 100+i)
						}
					}
					sizes = append(sizes, maxGrouped+1, maxGrouped+1, 2500, 1, 1)
					want := make([][]string, len(flows))
					for i, size := range sizes {
						for k, to := range flows {
							text := fmt.Sprintf("%d %d %d ", round, k, i)
							text = (text + strings.Repeat("x", size))[:size]
							want[k] = append(want[k], text)
							s.SendUnordered(to, []byte(text))
							if i < ordered {
								s.Send(to, fmt.Appendf(nil, "ordered %02d", i))
							}
						}
					}
					if q := s.udp[0]; groups && (q.groups.n == 0 || q.count(0, q.n) <= q.n) {
						t.Errorf("%d groups, %d datagrams by %d headers", q.groups.n, q.count(0, q.n), q.n)
					}
					s.Flush(r.Now())
					for k, peer := range peers {
						got := peer(len(sizes) + ordered)
						var first []string
						got = slices.DeleteFunc(got, func(text string) bool {
							if strings.HasPrefix(text, "ordered") {
								first = append(first, text)
								return true
							}
							return false
						})
						slices.Sort(got)
						slices.Sort(want[k])
						if !slices.Equal(got, want[k]) {
							t.Errorf("peer %d, round %d: %d datagrams are not as sent", k, round, len(got))
						}
						if len(first) != ordered || !slices.IsSorted(first) {
							t.Errorf("peer %d, round %d: %q", k, round, first)
						}
					}
				}
				if got := sock.whole.Load(); got == groups {
					t.Errorf("groups are given up: %v", got)
				}
				r.noFailure(t)
			})
		}
	}
}

// TestSendUnorderedFails: each datagram of a group that cannot be sent is reported, and others leave.
func TestSendUnorderedFails(t *testing.T) {
	for _, group := range []bool{true, false} {
		r := newRig()
		r.inner = true
		r.start(t, Config{Listeners: []Listener{{UDP, netip.MustParseAddrPort("127.0.0.1:0")}}, Workers: 1})
		r.sockets[0][0].whole.Store(!group)
		peer := udpPeer(t)
		nowhere := Flow{Proto: UDP, Remote: netip.MustParseAddrPort("255.255.255.255:5060")} // Not without SO_BROADCAST.
		there := Flow{Proto: UDP, Remote: addrOf(peer.LocalAddr())}
		s := r.NewSender()
		for i := range 3 {
			s.SendUnordered(nowhere, fmt.Appendf(nil, "nowhere %d", i))
			s.SendUnordered(there, fmt.Appendf(nil, "there %d", i))
		}
		s.Flush(r.Now())
		var failed []string
		for range 3 {
			f := r.nextFailure(t)
			if f.to != nowhere || !errors.Is(f.err, syscall.EACCES) {
				t.Errorf("%q to %v: %v", f.data, f.to, f.err)
			}
			failed = append(failed, f.data)
		}
		if want := []string{"nowhere 0", "nowhere 1", "nowhere 2"}; !slices.Equal(failed, want) {
			t.Errorf("failed: %q", failed)
		}
		if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			read(t, peer, fmt.Sprintf("there %d", i))
		}
		r.noFailure(t)
	}
}

// TestSendUnorderedBadPort: what cannot be sent alone either says nothing of groups.
func TestSendUnorderedBadPort(t *testing.T) {
	r := newRig()
	r.start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	s := r.NewSender()
	to := Flow{Proto: UDP, Remote: netip.MustParseAddrPort("127.0.0.1:0")}
	s.SendUnordered(to, []byte("one"))
	s.SendUnordered(to, []byte("two"))
	s.Flush(r.Now())
	for _, want := range []string{"one", "two"} {
		if f := r.nextFailure(t); f.data != want || !errors.Is(f.err, syscall.EINVAL) {
			t.Errorf("%q: %v", f.data, f.err)
		}
	}
	if r.sockets[0][0].whole.Load() {
		t.Error("groups are given up")
	}
}

// TestGroups: which datagrams wait by which header.
func TestGroups(t *testing.T) {
	r := newRig()
	r.start(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	peer := udpPeer(t)
	to := Flow{Proto: UDP, Remote: addrOf(peer.LocalAddr())}
	s := r.NewSender()
	for _, text := range []string{"a1", "b22", "a3", "a4", "b55"} {
		s.SendUnordered(to, []byte(text))
	}
	s.Send(to, []byte("a6"))
	q := s.udp[0]
	for first, want := range []int{6, 3, 1, 0} {
		if got := q.count(first, q.n); got != want {
			t.Errorf("from header %d on %d datagrams, want %d", first, got, want)
		}
	}
	s.Flush(r.Now())
	for _, want := range []string{"a1", "a3", "a4", "b22", "b55", "a6"} {
		read(t, peer, want)
	}
}

// TestSendUnorderedElsewhere: a stream takes it like any other message, and a flow that is none fails.
func TestSendUnorderedElsewhere(t *testing.T) {
	r := newRig()
	r.start(t, Config{Listeners: []Listener{loopback(TCP), loopback(UDP)}, Workers: 1})
	c := r.dialTCP(t, 0)
	write(t, c, request("a", ""))
	s := r.NewSender()
	s.SendUnordered(r.next(t).from, []byte("over a stream"))
	s.SendUnordered(Flow{Proto: UDP, Listener: 9}, []byte("by no listener"))
	s.Flush(r.Now())
	read(t, c, "over a stream")
	if f := r.nextFailure(t); !errors.Is(f.err, ErrNoListener) || f.data != "by no listener" {
		t.Errorf("%q: %v", f.data, f.err)
	}
}

// TestSendUnorderedAllocates: it takes no memory.
func TestSendUnorderedAllocates(t *testing.T) {
	peer := udpPeer(t)
	tr := startEcho(t, Config{Listeners: []Listener{loopback(UDP)}, Workers: 1})
	to := Flow{Proto: UDP, Remote: addrOf(peer.LocalAddr())}
	s := tr.NewSender()
	msg := []byte(invite)
	if n := testing.AllocsPerRun(100, func() {
		for range 20 {
			s.SendUnordered(to, msg)
		}
		s.Flush(0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

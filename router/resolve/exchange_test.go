package resolve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// host asks for a name's addresses only.
var host = Query{Host: "host.test", Port: 5060}

func TestTruncated(t *testing.T) {
	s := newServer(t, "host.test. 60 IN A 192.0.2.1")
	overTCP := 0
	s.hook("A host.test.", func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		if w.RemoteAddr().Network() == "udp" {
			reply.Answer, reply.Truncated = nil, true
		} else {
			overTCP++
		}
		return reply
	})
	targets, err := resolve(t, newTestResolver(t, Config{Network: "ip4"}, s), host)
	if len(targets) != 1 || err != nil || overTCP != 1 {
		t.Errorf("got %v, %v, asked %d times over TCP", targets, err, overTCP)
	}
}

// TestTruncatedMidRecord sends a truncated reply that no parser can read to its end.
func TestTruncatedMidRecord(t *testing.T) {
	s := newServer(t, "host.test. 60 IN A 192.0.2.1")
	s.hook("A host.test.", func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		if w.RemoteAddr().Network() != "udp" {
			return reply
		}
		reply.Truncated = true
		packet, err := reply.Pack()
		if err == nil {
			_, _ = w.Write(packet[:len(packet)-2])
		}
		return nil
	})
	if targets, err := resolve(t, newTestResolver(t, Config{Network: "ip4"}, s), host); len(targets) != 1 || err != nil {
		t.Errorf("got %v, %v", targets, err)
	}
}

func TestSeveralServers(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]hook{
		"silent": silence, "SERVFAIL": rcode(dns.RcodeServerFailure), "REFUSED": rcode(dns.RcodeRefused),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, good := newServer(t), newServer(t, "host.test. 60 IN A 192.0.2.1")
			bad.hookAll(h)
			r := newTestResolver(t, Config{Network: "ip4", Timeout: time.Second}, bad, good)
			if targets, err := resolve(t, r, host); len(targets) != 1 || err != nil {
				t.Fatalf("got %v, %v", targets, err)
			}
			bad.questions()
			if _, err := resolve(t, r, Query{Host: "other.test", Port: 1}); !errors.Is(err, ErrNotFound) {
				t.Errorf("got %v", err)
			}
			if again := len(bad.questions()); name == "silent" && again != 0 {
				t.Errorf("the silent server was asked first again")
			}
		})
	}
}

func TestLostPacket(t *testing.T) {
	t.Parallel()
	s := newServer(t, "host.test. 60 IN A 192.0.2.1")
	asked := 0
	s.hook("A host.test.", func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		if asked++; asked == 1 {
			return nil
		}
		return reply
	})
	if targets, err := resolve(t, newTestResolver(t, Config{Network: "ip4", Timeout: time.Second}, s), host); len(targets) != 1 || err != nil {
		t.Errorf("got %v, %v", targets, err)
	}
}

func TestNoServerAnswers(t *testing.T) {
	t.Parallel()
	packets, listener := loopback(t)
	closed := packets.LocalAddr().String() // ICMP says so.
	packets.Close()
	listener.Close()
	mute := newServer(t)
	mute.hookAll(silence)
	for name, servers := range map[string][]string{
		"closed": {closed}, "silent": {mute.addr}, "both": {closed, mute.addr}, "no address": {"not an address"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestResolver(t, Config{Servers: servers, Timeout: 200 * time.Millisecond})
			if targets, err := resolve(t, r, Query{Host: "host.test"}); targets != nil || !errors.Is(err, ErrNoAnswer) {
				t.Errorf("got %v, %v", targets, err)
			}
		})
	}
	if asked := strings.Join(mute.questions(), ","); !strings.Contains(asked, "A host.test.") || strings.Contains(asked, "SRV") {
		t.Errorf("asked %s: with no answer for the address, more questions are of no use", asked)
	}
}

// TestManySilentServers checks that one question does not last longer with more servers, and that the next one goes
// to those that were not asked yet.
func TestManySilentServers(t *testing.T) {
	t.Parallel()
	var servers []*server
	for range 4 {
		s := newServer(t, "host.test. 60 IN A 192.0.2.1", "more.test. 60 IN A 192.0.2.1")
		s.hookAll(silence)
		servers = append(servers, s)
	}
	servers[3].set(t, "host.test. 60 IN A 192.0.2.1", "more.test. 60 IN A 192.0.2.1")
	r := newTestResolver(t, Config{Network: "ip4", Timeout: time.Second}, servers...)
	if _, err := resolve(t, r, host); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
	for i, s := range servers {
		if asked := len(s.questions()); asked != int(one(i < patience)) {
			t.Errorf("server %d was asked %d times", i, asked)
		}
	}
	if targets, err := resolve(t, r, Query{Host: "more.test", Port: 1}); len(targets) != 1 || err != nil {
		t.Errorf("got %v, %v", targets, err)
	}
}

// TestOldServer answers as one that has not heard of EDNS.
func TestOldServer(t *testing.T) {
	for _, code := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented} {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprint(dns.RcodeToString[code], bare), func(t *testing.T) {
				s := newServer(t, "host.test. 60 IN A 192.0.2.1")
				s.hook("A host.test.", oldServer(code, bare))
				if targets, err := resolve(t, newTestResolver(t, Config{Network: "ip4"}, s), host); len(targets) != 1 || err != nil {
					t.Errorf("got %v, %v", targets, err)
				}
			})
		}
	}
}

// oldServer refuses the first question, without repeating it if bare.
func oldServer(code int, bare bool) hook {
	asked := 0
	return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		if asked++; asked == 1 {
			reply.Rcode, reply.Answer = code, nil
			if bare {
				reply.Question = nil
			}
		}
		return reply
	}
}

// TestForgedReplies sends what is not the answer, and then the answer.
func TestForgedReplies(t *testing.T) {
	forge := func(change func(*dns.Msg)) func(*dns.Msg) []byte {
		return func(reply *dns.Msg) []byte {
			forged := reply.Copy()
			forged.Answer[0].(*dns.A).A = net.IPv4(6, 6, 6, 6)
			change(forged)
			packet, _ := forged.Pack()
			return packet
		}
	}
	tests := map[string]func(*dns.Msg) []byte{
		"wrong id":       forge(func(m *dns.Msg) { m.Id++ }),
		"wrong name":     forge(func(m *dns.Msg) { m.Question[0].Name = "other.test." }),
		"wrong type":     forge(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }),
		"wrong class":    forge(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"no question":    forge(func(m *dns.Msg) { m.Question = nil }),
		"two questions":  forge(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
		"a question":     forge(func(m *dns.Msg) { m.Response = false }),
		"wrong opcode":   forge(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
		"nothing":        func(*dns.Msg) []byte { return []byte{} },
		"noise":          func(*dns.Msg) []byte { return []byte("noise that is longer than a header") },
		"half a reply":   func(m *dns.Msg) []byte { p, _ := m.Pack(); return p[:len(p)-3] },
		"pointer loop":   func(m *dns.Msg) []byte { p, _ := m.Pack(); copy(p[12:], []byte{0xC0, 12}); return p },
		"counts too big": func(m *dns.Msg) []byte { p, _ := m.Pack(); binary.BigEndian.PutUint16(p[6:], 65535); return p },
	}
	for name, forged := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, "host.test. 60 IN A 192.0.2.1")
			s.hook("A host.test.", func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
				_, _ = w.Write(forged(reply))
				return reply
			})
			targets, err := resolve(t, newTestResolver(t, Config{Network: "ip4"}, s), host)
			if want := "udp 192.0.2.1:5060 host.test 0/0"; spell(targets) != want || err != nil {
				t.Errorf("got %s, %v, want %s", spell(targets), err, want)
			}
		})
	}
}

// TestForeignRecords answers with records that nobody asked for.
func TestForeignRecords(t *testing.T) {
	s := newServer(t, "host.test. 60 IN A 192.0.2.1")
	s.hook("A host.test.", func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		for _, line := range []string{"other.test. 1 IN A 6.6.6.6", "host.test. 1 CH A 6.6.6.6", "host.test. 1 IN AAAA ::6", "host.test. 1 IN TXT x"} {
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Error(err)
			}
			reply.Answer = slices.Insert(reply.Answer, 0, rr)
		}
		return reply
	})
	targets, err := resolve(t, newTestResolver(t, Config{}, s), host)
	if want := "udp 192.0.2.1:5060 host.test 0/0"; spell(targets) != want || err != nil {
		t.Errorf("got %s, %v, want %s", spell(targets), err, want)
	}
}

func TestAliases(t *testing.T) {
	lines := []string{"loop.test. 60 IN CNAME loop2.test.", "loop2.test. 60 IN CNAME loop.test.", "self.test. 60 IN CNAME self.test.", "end.test. 60 IN A 192.0.2.1"}
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("c%d.test. 60 IN CNAME c%d.test.", i+1, i))
	}
	lines = append(lines, "c0.test. 60 IN CNAME end.test.")
	s := newServer(t, lines...)
	r := newTestResolver(t, Config{Network: "ip4"}, s)
	for name, want := range map[string]error{
		"loop.test": ErrNoAnswer, "self.test": ErrNoAnswer, "c8.test": nil, "c9.test": nil, "c10.test": ErrNoAnswer, "c20.test": ErrNoAnswer,
	} {
		if targets, err := resolve(t, r, Query{Host: name, Port: 1}); !errors.Is(err, want) || (err == nil) != (len(targets) == 1) {
			t.Errorf("%s: %v, %v, want %v", name, targets, err, want)
		}
	}
	// Nothing at the end counts for no longer than the way there, and is not asked for twice.
	s.set(t, "gone.test. 30 IN CNAME nowhere.test.")
	s.questions()
	for _, ttl := range []int{-1, 300} {
		s.setSOA(ttl)
		a := r.finder.find(t.Context(), Query{Host: "gone.test", Port: 1})
		if a.ttl != 30*time.Second || !errors.Is(a.err, ErrNotFound) {
			t.Errorf("an alias of nothing: for %v, %v", a.ttl, a.err)
		}
		if asked := s.questions(); len(asked) != 1 {
			t.Errorf("asked %v", asked)
		}
	}
	s.set(t, lines...)
	// A server that does not follow to the end: the rest has to be asked for.
	s.hook("A c2.test.", func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Answer = reply.Answer[:1]
		return reply
	})
	if targets, err := resolve(t, r, Query{Host: "c2.test", Port: 1}); len(targets) != 1 || err != nil {
		t.Errorf("a chain in two replies: %v, %v", targets, err)
	}
	if got, want := s.questions(), "A c1.test."; !slices.Contains(got, want) {
		t.Errorf("asked %v, without %s", got, want)
	}
}

// TestHugeSets checks that what is taken of large sets is bounded, and the same whatever their order.
func TestHugeSets(t *testing.T) {
	var lines []string
	for i := range 300 {
		lines = append(lines,
			fmt.Sprintf("host.test. 60 IN A 192.0.%d.%d", 2+i/250, 1+i%250),
			fmt.Sprintf("_sip._udp.large.test. 60 IN SRV %d 1 %d host.test.", i, i+1),
			fmt.Sprintf("_sip._udp.many.test. 60 IN SRV %d 1 5060 s%d.test.", i, i),
			fmt.Sprintf("s%d.test. 60 IN A 192.0.%d.%d", i, 2+i/250, 1+i%250),
			fmt.Sprintf(`naptr.test. 60 IN NAPTR %d 1 "s" "SIP+D2U" "" n%d.test.`, i, i),
		)
	}
	s := newServer(t, lines...)
	for _, tt := range []struct {
		query         Query
		want, maxAsks int
	}{
		{Query{Host: "host.test", Port: 5060}, maxAddresses, 1},
		{Query{Host: "many.test", Transport: udp}, maxSRV, 2 + maxSRV}, // SRV twice: it is truncated.
		{Query{Host: "large.test", Transport: udp}, maxTargets, 2 + 2*maxTargets/maxAddresses},
	} {
		var first []Target
		for range 3 {
			r := newTestResolver(t, Config{Network: "ip4"}, s)
			s.questions()
			targets, err := resolve(t, r, tt.query)
			if err != nil || len(targets) != tt.want {
				t.Fatalf("%s: %d targets, %v, want %d", tt.query.Host, len(targets), err, tt.want)
			}
			if first == nil {
				first = targets
			}
			if !slices.Equal(first, targets) {
				t.Errorf("%s: another order of records gave other targets", tt.query.Host)
			}
			if asked := len(s.questions()); asked > 2*tt.maxAsks {
				t.Errorf("%s: %d questions", tt.query.Host, asked)
			}
			s.mu.Lock()
			for _, rrs := range s.zone {
				slices.Reverse(rrs)
			}
			s.mu.Unlock()
		}
	}
	r := newTestResolver(t, Config{Network: "ip4"}, s)
	if _, err := resolve(t, r, Query{Host: "naptr.test"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if asked := len(s.questions()); asked > maxNAPTR+5 {
		t.Errorf("%d questions", asked)
	}
}

// TestLame checks that a question without an answer is not taken for the answer that there is nothing.
func TestLame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, broken string
		hook         hook
		want         string
		err          error
	}{
		{name: "no NAPTR answer", broken: "NAPTR", hook: silence, want: "udp 192.0.2.4:5091 srv-both.test 0/0"},
		{name: "NAPTR SERVFAIL", broken: "NAPTR", hook: rcode(dns.RcodeServerFailure), want: "udp 192.0.2.4:5091 srv-both.test 0/0"},
		{name: "no AAAA answer", broken: "AAAA", hook: silence, want: "udp 192.0.2.4:5091 srv-both.test 0/0"},
		{name: "no SRV answer", broken: "SRV", hook: silence, want: "udp 192.0.2.4:5060 srv-both.test 0/0"},
		{name: "no A answer", broken: "A", hook: silence, err: ErrNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, zoneLines()...)
			s.hook(tt.broken, tt.hook)
			r := newTestResolver(t, Config{Timeout: 500 * time.Millisecond}, s)
			a := r.finder.find(t.Context(), Query{Host: "srv-both.test"})
			if a.lame == nil || spell(a.targets) != tt.want || !errors.Is(a.err, tt.err) {
				t.Errorf("lame: %v; %s, %v; want %s, %v", a.lame, spell(a.targets), a.err, tt.want, tt.err)
			}
		})
	}
}

func TestWithPort(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "::1": "[::1]:53", "[::1]": "[::1]:53", "[::1]:54": "[::1]:54",
		"fe80::1%lo": "[fe80::1%lo]:53",
	} {
		if got := withPort(in); got != want {
			t.Errorf("withPort(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzReply reads whatever a server may send: what is accepted is a reply to the question, and reading on is safe.
func FuzzReply(f *testing.F) {
	m := question("host.test.", dns.TypeSRV, true)
	m.Id = 0x1234
	reply := new(dns.Msg)
	reply.SetReply(m)
	for _, line := range []string{"host.test. 60 IN SRV 1 2 3 a.test.", "host.test. 1 IN CNAME b.test.", "a.test. 1 IN A 192.0.2.1", "a.test. 1 IN AAAA ::1"} {
		rr, err := dns.NewRR(line)
		if err != nil {
			f.Fatal(err)
		}
		reply.Answer, reply.Extra, reply.Ns = append(reply.Answer, rr), append(reply.Extra, rr), append(reply.Ns, rr)
	}
	packet, err := reply.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packet)
	f.Add(packet[:40])
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply, err := parseReply(packet, m)
		if err != nil {
			return
		}
		if reply.Id != m.Id || !reply.Response {
			t.Fatalf("accepted %v", reply)
		}
		if len(reply.Question) == 1 && !strings.EqualFold(reply.Question[0].Name, "host.test.") {
			t.Fatalf("accepted the question %v", reply.Question)
		}
		answer := owned(reply.Answer, "HOST.test.", dns.TypeSRV)
		if ttl := leastTTL(time.Hour, answer); ttl < 0 || ttl > time.Hour {
			t.Fatalf("ttl %v", ttl)
		}
		s := search{finder: &finder{}}
		for _, a := range s.sendable(addressesIn(reply.Extra)) {
			if !a.IsValid() || a == (netip.Addr{}) || a.IsUnspecified() {
				t.Fatalf("address %v", a)
			}
		}
		_ = soaTTL(reply)
	})
}

package resolve

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// server is a recursive name server on loopback. What it says is written as zone lines; for names that it does not
// have it says so, with an SOA of soaTTL seconds.
type server struct {
	addr string

	mu     sync.Mutex
	zone   map[string][]dns.RR // By "TYPE name."
	hooks  map[string]hook     // By "TYPE name." or "TYPE".
	asked  []string
	soaTTL int // Below 0: no SOA.
}

// hook may change a reply. It returns nil to stay silent.
type hook func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg

func silence(dns.ResponseWriter, *dns.Msg) *dns.Msg { return nil }

func rcode(code int) hook {
	return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Rcode, reply.Answer, reply.Ns = code, nil, nil
		return reply
	}
}

// newServer starts a name server that runs until the test ends.
func newServer(t *testing.T, lines ...string) *server {
	t.Helper()
	s := &server{soaTTL: 300}
	s.set(t, lines...)
	packets, listener := loopback(t)
	s.addr = packets.LocalAddr().String()
	for _, d := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: listener, Handler: s}} {
		started, ended := make(chan struct{}), make(chan error)
		d.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- d.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			if err := d.Shutdown(); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
	return s
}

// loopback returns a UDP and a TCP socket on the same port.
func loopback(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		packets.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// set replaces the zone.
func (s *server) set(t *testing.T, lines ...string) {
	t.Helper()
	zone := map[string][]dns.RR{}
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		key := key(rr.Header().Rrtype, rr.Header().Name)
		zone[key] = append(zone[key], rr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone, s.hooks = zone, map[string]hook{}
}

// setSOA sets for how long the server says that there is nothing; below 0 it does not say.
func (s *server) setSOA(ttl int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.soaTTL = ttl
}

// hook has replies to "TYPE name." or to all of a "TYPE" changed.
func (s *server) hook(to string, h hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks[to] = h
}

// hookAll has all replies changed.
func (s *server) hookAll(h hook) {
	for _, t := range []string{"NAPTR", "SRV", "A", "AAAA"} {
		s.hook(t, h)
	}
}

// questions returns what was asked since the last call.
func (s *server) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func key(rrtype uint16, name string) string {
	return dns.TypeToString[rrtype] + " " + strings.ToLower(name)
}

func (s *server) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	if reply := s.reply(w, query); reply != nil {
		if w.RemoteAddr().Network() == "udp" {
			reply.Truncate(payloadSize)
		}
		_ = w.WriteMsg(reply)
	}
}

func (s *server) reply(w dns.ResponseWriter, query *dns.Msg) *dns.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := query.Question[0]
	s.asked = append(s.asked, key(q.Qtype, q.Name))
	reply := new(dns.Msg)
	reply.SetReply(query)
	name := q.Name
	for range 20 {
		if rrs := s.zone[key(q.Qtype, name)]; len(rrs) > 0 {
			reply.Answer = append(reply.Answer, rrs...)
			break
		}
		alias := s.zone[key(dns.TypeCNAME, name)]
		if len(alias) == 0 {
			break
		}
		reply.Answer = append(reply.Answer, alias...)
		name = alias[0].(*dns.CNAME).Target
	}
	if len(s.zone[key(q.Qtype, name)]) == 0 {
		if !s.existsLocked(name) {
			reply.Rcode = dns.RcodeNameError
		}
		if s.soaTTL >= 0 {
			soa, _ := dns.NewRR(fmt.Sprintf("test. %d IN SOA ns.test. mail.test. 1 2 3 4 %d", s.soaTTL+7, s.soaTTL))
			reply.Ns = append(reply.Ns, soa)
		}
	}
	for _, to := range []string{key(q.Qtype, q.Name), dns.TypeToString[q.Qtype]} {
		if h := s.hooks[to]; h != nil {
			return h(w, reply)
		}
	}
	return reply
}

func (s *server) existsLocked(name string) bool {
	for k := range s.zone {
		if strings.HasSuffix(k, " "+strings.ToLower(name)) || strings.HasSuffix(k, "."+strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// newTestResolver resolves with the given servers. It is patient, for the machine may be busy; tests in which a server
// is silent set a Timeout.
func newTestResolver(t *testing.T, c Config, servers ...*server) *Resolver {
	t.Helper()
	for _, s := range servers {
		c.Servers = append(c.Servers, s.addr)
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	r := New(c)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// spell writes targets down for comparison.
func spell(targets []Target) string {
	var lines []string
	for _, t := range targets {
		lines = append(lines, fmt.Sprintf("%s %s %s %d/%d", t.Transport, t.Addr, t.Host, t.Priority, t.Weight))
	}
	return strings.Join(lines, "\n")
}

// resolve asks r, within a time that no test should need.
func resolve(t *testing.T, r *Resolver, q Query) ([]Target, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return r.Resolve(ctx, q)
}

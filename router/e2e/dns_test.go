package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// dnsServer is a name server on loopback whose answers a test writes as zone lines.
type dnsServer struct {
	addr netip.AddrPort

	mu      sync.Mutex
	zone    map[string][]dns.RR // By type and lower-case name.
	all     *peer               // Every name leads here when no line says otherwise.
	queries []string
}

// startDNS runs a name server until the test ends.
func startDNS(t *testing.T) *dnsServer {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(newIP(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	d := &dnsServer{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), zone: make(map[string][]dns.RR)}
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(d.addr))
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*dns.Server{{PacketConn: conn, Handler: d}, {Listener: listener, Handler: d}} {
		var running sync.WaitGroup
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		running.Go(func() { _ = server.ActivateAndServe() })
		<-started
		t.Cleanup(func() {
			_ = server.Shutdown()
			running.Wait()
		})
	}
	return d
}

// add writes zone lines: "example.com. 60 IN A 127.0.0.1".
func (d *dnsServer) add(t *testing.T, lines ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		key := zoneKey(rr.Header().Rrtype, rr.Header().Name)
		d.zone[key] = append(d.zone[key], rr)
	}
}

// sendAll has every name lead to a peer, over UDP.
func (d *dnsServer) sendAll(p *peer) {
	d.mu.Lock()
	d.all = p
	d.mu.Unlock()
}

func zoneKey(rrtype uint16, name string) string {
	return dns.TypeToString[rrtype] + " " + strings.ToLower(name)
}

// ServeDNS answers one query.
func (d *dnsServer) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	rep := new(dns.Msg)
	rep.SetReply(query)
	d.mu.Lock()
	q := query.Question[0]
	d.queries = append(d.queries, zoneKey(q.Qtype, q.Name))
	rep.Answer = d.zone[zoneKey(q.Qtype, q.Name)]
	if d.all != nil && len(rep.Answer) == 0 {
		rep.Answer = d.toAll(q)
	}
	d.mu.Unlock()
	_ = w.WriteMsg(rep)
}

func (d *dnsServer) toAll(q dns.Question) []dns.RR {
	var line string
	switch {
	case q.Qtype == dns.TypeA:
		line = fmt.Sprintf("%s 60 IN A %s", q.Name, d.all.addr.Addr())
	case q.Qtype == dns.TypeSRV && strings.HasPrefix(strings.ToLower(q.Name), "_sip._udp."):
		line = fmt.Sprintf("%s 60 IN SRV 1 1 %d %s", q.Name, d.all.addr.Port(), q.Name[len("_sip._udp."):])
	default:
		return nil
	}
	rr, err := dns.NewRR(line)
	if err != nil {
		return nil
	}
	return []dns.RR{rr}
}

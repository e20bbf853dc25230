package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// phone is a real telephone, baresip: it speaks SIP over UDP, TCP and TLS, sends and receives media, and does what it
// is told over a control connection.
type phone struct {
	user string
	addr netip.Addr
	*program

	control net.Conn
	mu      sync.Mutex
	events  []phoneEvent
	changed chan struct{} // Closed and replaced at each event.
}

// phoneEvent is something that happened to the phone, or its answer to a command.
type phoneEvent struct {
	Response bool   `json:"response"`
	OK       bool   `json:"ok"`
	Data     string `json:"data"`
	Type     string `json:"type"`
	Peer     string `json:"peeruri"`
	Param    string `json:"param"`
	taken    bool
}

// startPhone runs a phone whose calls go to the router over a transport. It answers to its user name, which may be a
// number. The authority signs its certificate for TLS.
func startPhone(t *testing.T, ca *authority, user, transport string, router netip.AddrPort) *phone {
	t.Helper()
	modules, _ := filepath.Glob("/usr/lib/baresip/modules/ctrl_tcp.so")
	if len(modules) == 0 {
		t.Fatal("baresip is not installed (Debian package baresip-core)")
	}
	template, err := os.ReadFile(filepath.Join("testdata", "baresip", "config"))
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{user: user, addr: newIP(), changed: make(chan struct{})}
	dir := t.TempDir()
	own := ca.issue(t, forAddr(p.addr))
	files := map[string]string{
		"config":    strings.NewReplacer("@ADDR@", p.addr.String(), "@MODULES@", filepath.Dir(modules[0]), "@DIR@", dir).Replace(string(template)),
		"accounts":  fmt.Sprintf("<sip:%s@%s;transport=%s>;regint=0;auth_pass=none;outbound=\"sip:%s;transport=%s;lr\"\n", user, p.at("udp"), transport, router, transport),
		"contacts":  "",
		"phone.pem": own.cert + own.key,
		"ca.pem":    ca.pem,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.program = startProgram(t, "baresip-core", "baresip", "-s", "-f", dir)
	p.takeControl(t)
	return p
}

// at is where the phone listens for a transport.
func (p *phone) at(transport string) netip.AddrPort {
	if transport == "tls" {
		return netip.AddrPortFrom(p.addr, 5071)
	}
	return netip.AddrPortFrom(p.addr, 5070)
}

// takeControl waits until the phone is up, which it is when it takes commands.
func (p *phone) takeControl(t *testing.T) {
	t.Helper()
	var d net.Dialer
	for deadline := time.Now().Add(soon); p.control == nil; time.Sleep(20 * time.Millisecond) {
		conn, err := d.DialContext(t.Context(), "tcp", netip.AddrPortFrom(p.addr, 4444).String())
		if err == nil {
			p.control = conn
		} else if !p.running() || time.Now().After(deadline) {
			t.Fatalf("the phone takes no commands: %v", err)
		}
	}
	var reading sync.WaitGroup
	reading.Go(p.read)
	t.Cleanup(func() {
		p.control.Close()
		reading.Wait()
	})
}

// read takes events from the control connection, each a netstring: its length, a colon, JSON, and a comma.
func (p *phone) read() {
	for r := bufio.NewReader(p.control); ; {
		var n int
		if _, err := fmt.Fscanf(r, "%d:", &n); err != nil {
			return
		}
		text := make([]byte, n+1)
		if _, err := io.ReadFull(r, text); err != nil {
			return
		}
		var e phoneEvent
		if json.Unmarshal(text[:n], &e) != nil {
			return
		}
		p.mu.Lock()
		p.events = append(p.events, e)
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

// wait waits for the next event that fits and was not taken yet.
func (p *phone) wait(t *testing.T, what string, fits func(e *phoneEvent) bool) phoneEvent {
	t.Helper()
	timeout := time.NewTimer(soon)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		for i := range p.events {
			if e := &p.events[i]; !e.taken && fits(e) {
				e.taken = true
				p.mu.Unlock()
				return *e
			}
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("phone %s: no %s within %v; it had %+v", p.user, what, soon, p.events)
		}
	}
}

// expect waits for an event of a type.
func (p *phone) expect(t *testing.T, kind string) phoneEvent {
	t.Helper()
	return p.wait(t, kind, func(e *phoneEvent) bool { return e.Type == kind })
}

// do has the phone carry out a command, as a hand on its keys would.
func (p *phone) do(t *testing.T, command, params string) {
	t.Helper()
	text, err := json.Marshal(map[string]string{"command": command, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.control, "%d:%s,", len(text), text); err != nil {
		t.Fatalf("telling the phone to %s: %v", command, err)
	}
	if e := p.wait(t, "answer to "+command, func(e *phoneEvent) bool { return e.Response }); !e.OK {
		t.Fatalf("the phone does not %s: %s", command, e.Data)
	}
}

// dial calls a number.
func (p *phone) dial(t *testing.T, number string) {
	t.Helper()
	p.do(t, "dial", "sip:"+number+"@carrier.example")
}

// entry is the phone as a provider.
func (p *phone) entry(name, transport string, more ...string) string {
	return trunkAt(name, p.at(transport), append(more, "transport: "+transport)...)
}

// media is a place where a scripted peer takes media in.
type media struct {
	conn *net.UDPConn
	addr netip.AddrPort
}

func newMedia(t *testing.T, p *peer) *media {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr.Addr(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &media{conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()}
}

// describe is a session description that leads here.
func (m *media) describe(direction, formats string, codecs ...string) string {
	text := sdp(formats, codecs...)
	text = strings.ReplaceAll(text, "192.0.2.10", m.addr.Addr().String())
	text = strings.Replace(text, "m=audio 4000 ", fmt.Sprintf("m=audio %d ", m.addr.Port()), 1)
	return strings.Replace(text, "a=sendrecv", "a="+direction, 1)
}

// expectDigit waits for a key that was pressed: a named event of RFC 4733 with that payload type.
func (m *media) expectDigit(t *testing.T, payload, digit byte) {
	t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 2048)
	for {
		n, err := m.conn.Read(packet)
		if err != nil {
			t.Fatalf("no digit %d with payload type %d: %v", digit, payload, err)
		}
		if n == 16 && packet[1]&0x7f == payload && packet[12] == digit {
			return
		}
	}
}

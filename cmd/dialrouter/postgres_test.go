package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers/storetest"
)

// phone is a UDP socket that places calls, and takes them with 486.
type phone struct {
	conn *net.UDPConn
	got  chan string // What is no INVITE.

	mu    sync.Mutex
	taken strings.Builder // INVITEs.
}

// invites returns the calls that came in.
func (p *phone) invites() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken.String()
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{conn: conn, got: make(chan string, 100)}
	var reading sync.WaitGroup
	reading.Go(p.read)
	t.Cleanup(func() {
		_ = conn.Close()
		reading.Wait()
	})
	return p
}

func (p *phone) addr() string { return p.conn.LocalAddr().String() }

func (p *phone) read() {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := p.conn.ReadFromUDP(buffer)
		if err != nil {
			return
		}
		text := string(buffer[:n])
		if !strings.HasPrefix(text, "INVITE ") {
			p.got <- text
			continue
		}
		p.mu.Lock()
		p.taken.WriteString(text)
		p.mu.Unlock()
		reply := "SIP/2.0 486 Busy Here\r\n"
		for line := range strings.SplitSeq(text, "\r\n") {
			name, _, _ := strings.Cut(line, ":")
			switch name {
			case "Via", "From", "Call-ID", "CSeq", "Record-Route":
				reply += line + "\r\n"
			case "To":
				reply += line + ";tag=callee\r\n"
			}
		}
		_, _ = p.conn.WriteToUDP([]byte(reply+"Content-Length: 0\r\n\r\n"), from)
	}
}

// call places a call through a router and returns the final status.
func (p *phone) call(t *testing.T, router, number, id string) string {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", router)
	if err != nil {
		t.Fatal(err)
	}
	invite := fmt.Sprintf("INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@%s>;tag=%s\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:a@%s>\r\nContent-Length: 0\r\n\r\n",
		number, router, p.addr(), id, p.addr(), id, number, router, id, p.addr())
	if _, err := p.conn.WriteToUDP([]byte(invite), to); err != nil {
		t.Fatal(err)
	}
	end := time.NewTimer(10 * time.Second)
	defer end.Stop()
	for {
		select {
		case text := <-p.got:
			status, _, _ := strings.Cut(strings.TrimPrefix(text, "SIP/2.0 "), " ")
			if !strings.Contains(text, "Call-ID: "+id+"\r\n") || !strings.HasPrefix(text, "SIP/2.0 ") || status < "200" {
				continue
			}
			ack := strings.NewReplacer("INVITE sip:", "ACK sip:", "1 INVITE", "1 ACK", "To: <sip:"+number+"@"+router+">", toOf(text)).Replace(invite)
			if _, err := p.conn.WriteToUDP([]byte(ack), to); err != nil {
				t.Fatal(err)
			}
			return status
		case <-end.C:
			t.Fatalf("call %s: no answer", id)
		}
	}
}

func toOf(reply string) string {
	for line := range strings.SplitSeq(reply, "\r\n") {
		if strings.HasPrefix(line, "To:") {
			return line
		}
	}
	return ""
}

// TestServeOnPostgres runs two routers on one database: what is written on one, a call through the other is carried by
// within a second. The database is killed: calls go on, writes are refused, also after a restart without it. It comes
// back: all heals.
func TestServeOnPostgres(t *testing.T) {
	t.Parallel()
	db, err := storetest.StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Destroy)
	url := db.Database(t)
	const token = "from-the-environment"
	text := strings.Replace(testConfig, "file: providers.yaml", "postgres: "+url, 1)
	one := configured(t, text, "")
	other := configured(t, text, "")
	a := serving(t, one, "DIALROUTER_ADMIN_TOKEN="+token)
	b := serving(t, other, "DIALROUTER_ADMIN_TOKEN="+token)
	callee, caller := newPhone(t), newPhone(t)
	calls := 0
	call := func(p *process, number string) string {
		calls++
		return caller.call(t, p.sip, number, fmt.Sprintf("call-%d", calls))
	}
	if status := call(b, "+1555"); status != "404" {
		t.Errorf("a call with no provider: %s", status)
	}

	// A provider and a route to a new number each time, made on one router, used by the other.
	code, answer := a.ask(t, token, http.MethodPost, "/v1.0/providers", `{"type":"sip","name":"callee","hostname":"`+callee.addr()+`"}`)
	if code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	_, id, _ := strings.Cut(answer, `"id":"`)
	id = id[:36]
	write := func(p *process, number string) (int, string) {
		return p.ask(t, token, http.MethodPost, "/v1.0/routes", `{"provider_id":"`+id+`","target":"`+number+`"}`)
	}
	slowest := time.Duration(0)
	for i := range 20 {
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		number := fmt.Sprintf("+1000%d", 10+i)
		if code, answer := write(writer, number); code != 200 {
			t.Fatalf("%d %s", code, answer)
		}
		written := time.Now()
		if status := call(writer, number); status != "486" {
			t.Errorf("a call through the router that was written on: %s", status)
		}
		for call(reader, number) != "486" {
			if time.Since(written) > 10*time.Second {
				t.Fatalf("never used by the other router\n%s", reader.logged())
			}
		}
		slowest = max(slowest, time.Since(written))
	}
	t.Logf("in force on the other router within %v", slowest)
	if slowest > time.Second {
		t.Errorf("in force on the other router after %v, want 1s", slowest)
	}

	// The database is away.
	snapshot := filepath.Join(filepath.Dir(one), snapshotFile)
	awaitContent(t, snapshot, "+100029")
	db.End(t, syscall.SIGKILL)
	for _, p := range []*process{a, b} {
		if code, answer := write(p, "+2"); code != 503 || !strings.Contains(answer, "CATALOG_UNAVAILABLE") {
			t.Errorf("a write: %d %s", code, answer)
		}
		if status := call(p, "+100029"); status != "486" {
			t.Errorf("a call: %s", status)
		}
		if code, _ := p.ask(t, token, http.MethodGet, "/v1.0/providers/"+id, ""); code != 200 {
			t.Errorf("a read: %d", code)
		}
		p.mustBecome(t, "", http.MethodGet, "/readyz", "", "ready\nwarning: the old catalog stays in force: ")
	}
	a.stop(t)
	a = serving(t, one, "DIALROUTER_ADMIN_TOKEN="+token)
	if status := call(a, "+100029"); status != "486" {
		t.Errorf("a call after a restart: %s\n%s", status, a.logged())
	}
	if code, _ := write(a, "+2"); code != 503 {
		t.Errorf("a write after a restart: %d", code)
	}

	// It is back.
	db.Again(t)
	for i, p := range []*process{a, b} {
		deadline := time.Now().Add(10 * time.Second)
		for {
			code, answer := write(p, fmt.Sprintf("+30%d", i))
			if code == 200 {
				break
			}
			if code != 503 || time.Now().After(deadline) {
				t.Fatalf("it does not heal: %d %s\n%s", code, answer, p.logged())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	for _, p := range []*process{a, b} {
		p.mustBecome(t, token, http.MethodGet, "/v1.0/routes", "", "+300", "+301")
		deadline := time.Now().Add(10 * time.Second)
		for answer := ""; answer != "ready\n"; time.Sleep(10 * time.Millisecond) {
			if _, answer = p.ask(t, "", http.MethodGet, "/readyz", ""); time.Now().After(deadline) {
				t.Fatalf("healed: %s", answer)
			}
		}
		for _, number := range []string{"+100029", "+300", "+301"} {
			if status := call(p, number); status != "486" {
				t.Errorf("a call to %s when healed: %s", number, status)
			}
		}
		if strings.Contains(p.logged(), "un5poken") || strings.Contains(p.logged(), token) {
			t.Errorf("a secret in the log: %s", p.logged())
		}
	}
}

// awaitContent waits until a file holds a text.
func awaitContent(t *testing.T, path, text string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never held %s: %v", path, text, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

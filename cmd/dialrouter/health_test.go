package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// carrier is a UDP socket that answers each OPTIONS with a status; 0 is none.
func carrier(t *testing.T, status *atomic.Int32) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDP(buffer)
			if err != nil {
				return
			}
			lines := strings.SplitAfter(string(buffer[:n]), "\r\n")
			if code := status.Load(); code != 0 && strings.HasPrefix(lines[0], "OPTIONS ") {
				_, _ = conn.WriteToUDP([]byte(fmt.Sprintf("SIP/2.0 %d Test\r\n", code)+strings.Join(lines[1:], "")), from)
			}
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		reading.Wait()
	})
	return conn.LocalAddr().String()
}

// TestHealthOverHTTP follows a provider's health as operators and alerts see it: in the API, which a probe does not
// edit, in the status, and in the metrics.
func TestHealthOverHTTP(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	addr := carrier(t, &status)
	config := testConfig + "health: {interval: 100ms, timeout: 300ms, down_after: 2, up_after: 1}\n"
	const token = "from-the-environment"
	p := serving(t, configured(t, config, "providers: []\n"), "DIALROUTER_ADMIN_TOKEN="+token)
	code, answer := p.ask(t, token, http.MethodPost, "/v1.0/providers", `{"type":"sip","hostname":"`+addr+`","name":"a"}`)
	var made struct {
		ID       string `json:"id"`
		TmUpdate string `json:"tm_update"`
	}
	if err := json.Unmarshal([]byte(answer), &made); err != nil || code != 200 || !strings.Contains(answer, `"health_status":"unknown","health_checked_at":null`) {
		t.Fatalf("%d %s", code, answer)
	}
	at := "/v1.0/providers/" + made.ID
	for _, step := range []struct {
		status               int
		health, up, why, say string
	}{
		{0, "unhealthy", "0", "no reply within 300ms", "no reply within 300ms"},
		{200, "healthy", "1", "", "answered 200"},
		{503, "unhealthy", "0", "answered 503, which does not mean up", "answered 503, which does not mean up"},
		{404, "healthy", "1", "", "answered 404"},
	} {
		status.Store(int32(step.status))
		p.mustBecome(t, token, http.MethodGet, at, "", `"health_status":"`+step.health+`","health_checked_at":"20`, `"tm_update":"`+made.TmUpdate)
		p.mustBecome(t, token, http.MethodGet, "/v1.0/providers", "", `"health_status":"`+step.health+`","health_checked_at":"20`)
		p.mustBecome(t, token, http.MethodGet, "/v1.0/status", "", `"health_status":"`+step.health+`"`, `"reason":"`+step.why+`"`,
			`"addresses":[{"address":"udp:`+addr+`"`, `"detail":"`+step.say+`"}]`)
		p.mustBecome(t, token, http.MethodGet, "/metrics", "", `dialrouter_provider_up{provider="a"} `+step.up+"\n")
	}

	// GET, edit, PUT works while probes go on; another host is not known yet; a reload keeps what is known.
	_, answer = p.ask(t, token, http.MethodGet, at, "")
	time.Sleep(200 * time.Millisecond)
	if code, answer := p.ask(t, token, http.MethodPut, at, strings.Replace(answer, `"name":"a"`, `"name":"b"`, 1)); code != 200 ||
		!strings.Contains(answer, `"health_status":"healthy"`) {
		t.Errorf("PUT of what was read: %d %s", code, answer)
	}
	if code, answer := p.ask(t, token, http.MethodPost, "/v1.0/reload", ""); code != 200 {
		t.Errorf("%d %s", code, answer)
	}
	p.mustBecome(t, token, http.MethodGet, at, "", `"health_status":"healthy"`)
	if _, answer := p.ask(t, token, http.MethodGet, "/metrics", ""); strings.Contains(answer, `provider="a"`) {
		t.Error("the old name is still in the metrics")
	}
	var silent atomic.Int32
	code, answer = p.ask(t, token, http.MethodPut, at, `{"type":"sip","hostname":"`+carrier(t, &silent)+`","name":"b"}`)
	if code != 200 || !strings.Contains(answer, `"health_status":"unknown","health_checked_at":null`) {
		t.Errorf("another host: %d %s", code, answer)
	}
	p.mustBecome(t, token, http.MethodGet, at, "", `"health_status":"unhealthy"`)
	// The log says it a moment after the API.
	count := func() int { return strings.Count(p.logged(), "no reply within 300ms") }
	for deadline := time.Now().Add(5 * time.Second); count() < 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if lines := count(); lines != 2 {
		t.Errorf("%d lines for two times that it went silent:\n%s", lines, p.logged())
	}
}

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// quickProbes is a section health by which a provider's state follows its answers within a second.
const quickProbes = "{interval: 200ms, timeout: 400ms, down_after: 2, up_after: 1}"

func isProbe(m *msg) bool { return m.method() == "OPTIONS" }

// answersProbes makes the peer answer OPTIONS by itself, with the status that it is told at any time; 0 is silence. They
// are kept in its inbox all the same.
func (p *peer) answersProbes(code int) *atomic.Int32 {
	var now atomic.Int32
	now.Store(int32(code))
	p.on(func(m *msg) bool {
		if code := int(now.Load()); code != 0 && isProbe(m) {
			p.mutter(m, p.reply(m, code))
		}
		return false
	})
	return &now
}

// mutter sends a message back on the way that a request came; that the connection may be gone is of no interest.
func (p *peer) mutter(req *msg, w wire) {
	if req.conn == nil {
		_, _ = p.udp.WriteToUDPAddrPort([]byte(w.text()), req.from)
		return
	}
	_, _ = io.WriteString(req.conn, w.text())
}

// reach is what the router knows of a provider: its health, and why it is not well.
func (n *node) reach(name string) (providers.Health, string) {
	id := providers.ProviderID(name)
	reason, _ := n.Reach(id)
	return n.Health(id).Health, reason
}

func (n *node) expectHealth(t *testing.T, name string, want providers.Health, reason string) {
	t.Helper()
	var got providers.Health
	var why string
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got, why = n.reach(name); got == want && strings.Contains(why, reason) {
			return
		}
	}
	t.Fatalf("%s is %s (%s), want %s (%s)", name, got, why, want, reason)
}

// TestProbeRequest reads a probe as it comes over each transport: from the address that calls come from, with names of
// ours that lead back to us, and with nothing that is for calls.
func TestProbeRequest(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			b := newPeer(t)
			if transport == "tls" {
				b = ca.peer(t)
			}
			b.answersProbes(200)
			n := startRouter(t, ca.secured(t, setup{health: quickProbes, providers: catalog(trunk("b", b, "priority: 1",
				"transport: "+transport, "tech_headers: {X-Token: s3cret}", `tech_prefix: "9#"`))}))
			ours := map[string]netip.AddrPort{"udp": n.udp, "tcp": n.tcp, "tls": n.tls}[transport]
			n.expectHealth(t, "b", providers.HealthHealthy, "")
			first, second := b.expect(t, request("OPTIONS")), b.expect(t, request("OPTIONS"))
			if first.from.Addr() != ours.Addr() || transport == "udp" && first.from != ours {
				t.Errorf("it came from %s, we listen on %s", first.from, ours)
			}
			if first.transport() != transport || second.conn != first.conn {
				t.Errorf("it came over %s, and the second by the same connection: %v", first.transport(), second.conn == first.conn)
			}
			if want := "sip:" + b.addr.String(); first.uri() != want || first.get("To") != "<"+want+">" {
				t.Errorf("Request-URI %q, To %q, want %q", first.uri(), first.get("To"), want)
			}
			param := map[string]string{"udp": "", "tcp": ";transport=tcp", "tls": ";transport=tls"}[transport]
			for name, want := range map[string]string{
				"Via":            "SIP/2.0/" + strings.ToUpper(transport) + " " + ours.String() + ";branch=z9hG4bK",
				"From":           "<sip:dialrouter@" + ours.String() + ">;tag=",
				"Contact":        "<sip:dialrouter@" + ours.String() + param + ">",
				"Max-Forwards":   "70",
				"CSeq":           "1 OPTIONS",
				"Content-Length": "0",
				"Accept":         "application/sdp",
			} {
				if values := first.all(name); len(values) != 1 || !strings.HasPrefix(values[0], want) {
					t.Errorf("%s: %q, want %q", name, values, want)
				}
			}
			for _, name := range []string{"Record-Route", "Route", "X-Token", "Authorization"} {
				if first.has(name) {
					t.Errorf("it has %s", name)
				}
			}
			for _, name := range []string{"Call-ID", "From", "Via"} {
				if first.get(name) == second.get(name) {
					t.Errorf("two probes have the same %s", name)
				}
			}
			if len(first.get("Call-ID")) < 20 {
				t.Errorf("Call-ID %q can be guessed", first.get("Call-ID"))
			}
			// A call takes the connection that is there.
			a := n.caller(t)
			if got := refused(t, a, b); got.conn != first.conn {
				t.Error("a call came by another connection")
			}
			if n.metric(t, "dialrouter_messages_total", "direction", "out", "kind", "OPTIONS", "transport", transport) < 2 {
				t.Error("probes are not among the messages that were counted")
			}
		})
	}
}

// TestProbeAdvertised checks that a probe names us as calls do behind NAT, and the provider as its calls do.
func TestProbeAdvertised(t *testing.T) {
	t.Parallel()
	b := newPeer(t)
	b.answersProbes(200)
	n := startRouter(t, setup{
		sip: []string{"advertise: edge.test:5070"}, health: quickProbes,
		providers: catalog(trunk("b", b, "transport: udp", `tech_postfix: "@trunk.test"`)),
	})
	got := b.expect(t, request("OPTIONS"))
	if got.uri() != "sip:trunk.test" || got.from != n.udp {
		t.Errorf("%s from %s", got.uri(), got.from)
	}
	for _, name := range []string{"Via", "From", "Contact"} {
		if !strings.Contains(got.get(name), "edge.test:5070") {
			t.Errorf("%s: %q", name, got.get(name))
		}
	}
	n.expectHealth(t, "b", providers.HealthHealthy, "")
}

// TestProbeIPv6 checks that addresses of both families are asked from the socket of their own, and written as URIs have
// them.
func TestProbeIPv6(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		b, c := newPeer6(t), newPeer(t)
		b.answersProbes(200)
		c.answersProbes(200)
		n := startRouter(t, setup{
			listen: dual(), sip: []string{anyLoopback}, health: quickProbes,
			providers: catalog(trunk6("b", b, "transport: "+transport), trunk6("c", c, "transport: "+transport)),
		})
		for name, p := range map[string]*peer{"b": b, "c": c} {
			n.expectHealth(t, name, providers.HealthHealthy, "")
			got, ours := p.expect(t, request("OPTIONS")), n.socket(t, transport, p == b).String()
			if got.uri() != "sip:"+p.addr.String() || !strings.Contains(got.get("Via"), " "+ours+";branch=") || !strings.Contains(got.get("Contact"), "@"+ours) {
				t.Errorf("%s over %s:\n%s", name, transport, got.raw)
			}
		}
	}
}

// TestProbeReplies checks which replies say that a provider is there.
func TestProbeReplies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code int
		keys string
		want providers.Health
	}{
		{200, "", providers.HealthHealthy},
		{404, "", providers.HealthHealthy},
		{405, "", providers.HealthHealthy},
		{407, "", providers.HealthHealthy},
		{500, "", providers.HealthHealthy},
		{603, "", providers.HealthHealthy},
		{408, "", providers.HealthUnhealthy},
		{503, "", providers.HealthUnhealthy},
		{404, "health: {up: [2xx]}", providers.HealthUnhealthy},
		{200, "health: {up: [2xx, 503]}", providers.HealthHealthy},
		{503, "health: {up: [2xx, 503]}", providers.HealthHealthy},
		{200, "health: {probe: false}", providers.HealthUnknown},
		{200, "health: {interval: 1h}", providers.HealthHealthy},
		{200, "enabled: false", providers.HealthUnknown},
	} {
		t.Run(fmt.Sprint(tt.code, " ", tt.keys), func(t *testing.T) {
			t.Parallel()
			b := newUDPPeer(t)
			b.answersProbes(tt.code)
			keys := []string{"transport: udp"}
			if tt.keys != "" {
				keys = append(keys, tt.keys)
			}
			n := startRouter(t, setup{health: quickProbes, providers: catalog(trunk("b", b, keys...))})
			reason := ""
			if tt.want == providers.HealthUnhealthy {
				reason = fmt.Sprintf("answered %d", tt.code)
			}
			if tt.want == providers.HealthUnknown {
				time.Sleep(2 * quiet)
			}
			n.expectHealth(t, "b", tt.want, reason)
			probes := b.count(request("OPTIONS"))
			if tt.want == providers.HealthUnknown && probes != 0 || tt.keys == "health: {interval: 1h}" && probes != 1 {
				t.Errorf("asked %d times", probes)
			}
			if tt.want == providers.HealthUnknown && hasMetric(t, n, "dialrouter_provider_up") {
				t.Error("dialrouter_provider_up says something of a provider that nothing is known of")
			}
		})
	}
}

// hasMetric says whether there is any sample of a metric.
func hasMetric(t *testing.T, n *node, name string) bool {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return true
		}
	}
	return false
}

// TestProbeStates follows a provider down and up again, over each transport: what is known, the metric, and one line of
// log for each change.
func TestProbeStates(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			b := newPeer(t)
			if transport == "tls" {
				b = ca.peer(t)
			}
			code := b.answersProbes(200)
			n := startRouter(t, ca.secured(t, setup{health: quickProbes, providers: catalog(trunk("b", b, "priority: 1", "transport: "+transport))}))
			n.expectMetric(t, 1, "dialrouter_provider_up", "provider", "b")
			for _, step := range []struct {
				code   int
				reason string
			}{{0, "no reply within 400ms"}, {503, "answered 503"}, {0, "no reply within 400ms"}} {
				code.Store(int32(step.code))
				n.expectHealth(t, "b", providers.HealthUnhealthy, step.reason)
				n.expectMetric(t, 0, "dialrouter_provider_up", "provider", "b")
				if !hasMetric(t, n, "dialrouter_provider_up") {
					t.Error("the metric of a provider that is down is gone")
				}
				code.Store(486)
				n.expectHealth(t, "b", providers.HealthHealthy, "")
				n.expectMetric(t, 1, "dialrouter_provider_up", "provider", "b")
			}
			if checked := n.Health(providers.ProviderID("b")).CheckedAt; time.Since(checked) > soon || checked.IsZero() {
				t.Errorf("checked at %v", checked)
			}
			time.Sleep(2 * quiet)
			for text, want := range map[string]int{`msg="provider unhealthy"`: 3, `msg="provider healthy"`: 4, `msg="message not delivered"`: 0} {
				if lines := logLines(n, text); len(lines) != want {
					t.Errorf("%d lines with %s, want %d:\n%s", len(lines), text, want, strings.Join(lines, "\n"))
				}
			}
			for _, result := range []string{"up", "down", "silence"} {
				if n.metric(t, "dialrouter_probes_total", "provider", "b", "result", result) == 0 {
					t.Errorf("no probe counted with result %s", result)
				}
			}
		})
	}
}

// TestProbeRepeats checks that a probe is repeated over UDP while no answer comes (RFC 3261 section 17.1.2), and never
// over a stream.
func TestProbeRepeats(t *testing.T) {
	t.Parallel()
	b, c := newUDPPeer(t), newPeer(t)
	n := startRouter(t, setup{
		health:    "{interval: 1m, timeout: 2s}",
		providers: catalog(trunk("b", b, "transport: udp"), trunk("c", c, "transport: tcp")),
	})
	first, second := b.expect(t, request("OPTIONS")), b.expect(t, request("OPTIONS"))
	if first.raw != second.raw {
		t.Errorf("the repetition differs:\n%s\n%s", first.raw, second.raw)
	}
	if gap := second.at.Sub(first.at); gap < 400*time.Millisecond {
		t.Errorf("it is repeated after %v", gap)
	}
	time.Sleep(2*time.Second - time.Since(first.at))
	if got := c.count(request("OPTIONS")); got != 1 {
		t.Errorf("%d times over TCP", got)
	}
	if health, _ := n.reach("b"); health != providers.HealthUnknown {
		t.Errorf("one lost probe makes it %s", health)
	}
}

// TestUnhealthyProvidersComeLast checks that a provider which answers no OPTIONS goes behind those that do, and is
// still tried when nothing else is left.
func TestUnhealthyProvidersComeLast(t *testing.T) {
	t.Parallel()
	b, c := newPeer(t), newPeer(t)
	code := b.answersProbes(0)
	c.answersProbes(200)
	n := startRouter(t, setup{providers: trunks(b, c), health: quickProbes})
	n.expectHealth(t, "b", providers.HealthUnhealthy, "no reply")
	n.expectHealth(t, "c", providers.HealthHealthy, "")
	a := n.caller(t)
	inv := a.invite("+15551234567")
	a.send(t, inv)
	c.answer(t, c.expect(t, request("INVITE")), 404)
	b.answer(t, b.expect(t, request("INVITE")), 404)
	a.send(t, ackFor(inv, a.expect(t, status(404).to("INVITE"))))

	code.Store(200)
	n.expectHealth(t, "b", providers.HealthHealthy, "")
	refused(t, a, b)
}

// TestProbeFailures tells apart why a provider cannot be reached: in words, in counters, and not in one line of log for
// each probe.
func TestProbeFailures(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	closed := newPeer(t)
	closed.close()
	ended := ca.peer(t, between(-2*time.Hour, -time.Hour))
	plain := newPeer(t)
	plain.on(func(m *msg) bool { plain.mutter(m, raw("SIP/2.0 400 Bad\r\n\r\n")); return true })
	ip := newIP()
	misnamed := ca.peerWith(t, netip.AddrPortFrom(ip, 0), ca.issue(t, forName("somebody.test")).server())
	old := ca.issue(t, forAddr(ip)).server()
	old.MaxVersion = tls.VersionTLS11
	for _, tt := range []struct {
		name, transport string
		peer            *peer
		reason, result  string
	}{
		{"closed port", "udp", closed, "could not be sent: connection refused", "transport"},
		{"closed port tcp", "tcp", closed, "could not be sent: connection refused", "transport"},
		{"closed port tls", "tls", closed, "could not be sent: connection refused", "transport"},
		{"unknown authority", "tls", other.peer(t), "TLS failed: x509: certificate signed by unknown authority", "tls"},
		{"certificate ended", "tls", ended, "TLS failed: x509: certificate has expired", "tls"},
		{"another name", "tls", misnamed, "TLS failed: the certificate is not for", "tls"},
		{"old version", "tls", ca.peerWith(t, netip.AddrPortFrom(newIP(), 0), old), "TLS failed: ", "tls"},
		{"no tls", "tls", plain, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			health := "{interval: 200ms, timeout: 2s, down_after: 2, up_after: 1}"
			n := startRouter(t, ca.secured(t, setup{health: health, providers: catalog(trunk("b", tt.peer, "transport: "+tt.transport))}))
			n.expectHealth(t, "b", providers.HealthUnhealthy, tt.reason)
			if tt.result != "" && n.metric(t, "dialrouter_probes_total", "result", tt.result) < 2 {
				t.Errorf("not counted as %s", tt.result)
			}
			time.Sleep(4 * quiet)
			if lines := logLines(n, "level=WARN"); len(lines) != 1 {
				t.Errorf("%d lines of log:\n%s", len(lines), strings.Join(lines, "\n"))
			}
		})
	}
}

// TestCertificateExpiry reads when certificates end: ours, after a renewal too, and a provider's, even one that is
// refused because it has ended.
func TestCertificateExpiry(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	good, ended := ca.peer(t, between(-time.Hour, 5*time.Hour)), ca.peer(t, between(-2*time.Hour, -time.Hour))
	good.answersProbes(200)
	plain := newPeer(t)
	n := startRouter(t, ca.secured(t, setup{health: quickProbes, providers: catalog(
		trunk("good", good, "transport: tls"), trunk("ended", ended, "transport: tls"), trunk("plain", plain, "transport: udp"))}))
	in := func(owner, provider string) float64 {
		return n.metric(t, "dialrouter_certificate_expiry_timestamp_seconds", "owner", owner, "provider", provider) - float64(time.Now().Unix())
	}
	near := func(got, hours float64) bool { return got > hours*3600-120 && got < hours*3600+120 }
	eventually(t, "the ends of all certificates", func() bool {
		return near(in("router", ""), 1) && near(in("provider", "good"), 5) && near(in("provider", "ended"), -1)
	})
	if n.metric(t, "dialrouter_certificate_expiry_timestamp_seconds", "provider", "plain") != 0 {
		t.Error("a provider without TLS has a certificate")
	}
	renewed := ca.issue(t, forName(routerName), between(-time.Hour, 9*time.Hour))
	n.writeFile(t, "cert.pem", renewed.cert)
	n.writeFile(t, "key.pem", renewed.key)
	eventually(t, "the end of the new certificate", func() bool { return near(in("router", ""), 9) })
	n.writeFile(t, "providers.yaml", catalog(trunk("plain", plain, "transport: udp")))
	if err := n.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.metric(t, "dialrouter_certificate_expiry_timestamp_seconds", "owner", "provider") != 0 {
		t.Error("a provider that went is still there")
	}
}

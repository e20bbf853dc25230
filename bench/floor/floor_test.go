//go:build linux

package floor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// early is what is sent until a relay listens.
const early = "early"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func at(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// passes checks that what a caller sends reaches the provider, and what the provider sends the caller.
func passes(t *testing.T, relay netip.AddrPort, caller, provider *net.UDPConn) {
	t.Helper()
	b := make([]byte, 100)
	for _, way := range []struct{ from, to *net.UDPConn }{{caller, provider}, {provider, caller}, {caller, provider}} {
		if _, err := way.from.WriteToUDPAddrPort([]byte("hello"), relay); err != nil {
			t.Fatal(err)
		}
		n, from, err := way.to.ReadFromUDPAddrPort(b)
		for err == nil && string(b[:n]) == early {
			n, from, err = way.to.ReadFromUDPAddrPort(b)
		}
		if err != nil || string(b[:n]) != "hello" || from != relay {
			t.Fatalf("got %q from %v, %v", b[:n], from, err)
		}
	}
}

func TestRelay(t *testing.T) {
	caller, provider := listen(t), listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := mmsg.Listen(ctx, netip.MustParseAddrPort("127.0.0.1:0"), mmsg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := relay(s, at(provider)); err != nil {
			t.Error(err)
		}
	})
	passes(t, s.LocalAddr(), caller, provider)
	s.Close()
	wg.Wait()

	cancel()
	if err := Relay(ctx, netip.MustParseAddrPort("127.0.0.1:0"), at(provider)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a relay whose time is over: %v", err)
	}
}

func TestRelayInC(t *testing.T) {
	program, err := BuildC(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err) // Without a compiler too: `make test` installs one.
	}
	caller, provider, probe := listen(t), listen(t), listen(t)
	free := at(probe)
	probe.Close()
	cmd := exec.CommandContext(t.Context(), program, "127.0.0.1", portOf(free), "127.0.0.1", portOf(at(provider)))
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	// It listens some time after its start: what comes too early is lost.
	for range 100 {
		_, _ = caller.WriteToUDPAddrPort([]byte(early), free)
		_ = provider.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, _, err := provider.ReadFromUDPAddrPort(make([]byte, 10)); err == nil {
			break
		}
	}
	_ = provider.SetReadDeadline(time.Now().Add(5 * time.Second))
	passes(t, free, caller, provider)
}

func portOf(a netip.AddrPort) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

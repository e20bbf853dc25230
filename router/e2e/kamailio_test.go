package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kamailio is the real proxy as one more hop, on UDP and TCP.
type kamailio struct {
	addr netip.AddrPort
	*program
}

// startKamailio runs Kamailio at a free address, with a configuration of testdata. What next says is done with each new
// call before it is sent on.
func startKamailio(t *testing.T, template, next string) *kamailio {
	t.Helper()
	binary, err := exec.LookPath("kamailio")
	if err != nil {
		binary = "/usr/sbin/kamailio" // Not on the path of most users.
	}
	modules, _ := filepath.Glob("/usr/lib/*/kamailio/modules/tm.so")
	if len(modules) == 0 {
		t.Fatal("Kamailio is not installed (Debian package kamailio)")
	}
	script, err := os.ReadFile(filepath.Join("testdata", "kamailio", template))
	if err != nil {
		t.Fatal(err)
	}
	k := &kamailio{addr: freePort(t)}
	text := strings.NewReplacer("@LISTEN@", k.addr.String(), "@MODULES@", filepath.Dir(modules[0])+"/", "@NEXT@", next).Replace(string(script))
	cfg := filepath.Join(t.TempDir(), "kamailio.cfg")
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k.program = startProgram(t, "kamailio", binary, "-DD", "-E", "-f", cfg, "-m", "16", "-M", "4")
	k.ready(t)
	return k
}

// ready waits until Kamailio answers.
func (k *kamailio) ready(t *testing.T) {
	t.Helper()
	probe := newPeer(t)
	probe.transport, probe.router = "udp", k.addr
	for deadline := time.Now().Add(soon); k.running() && time.Now().Before(deadline); {
		req := probe.requestTo("OPTIONS", "sip:"+k.addr.String())
		probe.send(t, req)
		if probe.next(t, status(200).of(req.get("Call-ID")), 100*time.Millisecond) != nil {
			return
		}
	}
	t.Fatal("Kamailio does not answer")
}

// before is a Kamailio that sends calls to the router, like a border proxy of media servers.
func before(t *testing.T, n *node, transport string) *kamailio {
	t.Helper()
	router := map[string]netip.AddrPort{"udp": n.udp, "tcp": n.tcp}[transport]
	return startKamailio(t, "hop.cfg", `$du = "sip:`+router.String()+`;transport=`+transport+`";`)
}

// behind is a Kamailio that sends calls to a peer, like a carrier's border.
func behind(t *testing.T, p *peer, transport string) *kamailio {
	t.Helper()
	return startKamailio(t, "hop.cfg", `$ru = "sip:" + $rU + "@`+p.addr.String()+`;transport=`+transport+`";`)
}

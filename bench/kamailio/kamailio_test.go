package kamailio_test

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/bench/kamailio"
	"github.com/voipbin/dialrouter/bench/table"
)

func TestConfigurationIsValid(t *testing.T) {
	at := netip.MustParseAddrPort
	hosts := table.Hosts{Answers: at("127.0.0.2:5060"), Busy: at("127.0.0.3:5060"), Silent: at("127.0.0.4:5060")}
	for _, o := range []kamailio.Options{{}, {TCP: true, Workers: 3}} {
		checkConfiguration(t, hosts, o)
	}
}

func checkConfiguration(t *testing.T, hosts table.Hosts, o kamailio.Options) {
	t.Helper()
	argv, err := kamailio.Command(t.TempDir(), netip.MustParseAddrPort("127.0.0.1:5060"), hosts, table.New(table.MinPrefixes), o)
	if err != nil {
		t.Fatal(err) // When Kamailio is missing too: `make test` installs it.
	}
	for i, arg := range argv {
		if arg == "-f" {
			text, err := os.ReadFile(argv[i+1])
			if err != nil {
				t.Fatal(err)
			}
			// The definitions of Kamailio's own preprocessor hold no @; $(...) variables hold none either.
			for line := range strings.Lines(string(text)) {
				if code, _, _ := strings.Cut(line, "#"); strings.Count(code, "@") > strings.Count(code, `"@"`) {
					t.Errorf("not filled in: %s", line)
				}
			}
		}
	}
	if version, err := kamailio.Version(t.Context()); err != nil || !strings.HasPrefix(version, "kamailio") {
		t.Errorf("version %q, %v", version, err)
	}
	argv = append(argv, "-c") // Checks the configuration and ends.
	if out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Errorf("kamailio refuses the configuration: %v\n%s", err, out)
	}
}

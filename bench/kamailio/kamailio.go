// Package kamailio starts the proxy that we compare ourselves with, tuned as its experts would.
//
// The configuration beside this file does the same work as dialrouter does in the comparison: longest prefix, tech
// prefix, two headers, codecs, Record-Route, failover on 5xx, 408 and silence.
package kamailio

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/voipbin/dialrouter/bench/table"
)

// ErrMissing says that Kamailio or one of its modules is not installed.
var ErrMissing = errors.New("kamailio is not installed here: apt-get install kamailio")

//go:embed kamailio.cfg
var config string

// usualWorkers is what serves it best on one core.
const usualWorkers = 2

// shared and private are the sizes of Kamailio's memory pools in MB: more than any scenario fills. The table is read into private
// memory first, which takes some kB a row.
const (
	shared       = "4096"
	private      = "16"
	privateLarge = "6144"
	largeTable   = 1000 // Routes, from which on it is needed.
)

// Options are what differs from the usual: calls by UDP, and two processes that read them.
type Options struct {
	TCP     bool // Listens for TCP too.
	Workers int  // Processes for UDP; two when zero.
}

// Command writes configuration and table into dir, an absolute path without spaces, and returns the command that
// runs Kamailio in the foreground.
func Command(dir string, listen netip.AddrPort, hosts table.Hosts, t *table.Table, o Options) ([]string, error) {
	binary, modules, err := find()
	if err != nil {
		return nil, err
	}
	if err := t.WriteDBText(filepath.Join(dir, "dbtext"), hosts); err != nil {
		return nil, err
	}
	if o.Workers == 0 {
		o.Workers = usualWorkers
	}
	// A request that came by TCP and leaves by UDP needs a Record-Route for each side.
	tcp, double := "disable_tcp=yes", "0"
	if o.TCP {
		tcp, double = fmt.Sprintf("disable_tcp=no\ntcp_children=%d\nlisten=tcp:%v", o.Workers, listen), "1"
	}
	text := strings.NewReplacer("@TCP@", tcp, "@DOUBLE@", double, "@WORKERS@", strconv.Itoa(o.Workers), "@ROWS@", strconv.Itoa(len(t.Routes)+1), "@DIR@", dir, "@LISTEN@", listen.String(), "@MODULES@", modules+"/", "@ACCOUNT@", table.Account).Replace(config)
	path := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("configuring kamailio: %w", err)
	}
	room := private
	if len(t.Routes) > largeTable {
		room = privateLarge
	}
	return []string{binary, "-DD", "-E", "-f", path, "-m", shared, "-M", room, "-x", "tlsf"}, nil
}

// Version returns the first line of what the installed Kamailio says of itself.
func Version(ctx context.Context) (string, error) {
	binary, _, err := find()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, binary, "-v").Output()
	if err != nil {
		return "", fmt.Errorf("asking kamailio for its version: %w", err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "version:")), nil
}

func find() (binary, modules string, err error) {
	binary, err = exec.LookPath("kamailio")
	if err != nil {
		binary = "/usr/sbin/kamailio" // Not on the path of most users.
		if _, err := os.Stat(binary); err != nil {
			return "", "", ErrMissing
		}
	}
	for _, pattern := range []string{"/usr/lib/*/kamailio/modules/mtree.so", "/usr/lib64/kamailio/modules/mtree.so", "/usr/lib/kamailio/modules/mtree.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return binary, filepath.Dir(found[0]), nil
		}
	}
	return "", "", fmt.Errorf("looking for kamailio's module mtree: %w", ErrMissing)
}

//go:build linux

// Package floor is what no proxy on this machine can go below: a relay that moves the same datagrams and reads
// none of them.
//
//	anyone else --> relay --> provider
//	last such   <-- relay <-- provider
//
// Relay is built like the router: batches, one goroutine, Go's network poller. relay.c.txt is the same in C, to show
// what Go costs.
package floor

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// ErrNoCompiler says that the relay in C cannot be built.
var ErrNoCompiler = errors.New("no C compiler is installed here: apt-get install gcc libc6-dev")

//go:embed relay.c.txt
var source []byte

// Relay passes datagrams on until ctx ends.
func Relay(ctx context.Context, listen, provider netip.AddrPort) error {
	s, err := mmsg.Listen(ctx, listen, mmsg.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Close() })()
	return relay(s, provider)
}

func relay(s *mmsg.Socket, provider netip.AddrPort) error {
	prov, last := mmsg.AddrOf(provider), mmsg.Addr{}
	for {
		n, err := s.ReceiveWait()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("relaying: %w", err)
		}
		for i := range n {
			b, from := s.Datagram(i)
			to := prov
			if from == prov {
				to = last
			} else {
				last = from
			}
			s.Queue(append(s.Slot(), b...), to, nil)
		}
		s.Flush()
	}
}

// BuildC compiles the relay in C into dir and returns the program, which takes IP and port to listen on, and those of the
// provider as its arguments.
func BuildC(ctx context.Context, dir string) (string, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return "", ErrNoCompiler
	}
	file, program := filepath.Join(dir, "relay.c"), filepath.Join(dir, "relay")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return "", fmt.Errorf("building the relay: %w", err)
	}
	if out, err := exec.CommandContext(ctx, cc, "-O2", "-Wall", "-o", program, file).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the relay: %w\n%s", err, out)
	}
	return program, nil
}

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync/atomic"
)

// addresses counts the loopback addresses that were given out; it starts anywhere, so that another run that has
// just ended does not matter.
var addresses = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32())
	return &n
}()

// newIP gives out loopback addresses, each one once. The second byte follows the process, so that test binaries
// running at the same time stay apart.
func newIP() netip.Addr {
	n := addresses.Add(1)
	if n&0xff == 0 || n&0xff == 0xff {
		n = addresses.Add(2)
	}
	return netip.AddrFrom4([4]byte{127, byte(16 + os.Getpid()%200), byte(n >> 8), byte(n)})
}

// tokens makes the names that a test needs once: branches, tags, Call-IDs.
var tokens atomic.Uint64

func newToken(prefix string) string { return fmt.Sprintf("%s%d", prefix, tokens.Add(1)) }

func newBranch() string { return newToken("z9hG4bK-e2e-") }

package message

import (
	"strings"
	"testing"
)

// TestUsual compares the short way to a header's kind with the long one.
func TestUsual(t *testing.T) {
	for _, name := range []string{
		"Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length", "Content-Type", "Max-Forwards", "Route", "Record-Route",
		"User-Agent", "Server", "Supported", "Allow",
	} {
		if k, n := usual([]byte(name + ": a longer value")); k != kindOf([]byte(name)) || n != len(name) {
			t.Errorf("%s is %d by its first %d bytes, and %d", name, k, n, kindOf([]byte(name)))
		}
		for _, other := range []string{name + " ", name + "s", name[:len(name)-1], strings.ToLower(name)} {
			if k, n := usual([]byte(other + ": a longer value")); k != Other || n != 0 {
				t.Errorf("%q is %d by its first %d bytes", other, k, n)
			}
		}
	}
}

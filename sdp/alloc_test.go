package sdp

import "testing"

// TestAllocations holds the package to its promise: nothing allocates when the destination is big enough.
func TestAllocations(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			p, body := compile(t, g.policy), []byte(g.in)
			dst := make([]byte, 0, 2*len(body))
			contentType, encoding := []byte("application/sdp"), []byte(g.contentEncoding)
			if g.contentType != "" {
				contentType = []byte(g.contentType)
			}
			for name, f := range map[string]func(){
				"Filter":       func() { p.Filter(dst, body) },
				"FilterBody":   func() { p.FilterBody(dst, contentType, encoding, body) },
				"Violates":     func() { p.Violates(body) },
				"ViolatesBody": func() { p.ViolatesBody(contentType, encoding, body) },
			} {
				if n := testing.AllocsPerRun(100, f); n != 0 {
					t.Errorf("%s allocates %v times", name, n)
				}
			}
		})
	}
}

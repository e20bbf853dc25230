package router

import (
	"testing"

	"github.com/voipbin/dialrouter/providers"
)

// defaultNext is failover.next as the configuration has it when nothing is said.
func defaultNext(t *testing.T) providers.CodeSet {
	t.Helper()
	set, err := providers.ParseCodeSet([]string{"401", "403", "404", "407", "408", "415", "488", "5xx"})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestJudge enumerates every final status code with every state that counts.
func TestJudge(t *testing.T) {
	def := defaultNext(t)
	all, err := providers.ParseCodeSet([]string{"3xx", "4xx", "5xx", "6xx"})
	if err != nil {
		t.Fatal(err)
	}
	var none providers.CodeSet
	spoken := map[int]bool{480: true, 484: true, 486: true, 487: true}
	inDefault := map[int]bool{401: true, 403: true, 404: true, 407: true, 408: true, 415: true, 488: true}
	for code := 300; code <= 699; code++ {
		for _, rang := range []bool{false, true} {
			for _, after := range []bool{false, true} {
				for _, cancelled := range []bool{false, true} {
					may := !cancelled && (!rang || after) && !spoken[code] && code < 600
					for name, row := range map[string]struct {
						set  *providers.CodeSet
						want bool
					}{
						"default": {&def, may && (inDefault[code] || code >= 500)},
						"all":     {&all, may},
						"none":    {&none, false},
					} {
						if got := judge(code, row.set, rang, after, cancelled) == next; got != row.want {
							t.Errorf("%d, set %s, rang %v, after %v, cancelled %v: next is %v", code, name, rang, after, cancelled, got)
						}
					}
				}
			}
		}
	}
	if judge(200, &all, false, true, false) == next {
		t.Error("a 2xx may lead to the next provider")
	}
}

// TestRank holds RFC 3261 section 16.7 item 6: each row is better than those below it.
func TestRank(t *testing.T) {
	rows := []struct {
		codes []int
		ours  bool
	}{
		{[]int{600, 603, 604, 606, 699}, false},
		{[]int{300, 302, 399}, false},
		{[]int{401, 407, 415, 420, 484}, false},
		{[]int{400, 403, 404, 408, 486, 499}, false},
		{[]int{408}, true},
		{[]int{500, 502, 504, 599}, false},
		{[]int{503}, false},
		{[]int{500}, true},
	}
	for i, row := range rows {
		for _, code := range row.codes {
			if got := rank(code, row.ours); got != i {
				t.Errorf("%d (ours %v) has rank %d, want %d", code, row.ours, got, i)
			}
		}
	}
}

// TestCauses checks that every final status code has a cause of the right kind, and every cause and kind a name.
func TestCauses(t *testing.T) {
	for code := 200; code <= 699; code++ {
		switch c := causeOf(code); {
		case code < 300 && c != causeAnswered, code/100 == 3 && c != causeRedirected,
			code/100 == 5 && c != causeServerError && c != causeOverload,
			c == causeNone, c >= causeNoReply:
			t.Errorf("%d has cause %v", code, c)
		}
	}
	seen := make(map[string]bool)
	for c := range numCauses {
		if c.String() == "" || seen[c.String()] {
			t.Errorf("cause %d is called %q", c, c)
		}
		seen[c.String()] = true
	}
	for k := range numKinds {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	for code, k := range map[int]kind{100: kind1xx, 183: kind1xx, 200: kind2xx, 302: kind3xx, 404: kind4xx, 503: kind5xx, 603: kind6xx} {
		if replyKind(code) != k {
			t.Errorf("%d is counted as %v", code, replyKind(code))
		}
	}
}

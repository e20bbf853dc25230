package providers_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"D2", "OB profile channel limit exceeded D2", true},
		{"D2", "Channel limit exceeded D22", false},
		{"D2", "Channel limit exceeded D22, not D2", true},
		{"D2", "XD2", false},
		{"D2", "D2", true},
		{"d2", "Forbidden D2.", true},
		{"D2", "Forbidden (D2)", true},
		{"D2", "Forbidden D\u00fc D2\u00fc", false},
		{"(D2)", "Forbidden(D2)", true},
		{"cps LIMIT", "503 Trunk CPS limit exceeded", true},
		{"call rejected", "CALL_REJECTED", false},
		{"CALL_REJECTED", "call_rejected", true},
		{"rejected", "CALL_REJECTED", true},
		{"limit", "unlimited", false},
		{"limit", "", false},
		{"", "anything", false},
		{"", "", false},
		{"*limit*", "unlimited", true},
		{"limit*", "Limit exceeded", true},
		{"limit*", "Channel limit", false},
		{"*exceeded", "Channel limit EXCEEDED", true},
		{"*exceeded", "exceeded D2", false},
		{"32001*", "32001 Trunk CPS limit exceeded", true},
		{"32001*", "132001", false},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "abbbc", true},
		{"a*b*c", "acb", false},
		{"a*a", "a", false},
		{"aa*aa", "aaa", false},
		{"aa*aa", "aaaa", true},
		{"*a*b", "xab-ab", true},
		{"**a**", "a", true},
	} {
		p := providers.CompilePattern(c.pattern)
		if got := p.Match([]byte(c.text)); got != c.want {
			t.Errorf("%q in %q: %v", c.pattern, c.text, got)
		}
	}
}

// TestPatternCosts: a hostile text takes no time worth speaking of, and nothing is allocated for it.
func TestPatternCosts(t *testing.T) {
	text := []byte(strings.Repeat("a", 64<<10))
	p := providers.CompilePattern(strings.Repeat("*a", 31) + "*b")
	start := time.Now()
	if n := testing.AllocsPerRun(1000, func() { p.Match(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("1000 texts took %v", took)
	}
	// What stands far behind is not looked at.
	far := providers.CompilePattern("D2")
	if !far.Match([]byte(strings.Repeat(" ", 510)+"D2")) || far.Match([]byte(strings.Repeat(" ", 511)+"D2")) {
		t.Error("the bound is not at 512 bytes")
	}
}

// FuzzPattern holds patterns against regular expressions that say the same.
func FuzzPattern(f *testing.F) {
	f.Add("D2", "limit exceeded D22 D2")
	f.Add("*limit*", "Channel LIMIT exceeded")
	f.Add("a*b*c", "aXbXc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(text) > 512 || len(pattern) > 64 || pattern == "" || !ascii(pattern) || !ascii(text) {
			return
		}
		var expression string
		if strings.Contains(pattern, "*") {
			expression = `^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `\z`
		} else {
			// RE2 has no look-around, so whole words are found one step at a time.
			expression = `^` + regexp.QuoteMeta(pattern)
		}
		r := regexp.MustCompile("(?is)" + expression)
		want := r.MatchString(text)
		if !strings.Contains(pattern, "*") {
			want = false
			word := func(i int) bool {
				return i >= 0 && i < len(text) && regexp.MustCompile("[A-Za-z0-9]").MatchString(text[i:i+1])
			}
			for i := range text {
				end := i + len(pattern)
				if end <= len(text) && r.MatchString(text[i:]) && (!word(i-1) || !word(i)) && (!word(end-1) || !word(end)) {
					want = true
				}
			}
		}
		p := providers.CompilePattern(pattern)
		if got := p.Match([]byte(text)); got != want {
			t.Errorf("%q in %q: %v", pattern, text, got)
		}
	})
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

package sdp

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// golden is one file of testdata: lines "name: value" (those of "#" are remarks), then the body behind "-- in --" and,
// when it is to be edited, the expected one behind "-- out --". Bodies have LF in the file and CRLF in the test; \x00
// stands for a byte.
type golden struct {
	name, policy, outcome        string
	contentType, contentEncoding string
	in, out                      string
}

// readGolden reads one file of testdata.
func readGolden(tb testing.TB, path string) golden {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	g := golden{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	head, rest, _ := strings.Cut(string(text), "-- in --\n")
	in, out, _ := strings.Cut(rest, "-- out --\n")
	g.in, g.out = unescape(tb, in), unescape(tb, out)
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "policy":
			g.policy = value
		case "outcome":
			g.outcome = value
		case "content-type":
			g.contentType = value
		case "content-encoding":
			g.contentEncoding = value
		default:
			if !strings.HasPrefix(name, "#") {
				tb.Fatalf("%s: unknown line %q", path, line)
			}
		}
	}
	return g
}

// unescape turns the text of a file into a body.
func unescape(tb testing.TB, text string) string {
	tb.Helper()
	return regexp.MustCompile(`\\x[0-9a-f]{2}`).ReplaceAllStringFunc(crlf(text), func(s string) string {
		n, err := strconv.ParseUint(s[2:], 16, 8)
		if err != nil {
			tb.Fatal(err)
		}
		return string([]byte{byte(n)})
	})
}

// goldens reads all files of testdata.
func goldens(tb testing.TB) []golden {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		tb.Fatal("no golden files: ", err)
	}
	all := make([]golden, 0, len(paths))
	for _, path := range paths {
		all = append(all, readGolden(tb, path))
	}
	return all
}

// filter applies the policy of the file to its body.
func (g golden) filter(tb testing.TB) (string, Outcome) {
	tb.Helper()
	p := compile(tb, g.policy)
	if g.contentType == "" {
		g.contentType = "application/sdp"
	}
	out, outcome := p.FilterBody(nil, []byte(g.contentType), []byte(g.contentEncoding), []byte(g.in))
	return string(out), outcome
}

// check fails the test unless the file's body becomes what the file expects.
func (g golden) check(t *testing.T) {
	t.Helper()
	out, outcome := g.filter(t)
	if outcome.String() != g.outcome {
		t.Errorf("outcome %v, want %v", outcome, g.outcome)
	}
	if out != g.out {
		t.Errorf("got:\n%s\nwant:\n%s", out, g.out)
	}
}

func TestGolden(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			g.check(t)
			if g.contentType == "" {
				checkInvariants(t, compile(t, g.policy), []byte(g.in))
			}
		})
	}
}

package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/config"
)

// wanted reads what a file of testdata expects to hear: MESSAGE or MESSAGE | MESSAGE behind "# want: ".
func wanted(name string, data []byte) []string {
	var all []string
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		_, want, found := strings.Cut(strings.TrimRight(text, "\n"), "# want: ")
		if !found {
			continue
		}
		for message := range strings.SplitSeq(want, " | ") {
			all = append(all, fmt.Sprintf("%s:%d: %s", name, line, message))
		}
	}
	return all
}

func TestProblems(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "problems", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data := read(t, file)
			_, problems := config.Parse(file, data)
			got := make([]string, 0, len(problems))
			for _, p := range problems {
				got = append(got, p.String())
				if strings.Contains(p.Message, "hunter2") || strings.Contains(p.Message, "s3cret") {
					t.Errorf("a secret in a message: %s", p)
				}
			}
			want := wanted(file, data)
			slices.Sort(got)
			slices.Sort(want)
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("not said: %s", w)
				}
			}
			for _, g := range got {
				if !slices.Contains(want, g) {
					t.Errorf("not wanted: %s", g)
				}
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, want string }{
		{"not UTF-8", "log:\n  level: \xFF\n", "f:2: not YAML: the byte 0xFF is not UTF-8"},
		{"NUL", "log:\n\n  level: \x00\n", "f:3: not YAML: control character U+0000"},
		{"large", strings.Repeat("#", 1<<20+1), "f:1: larger than 1048576 bytes"},
		{"tab", "log:\n\tlevel: info\n", "f:2: not YAML: found character that cannot start any token"},
	} {
		_, problems := config.Parse("f", []byte(c.content))
		if len(problems) != 1 || problems[0].String() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, problems, c.want)
		}
	}
}

// FuzzParse holds that nothing makes the reader panic, that each problem has a line of the file, and that what has
// none is complete and in range.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/problems/*.yaml", "example/dialrouter.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := config.Parse("f", data)
		lines := bytes.Count(data, []byte("\n")) + 2 // A parser may point behind the end.
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines && !bytes.ContainsAny(data, "\r\u0085\u2028\u2029") || p.Message == "" {
				t.Errorf("problem %+v of %d lines", p, lines)
			}
		}
		if len(problems) > 0 {
			return
		}
		if (c.Catalog.File == "") == (c.Catalog.Postgres == "") {
			t.Errorf("catalog %+v", c.Catalog)
		}
		if len(c.SIP.Listen) == 0 || c.SIP.MaxCalls < 1 || c.SIP.Workers < 0 || c.SIP.RouteKeyFile == "" {
			t.Errorf("sip %+v", c.SIP)
		}
		b := c.Budgets
		if b.NoReply <= 0 || b.NoRinging <= 0 || b.Answer <= 0 || b.Setup <= 0 || b.MaxAttempts < 1 {
			t.Errorf("budgets %+v", b)
		}
		if c.Health.Interval < 0 || c.Health.Timeout <= 0 || c.Health.DownAfter < 1 || c.Health.UpAfter < 1 {
			t.Errorf("health %+v", c.Health)
		}
	})
}

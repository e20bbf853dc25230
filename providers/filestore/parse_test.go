package filestore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func readAll(tb testing.TB, pattern string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		tb.Fatal(pattern, files, err)
	}
	all := make(map[string][]byte)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all[file] = data
	}
	return all
}

// wanted reads what a file of testdata/problems expects to hear: MESSAGE or MESSAGE | MESSAGE behind "# want: ".
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
	for file, data := range readAll(t, "testdata/problems/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, problems := Parse(file, data, dawn)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
				if strings.Contains(p.Message, "hunter2") {
					t.Errorf("a secret in a message: %s", p)
				}
			}
			want := wanted(file, data)
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
		{"empty", "", "f:1: the file is empty; write `providers: []` if there are none"},
		{"comments", "# x\n", "f:1: the file is empty; write `providers: []` if there are none"},
		{"not UTF-8", "providers:\n  - name: \xFF\n", "f:2: not YAML: the byte 0xFF is not UTF-8"},
		{"NUL", "providers: []\n\n\x00", "f:3: not YAML: control character U+0000"},
		{"cut", "providers:\n  - name: a\n    hostn", "f:3: not YAML: could not find expected ':'"},
		{"null", "providers:\nroutes: []\n", "f:1: providers: holds nothing; write `providers: []` if there are none"},
		{"missing", "routes: []\n", "f:1: providers: is missing; write `providers: []` if there are none"},
		{"list", "- name: a\n", "f:1: a list where the keys providers and routes must stand"},
		{"text", "providers: none\n", `f:1: providers: the string "none" where a list must stand`},
	} {
		c2, problems := Parse("f", []byte(c.content), dawn)
		if c2 != nil || len(problems) != 1 || problems[0].String() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, problems, c.want)
		}
	}
	c, problems := Parse("f", []byte("providers: []\n"), dawn)
	if c == nil || len(problems) > 0 {
		t.Errorf("none: %v", problems)
	}
}

// FuzzParse holds that nothing makes the reader panic, that each problem has a line, that what is accepted keeps the
// rules of the domain, and that the quick way and the whole way of reading are one.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/problems/*.yaml", "../../config/example/providers.yaml"} {
		for _, data := range readAll(f, pattern) {
			f.Add(data)
		}
	}
	for file := range readAll(f, "testdata/rewrite/*.txt") {
		f.Add([]byte(readGolden(f, file).before))
		f.Add([]byte(readGolden(f, file).after))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := Parse("f", data, dawn)
		lines := bytes.Count(data, []byte("\n")) + 2 // A parser may point behind the end.
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines && !bytes.ContainsAny(data, "\r\u0085\u2028\u2029") || p.Message == "" {
				t.Errorf("problem %+v of %d lines", p, lines)
			}
		}
		if line, _ := unreadable(data); line > 0 {
			return
		}
		if quick, ok := parseQuick("f", data); ok {
			whole, problems := parseWhole("f", data)
			if len(problems) > 0 {
				t.Errorf("the quick way saw no problem: %v", problems)
			}
			if !sameEntries(quick, whole) {
				t.Errorf("quick\n%+v\nwhole\n%+v", quick, whole)
			}
		}
		if c == nil {
			return
		}
		names := make(map[string]bool)
		for i := range c.Providers {
			p := &c.Providers[i]
			if errs := p.Validate(); len(errs) > 0 || names[p.Name] {
				t.Errorf("accepted %+v: %v", p, errs)
			}
			names[p.Name] = true
		}
		for i := range c.Routes {
			r := &c.Routes[i]
			if errs := r.Validate(); len(errs) > 0 {
				t.Errorf("accepted %+v: %v", r, errs)
			}
		}
	})
}

func sameEntries(a, b entries) bool {
	return slices.EqualFunc(a.providers, b.providers, func(a, b providerEntry) bool { return reflect.DeepEqual(a, b) }) &&
		slices.Equal(a.routes, b.routes)
}

// TestQuick holds that the files that matter are read the quick way.
func TestQuick(t *testing.T) {
	t.Parallel()
	files := readAll(t, "../../config/example/providers.yaml")
	files["many"] = many(10, 10)
	for file, data := range files {
		all, ok := parseQuick(file, data)
		if !ok || len(all.providers) == 0 || len(all.routes) == 0 {
			t.Errorf("%s is read the slow way", file)
		}
	}
	q := &quick{}
	if !q.simple([]byte("  - target: \"+1\" # x\n    provider: carrier-a\n\n  # y\n"), 2) {
		t.Error("a simple entry is read the slow way")
	}
}

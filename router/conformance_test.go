package router

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestConformanceTable checks that CONFORMANCE.md has all rows, each with a test that exists.
func TestConformanceTable(t *testing.T) {
	table, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, pattern := range []string{"e2e/*_test.go", "../sdp/*_test.go", "*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				known[string(m[1])] = true
			}
		}
	}
	rows := make(map[string]bool)
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\d\d) \|(.*)\|$`).FindAllSubmatch(table, -1) {
		id := string(m[1])
		rows[id] = true
		named := false
		for _, n := range regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(m[2], -1) {
			test := string(n[1])
			listed[test] = true
			if !known[test] {
				t.Errorf("%s: there is no test %s", id, test)
			}
			named = named || regexp.MustCompile(`^Test`+id+`_`).MatchString(test)
		}
		if !named {
			t.Errorf("%s has no test that is named by it", id)
		}
	}
	for test := range known {
		if regexp.MustCompile(`^Test[A-Z]\d\d_`).MatchString(test) && !listed[test] {
			t.Errorf("%s stands in no row", test)
		}
	}
	for section, count := range map[string]int{"V": 14, "F": 13, "R": 17, "T": 14, "C": 10, "L": 4, "S": 4, "X": 6, "D": 15} {
		for n := 1; n <= count; n++ {
			if id := section + string(rune('0'+n/10)) + string(rune('0'+n%10)); !rows[id] {
				t.Errorf("row %s is missing", id)
			}
		}
	}
	if len(rows) != 97 {
		t.Errorf("%d rows, want 97", len(rows))
	}
}

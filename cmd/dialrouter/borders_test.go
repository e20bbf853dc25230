package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/voipbin/dialrouter"

// borders is the table of ARCHITECTURE.md: which of our packages may import which others. A package that is not
// named here is refused, and so is an edge.
//
// A key that ends with "/..." stands for the packages below it. The value nil means none of ours.
var borders = map[string][]string{
	"cmd/dialrouter":      {"*"},
	"config":              nil,
	"providers":           nil,
	"providers/filestore": {"providers"},
	"providers/pgstore":   {"providers"},
	"providers/storetest": {"providers"}, // Tests only.
	"providers/health":    {"providers"},
	"providers/telnyx":    {"providers"},
	"providers/api":       {"providers", "providers/health", "providers/telnyx"},
	"sdp":                 nil,
	"router": {
		"router/message", "router/transport", "router/transaction", "router/dialplan", "router/resolve",
		"sdp", "providers", "providers/health", "config",
	},
	"router/message":     nil,
	"router/transport":   {"router/message"},
	"router/transaction": {"router/message", "router/transport"},
	"router/dialplan":    {"providers"},
	"router/resolve":     nil,
	"router/e2e":         nil, // Tests only.
	"bench":              {"*"},
	"bench/...":          {"*"},
}

// pure names the packages that decide and never act: no sockets, no log, no clock, no randomness of their own.
var pure = []string{"sdp", "router/dialplan", "router/message"}

// notForPure is what a pure package must not import. The package time may be imported for its types; reading the
// clock is refused by looking at the calls.
var notForPure = []string{"net", "log", "log/slog", "os", "math/rand", "math/rand/v2", "crypto/rand"}

// goPackage is what `go list -json` tells of a package, as far as the borders need it.
type goPackage struct {
	Dir          string
	ImportPath   string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=Dir,ImportPath,GoFiles,Imports,TestImports,XTestImports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// ours returns the name of one of our packages within the module.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// allowed looks a package up in a table of borders.
func allowed(table map[string][]string, name string) (imports []string, known bool) {
	if imports, known = table[name]; known {
		return imports, true
	}
	for pattern, imports := range table {
		if dir, ok := strings.CutSuffix(pattern, "..."); ok && strings.HasPrefix(name, dir) {
			return imports, true
		}
	}
	return nil, false
}

// violations compares packages with a table of borders and names each breach.
func violations(table map[string][]string, packages []goPackage) []string {
	var found []string
	for _, p := range packages {
		name, _ := ours(p.ImportPath)
		may, known := allowed(table, name)
		if !known {
			found = append(found, "package "+name+" is new: give it a place in the table of borders")
			continue
		}
		for _, i := range p.Imports {
			to, our := ours(i)
			if our && !slices.Contains(may, to) && !slices.Contains(may, "*") {
				found = append(found, name+" must not import "+to)
			}
		}
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to, our := ours(i)
			top, _, _ := strings.Cut(to, "/")
			from, _, _ := strings.Cut(name, "/")
			if our && from != top && (top == "bench" || top == "cmd") {
				found = append(found, name+" must not import "+to+", not in tests either")
			}
		}
	}
	return found
}

func TestBorders(t *testing.T) {
	for _, v := range violations(borders, listPackages(t)) {
		t.Error(v)
	}
}

func TestBordersAreSeen(t *testing.T) {
	tests := map[string]struct {
		pkg  goPackage
		want string
	}{
		"new edge":         {goPackage{ImportPath: module + "/sdp", Imports: []string{module + "/router/message"}}, "sdp must not import router/message"},
		"new package":      {goPackage{ImportPath: module + "/util"}, "package util is new: give it a place in the table of borders"},
		"package on top":   {goPackage{ImportPath: module}, "package . is new: give it a place in the table of borders"},
		"bench from below": {goPackage{ImportPath: module + "/router", XTestImports: []string{module + "/bench"}}, "router must not import bench, not in tests either"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := violations(borders, []goPackage{test.pkg}); !slices.Equal(got, []string{test.want}) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	fine := []goPackage{
		{ImportPath: module + "/router", Imports: []string{"net", module + "/sdp"}},
		{ImportPath: module + "/bench/cmd/bench-compare", Imports: []string{module + "/bench"}},
	}
	if got := violations(borders, fine); got != nil {
		t.Errorf("allowed edges are refused: %q", got)
	}
}

func TestPurePackagesOnlyDecide(t *testing.T) {
	for _, p := range listPackages(t) {
		name, _ := ours(p.ImportPath)
		if !slices.Contains(pure, name) {
			continue
		}
		for _, i := range p.Imports {
			if slices.Contains(notForPure, i) {
				t.Errorf("%s decides and never acts: it must not import %s", name, i)
			}
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range []string{"time.Now(", "time.Since(", "time.Until("} {
				if bytes.Contains(text, []byte(call)) {
					t.Errorf("%s/%s reads the clock (%s): the time arrives as an argument", name, file, call)
				}
			}
		}
	}
}

// TestPackageComments checks that each package says in exactly one file what it is for.
func TestPackageComments(t *testing.T) {
	for _, p := range listPackages(t) {
		if len(p.GoFiles) == 0 {
			continue // Tests only.
		}
		name, _ := ours(p.ImportPath)
		var with []string
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				with = append(with, file)
			}
		}
		if len(with) != 1 {
			t.Errorf("package %s has %d package comments, want one: %q", name, len(with), with)
		}
	}
}

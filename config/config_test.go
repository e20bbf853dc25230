package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/config"
)

// TestExampleIsTheDefault holds the promise of the example's first comment.
func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	got, problems := config.Load(filepath.Join("example", "dialrouter.yaml"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(got.Numbers.InternationalPrefixes) != 2 {
		t.Errorf("international prefixes: %q", got.Numbers.InternationalPrefixes)
	}
	_ = os.ErrExist
	_ = strings.ToLower
}

package filestore_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/providers/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	paths := make(map[string]string)
	storetest.Run(t, func(t *testing.T) providers.Store {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		path := paths[t.Name()]
		if path == "" {
			path = filepath.Join(t.TempDir(), "providers.yaml")
			if err := os.WriteFile(path, []byte("# The catalog.\nproviders: []\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			paths[t.Name()] = path
		}
		s, err := filestore.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

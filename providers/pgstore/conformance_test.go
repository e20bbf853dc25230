package pgstore_test

import (
	"sync"
	"testing"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/pgstore"
	"github.com/voipbin/dialrouter/providers/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	s := sharedServer(t)
	var mu sync.Mutex
	urls := make(map[string]string)
	storetest.Run(t, func(t *testing.T) providers.Store {
		t.Helper()
		mu.Lock()
		url := urls[t.Name()]
		if url == "" {
			url = s.Database(t)
			urls[t.Name()] = url
		}
		mu.Unlock()
		store, err := pgstore.Open(t.Context(), pgstore.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

package pgstore_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/voipbin/dialrouter/providers/storetest"
)

// shared is the server of all tests that leave it running.
var shared struct {
	once   sync.Once
	server *storetest.Postgres
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.Destroy()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// sharedServer returns a server that must be left running.
func sharedServer(t *testing.T) *storetest.Postgres {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = storetest.StartPostgres() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// ownServer returns a server that the test may stop, and in which it may leave roles and databases of fixed names.
func ownServer(t *testing.T) *storetest.Postgres {
	t.Helper()
	s, err := sharedServer(t).Another()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Destroy)
	return s
}

// exec1 executes SQL over a connection of its own.
func exec1(t *testing.T, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

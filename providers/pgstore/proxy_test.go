package pgstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/pgstore"
)

// proxy stands between a store and the server and breaks a connection at its worst moment.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu   sync.Mutex
	cut  cut
	open []net.Conn
}

// cut is when the proxy breaks the connection that commits.
type cut int

const (
	cutNever  cut = iota
	cutBefore     // The server never gets to see the commit.
	cutAfter      // The server commits, and the answer is lost.
)

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target}
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, client, server)
			p.mu.Unlock()
			p.running.Go(func() { p.forward(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.open {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

// set arms the proxy for one commit.
func (p *proxy) set(c cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
}

func (p *proxy) forward(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var swallow atomic.Bool // The server's next answer, and the connection with it.
	p.running.Go(func() {
		defer client.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := server.Read(buffer)
			if err != nil || swallow.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte("commit\x00")) {
			p.mu.Lock()
			now := p.cut
			p.cut = cutNever
			p.mu.Unlock()
			if now == cutBefore {
				return
			}
			swallow.Store(now == cutAfter)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestBrokenCommit breaks the connection while a change is committed: Update says what became of it.
func TestBrokenCommit(t *testing.T) {
	t.Parallel()
	db := sharedServer(t)
	url := db.Database(t)
	p := newProxy(t, db.Address())
	through := strings.Replace(url, db.Address(), p.listener.Addr().String(), 1)
	s := open(t, pgstore.Options{URL: through, Poll: never})
	mustAdd(t, s, "a")
	for i := range 5 {
		p.set(cutAfter)
		if c := mustAdd(t, s, fmt.Sprint("made", i)); len(c.Providers) != i+2 {
			t.Errorf("%d providers after a commit whose answer was lost", len(c.Providers))
		}
		p.set(cutBefore)
		if _, err := add(t.Context(), s, fmt.Sprint("not made", i)); !errors.Is(err, providers.ErrUnavailable) {
			t.Errorf("a commit that never arrived: %v", err)
		}
	}
	if got := query[int](t, url, "select count(*) from dialrouter.providers"); got != 6 {
		t.Errorf("%d providers in the database, want 6", got)
	}
}

//go:build linux

package load

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/bench/mmsg"
)

// other connects a stream and returns its other end.
func other(t *testing.T) (*stream, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newStream(netip.MustParseAddrPort("127.0.0.1:0"), l.Addr().(*net.TCPAddr).AddrPort())
	if err := s.connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if got := c.RemoteAddr().(*net.TCPAddr).AddrPort(); got != s.LocalAddr() {
		t.Fatalf("dialled from %v, says %v", got, s.LocalAddr())
	}
	return s, c
}

// receive waits for messages, or an error.
func receive(t *testing.T, s *stream) ([]string, error) {
	t.Helper()
	poller := mmsg.NewPoller(s.FD())
	for range 100 {
		if err := poller.Wait(100 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		n, err := s.Receive()
		var got []string
		for i := range n {
			b, _ := s.Datagram(i)
			got = append(got, string(b))
		}
		if n > 0 || err != nil {
			return got, err
		}
	}
	t.Fatal("nothing came")
	return nil, nil
}

const (
	withBody = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP a\r\ncontent-length : 4\r\n\r\nbody"
	bodiless = "SIP/2.0 180 Ringing\r\nl: 0\r\n\r\n"
)

func TestStreamCutsMessages(t *testing.T) {
	s, c := other(t)
	if _, err := io.WriteString(c, withBody+bodiless+withBody); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < 3 {
		more, err := receive(t, s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, more...)
	}
	if strings.Join(got, "|") != withBody+"|"+bodiless+"|"+withBody {
		t.Errorf("got %q", got)
	}
	// Byte by byte.
	for i := range len(withBody) - 1 {
		if _, err := io.WriteString(c, withBody[i:i+1]); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			if n, err := s.Receive(); n > 0 || err != nil {
				t.Fatalf("%d messages, %v, after %d bytes", n, err, i+1)
			}
		}
	}
	if _, err := io.WriteString(c, withBody[len(withBody)-1:]+bodiless[:9]); err != nil {
		t.Fatal(err)
	}
	if got, err := receive(t, s); err != nil || len(got) != 1 || got[0] != withBody {
		t.Errorf("got %q, %v", got, err)
	}
	_ = c.Close()
	if _, err := receive(t, s); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestStreamRefuses(t *testing.T) {
	for _, text := range []string{
		"SIP/2.0 200 OK\r\nVia: a\r\n\r\n",
		"SIP/2.0 200 OK\r\nContent-Length: x\r\n\r\n",
		"SIP/2.0 200 OK\r\nContent-Length: 5000\r\n\r\n",
		strings.Repeat("x", mmsg.MaxDatagram+1),
	} {
		s, c := other(t)
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if got, err := receive(t, s); err == nil {
			t.Errorf("%.40q: got %q", text, got)
		}
	}
}

// TestStreamSendsAll fills the connection while nobody reads.
func TestStreamSendsAll(t *testing.T) {
	s, c := other(t)
	const count = 20_000
	message := strings.Repeat("m", 1000)
	read := make(chan int64, 1)
	go func() {
		time.Sleep(50 * time.Millisecond)
		n, _ := io.Copy(io.Discard, c)
		read <- n
	}()
	var stamp int64
	for range count {
		s.Queue(append(s.Slot(), message...), mmsg.Addr{}, &stamp)
	}
	s.Flush()
	if s.SendErrors() != 0 || stamp == 0 {
		t.Errorf("%d refused, stamp %d", s.SendErrors(), stamp)
	}
	s.Close()
	if n := <-read; n != count*int64(len(message)) {
		t.Errorf("%d bytes arrived", n)
	}
}

func TestStreamHasNoNetwork(t *testing.T) {
	free := netip.MustParseAddrPort("127.0.0.1:0")
	_, err := New(t.Context(), Config{
		Proxy: netip.MustParseAddrPort("127.0.0.1:9"), Caller: free, Answers: free, Busy: free, Silent: free,
		Stream: true, Network: Network{Loss: 0.5},
	})
	if err == nil {
		t.Error("a stream that loses was taken")
	}
}

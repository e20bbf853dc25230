package transport

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// watching is a Handler that notes what it is told of its backlog.
type watching struct {
	mu       *sync.Mutex
	backlogs *[]int
}

func (w watching) Receive(int64, Flow, []byte) {}

func (w watching) Failed(int64, Flow, []byte, error) {}

func (w watching) Backlog(_ int64, percent int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*w.backlogs = append(*w.backlogs, percent)
}

// TestBacklog: a worker that is slower than its senders is told how full its buffer is, falling as it catches up, and
// once that it has. It is told nothing otherwise.
func TestBacklog(t *testing.T) {
	defer goleak.VerifyNone(t)
	var mu sync.Mutex
	var backlogs []int
	told := func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(backlogs)
	}
	// What is read counts as taken until a quarter of the buffer can be given back (udp_rmem_release in Linux), so what
	// is sent here takes much more than that.
	const (
		sent       = 5*batchSize + batchSize/2
		readBuffer = 1 << 19
	)
	tr, err := Listen(Config{
		Listeners: []Listener{loopback(UDP)}, Workers: 1, ReadBuffer: readBuffer,
		NewHandler: func(*Sender) Handler { return watching{&mu, &backlogs} },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	c := udpPeer(t)
	for range sent {
		if _, err := c.WriteToUDPAddrPort([]byte(padding(1000)), tr.Listeners()[0].Addr); err != nil {
			t.Fatal(err)
		}
	}
	tr.Start() // All of it waits by now.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		got := told()
		if n := len(got); n > 1 && got[n-1] == 0 {
			if most := slices.Max(got); most < 10 || most > 100 || got[n-2] > most/2 || n > 7 {
				t.Errorf("backlogs %v", got)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("backlogs %v", got)
		}
	}
	before := len(told())
	for range 3 * batchSize {
		if _, err := c.WriteToUDPAddrPort([]byte(padding(1000)), tr.Listeners()[0].Addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	if after := len(told()); after > before+2 { // On a busy machine it may fall behind once.
		t.Errorf("told %d times while it kept up", after-before)
	}
}

package router

import (
	"testing"
	"time"
)

// TestPulse counts beats in real time: never more than there is time for, and one however many were missed.
func TestPulse(t *testing.T) {
	const every = 5 * time.Millisecond
	p, err := newPulse(every)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 20 {
		if !p.wait() {
			t.Fatal("no beat")
		}
	}
	if took := time.Since(start); took < 15*every { // Beats that a busy machine was late for do not come one by one.
		t.Errorf("20 beats of %v took %v", every, took)
	}
	time.Sleep(10 * every)
	start = time.Now()
	p.wait()
	p.wait()
	p.wait()
	if took := time.Since(start); took < every/2 {
		t.Errorf("beats that were missed come later: three took %v", took)
	}
	if n := testing.AllocsPerRun(5, func() { p.wait() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	ended := make(chan bool)
	go func() {
		for p.wait() {
		}
		ended <- true
	}()
	if err := p.close(); err != nil {
		t.Error(err)
	}
	<-ended
}

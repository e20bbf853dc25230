package transport

import "sync"

// failures keeps messages that could not be sent, with copies of their bytes.
type failures struct {
	list []failure
	data []byte
}

type failure struct {
	to         Flow
	begin, end int // of failures.data
	err        error
}

func (f *failures) len() int { return len(f.list) }

func (f *failures) add(to Flow, data []byte, err error) {
	begin := len(f.data)
	f.data = append(f.data, data...)
	f.list = append(f.list, failure{to: to, begin: begin, end: len(f.data), err: err})
}

// keepFailures is how many bytes a list keeps for its next use.
const keepFailures = 64 << 10

// reset forgets everything, and the memory of a bad hour as well.
func (f *failures) reset() {
	clear(f.list)
	f.list, f.data = f.list[:0], f.data[:0]
	if cap(f.data) > keepFailures {
		*f = failures{}
	}
}

// report calls the handler for each.
func (f *failures) report(now int64, h Handler) {
	for i := range f.list {
		e := &f.list[i]
		h.Failed(now, e.to, f.data[e.begin:e.end:e.end], e.err)
	}
}

// worker is a Handler, the Sender it sends with, and what belongs to both. One
// goroutine uses it at a time.
type worker struct {
	handler Handler
	sender  *Sender
	// spare takes turns with sender.failed: reporting a failure may send, and
	// that may fail again.
	spare failures
}

// maxRounds bounds how often reporting failures may lead to more of them in
// one go. A router that tries its next provider needs a few.
const maxRounds = 16

// settle sends what is queued and reports what fails, until nothing does. It
// is called with nothing of the handler on the stack.
func (w *worker) settle(now int64) {
	s := w.sender
	for range maxRounds {
		s.push()
		if s.failed.len() == 0 {
			return
		}
		w.spare, s.failed = s.failed, w.spare
		w.spare.report(now, w.handler)
		w.spare.reset()
	}
	s.push()
	if s.failed.len() > 0 {
		s.t.orphans.put(now, &s.failed)
	}
}

// maxOrphans and maxOrphanBytes bound the failures that wait for the transport
// to report them.
const (
	maxOrphans     = 4096
	maxOrphanBytes = 16 << 20
)

// orphans are failures that no goroutine with a handler is about to report.
type orphans struct {
	mu      sync.Mutex
	waiting failures
	now     int64
	// ready holds a token while something waits.
	ready   chan struct{}
	dropped func(reason string)
}

func newOrphans(dropped func(string)) *orphans {
	return &orphans{ready: make(chan struct{}, 1), dropped: dropped}
}

// put moves failures over and leaves the list empty.
func (o *orphans) put(now int64, f *failures) {
	o.mu.Lock()
	for i := range f.list {
		e := &f.list[i]
		if o.waiting.len() == maxOrphans || len(o.waiting.data) > maxOrphanBytes {
			o.dropped(DropFailureQueue)
			continue
		}
		o.waiting.add(e.to, f.data[e.begin:e.end], e.err)
	}
	o.now = now
	o.mu.Unlock()
	f.reset()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take swaps what waits for an empty list.
func (o *orphans) take(into *failures) (now int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting, *into = *into, o.waiting
	return o.now
}

// reportOrphans reports them with a handler of its own until the transport is
// closed.
func (t *Transport) reportOrphans(w worker) {
	defer t.running.Done()
	var f failures
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-t.orphans.ready:
		}
		now := t.orphans.take(&f)
		f.report(now, w.handler)
		f.reset()
		w.settle(now)
	}
}

package transaction

import (
	"math/bits"
	"sync"
)

// Buffers come in powers of two from 256 bytes to 64 KiB; larger ones, which only streams can bring, are left to the
// garbage collector.
const (
	smallestBits = 8
	largestBits  = 16
	slabBytes    = 64 << 10
)

// Buffers is a pool of byte slices for the messages that transactions keep. It is safe for concurrent use.
type Buffers struct {
	classes [largestBits - smallestBits + 1]bufferClass
}

type bufferClass struct {
	mu   sync.Mutex
	free [][]byte
	_    [32]byte // Keeps two classes out of one cache line.
}

// Copy returns a buffer with the bytes of b.
func (p *Buffers) Copy(b []byte) []byte { return append(p.Get(len(b)), b...) }

// Get returns an empty buffer with room for n bytes.
func (p *Buffers) Get(n int) []byte {
	c := 0
	if n > 1<<smallestBits {
		c = bits.Len(uint(n-1)) - smallestBits
	}
	if c >= len(p.classes) {
		return make([]byte, 0, n)
	}
	cl := &p.classes[c]
	size := 1 << (smallestBits + c)
	cl.mu.Lock()
	if len(cl.free) == 0 {
		// Small buffers are cut from one slab: fewer objects for the garbage collector to know.
		slab := make([]byte, max(slabBytes, size))
		for ; len(slab) >= size; slab = slab[size:] {
			cl.free = append(cl.free, slab[0:0:size])
		}
	}
	b := cl.free[len(cl.free)-1]
	cl.free = cl.free[:len(cl.free)-1]
	cl.mu.Unlock()
	return b
}

// Put takes a buffer back; nil is fine. Buffers that did not come from Get are left alone.
func (p *Buffers) Put(b []byte) {
	n := cap(b)
	if n < 1<<smallestBits || n > 1<<largestBits || n&(n-1) != 0 {
		return
	}
	cl := &p.classes[bits.Len(uint(n))-1-smallestBits]
	cl.mu.Lock()
	cl.free = append(cl.free, b[:0])
	cl.mu.Unlock()
}

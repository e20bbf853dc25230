package transaction

import (
	"math/bits"
	"sync"
)

// Buffers come in powers of two from 256 bytes to 64 KiB, and in one size half way between each two of them; larger
// ones, which only streams can bring, are left to the garbage collector.
const (
	smallestBits = 8
	largestBits  = 16
	numClasses   = 2*(largestBits-smallestBits) + 1
	slabBytes    = 64 << 10
)

// Buffers is a pool of byte slices for the messages that transactions keep. It is safe for concurrent use.
type Buffers struct {
	classes [numClasses]bufferClass
}

type bufferClass struct {
	mu   sync.Mutex
	free [][]byte
	_    [32]byte // Keeps two classes out of one cache line.
}

// classOf is the class whose buffers hold n bytes, and their size: 256, 384, 512, 768 and so on.
func classOf(n int) (class, size int) {
	if n <= 1<<smallestBits {
		return 0, 1 << smallestBits
	}
	k := bits.Len(uint(n - 1)) // 1<<(k-1) < n <= 1<<k
	if half := 3 << (k - 2); n <= half {
		return 2*(k-smallestBits) - 1, half
	}
	return 2 * (k - smallestBits), 1 << k
}

// Copy returns a buffer with the bytes of b.
func (p *Buffers) Copy(b []byte) []byte { return append(p.Get(len(b)), b...) }

// Get returns an empty buffer with room for n bytes.
func (p *Buffers) Get(n int) []byte {
	class, size := classOf(n)
	if class >= numClasses {
		return make([]byte, 0, n)
	}
	cl := &p.classes[class]
	cl.mu.Lock()
	if len(cl.free) == 0 {
		// Small buffers are cut from one slab: fewer objects for the garbage collector to know.
		slab := make([]byte, max(slabBytes, size))
		hugePages(slab)
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
	class, size := classOf(cap(b))
	if cap(b) != size || class >= numClasses {
		return
	}
	cl := &p.classes[class]
	cl.mu.Lock()
	cl.free = append(cl.free, b[:0])
	cl.mu.Unlock()
}

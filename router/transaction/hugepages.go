package transaction

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// heapStep is the least by which Go's heap grows, and what it aligns that to; a multiple of a huge page.
const heapStep = 4 << 20

// hugePages asks the system to back s, and what lies beside it in the heap, with huge pages. What a call keeps is left
// alone for 32 s and is then in no cache, and with 4 KiB pages the way to it is not either: in a virtual machine it is
// walked in two dimensions. Go leaves the choice to the system, and many systems ask for a wish
// (/sys/kernel/mm/transparent_hugepage/enabled: madvise). It is only a wish: what becomes of it is no matter.
func hugePages[T any](s []T) {
	from := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	to := from + uintptr(cap(s))*unsafe.Sizeof(*new(T))
	from &^= heapStep - 1 // Arenas of the heap are multiples of it, so all of this is the heap's.
	to = (to + heapStep - 1) &^ (heapStep - 1)
	_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, from, to-from, unix.MADV_HUGEPAGE)
}

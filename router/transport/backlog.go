package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watcher is a Handler that wants to know when its UDP worker falls behind.
//
// Datagrams wait in the socket's receive buffer, where the kernel drops those
// that find no room, whatever they say. How full the buffer is tells both how
// long the last of them will wait and how near that is. Asking costs a system
// call, so it is done only after a batch that was full: a worker that keeps up
// rarely sees one.
type Watcher interface {
	// Backlog tells how much of the receive buffer is taken, in percent,
	// after a full batch was read and before its messages are given to
	// Receive. After the first batch that is not full again it tells 0.
	Backlog(now int64, percent int)
}

// The fields of SO_MEMINFO (sock_diag(7)).
const (
	memRmemAlloc = 0
	memRcvbuf    = 1
	memDrops     = 8
)

// memInfo asks a socket for its buffers and drops; all zero when it cannot tell.
func memInfo(fd uintptr) (info [memDrops + 1]uint32) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		info = [memDrops + 1]uint32{}
	}
	return info
}

// watch tells the handler of the backlog. full says whether the batch that
// was read last was.
func (w *udpWorker) watch(fd uintptr, now int64, full bool) {
	w.behind = full
	if w.watcher == nil {
		return
	}
	percent := 0
	if full {
		if info := memInfo(fd); info[memRcvbuf] > 0 {
			percent = int(min(100*uint64(info[memRmemAlloc])/uint64(info[memRcvbuf]), 100))
		}
	}
	w.watcher.Backlog(now, percent)
}

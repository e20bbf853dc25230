// Package transport moves SIP messages between sockets and a handler, in
// batches: datagrams over UDP, framed messages over TCP and TLS. It frames
// streams by Content-Length (RFC 3261 section 18.3) and reads nothing else of a
// message.
//
// A datagram's way. Each UDP worker is one goroutine with one socket of its
// own (SO_REUSEPORT), one Handler and one Sender. It takes up to 64 datagrams
// with one system call, carries each to its end, and sends all that came of
// them with one more. Nothing on this way allocates, locks or starts a
// goroutine:
//
//	wait ────> recvmmsg ──> Handler.Receive ─┐ for each datagram
//	  ^                        Sender.Send <─┘ copies into the arena
//	  │                             │
//	  │                             v
//	  └── batch not full ───── sendmmsg ──> failures, ICMP ──> Handler.Failed
//
//	arena   | INVITE → B | 100 → A | INVITE → B | 180 → A | free ...      |
//	         one datagram each, in the order of Send       256 KiB, 64 at most
//
// Waiting is the poller's, or recvmmsg's own while the worker is busy and there
// is a processor to spare.
//
// A stream's way. Each connection has a goroutine that reads and one that
// writes when the kernel's buffer is full. Messages go to a Handler borrowed
// from a small pool:
//
//	bytes   | CRLF CRLF | INVITE ... CRLF CRLF body | CRLF | BYE ... | ACK ..
//	          ping: one   header block  | Content-     skipped  next   not yet
//	          CRLF back   <= MaxHeader  | Length                       whole
//
//	reader ──> framer ──> Handler.Receive ──> Sender.Send ──> queue of the
//	                                          connection ──> write, or writer
//
// A stream that breaks does not take its messages along: what the peer did not
// acknowledge goes over a new connection to the flow's Remote, once. So a
// request survives that its provider has been restarted since the last one,
// and a reply finds a caller whose connection is gone (RFC 3261 section
// 18.2.2), where the flow's Remote says what the caller's Via says.
//
// Failures are never reported from inside Send or Flush, because a handler
// may hold a lock while it sends. They are kept and reported by the goroutine
// that owns the Sender once it has nothing else on its stack, or by one
// goroutine of the transport for a Sender made with NewSender.
//
// A listener on a wildcard address (0.0.0.0 or ::) answers from the address
// that the request came to, which its Flow remembers. What is sent by a Flow
// that came from nowhere leaves from the address that the kernel chooses.
//
// The package is for Linux.
package transport

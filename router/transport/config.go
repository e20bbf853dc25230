package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime"
	"time"
)

// Defaults of Config.
const (
	// defaultMaxHeader and defaultMaxMessage are what a stream may make us
	// keep. A datagram can never be larger than 64 KiB anyway.
	defaultMaxHeader  = 64 << 10
	defaultMaxMessage = 256 << 10
	// defaultMessageTimeout is generous for a message of that size on a poor
	// line, and short for somebody who only wants to hold a connection.
	defaultMessageTimeout = 10 * time.Second
	// defaultIdleTimeout outlasts the pauses of a busy trunk; who wants to
	// keep an idle one pings (RFC 5626 section 4.4.1).
	defaultIdleTimeout = 10 * time.Minute
	// defaultFirstTimeout is for connections that nothing was ever said on: who
	// opens one has something to say.
	defaultFirstTimeout = 30 * time.Second
	// defaultDialTimeout leaves time for the next provider.
	defaultDialTimeout = 4 * time.Second
	// defaultWriteTimeout is how long a peer may take nothing at all.
	defaultWriteTimeout = 10 * time.Second
	// defaultHalfClosedTimeout is 64*T1: the replies to what a peer asked
	// before it stopped sending are due by then.
	defaultHalfClosedTimeout = 32 * time.Second

	defaultMaxConns          = 4096
	defaultMaxConnsPerSource = 256
	defaultWriteQueue        = 1 << 20
	// defaultSocketBuffer holds a burst of about 3,000 INVITEs while the
	// process waits for a processor.
	defaultSocketBuffer = 4 << 20
)

// Reasons given to Config.Dropped.
const (
	// DropSendBuffer counts datagrams that the kernel had no room for.
	DropSendBuffer = "send_buffer"
	// DropConnLimit counts connections refused or not opened because of
	// MaxConns or MaxConnsPerSource.
	DropConnLimit = "conn_limit"
	// DropStreamFraming counts connections closed because what came was no SIP
	// or had an unusable Content-Length.
	DropStreamFraming = "stream_framing"
	// DropStreamTimeout counts connections closed because a message or a TLS
	// handshake was not whole in time.
	DropStreamTimeout = "stream_timeout"
	// DropStreamUnused counts connections closed because nothing came over them
	// within FirstTimeout.
	DropStreamUnused = "stream_unused"
	// DropOversize counts connections closed because of MaxHeader or
	// MaxMessage.
	DropOversize = "oversize"
	// DropWriteQueue counts messages refused because of WriteQueue.
	DropWriteQueue = "write_queue"
	// DropFailureQueue counts failures of Senders made with NewSender that
	// were never reported because too many waited already.
	DropFailureQueue = "failure_queue"
)

// Config says what to listen on and what to allow. A limit of zero or less
// takes its default.
type Config struct {
	// Listeners are bound in this order; a Flow names them by index.
	Listeners []Listener
	// Workers is the number of sockets and reading goroutines per UDP
	// listener. Default: GOMAXPROCS less Spare.
	Workers int
	// Spare is how many of Go's processors (GOMAXPROCS) nobody else needs: UDP
	// workers that are busy take one each for as long as they are, even when
	// they wait. Default: none.
	Spare int
	// NewHandler makes the handler of one goroutine, given the Sender that
	// this goroutine flushes. It is called by Start only. Required.
	NewHandler func(*Sender) Handler

	// TLS is the server's side of TLS. Required when a listener speaks TLS.
	TLS *tls.Config
	// TLSClient gives the configuration, with the ServerName, for a TLS
	// connection that we open, by a Flow's Remote and Peer. Without it, or when it returns nil, the peer
	// must have a certificate for its address.
	TLSClient func(remote netip.AddrPort, peer uint16) *tls.Config

	// Now is the clock of Receive and Failed, in nanoseconds. It must be
	// monotonic and safe for concurrent use. Default: time since Listen.
	Now func() int64

	// MaxHeader is the size of a stream message's header block, in bytes,
	// including the empty line. Default 64 KiB.
	MaxHeader int
	// MaxMessage is the size of a whole stream message, in bytes. Default
	// 256 KiB.
	MaxMessage int
	// MessageTimeout is how long a stream message may take from its first to
	// its last byte, and a TLS handshake. Default 10 s.
	MessageTimeout time.Duration
	// IdleTimeout closes a connection on which nothing was sent or received
	// for so long. Default 10 min.
	IdleTimeout time.Duration
	// FirstTimeout closes an accepted connection on which no message has come
	// for so long. Default 30 s.
	FirstTimeout time.Duration
	// DialTimeout is how long opening a connection may take, TLS included.
	// Default 4 s.
	DialTimeout time.Duration
	// WriteTimeout closes a connection whose peer takes nothing for so long.
	// Default 10 s.
	WriteTimeout time.Duration
	// HalfClosedTimeout is how long replies may still leave on a connection
	// whose peer has stopped sending. Default 32 s.
	HalfClosedTimeout time.Duration

	// MaxConns is the number of accepted connections. As many again may be
	// dialled, so that strangers who fill the one cannot stop the other.
	// Default 4096.
	MaxConns int
	// MaxConnsPerSource is the number of accepted connections from one IPv4
	// address or IPv6 /64. Default 256.
	MaxConnsPerSource int
	// WriteQueue is how many bytes may wait on one connection. Default 1 MiB.
	WriteQueue int
	// ReadBuffer and WriteBuffer are asked for each UDP socket, in bytes.
	// Default 4 MiB. Without CAP_NET_ADMIN the kernel caps them.
	ReadBuffer, WriteBuffer int

	// Log takes a few lines a second at most. Default: none.
	Log *slog.Logger
	// Dropped counts what is not delivered, by one of the Drop constants. It
	// must be safe for concurrent use.
	Dropped func(reason string)
}

// withDefaults returns the configuration with every default filled in.
func (c Config) withDefaults() Config {
	c.Spare = min(max(c.Spare, 0), runtime.GOMAXPROCS(0)-1)
	setDefault(&c.Workers, runtime.GOMAXPROCS(0)-c.Spare)
	setDefault(&c.MaxHeader, defaultMaxHeader)
	setDefault(&c.MaxMessage, defaultMaxMessage)
	setDefault(&c.MessageTimeout, defaultMessageTimeout)
	setDefault(&c.IdleTimeout, defaultIdleTimeout)
	setDefault(&c.FirstTimeout, defaultFirstTimeout)
	setDefault(&c.DialTimeout, defaultDialTimeout)
	setDefault(&c.WriteTimeout, defaultWriteTimeout)
	setDefault(&c.HalfClosedTimeout, defaultHalfClosedTimeout)
	setDefault(&c.MaxConns, defaultMaxConns)
	setDefault(&c.MaxConnsPerSource, defaultMaxConnsPerSource)
	setDefault(&c.WriteQueue, defaultWriteQueue)
	setDefault(&c.ReadBuffer, defaultSocketBuffer)
	setDefault(&c.WriteBuffer, defaultSocketBuffer)
	c.MaxHeader = min(c.MaxHeader, c.MaxMessage)
	if c.Now == nil {
		start := time.Now()
		c.Now = func() int64 { return int64(time.Since(start)) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dropped == nil {
		c.Dropped = func(string) {}
	}
	return c
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// check finds what no default can mend.
func (c Config) check() error {
	if c.NewHandler == nil {
		return errors.New("transport: no handler")
	}
	if len(c.Listeners) == 0 || len(c.Listeners) > math.MaxUint16 {
		return fmt.Errorf("transport: %d listeners", len(c.Listeners))
	}
	for _, l := range c.Listeners {
		if l.Proto < UDP || l.Proto > TLS || !l.Addr.IsValid() {
			return fmt.Errorf("listening on %s: no such transport or address", l)
		}
		if l.Proto == TLS && c.TLS == nil {
			return fmt.Errorf("listening on %s: no certificate", l)
		}
	}
	return nil
}

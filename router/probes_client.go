package router

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers/health"
	"github.com/voipbin/dialrouter/router/transport"
)

// probeClient sends OPTIONS as a user agent.
type probeClient struct {
	r       *Router
	socket  *probeSocket
	agent   *sipgo.UserAgent
	client  *sipgo.Client
	reading sync.WaitGroup
}

// probeName is who we say that we are.
const probeName = "dialrouter"

// newProbeClient makes a user agent whose only socket is the given one.
func newProbeClient(r *Router, socket *probeSocket) (*probeClient, error) {
	// Its log would repeat what strangers send; what there is to say of a probe is said when a state changes.
	silent := slog.New(slog.DiscardHandler)
	c := &probeClient{r: r, socket: socket}
	var err error
	c.agent, err = sipgo.NewUA(
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(silent)),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(silent),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return nil, err
	}
	if c.client, err = sipgo.NewClient(c.agent, sipgo.WithClientLogger(silent)); err != nil {
		return nil, err
	}
	return c, nil
}

// start hands the socket to the agent, and waits until it knows it: it would open one of its own otherwise.
func (c *probeClient) start() {
	c.reading.Go(func() { _ = c.agent.TransportLayer().ServeUDP(c.socket) }) // It returns when the socket is closed.
	<-c.socket.read
}

func (c *probeClient) close() {
	_ = c.socket.Close()
	c.reading.Wait()
	_ = c.agent.Close() // It has nothing left to close.
}

// ask sends one OPTIONS for a domain to a hop and waits for its final response.
func (c *probeClient) ask(ctx context.Context, domain config.HostPort, hop transport.Flow) health.Answer {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	nonce := randomNonce()
	req := c.options(domain, hop, nonce)
	c.socket.expect(nonce, &probe{hop: hop, head: responseHead(req), fail: cancel})
	defer c.socket.forget(nonce)
	// The request is whole: nothing is to be added to it.
	res, err := c.client.Do(ctx, req, func(*sipgo.Client, *sip.Request) error { return nil })
	if err == nil {
		return health.Answer{Code: res.StatusCode}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return failedAnswer(err)
}

// failedAnswer tells apart why there was no response.
func failedAnswer(err error) health.Answer {
	if errors.Is(err, transport.ErrConnLimit) {
		return health.Answer{Err: err, Ours: true}
	}
	if handshake, ok := errors.AsType[*transport.HandshakeError](err); ok {
		return health.Answer{TLS: true, Err: handshake.Err}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return health.Answer{}
	}
	// The rest of the text names addresses and system calls, which say no more.
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	}
	return health.Answer{Err: err}
}

// options makes the request. It carries none of the provider's headers: they may hold secrets, and are for calls; whoever
// refuses a request without them is there all the same.
func (c *probeClient) options(domain config.HostPort, hop transport.Flow, nonce uint64) *sip.Request {
	us := &c.r.local[hop.Listener]
	host, port := us.sentBy.Host, int(us.sentBy.Port)
	to := sip.Uri{Scheme: "sip", Host: domain.Host, Port: int(domain.Port)}
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: hop.Proto.String(), Host: host, Port: port}
	via.Params.Add("branch", string(appendBranch(nil, probeMark, nonce, 0)))
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: probeName, Host: host, Port: port}}
	from.Params.Add("tag", rand.Text())
	contact := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: probeName, Host: host, Port: port}}
	switch hop.Proto {
	case transport.UDP:
		via.Params.Add("rport", "")
	case transport.TCP:
		contact.Address.UriParams.Add("transport", "tcp")
	case transport.TLS:
		contact.Address.UriParams.Add("transport", "tls")
	}
	callID, hops := sip.CallIDHeader(rand.Text()), sip.MaxForwardsHeader(70)

	req := sip.NewRequest(sip.OPTIONS, to)
	req.AppendHeader(via) // First: of a datagram that an ICMP error is about, only the first bytes come back.
	req.AppendHeader(&hops)
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: to})
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.OPTIONS})
	req.AppendHeader(contact)
	req.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	req.AppendHeader(sip.NewHeader("User-Agent", probeName))
	req.SetBody(nil)
	// The agent knows one socket, of datagrams; by which transport of ours the request goes is said by the Via alone.
	req.SetTransport("UDP")
	req.Laddr = sip.Addr{IP: net.IP(probeLocal.Addr().AsSlice()), Port: int(probeLocal.Port())}
	req.SetDestination(probeLocal.String())
	return req
}

// responseHead is what a response repeats of a request.
func responseHead(req *sip.Request) string {
	return req.Via().String() + "\r\n" + req.From().String() + "\r\n" + req.To().String() + "\r\n" +
		req.CallID().String() + "\r\n" + req.CSeq().String() + "\r\nContent-Length: 0\r\n\r\n"
}

func randomNonce() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return binary.BigEndian.Uint64(b[:])
}

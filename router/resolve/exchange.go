package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	payloadSize = 1232 // What we say we take over UDP: no fragments on any usual path.
	bufferSize  = 4096 // What we really take.
	rounds      = 2    // How often each server is asked.
	patience    = 2    // How many timeouts one question may last, whatever the number of servers.
)

// client asks recursive name servers one question at a time.
type client struct {
	timeout time.Duration // Of one question to one server.
	servers []string
	local   *localFiles   // Where the servers come from if it is set.
	start   atomic.Uint32 // Index of the server to ask first: not one that was silent.
}

var errMismatch = errors.New("the reply is not to our question")

// exchange returns the first usable reply of any server: one that says what there is, or that there is nothing. It
// lasts for patience at most.
func (c *client) exchange(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience*c.timeout)
	defer cancel()
	servers := c.servers
	if c.local != nil {
		servers = c.local.servers()
	}
	last := errors.New("no name servers are configured")
	for range rounds {
		silence := false
		start := int(c.start.Load())
		for i := range servers {
			n := (start + i) % len(servers)
			reply, err := c.ask(ctx, withPort(servers[n]), name, qtype)
			if err == nil {
				return reply, nil
			}
			last = err
			if isSilence(err) {
				silence = true
				c.start.Store(uint32(n + 1))
			}
			if ctx.Err() != nil {
				return nil, last
			}
		}
		if !silence { // All have spoken; asking again will not change their minds.
			break
		}
	}
	return nil, last
}

// rcodeError is a reply that does not answer the question.
type rcodeError int

func (e rcodeError) Error() string { return "it says " + dns.RcodeToString[int(e)] }

// isSilence says whether err is that no server said anything.
func isSilence(err error) bool {
	var spoken rcodeError
	return err != nil && !errors.As(err, &spoken)
}

// ask asks one server over UDP, without EDNS when that is not understood, and over TCP when the reply is truncated.
func (c *client) ask(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	reply, err := c.askOnce(ctx, "udp", server, question(name, qtype, true))
	if err == nil && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) {
		reply, err = c.askOnce(ctx, "udp", server, question(name, qtype, false))
	}
	if err == nil && reply.Truncated {
		reply, err = c.askOnce(ctx, "tcp", server, question(name, qtype, false))
	}
	if err == nil && reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError {
		err = rcodeError(reply.Rcode)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s for %s %s: %w", server, dns.TypeToString[qtype], name, err)
	}
	return reply, nil
}

func question(name string, qtype uint16, edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	if edns {
		m.SetEdns0(payloadSize, false)
	}
	return m
}

func (c *client) askOnce(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	packet, err := m.Pack()
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	// The socket is connected and its port is the system's choice, so that only the server, or who guesses the port
	// and the ID, can answer.
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if network == "tcp" {
		return overTCP(conn, packet, m)
	}
	return overUDP(conn, packet, m)
}

// overUDP waits for a reply to our question and takes no notice of anything else that arrives.
func overUDP(conn net.Conn, packet []byte, m *dns.Msg) (*dns.Msg, error) {
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	buf := make([]byte, bufferSize)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if reply, err := parseReply(buf[:n], m); err == nil {
			return reply, nil
		}
	}
}

func overTCP(conn net.Conn, packet []byte, m *dns.Msg) (*dns.Msg, error) {
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(packet)))
	if _, err := conn.Write(append(framed, packet...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	return parseReply(buf, m)
}

// parseReply reads a reply to m. One that is truncated may end anywhere, so of it only the beginning counts.
func parseReply(packet []byte, m *dns.Msg) (*dns.Msg, error) {
	reply := new(dns.Msg)
	err := reply.Unpack(packet)
	if err != nil && !reply.Truncated {
		return nil, err
	}
	if !reply.Response || reply.Id != m.Id || reply.Opcode != dns.OpcodeQuery {
		return nil, errMismatch
	}
	// A server that does not understand the message may leave the question out (RFC 6891 section 7).
	if len(reply.Question) == 0 && (reply.Rcode == dns.RcodeFormatError || reply.Rcode == dns.RcodeNotImplemented) {
		return reply, nil
	}
	if len(reply.Question) != 1 {
		return nil, errMismatch
	}
	got, want := reply.Question[0], m.Question[0]
	if got.Qtype != want.Qtype || got.Qclass != want.Qclass || !strings.EqualFold(got.Name, want.Name) {
		return nil, errMismatch
	}
	return reply, nil
}

// withPort adds the port of DNS to an address that has none.
func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "53")
}

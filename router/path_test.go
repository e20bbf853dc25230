package router

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transport"
)

// still is a store whose catalog never changes.
type still struct{ catalog *providers.Catalog }

func (s still) Catalog(context.Context) (*providers.Catalog, error) { return s.catalog, nil }
func (s still) Reload(context.Context) (*providers.Catalog, error)  { return s.catalog, nil }
func (s still) Changed() <-chan struct{}                            { return nil }
func (s still) Close() error                                        { return nil }
func (s still) Update(context.Context, providers.Actor, func(*providers.Draft) error) (*providers.Catalog, error) {
	return nil, providers.ErrReadOnly
}

// bed is a router whose messages a test hands to a worker directly, without waiting for sockets.
type bed struct {
	*Router

	w    *worker
	from transport.Flow // The caller.
	sink netip.AddrPort // The provider; reads nothing.
	now  int64

	contact string // The provider's Contact.
	target  string // Its URI.
	n       uint32 // Calls so far.
	msg     message.Message
	in      []byte
	route   []byte
	bye     []byte
}

// newBed makes a router with a provider that takes PCMU and PCMA behind the prefix 77, and 503s of which lead to
// the next.
func newBed(tb testing.TB) *bed {
	tb.Helper()
	var lc net.ListenConfig
	sink, err := lc.ListenPacket(tb.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sink.Close() })
	addr := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	dir := tb.TempDir()
	cfg, problems := config.Parse(dir+"/dialrouter.yaml", []byte("sip: {listen: ['udp://127.0.0.1:0']}\n"+
		"catalog: {file: providers.yaml}\nhealth: {interval: 0, failures: 0}\nlog: {level: warn}\n"))
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	cat, bad := filestore.Parse("providers.yaml", []byte(strings.ReplaceAll(`
providers:
  - {name: a, hostname: SINK, transport: udp, tech_prefix: "77", tech_headers: {X-Account: "42", X-Trace: t}, codecs: "PCMU,PCMA", targets: ["+1"], priority: 1}
  - {name: b, hostname: SINK, transport: udp, tech_prefix: "78", codecs: "PCMU,PCMA", targets: ["+1"], priority: 2}
`, "SINK", addr.String())), time.Unix(0, 0))
	if len(bad) > 0 {
		tb.Fatal(bad)
	}
	r, err := New(Options{Config: cfg, Store: still{cat}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return &bed{
		Router: r,
		w:      newWorker(r, r.tr.NewSender()),
		from:   transport.Flow{Proto: transport.UDP, Remote: addr},
		sink:   addr,
		now:    r.clock(),

		contact: "uas@" + addr.String(),
		target:  "sip:uas@" + addr.String(),
	}
}

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.5\r\ns=call\r\nc=IN IP4 127.0.0.5\r\nt=0 0\r\n" +
	"m=audio 40000 RTP/AVP 96 9 0 8 18 97 3 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1\r\n" +
	"a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n" +
	"a=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\na=rtpmap:3 GSM/8000\r\na=rtpmap:101 telephone-event/8000\r\n" +
	"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"

// request makes a request of the caller in b's call number n.
func (b *bed) request(dst []byte, method string, n uint32, uri string, route []byte, toTag, body string) []byte {
	dst = append(append(append(append(dst, method...), ' '), uri...), " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.5:5060;branch=z9hG4bK"...)
	dst = appendHex(append(dst, method...), uint64(n), 8)
	dst = append(dst, ";rport\r\n"...)
	if len(route) > 0 {
		dst = append(append(append(dst, "Route: "...), route...), "\r\n"...)
	}
	dst = append(dst, "Max-Forwards: 70\r\nFrom: \"Alice Example\" <sip:+15557654321@127.0.0.5>;tag=1uac1\r\nTo: <sip:15551234567@127.0.0.1:5060>"...)
	if toTag != "" {
		dst = append(append(dst, ";tag="...), toTag...)
	}
	dst = append(appendHex(append(dst, "\r\nCall-ID: "...), uint64(n), 8), "@127.0.0.5\r\nCSeq: 1 "...)
	dst = append(append(dst, method...), "\r\nContact: <sip:+15557654321@127.0.0.5:5060;transport=udp>\r\nUser-Agent: ExamplePBX/4.2.0 (load test)\r\n"+
		"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, PRACK\r\nSupported: timer, replaces, norefersub, 100rel\r\n"+
		"P-Asserted-Identity: \"Alice Example\" <sip:+15557654321@127.0.0.5>\r\n"...)
	if body != "" {
		dst = append(dst, "Content-Type: application/sdp\r\n"...)
	}
	dst = appendUint(append(dst, "Content-Length: "...), uint32(len(body)))
	return append(append(dst, "\r\n\r\n"...), body...)
}

// answer makes the provider's response to a request that the router sent.
func (b *bed) answer(dst []byte, m *message.Message, sent []byte, status string) []byte {
	if err := m.Parse(sent); err != nil {
		panic(err)
	}
	dst = append(append(append(dst, "SIP/2.0 "...), status...), "\r\n"...)
	for i := range m.Headers {
		switch h := &m.Headers[i]; h.Kind { //nolint:exhaustive // What a response copies.
		case message.Via, message.RecordRoute, message.From, message.CallID, message.CSeq:
			dst = append(dst, m.Bytes(h.Line)...)
		case message.To:
			dst = append(append(append(dst, "To: "...), m.Bytes(h.Value)...), ";tag=uas\r\n"...)
		}
	}
	return append(append(append(dst, "Contact: <sip:"...), b.contact...), ">\r\nContent-Length: 0\r\n\r\n"...)
}

// receive hands a message to the worker, as its socket would.
func (b *bed) receive(data []byte) {
	b.w.Receive(b.now, b.from, data)
	b.w.out.Flush(b.now)
}

// sent is a copy of what the router sent last.
func (b *bed) sent(dst []byte) []byte { return append(dst[:0], b.w.buf...) }

// callA is scenario A: INVITE, 100, 180, 200, ACK, BYE, 200. It advances the time, so that earlier calls go.
func (b *bed) callA() {
	b.begin()
	invite := b.bye[:0]
	invite = b.sent(invite)
	b.finish(invite)
}

// callB is scenario B: the first provider says 503.
func (b *bed) callB() {
	b.begin()
	b.bye = b.sent(b.bye)
	b.in = b.answer(b.in[:0], &b.msg, b.bye, "503 Service Unavailable")
	b.receive(b.in)
	invite := b.sent(b.bye)
	b.finish(invite)
}

func (b *bed) begin() {
	b.n++
	b.now += int64(20 * time.Millisecond)
	b.w.turn(b.now)
	b.in = b.request(b.in[:0], "INVITE", b.n, "sip:15551234567@127.0.0.1:5060", nil, "", offer)
	b.receive(b.in)
}

func (b *bed) finish(invite []byte) {
	b.bye = invite
	for _, status := range [...]string{"100 Trying", "180 Ringing", "200 OK"} {
		b.in = b.answer(b.in[:0], &b.msg, invite, status)
		b.receive(b.in)
	}
	if err := b.msg.Parse(b.w.buf); err != nil || b.msg.Status != 200 {
		panic("the caller got no 200")
	}
	b.route = append(b.route[:0], b.msg.Value(message.RecordRoute)...)
	b.in = b.request(b.in[:0], "ACK", b.n, b.target, b.route, "uas", "")
	b.receive(b.in)
	b.in = b.request(b.in[:0], "BYE", b.n, b.target, b.route, "uas", "")
	b.receive(b.in)
	b.bye = b.sent(b.bye)
	b.in = b.answer(b.in[:0], &b.msg, b.bye, "200 OK")
	b.receive(b.in)
}

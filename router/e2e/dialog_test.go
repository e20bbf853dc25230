package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// caller opens a peer that speaks to the router over UDP.
func (n *node) caller(t *testing.T) *peer {
	t.Helper()
	p := newPeer(t)
	p.transport, p.router = "udp", n.udp
	return p
}

// tcpCaller opens a peer that speaks to the router over TCP.
func (n *node) tcpCaller(t *testing.T) *peer {
	t.Helper()
	p := newPeer(t)
	p.transport, p.router = "tcp", n.tcp
	return p
}

// speaks points an existing peer at the router.
func (p *peer) speaks(n *node, transport string) *peer {
	p.transport, p.router = transport, n.udp
	switch transport {
	case "tcp":
		p.router = n.tcp
	case "tls":
		p.router = n.tls
	}
	return p
}

// via is a Via value of the peer with a branch of its own.
func (p *peer) via(transport string) string {
	return fmt.Sprintf("SIP/2.0/%s %s;branch=%s", strings.ToUpper(transport), p.addr, newBranch())
}

// request begins a request outside a dialog to a number at the carrier's host.
func (p *peer) request(method, number string) *draft {
	return p.requestTo(method, "sip:"+number+"@carrier.example")
}

// requestTo begins a request outside a dialog to a Request-URI.
func (p *peer) requestTo(method, uri string) *draft {
	d := &draft{start: method + " " + uri + " SIP/2.0"}
	d.add(
		"Via: "+p.via(p.transport),
		"Max-Forwards: 70",
		"From: \"Asterisk\" <sip:+15550001@"+p.addr.Addr().String()+">;tag="+newToken("from"),
		"To: <"+uri+">",
		"Call-ID: "+newToken("call")+"@e2e",
		fmt.Sprintf("CSeq: %d %s", 100, method),
		"Contact: "+p.contact(p.transport),
	)
	return d
}

// invite begins an INVITE to a number.
func (p *peer) invite(number string) *draft { return p.request("INVITE", number) }

// dialog is one side's view of a dialog (RFC 3261 section 12).
type dialog struct {
	self          *peer
	transport     string // Of requests when the route does not say.
	local, remote string // From and To of the requests of this side.
	callID        string
	cseq          int
	routes        []string
	target        string
}

// callerDialog is the caller's view, made of its INVITE and a reply with a To tag.
func (p *peer) callerDialog(inv *draft, rep *msg) *dialog {
	routes := rep.list("Record-Route")
	slices.Reverse(routes)
	number, _ := parse(inv.text()).cseq()
	return &dialog{
		self: p, transport: p.transport, local: inv.get("From"), remote: rep.get("To"), callID: rep.get("Call-ID"),
		cseq: number, routes: routes, target: inBrackets(rep.get("Contact")),
	}
}

// calleeDialog is the provider's view, made of the INVITE it got and the reply it sent.
func (p *peer) calleeDialog(inv *msg, rep *draft) *dialog {
	return &dialog{
		self: p, transport: inv.transport(), local: rep.get("To"), remote: inv.get("From"), callID: inv.get("Call-ID"),
		cseq: 900, routes: inv.list("Record-Route"), target: inBrackets(inv.get("Contact")),
	}
}

// request begins the next request of this side.
func (d *dialog) request(method string) *draft {
	d.cseq++
	return d.requestWith(method, d.cseq)
}

// requestWith begins a request with a CSeq number of the test's own: the ACK's is its INVITE's.
func (d *dialog) requestWith(method string, cseq int) *draft {
	next, _ := d.next()
	r := &draft{start: method + " " + d.target + " SIP/2.0"}
	r.add("Via: " + d.self.via(next))
	for _, route := range d.routes {
		r.add("Route: " + route)
	}
	return r.add(
		"Max-Forwards: 70",
		"From: "+d.local,
		"To: "+d.remote,
		"Call-ID: "+d.callID,
		fmt.Sprintf("CSeq: %d %s", cseq, method),
		"Contact: "+d.self.contact(next),
	)
}

// ack makes the ACK to a 2xx.
func (d *dialog) ack(rep *msg) *draft {
	number, _ := rep.cseq()
	return d.requestWith("ACK", number).del("Contact")
}

// next is the transport and the URI of the next hop: the first Route, or the remote target.
func (d *dialog) next() (transport, uri string) {
	uri = d.target
	if len(d.routes) > 0 {
		uri = inBrackets(d.routes[0])
	}
	transport, _ = destination(uri)
	return transport, uri
}

// send puts a request on the way to the next hop.
func (d *dialog) send(t *testing.T, w wire) {
	t.Helper()
	_, uri := d.next()
	transport, addr := destination(uri)
	d.self.sendTo(t, transport, addr, w)
}

// established is a call that was answered: both sides' dialogs, and what made them.
type established struct {
	a, b       *dialog
	sent       *draft // A's INVITE.
	got        *msg   // B's INVITE.
	answered   *draft // B's 200.
	answeredAt *msg   // A's copy of it.
}

// establish places a call that b answers with 180, 200, and a gets and ACKs.
func establish(t *testing.T, a, b *peer, inv *draft) *established {
	t.Helper()
	return establishWith(t, a, b, inv, func(*draft) {})
}

// establishWith is establish with a 200 that the test completes.
func establishWith(t *testing.T, a, b *peer, inv *draft, answer func(ok *draft)) *established {
	t.Helper()
	a.send(t, inv)
	of := inv.get("Call-ID")
	e := &established{sent: inv, got: b.expect(t, request("INVITE").of(of))}
	b.answer(t, e.got, 180)
	a.expect(t, status(180).of(of))
	e.answered = b.reply(e.got, 200)
	answer(e.answered)
	b.respond(t, e.got, e.answered)
	e.answeredAt = a.expect(t, status(200).of(of))
	e.a, e.b = a.callerDialog(inv, e.answeredAt), b.calleeDialog(e.got, e.answered)
	e.a.send(t, e.a.ack(e.answeredAt))
	b.expect(t, request("ACK").of(of))
	return e
}

// hangUp ends the call by a BYE from a side.
func (d *dialog) hangUp(t *testing.T, other *peer) {
	t.Helper()
	bye := d.request("BYE")
	d.send(t, bye)
	other.answer(t, other.expect(t, request("BYE").of(d.callID)), 200)
	d.self.expect(t, status(200).to("BYE").of(d.callID))
}

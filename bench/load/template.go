//go:build linux

package load

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/voipbin/dialrouter/bench/table"
)

// The offer is what a PBX with many codecs sends. What remains of it must be sdpFiltered. The session and the port are of
// one call; see description.
const (
	anySession = "3926418312"
	anyPort    = "40000"

	sdpHead = "v=0\r\no=- " + anySession + " " + anySession + " IN IP4 %s\r\ns=call\r\nc=IN IP4 %[1]s\r\nt=0 0\r\n"

	sdpOffer = "m=audio " + anyPort + " RTP/AVP 96 9 0 8 18 97 3 101\r\na=rtpmap:96 opus/48000/2\r\n" +
		"a=fmtp:96 minptime=10;useinbandfec=1\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n" +
		"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\na=rtpmap:3 GSM/8000\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"

	sdpFiltered = "m=audio " + anyPort + " RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"

	sdpAnswer = "v=0\r\no=sbc " + anySession + " " + anySession + " IN IP4 %s\r\ns=sbc\r\nc=IN IP4 %[1]s\r\nt=0 0\r\n" +
		"m=audio " + anyPort + " RTP/AVP 0 101\r\n" +
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
)

// description is a session description that is another one for each call, as those of real user agents are: its
// session, and its port.
type description struct {
	text    []byte
	session int // Where the session's number begins, and after a blank its version.
	port    int
}

func describe(text string) description {
	return description{[]byte(text), strings.Index(text, anySession), strings.Index(text, anyPort)}
}

// of returns the description of a call. It is valid until the next one.
func (d *description) of(id uint32) []byte {
	const digits = len(anySession)
	session := 3_000_000_000 + uint64(id)
	putDigits(d.text[d.session:d.session+digits], session)
	putDigits(d.text[d.session+digits+1:d.session+2*digits+1], session)
	putDigits(d.text[d.port:d.port+len(anyPort)], 10_000+2*uint64(id%25_000))
	return d.text
}

// putDigits fills b with the last decimal digits of v.
func putDigits(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

const (
	userAgent = "User-Agent: ExamplePBX/4.2.0 (load test)\r\n"
	server    = "Server: ExampleSBC/7.1\r\n"
)

// callerText is what the caller's messages are put together from: everything but the number dialled, the number of
// the call and what the dialog brings. It is made once per run.
type callerText struct {
	run uint32

	toProxy    string // After the number dialled: host, version, and the Via up to the call's number.
	via        string // After another Request-URI: version, and the Via up to the call's number.
	identity   string // Max-Forwards, and From up to the call's number in its tag.
	callID     string // Between From tag and Call-ID.
	afterID    string // Rest of the Call-ID.
	toURI      string // To up to the number dialled.
	inviteTail string // After the number dialled: the rest of the INVITE but for its body.
	offer      description
	ackTail    string
	byeTail    string

	// Of calls with a re-INVITE.
	renewTail, renewAckTail, lateByeTail string
}

func newCallerText(caller, proxy netip.AddrPort, stream bool, run uint32) *callerText {
	transport := "udp"
	if stream {
		transport = "tcp"
	}
	ip := caller.Addr().String()
	offer := describe(fmt.Sprintf(sdpHead, ip) + sdpOffer)
	via := fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK-%08x-", strings.ToUpper(transport), caller, run)
	return &callerText{
		run:      run,
		toProxy:  fmt.Sprintf("@%s SIP/2.0\r\n%s", proxy, via),
		via:      " SIP/2.0\r\n" + via,
		identity: fmt.Sprintf("Max-Forwards: 70\r\nFrom: \"Alice Example\" <sip:+15557654321@%s>;tag=%08xa", ip, run),
		callID:   "\r\nCall-ID: ",
		afterID:  fmt.Sprintf("-%08x@%s\r\n", run, ip),
		toURI:    "To: <sip:",
		inviteTail: fmt.Sprintf("@%s>\r\nCSeq: 1 INVITE\r\n"+
			"Contact: <sip:+15557654321@%s;transport=%s>\r\n"+userAgent+
			"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, PRACK\r\n"+
			"Supported: timer, replaces, norefersub, 100rel\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n"+
			"P-Asserted-Identity: \"Alice Example\" <sip:+15557654321@%s>\r\n"+
			"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n", proxy, caller, transport, ip, len(offer.text)),
		offer:   offer,
		ackTail: "CSeq: 1 ACK\r\n" + userAgent + "Content-Length: 0\r\n\r\n",
		byeTail: "CSeq: 2 BYE\r\n" + userAgent + "Content-Length: 0\r\n\r\n",

		renewTail: fmt.Sprintf("CSeq: %d INVITE\r\nContact: <sip:+15557654321@%s;transport=%s>\r\n"+userAgent+
			"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n", cseqRenew, caller, transport, len(offer.text)),
		renewAckTail: fmt.Sprintf("CSeq: %d ACK\r\n"+userAgent+"Content-Length: 0\r\n\r\n", cseqRenew),
		lateByeTail:  fmt.Sprintf("CSeq: %d BYE\r\n"+userAgent+"Content-Length: 0\r\n\r\n", cseqRenew+1),
	}
}

// Branches of a call differ in their last letter.
const (
	branchInvite   = '0'
	branchAck      = '1'
	branchBye      = '2'
	branchRenew    = '3'
	branchRenewAck = '4'
)

// cseqRenew is the CSeq number of the re-INVITE.
const cseqRenew = 2

func (t *callerText) invite(b []byte, id uint32, n *table.Number) []byte {
	b = append(append(append(b, "INVITE sip:"...), n.Dial...), t.toProxy...)
	b = t.dialog(b, id, branchInvite, nil)
	b = append(append(b, t.toURI...), n.Dial...)
	return append(append(b, t.inviteTail...), t.offer.of(id)...)
}

// dialog appends what follows "branch=z9hG4bK-run-": the call's number and all headers up to Call-ID.
func (t *callerText) dialog(b []byte, id uint32, branch byte, routes []byte) []byte {
	b = append(appendHex(b, id), '-', branch)
	b = append(append(b, ";rport\r\n"...), routes...)
	b = append(b, t.identity...)
	b = append(appendHex(b, id), t.callID...)
	return append(appendHex(b, id), t.afterID...)
}

// request appends an ACK or a BYE of the dialog that a 2xx made.
func (t *callerText) request(b []byte, method string, branch byte, id uint32, target, routes, to []byte, tail string) []byte {
	b = append(append(append(b, method...), target...), t.via...)
	b = t.dialog(b, id, branch, routes)
	return append(append(b, to...), tail...)
}

// ackRejected appends the ACK for a final reply that is no 2xx: same branch and Request-URI as the INVITE.
func (t *callerText) ackRejected(b []byte, id uint32, n *table.Number, to []byte) []byte {
	b = append(append(append(b, "ACK sip:"...), n.Dial...), t.toProxy...)
	b = t.dialog(b, id, branchInvite, nil)
	return append(append(b, to...), t.ackTail...)
}

// providerText is what a provider's replies end with.
type providerText struct {
	contact []byte // The URI in Contact, and so the Request-URI of what comes within the dialog.
	ringing string
	accept  string      // Of a 200 to an INVITE, but for its body.
	answer  description // Its body.
	filter  description // The body that must arrive.
	caller  []byte      // What the caller's Vias hold: where it is.
}

func newProviderText(provider, caller netip.AddrPort) *providerText {
	ip := provider.Addr().String()
	answer := describe(fmt.Sprintf(sdpAnswer, ip))
	contact := fmt.Sprintf("sip:%s;transport=udp", provider)
	head := "Contact: <" + contact + ">\r\n" + server
	return &providerText{
		contact: []byte(contact),
		ringing: head + "Content-Length: 0\r\n\r\n",
		accept: head + "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nSupported: timer\r\nRequire: timer\r\n" +
			"Session-Expires: 1800;refresher=uac\r\nContent-Type: application/sdp\r\n" +
			fmt.Sprintf("Content-Length: %d\r\n\r\n", len(answer.text)),
		answer: answer,
		caller: []byte(" " + caller.String() + ";"),
		filter: describe(fmt.Sprintf(sdpHead, caller.Addr()) + sdpFiltered),
	}
}

// accepting appends what a 200 to the INVITE of a call ends with.
func (t *providerText) accepting(b []byte, id uint32) []byte {
	return append(append(b, t.accept...), t.answer.of(id)...)
}

const (
	emptyTail = server + "Content-Length: 0\r\n\r\n"
	busyTail  = server + "Reason: Q.850;cause=42;text=\"Switching equipment congestion\"\r\nContent-Length: 0\r\n\r\n"
)

// appendHex appends eight hexadecimal digits.
func appendHex(b []byte, v uint32) []byte {
	const digits = "0123456789abcdef"
	return append(b, digits[v>>28], digits[v>>24&15], digits[v>>20&15], digits[v>>16&15],
		digits[v>>12&15], digits[v>>8&15], digits[v>>4&15], digits[v&15])
}

// parseHex reads eight hexadecimal digits.
func parseHex(b []byte) (v uint32, ok bool) {
	if len(b) < 8 {
		return 0, false
	}
	for _, c := range b[:8] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}

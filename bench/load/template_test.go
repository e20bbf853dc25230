//go:build linux

package load

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/voipbin/dialrouter/bench/table"
)

func parse(t *testing.T, b []byte) sip.Message {
	t.Helper()
	m, err := sip.ParseMessage(b)
	if err != nil {
		t.Fatalf("sipgo does not read it: %v\n%s", err, b)
	}
	return m
}

func text() *callerText {
	cfg := DefaultConfig()
	return newCallerText(cfg.Caller, cfg.Proxy, false, 0xabcdef01)
}

func dialled() *table.Number {
	return &table.Number{Dial: "15551234567", First: "770115551234567", Second: "770215551234567"}
}

func TestInviteIsSIP(t *testing.T) {
	b := text().invite(nil, 42, dialled())
	req, ok := parse(t, b).(*sip.Request)
	if !ok || req.Method != sip.INVITE || req.Recipient.User != "15551234567" || req.Recipient.Host != "127.0.0.1" {
		t.Fatalf("got %v", req)
	}
	if len(b) < 1100 || len(b) > 1300 {
		t.Errorf("the INVITE has %d bytes, want about 1,200", len(b))
	}
	if got := int(*req.ContentLength()); got != len(req.Body()) || got == 0 {
		t.Errorf("Content-Length %d, body %d", got, len(req.Body()))
	}
	if via := req.Via(); via.Host != "127.0.0.5" || via.Port != 5060 || !has(via.Params, "rport") || !strings.HasPrefix(param(via.Params, "branch"), "z9hG4bK-abcdef01-0000002a") {
		t.Errorf("Via %v", via)
	}
	if cseq := req.CSeq(); cseq.SeqNo != 1 || cseq.MethodName != sip.INVITE {
		t.Errorf("CSeq %v", cseq)
	}
	if to := req.To(); to.Address.User != "15551234567" || has(to.Params, "tag") {
		t.Errorf("To %v", to)
	}
	if c := req.Contact(); c == nil || c.Address.Host != "127.0.0.5" {
		t.Errorf("Contact %v", c)
	}
	if got := strings.Count(string(req.Body()), "a=rtpmap:"); got != 8 {
		t.Errorf("%d codecs, want 8", got)
	}
}

// TestDescriptionsDiffer is for proxies that remember bodies: no two calls have the same.
func TestDescriptionsDiffer(t *testing.T) {
	tx := text()
	for id, lines := range map[uint32][]string{
		42: {"\r\no=- 3000000042 3000000042 IN IP4 127.0.0.5\r\n", "\r\nm=audio 10084 RTP/AVP 96 "},
		43: {"\r\no=- 3000000043 3000000043 IN IP4 127.0.0.5\r\n", "\r\nm=audio 10086 RTP/AVP 96 "},
	} {
		invite := string(tx.invite(nil, id, dialled()))
		for _, line := range lines {
			if !strings.Contains(invite, line) {
				t.Errorf("call %d: no %q in\n%s", id, line, invite)
			}
		}
	}
}

func has(p sip.HeaderParams, name string) bool { return p.Has(name) }

func param(p sip.HeaderParams, name string) string {
	v, _ := p.Get(name)
	return v
}

func TestRequestsOfOneDialog(t *testing.T) {
	tx := text()
	invite := parse(t, tx.invite(nil, 7, dialled())).(*sip.Request)
	to := []byte("To: <sip:15551234567@127.0.0.1:5060>;tag=uas1\r\n")
	target, routes := []byte("sip:127.0.0.2:5060;transport=udp"), []byte("Route: <sip:127.0.0.1;lr;k=v>\r\n")
	branches := map[string]bool{param(invite.Via().Params, "branch"): true}
	for _, test := range []struct {
		method sip.RequestMethod
		b      []byte
		seq    uint32
	}{
		{sip.ACK, tx.request(nil, "ACK ", branchAck, 7, target, routes, to, tx.ackTail), 1},
		{sip.BYE, tx.request(nil, "BYE ", branchBye, 7, target, routes, to, tx.byeTail), 2},
	} {
		req := parse(t, test.b).(*sip.Request)
		if req.Method != test.method || req.CSeq().SeqNo != test.seq || req.CSeq().MethodName != test.method {
			t.Errorf("%s: CSeq %v", req.Method, req.CSeq())
		}
		if req.CallID().Value() != invite.CallID().Value() || req.From().Value() != invite.From().Value() {
			t.Errorf("%s is of another dialog: %v %v", test.method, req.CallID(), req.From())
		}
		if param(req.To().Params, "tag") != "uas1" || req.Route() == nil || req.Recipient.Host != "127.0.0.2" {
			t.Errorf("%s: To %v, Route %v, Request-URI %v", test.method, req.To(), req.Route(), req.Recipient)
		}
		branch := param(req.Via().Params, "branch")
		if branches[branch] {
			t.Errorf("%s: branch %s serves twice", test.method, branch)
		}
		branches[branch] = true
	}
	ack := parse(t, tx.ackRejected(nil, 7, dialled(), to)).(*sip.Request)
	if param(ack.Via().Params, "branch") != param(invite.Via().Params, "branch") || ack.Recipient.String() != invite.Recipient.String() {
		t.Errorf("the ACK for a rejection must be of the INVITE's transaction: %v", ack)
	}
}

func TestRepliesAreSIP(t *testing.T) {
	cfg := DefaultConfig()
	p := newProviderText(cfg.Answers, cfg.Caller)
	invite := text().invite(nil, 9, dialled())
	var m message
	if !m.scan(invite) {
		t.Fatal("the INVITE was not read")
	}
	for _, test := range []struct {
		line, tag, tail string
		code, body      int
	}{
		{"SIP/2.0 180 Ringing\r\n", "uas", p.ringing, 180, 0},
		{"SIP/2.0 200 OK\r\n", "uas", string(p.accepting(nil, 9)), 200, 187},
		{"SIP/2.0 503 Service Unavailable\r\n", "bsy", busyTail, 503, 0},
		{"SIP/2.0 200 OK\r\n", "", emptyTail, 200, 0},
	} {
		res, ok := parse(t, append(appendHead(nil, test.line, &m, true, test.tag), test.tail...)).(*sip.Response)
		if !ok || res.StatusCode != test.code || int(*res.ContentLength()) != len(res.Body()) {
			t.Errorf("%q became %v", test.line, res)
			continue
		}
		if (test.body > 0) != (len(res.Body()) > 0) {
			t.Errorf("%d has a body of %d bytes", test.code, len(res.Body()))
		}
		if got := has(res.To().Params, "tag"); got != (test.tag != "") {
			t.Errorf("%d: To %v", test.code, res.To())
		}
	}
}

func TestHex(t *testing.T) {
	for _, v := range []uint32{0, 1, 0x89abcdef, 0xffffffff} {
		if got, ok := parseHex(appendHex(nil, v)); !ok || got != v {
			t.Errorf("%08x became %08x", v, got)
		}
	}
	for _, bad := range []string{"", "1234567", "1234567g", "ABCDEF01"} {
		if _, ok := parseHex([]byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

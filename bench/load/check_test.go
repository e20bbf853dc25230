//go:build linux

package load

import (
	"strconv"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/bench/table"
)

// dressed returns the INVITE as a proxy that makes no mistake hands it to the provider.
func dressed(t *testing.T) string {
	t.Helper()
	n := dialled()
	s := string(text().invite(nil, 3, n))
	head, _, _ := strings.Cut(s, "\r\n\r\n")
	body := string(filtered(3))
	head = strings.Replace(head, "INVITE sip:"+n.Dial+"@127.0.0.1:5060", "INVITE sip:"+n.First+"@127.0.0.2:5060", 1)
	head = strings.Replace(head, "\r\nVia:", "\r\nRecord-Route: <sip:127.0.0.1;lr;k=abc>\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\nVia:", 1)
	head = strings.Replace(head, "Max-Forwards: 70", "Max-Forwards: 69", 1)
	at := strings.Index(head, "Content-Length: ")
	head = head[:at] + "Content-Length: " + strconv.Itoa(len(body))
	return head + "\r\nX-Account: " + table.Account + "\r\nX-Trace-Id: abc\r\n\r\n" + body
}

// filtered is the body that a provider must get.
func filtered(id uint32) []byte {
	return newProviderText(DefaultConfig().Answers, DefaultConfig().Caller).filter.of(id)
}

func TestInviteChecks(t *testing.T) {
	replace := func(old, by string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				panic("the message holds no " + old)
			}
			return strings.Replace(s, old, by, 1)
		}
	}
	tests := map[string]struct {
		change func(string) string
		want   []fault
	}{
		"nothing wrong":           {func(s string) string { return s }, nil},
		"names in other case":     {replace("X-Account", "x-aCCount"), nil},
		"no prefix":               {replace("sip:7701", "sip:"), []fault{faultRequestURI}},
		"other provider's prefix": {replace("sip:7701", "sip:7702"), []fault{faultRequestURI}},
		"longer number":           {replace("4567@127.0.0.2", "45678@127.0.0.2"), []fault{faultRequestURI}},
		"no X-Account":            {replace("X-Account: acme-0001\r\n", ""), []fault{faultAccount}},
		"other X-Account":         {replace("acme-0001", "acme-0002"), []fault{faultAccount}},
		"X-Account twice":         {replace("X-Account:", "X-Account: acme-0001\r\nX-Account:"), []fault{faultAccount}},
		"no X-Trace-Id":           {replace("X-Trace-Id: abc\r\n", ""), []fault{faultTrace}},
		"empty X-Trace-Id":        {replace("X-Trace-Id: abc", "X-Trace-Id: "), []fault{faultTrace}},
		"wrong Content-Length":    {replace("Content-Length: ", "Content-Length: 1"), []fault{faultContentLength}},
		"codec left in m-line":    {replace("RTP/AVP 0 8 101", "RTP/AVP 0 8 9 101"), []fault{faultCodecs, faultContentLength}},
		"codecs in other order":   {replace("RTP/AVP 0 8 101", "RTP/AVP 8 0 101"), []fault{faultCodecs}},
		"rtpmap left":             {replace("a=ptime", "a=rtpmap:9 G722/8000\r\na=ptime"), []fault{faultCodecs, faultContentLength}},
		"body missing":            {func(s string) string { return s[:strings.Index(s, "v=0")] }, []fault{faultCodecs, faultContentLength}},
		"no Record-Route":         {replace("Record-Route: <sip:127.0.0.1;lr;k=abc>\r\n", ""), []fault{faultRecordRoute}},
		"Max-Forwards kept":       {replace("Max-Forwards: 69", "Max-Forwards: 70"), []fault{faultMaxForwards}},
		"no Via of the proxy":     {replace("Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\n", ""), []fault{faultVia}},
	}
	body := filtered(3)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var m message
			if !m.scan([]byte(test.change(dressed(t)))) {
				t.Fatal("not read")
			}
			var want faults
			for _, f := range test.want {
				want.addIf(true, f)
			}
			if got := checkInvite(&m, dialled().First, body); got != want {
				t.Errorf("got faults %b, want %b", got, want)
			}
		})
	}
}

func TestDialogChecks(t *testing.T) {
	const ack = "ACK sip:127.0.0.2:5060;transport=udp SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKy\r\n" +
		"Via: SIP/2.0/UDP 127.0.0.5;branch=z9hG4bKx\r\nMax-Forwards: 69\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n" +
		"Call-ID: 00000001-00000002@h\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
	tests := map[string]struct {
		old, new string
		own      bool
		want     faults
	}{
		"nothing wrong": {"", "", false, 0},
		"other target":  {"ACK sip:127.0.0.2:5060;transport=udp", "ACK sip:127.0.0.1", false, 1 << faultTarget},
		"Route left":    {"Max-Forwards", "Route: <sip:127.0.0.1;lr>\r\nMax-Forwards", false, 1 << faultLeftRoute},
		"hop kept":      {"Max-Forwards: 69", "Max-Forwards: 70", false, 1 << faultMaxForwards},
		"no Via":        {"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKy\r\n", "", false, 1 << faultVia},
		"proxy's own":   {"Via: SIP/2.0/UDP 127.0.0.5;branch=z9hG4bKx\r\nMax-Forwards: 69", "Max-Forwards: 70", true, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var m message
			if !m.scan([]byte(strings.Replace(ack, test.old, test.new, 1))) {
				t.Fatal("not read")
			}
			if got := checkInDialog(&m, []byte("sip:127.0.0.2:5060;transport=udp"), test.own); got != test.want {
				t.Errorf("got faults %b, want %b", got, test.want)
			}
		})
	}
}

func TestFaultsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for f := range faultCount {
		if name := f.String(); name == "unknown" || seen[name] {
			t.Errorf("fault %d is called %q", f, name)
		} else {
			seen[name] = true
		}
	}
}

func TestScanRefuses(t *testing.T) {
	whole := dressed(t)
	for name, s := range map[string]string{
		"empty":          "",
		"no line end":    "INVITE sip:a@b SIP/2.0",
		"other protocol": strings.Replace(whole, "SIP/2.0\r\n", "HTTP/1.1\r\n", 1),
		"no empty line":  whole[:strings.Index(whole, "\r\n\r\n")],
		"no Call-ID":     strings.Replace(whole, "Call-ID", "Call-IX", 1),
		"no Via":         strings.ReplaceAll(whole, "Via:", "Vix:"),
		"too many Vias":  strings.Replace(whole, "Via:", strings.Repeat("Via: x\r\n", 8)+"Via:", 1),
		"bad status":     "SIP/2.0 2x0 OK\r\n\r\n",
	} {
		var m message
		if m.scan([]byte(s)) {
			t.Errorf("%s: was read", name)
		}
	}
}

package router

import (
	"testing"

	"github.com/voipbin/dialrouter/router/message"
)

func TestNumbersThatAreNamed(t *testing.T) {
	w := newBed(t).w
	for line, want := range map[string]string{
		"RAck: 1 100 INVITE":                       "RAck: 1 101 INVITE",
		"RAck: 776656  \t100\tINVITE":              "RAck: 776656  \t101\tINVITE",
		"RAck: 1 100":                              "RAck: 1 101",
		"RAck: 1100 INVITE":                        "",
		"RAck: 1 4294967296 INVITE":                "",
		"RAck: 1 -1 INVITE":                        "",
		"RAck: 1":                                  "",
		"RAck:":                                    "",
		"Event: refer;id=100":                      "Event: refer;id=101",
		"o: Refer ; x=\";id=7\" ; ID = 101 ;y":     "o: Refer ; x=\";id=7\" ; ID = 109 ;y",
		"Event: refer":                             "",
		"Event: refer;id=":                         "",
		"Event: refer;id=1x":                       "",
		"Event: presence;id=100":                   "",
		"Event: refer2;id=100":                     "",
		"X-Event: refer;id=100":                    "",
		"Event: refer;id=100\r\nEvent: refer;id=1": "Event: refer;id=101\r\nEvent: refer;id=1",
	} {
		m := &w.msg
		text := "SUBSCRIBE sip:a SIP/2.0\r\n" + line + "\r\n\r\n"
		if err := m.Parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		p := path{renumber: true, sealed: true, cookie: cookie{numbered: true, numbering: numbering{100, 1}}}
		if n, _, ok := rackOf(m); ok {
			p.rack = p.cookie.numbering.out(n)
		}
		w.edits.Reset()
		w.numberOthers(m, &p)
		if want == "" {
			want = line
		}
		if got := string(w.edits.Apply(nil, m.Buf)); got != "SUBSCRIBE sip:a SIP/2.0\r\n"+want+"\r\n\r\n" {
			t.Errorf("%q becomes\n%s", line, got)
		}
	}
	var m message.Message
	if _, _, ok := rackOf(&m); ok {
		t.Error("RAck in nothing")
	}
}

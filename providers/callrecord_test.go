package providers_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

func TestCallRecordJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 23, 10, 0, 0, 1000, time.UTC)
	id := uuid.MustParse("4dbeabd6-f397-4375-95d2-a38411e07ed1")
	for _, test := range []struct {
		name string
		in   providers.CallRecord
		want string
	}{
		{
			"empty",
			providers.CallRecord{CustomerID: providers.Everyone, Start: at, End: at, FinalStatus: 404, Outcome: "no_route"},
			`{"call_id":"","number":"","customer_id":"00000000-0000-0000-0000-000000000001","tm_start":"2026-04-23T10:00:00.000001Z",` +
				`"tm_end":"2026-04-23T10:00:00.000001Z","final_status":404,"outcome":"no_route","attempts":[],"skipped":[]}`,
		},
		{
			"full",
			providers.CallRecord{
				CallID: "x@y", Number: "+1", CustomerID: id, Start: at, End: at.Add(2 * time.Second), FinalStatus: 200, Outcome: "answered",
				Attempts: []providers.CallAttempt{
					{ProviderID: id, ProviderName: "a", RequestURI: "sip:+1@a", Destination: "udp:192.0.2.1:5060", Cause: "no_reply", Next: "n"},
					{
						ProviderID: id, ProviderName: "b", RequestURI: "sip:+1@b", Destination: "tcp:[::1]:5060", Status: 200, Cause: "answered",
						Reply: 400 * time.Microsecond, Ringing: 1500 * time.Microsecond, Answer: 2 * time.Second, Next: "answered",
					},
				},
				Skipped: []providers.SkippedProvider{{ProviderID: id, ProviderName: "c", Reason: "disabled"}},
			},
			`{"call_id":"x@y","number":"+1","customer_id":"` + id.String() + `","tm_start":"2026-04-23T10:00:00.000001Z",` +
				`"tm_end":"2026-04-23T10:00:02.000001Z","final_status":200,"outcome":"answered","attempts":[` +
				`{"provider_id":"` + id.String() + `","provider_name":"a","request_uri":"sip:+1@a","destination":"udp:192.0.2.1:5060","status":null,` +
				`"cause":"no_reply","reply_ms":null,"ringing_ms":null,"answer_ms":null,"next":"n"},` +
				`{"provider_id":"` + id.String() + `","provider_name":"b","request_uri":"sip:+1@b","destination":"tcp:[::1]:5060","status":200,` +
				`"cause":"answered","reply_ms":0,"ringing_ms":2,"answer_ms":2000,"next":"answered"}],` +
				`"skipped":[{"provider_id":"` + id.String() + `","provider_name":"c","reason":"disabled"}]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(test.in)
			if err != nil || string(text) != test.want {
				t.Errorf("%v\n%s, want\n%s", err, text, test.want)
			}
		})
	}
}

package router

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// TestWordsOfAttempts checks what is said of an attempt that ended in each way, and of what came of it, where a call over
// sockets does not show it easily.
func TestWordsOfAttempts(t *testing.T) {
	a := &card{name: "a", noReply: 2 * time.Second, noRinging: 12 * time.Second, answer: time.Minute, limits: providers.Limits{Calls: 10, CPS: 0.5}}
	b := &card{name: "b", noAddress: "nowhere.example has no address", uriHead: []byte("sip:"), uriTail: []byte("@b")}
	redirect := fact{card: a, how: howRedirect, uri: 3, uriLen: 5}
	for _, test := range []struct {
		tries []fact
		skips []skip
		end   ending
		want  string // Of the first attempt.
	}{
		{[]fact{{card: a, cause: causeNoReply}, {card: b}}, nil, endedNobody, "no reply within 2s; b next"},
		{[]fact{{card: a, cause: causeNoReply}, {card: a, how: howAddress}}, nil, endedNobody, "no reply within 2s; its next address"},
		{[]fact{{card: a, cause: causeNoReply}, {card: a, how: howDatagram}}, nil, endedNobody, "no reply within 2s; the same by UDP"},
		{[]fact{{card: a, cause: causeTransport}, {card: a, how: howAddress}}, nil, endedNobody, "it could not be reached; its next address"},
		{[]fact{{card: a, cause: causeRedirected, status: 302}, redirect}, nil, endedNobody, "302; redirected to sip:x"},
		{[]fact{{card: a, cause: causeOverload, status: 503}, {card: a, how: howOnceAgain}}, nil, endedNobody, "503; the same once more"},
		{[]fact{{card: a, cause: causeNoRinging}}, nil, endedAttempts, "no ringing within 12s; max_attempts 7 reached"},
		{[]fact{{card: a, cause: causeNoAnswer}}, nil, endedTimedOut, "it rang for 1m and nobody answered"},
		{[]fact{{card: a, cause: causeNoAnswer}}, nil, endedSetup, "no answer within the 1m30s that a call may take"},
		{[]fact{{card: a, cause: causeOverload, status: 503}}, nil, endedSetup, "503; the 1m30s that a call may take are over"},
		{[]fact{{card: a, cause: causeNoReply, ringing: 1}}, nil, endedRinging, "no reply within 2s; nobody else is tried after ringing"},
		{[]fact{{card: a, cause: causeCancelled, status: 180}, {card: b, cause: causeAnswered}}, nil, endedAnswered, "another attempt was answered; b next"},
		{[]fact{{card: a, cause: causeServerError, status: 500}}, nil, endedCancelled, "500; the caller hung up"},
		{[]fact{{card: a, cause: causeCancelled, status: 487}}, nil, endedCancelled, "the caller hung up"},
		{[]fact{{card: a, cause: causeAnswered, status: 200}}, nil, endedAnswered, "answered"},
		{[]fact{{card: a, cause: causeNone}}, nil, endedNobody, "it had not ended; nobody is left to try"},
		{
			[]fact{{card: a, cause: causeNotFound, status: 404}, {card: b, ordinal: 1}},
			[]skip{
				{card: b, why: skipDisabled, after: 0},
				{card: a, why: skipCalls, n: 12, after: 1},
				{card: a, why: skipRate, after: 1},
				{card: b, why: skipNoAddress, after: 1},
				{card: b, why: skipCodecs, after: 1},
				{card: b, why: skipDisabled, after: 1},
				{card: b, why: skipDisabled, after: 2},
			},
			endedNobody,
			"404; skipped a: 12 of 10 calls in use; skipped a: its 0.5 calls per second are used up; skipped b: nowhere.example has no address; " +
				"skipped 2 more; b next",
		},
		{
			[]fact{{card: a, cause: causeNotFound, status: 404}},
			[]skip{{id: uuid.UUID{7}, why: skipUnknown, after: 1}, {card: b, why: skipAttempts, n: 7, after: 1}},
			endedAttempts,
			"404; skipped 07000000-0000-0000-0000-000000000000: no such provider; max_attempts 7 reached",
		},
	} {
		e := entry{tries: test.tries, skips: test.skips, ending: test.end, setup: 90 * time.Second, attempts: 7, text: []byte("id1sip:x"), callID: 2, number: 1}
		if got := e.next(0); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestWordsOfEverything checks that each cause, ending and reason has words of its own.
func TestWordsOfEverything(t *testing.T) {
	c := &card{name: "a", noAddress: "away"}
	seen := make(map[string]string)
	note := func(what, words string) {
		if words == "" || strings.Contains(words, "  ") {
			t.Errorf("%s: %q", what, words)
		}
		if other, ok := seen[words]; ok && !strings.HasPrefix(what, "cause") {
			t.Errorf("%s and %s: %q", what, other, words)
		}
		seen[words] = what
	}
	for s := skipUnknown; s <= skipAttempts; s++ {
		note(fmt.Sprint("skip ", s), (&skip{card: c, why: s}).String())
	}
	for cause := range numCauses {
		for end := endedNobody; end <= endedRinging; end++ {
			e := entry{tries: []fact{{card: c, cause: cause, status: 499}}, ending: end}
			if words := e.next(0); words == "" || strings.HasSuffix(words, "; ") || strings.HasPrefix(words, ";") {
				t.Errorf("cause %v, ending %d: %q", cause, end, words)
			}
		}
	}
}

func TestPlainDurations(t *testing.T) {
	for in, want := range map[time.Duration]string{
		2 * time.Second: "2s", time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 500 * time.Millisecond: "500ms",
		30*time.Second + 1: "30s", 2500 * time.Millisecond: "2.5s", 0: "0s", 10 * time.Second: "10s",
	} {
		if got := plain(in); got != want {
			t.Errorf("%d: %q, want %q", in, got, want)
		}
	}
}

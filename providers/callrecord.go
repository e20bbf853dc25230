package providers

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// CallRecord is what became of a call, and why it went where it went. It covers the setting up of the call: what
// follows an answer passes without leaving a trace here.
type CallRecord struct {
	CallID      string    // Its first 256 bytes.
	Number      string    // As it was sent, without what providers have before and after it; its first 256 bytes.
	CustomerID  uuid.UUID // Everyone when the caller named none.
	Start       time.Time // When the INVITE came.
	End         time.Time // When its final response went out: for an answered call, when it was answered.
	FinalStatus int       // What the caller got.
	Outcome     string    // As in the metric dialrouter_calls_total.
	Attempts    []CallAttempt
	Skipped     []SkippedProvider
}

// CallAttempt is one provider that was tried, at one of its addresses.
type CallAttempt struct {
	ProviderID   uuid.UUID
	ProviderName string
	RequestURI   string
	Destination  string        // transport:address:port.
	Status       int           // The last one that came; 0 when none did.
	Cause        string        // As in the metric dialrouter_attempts_total.
	Reply        time.Duration // From the INVITE to the first response; 0 when none came.
	Ringing      time.Duration // To the first 18x; 0 when none came.
	Answer       time.Duration // To the 2xx; 0 when none came.
	Next         string        // Why the next provider was tried, or was not.
}

// SkippedProvider is one that was planned and could not be tried.
type SkippedProvider struct {
	ProviderID   uuid.UUID `json:"provider_id"`
	ProviderName string    `json:"provider_name"` // "" when there is no such provider.
	Reason       string    `json:"reason"`
}

// CallQuery says which records are wanted. A zero field asks for nothing.
type CallQuery struct {
	Number     string    // Exactly this one.
	ProviderID uuid.UUID // That was tried.
	CustomerID uuid.UUID
	Outcome    string
	Before     uint64 // Only those older than the page that ended here.
	Limit      int    // At most so many.
}

type callJSON struct {
	CallID      string            `json:"call_id"`
	Number      string            `json:"number"`
	CustomerID  uuid.UUID         `json:"customer_id"`
	TmStart     string            `json:"tm_start"`
	TmEnd       string            `json:"tm_end"`
	FinalStatus int               `json:"final_status"`
	Outcome     string            `json:"outcome"`
	Attempts    []CallAttempt     `json:"attempts"`
	Skipped     []SkippedProvider `json:"skipped"`
}

type attemptJSON struct {
	ProviderID   uuid.UUID `json:"provider_id"`
	ProviderName string    `json:"provider_name"`
	RequestURI   string    `json:"request_uri"`
	Destination  string    `json:"destination"`
	Status       *int      `json:"status"`
	Cause        string    `json:"cause"`
	ReplyMS      *int64    `json:"reply_ms"`
	RingingMS    *int64    `json:"ringing_ms"`
	AnswerMS     *int64    `json:"answer_ms"`
	Next         string    `json:"next"`
}

// MarshalJSON writes the record as the API and the file of calls show it.
func (c CallRecord) MarshalJSON() ([]byte, error) {
	j := callJSON{
		CallID: c.CallID, Number: c.Number, CustomerID: c.CustomerID, TmStart: FormatTime(c.Start), TmEnd: FormatTime(c.End),
		FinalStatus: c.FinalStatus, Outcome: c.Outcome, Attempts: c.Attempts, Skipped: c.Skipped,
	}
	if j.Attempts == nil {
		j.Attempts = []CallAttempt{}
	}
	if j.Skipped == nil {
		j.Skipped = []SkippedProvider{}
	}
	return json.Marshal(j)
}

// MarshalJSON writes the attempt; what did not happen is null.
func (a CallAttempt) MarshalJSON() ([]byte, error) {
	j := attemptJSON{
		ProviderID: a.ProviderID, ProviderName: a.ProviderName, RequestURI: a.RequestURI, Destination: a.Destination,
		Cause: a.Cause, ReplyMS: milliseconds(a.Reply), RingingMS: milliseconds(a.Ringing), AnswerMS: milliseconds(a.Answer),
		Next: a.Next,
	}
	if a.Status != 0 {
		j.Status = &a.Status
	}
	return json.Marshal(j)
}

// milliseconds returns whole ones; nil for what did not happen.
func milliseconds(d time.Duration) *int64 {
	if d <= 0 {
		return nil
	}
	ms := d.Round(time.Millisecond).Milliseconds()
	return &ms
}

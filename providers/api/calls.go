package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// outcomes are the ways in which a call ends.
func outcomes() []any {
	return []any{"answered", "busy", "rejected", "no_route", "cancelled", "failed", "timeout"}
}

// calls lists the records of the last calls, the newest first.
func (a *API) calls(x *exchange) (any, error) {
	q, err := readCallQuery(x.r)
	if err != nil {
		return nil, err
	}
	answer := list[providers.CallRecord]{Result: []providers.CallRecord{}}
	found, next := a.router.Calls(q)
	answer.Result = append(answer.Result, found...)
	if next > 0 {
		answer.NextPageToken = strconv.FormatUint(next, 10)
	}
	return answer, nil
}

func readCallQuery(r *http.Request) (providers.CallQuery, error) {
	query := r.URL.Query()
	var q providers.CallQuery
	var err error
	if q.Limit, err = readPageSize(r); err != nil {
		return q, err
	}
	if token := query.Get("page_token"); token != "" {
		if q.Before, err = strconv.ParseUint(token, 10, 64); err != nil || q.Before == 0 {
			return q, invalidParameter("page_token", "is not one that a list gave")
		}
	}
	// In a query a plus is a space, which no number has.
	q.Number = strings.Replace(query.Get("number"), " ", "+", 1)
	if q.Outcome = query.Get("outcome"); q.Outcome != "" && !slices.Contains(outcomes(), any(q.Outcome)) {
		return q, invalidParameter("outcome", "is not one that a call has")
	}
	for name, id := range map[string]*uuid.UUID{"provider_id": &q.ProviderID, "customer_id": &q.CustomerID} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		var ok bool
		if *id, ok = parseID(text); !ok {
			return q, invalidParameter(name, "is not a UUID")
		}
	}
	return q, nil
}

// call reads the record of one call.
func (a *API) call(x *exchange) (any, error) {
	c, ok := a.router.Call(x.r.PathValue("call_id"))
	if !ok {
		return nil, &fault{
			code: http.StatusNotFound, status: statusNotFound, reason: "CALL_NOT_FOUND",
			message: "No call with this Call-ID is on record: it is still being set up, or was too long ago.",
		}
	}
	return c, nil
}

func callSchema() dict {
	milliseconds := func(what string) dict {
		return nullable(integer("Milliseconds from its INVITE to " + what + "; null when none came."))
	}
	provider := []property{
		{name: "provider_id", schema: uuidSchema("Which provider.")},
		{name: "provider_name", schema: text("Its name then; none when there is no such provider.")},
	}
	attempt := append(provider[:2:2],
		property{name: "request_uri", schema: text("What it was asked for.")},
		property{name: "destination", schema: text("transport:address:port.")},
		property{name: "status", schema: nullable(integer("The last status that it sent; null when it sent none."))},
		property{name: "cause", schema: text("Why the attempt ended, as in the metric dialrouter_attempts_total.")},
		property{name: "reply_ms", schema: milliseconds("the first response of any kind")},
		property{name: "ringing_ms", schema: milliseconds("the first 18x")},
		property{name: "answer_ms", schema: milliseconds("the 2xx")},
		property{name: "next", schema: text("Why the next provider was tried, or was not, in words.")})
	skipped := append(provider[:2:2], property{name: "reason", schema: text("Why it was not tried, in words.")})
	return read("What became of a call, and why.",
		property{name: "call_id", schema: text("Its first 256 bytes.")},
		property{name: "number", schema: text("As it was sent, without what providers have before and after it; its first 256 bytes.")},
		property{name: "customer_id", schema: uuidSchema("Whose call; " + providers.Everyone.String() + " is everyone's.")},
		property{name: "tm_start", schema: timeSchema("When the INVITE came.")},
		property{name: "tm_end", schema: timeSchema("When its final response went out: for an answered call, when it was answered.")},
		property{name: "final_status", schema: integer("What the caller got.")},
		property{name: "outcome", schema: oneOf("How it ended.", outcomes()...)},
		property{name: "attempts", schema: listOf(read("A provider that was tried, at one of its addresses.", attempt...),
			"In order; of more than 32 the first 31 and the last.")},
		property{name: "skipped", schema: listOf(read("A provider that was planned and not tried.", skipped...),
			"With the reason; at most 32.")})
}

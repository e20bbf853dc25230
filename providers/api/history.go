package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
)

// revision is one change of the catalog as the audit shows it.
type revision struct {
	N        int64           `json:"n"`
	Time     string          `json:"time"`
	By       providers.Actor `json:"by"`
	From     string          `json:"from"`
	Revision string          `json:"revision"`
	Entries  []auditEntry    `json:"entries"`
}

type auditEntry struct {
	Kind   providers.Kind  `json:"kind"`
	Verb   providers.Verb  `json:"verb"`
	ID     uuid.UUID       `json:"id"`
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before"` // Null for what was created.
	After  json.RawMessage `json:"after"`
}

// history returns what the store remembers.
func (a *API) history() (providers.History, error) {
	if h, ok := a.store.(providers.History); ok {
		return h, nil
	}
	return nil, &fault{
		code: http.StatusServiceUnavailable, status: statusUnavailable, reason: "HISTORY_UNAVAILABLE",
		message: "This catalog keeps no history.",
	}
}

// audit lists the changes of the catalog, the newest first.
func (a *API) audit(x *exchange) (any, error) {
	size, err := readPageSize(x.r)
	if err != nil {
		return nil, err
	}
	var before int64
	if token := x.r.URL.Query().Get("page_token"); token != "" {
		if before, err = strconv.ParseInt(token, 10, 64); err != nil || before < 1 {
			return nil, invalidParameter("page_token", "is not one that a list gave")
		}
	}
	h, err := a.history()
	if err != nil {
		return nil, err
	}
	answer := list[revision]{Result: []revision{}}
	found, err := h.Audit(x.r.Context(), before, size)
	if err != nil {
		return nil, err
	}
	for i := range found {
		answer.Result = append(answer.Result, revisionOf(&found[i]))
		answer.NextPageToken = strconv.FormatInt(found[i].N, 10)
	}
	return answer, nil
}

func revisionOf(r *providers.Revision) revision {
	shown := revision{
		N: r.N, Time: providers.FormatTime(r.Time), By: r.By, From: r.From, Revision: r.Revision,
		Entries: make([]auditEntry, len(r.Entries)),
	}
	for i, e := range r.Entries {
		shown.Entries[i] = auditEntry(e)
	}
	return shown
}

// restoreAnswer is what a restored catalog holds.
type restoreAnswer struct {
	Restored  int64  `json:"restored"`
	Revision  string `json:"revision"`
	Providers int    `json:"providers"`
	Routes    int    `json:"routes"`
}

// restore brings an earlier catalog back.
func (a *API) restore(x *exchange) (any, error) {
	n, err := strconv.ParseInt(x.r.PathValue("n"), 10, 64)
	if err != nil || n < 1 {
		return nil, &fault{
			code: http.StatusBadRequest, status: statusInvalidArgument, reason: "INVALID_ID",
			message: "The number in the path is not that of a revision.",
		}
	}
	h, err := a.history()
	if err != nil {
		return nil, err
	}
	c, err := h.Restore(x.r.Context(), x.actor(), n)
	if errors.Is(err, providers.ErrNotFound) {
		return nil, &fault{
			code: http.StatusNotFound, status: statusNotFound, reason: "REVISION_NOT_FOUND",
			message: fmt.Sprintf("There is no revision %d, or its content is no longer kept.", n),
		}
	}
	if err != nil {
		return nil, err
	}
	a.awaitInForce(x.r.Context(), c.Revision)
	return restoreAnswer{Restored: n, Revision: c.Revision, Providers: len(c.Providers), Routes: len(c.Routes)}, nil
}

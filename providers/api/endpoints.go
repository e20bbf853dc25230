package api

import (
	"encoding/json"
	"net/http"
)

// endpoint is one thing that is served, and what the OpenAPI document says of it.
type endpoint struct {
	method, path string
	open         bool // Needs no token.
	write        bool // Needs ProjectSuperAdmin.
	handle       func(*exchange) (any, error)

	tag, name, summary string
	parameters         []string // Of the components. Those in the path come by themselves.
	body, answer       string   // Schemas of the components; a body of "" is none.
	faults             []int    // Statuses besides those that all like it have.
	etag               bool     // The answer has one.
}

// endpoints is all that is served.
func (a *API) endpoints() []endpoint {
	p, r := a.providers(), a.routes()
	const (
		conflict   = http.StatusConflict
		failed     = http.StatusPreconditionFailed
		gone       = http.StatusNotFound
		bad        = http.StatusBadRequest
		away       = http.StatusServiceUnavailable
		badGateway = http.StatusBadGateway
	)
	paging := []string{"page_size", "page_token"}
	return []endpoint{
		{
			method: http.MethodPost, path: loginPath, open: true, handle: a.login,
			tag: "Auth", name: "login", summary: "Get a token for a name and a password. It comes as a cookie too.",
			body: "Login", answer: "Session", faults: []int{bad, http.StatusUnauthorized, http.StatusTooManyRequests},
		},
		{
			method: http.MethodGet, path: "/v1.0/providers", handle: p.list,
			tag: "Provider", name: "listProviders", summary: "List providers, the newest first.",
			parameters: paging, answer: "ProviderList", faults: []int{bad},
		},
		{
			method: http.MethodPost, path: "/v1.0/providers", write: true, handle: p.post,
			tag: "Provider", name: "createProvider", summary: "Create a provider.",
			body: "ProviderWrite", answer: "Provider", faults: []int{bad, conflict, away}, etag: true,
		},
		{
			method: http.MethodPost, path: "/v1.0/providers/setup", write: true, handle: a.setup,
			tag: "Provider", name: "setupProvider",
			summary: "Make a trunk at a carrier and the provider that leads to it: both or nothing.",
			body:    "ProviderSetup", answer: "Provider",
			faults: []int{bad, conflict, http.StatusUnprocessableEntity, badGateway, away}, etag: true,
		},
		{
			method: http.MethodGet, path: "/v1.0/providers/{id}", handle: p.get,
			tag: "Provider", name: "getProvider", summary: "Read a provider.",
			answer: "Provider", faults: []int{bad, gone}, etag: true,
		},
		{
			method: http.MethodPut, path: "/v1.0/providers/{id}", write: true, handle: p.put,
			tag: "Provider", name: "replaceProvider", summary: "Replace a provider. A field that is left out has its default.",
			parameters: []string{"If-Match"}, body: "ProviderWrite", answer: "Provider",
			faults: []int{bad, gone, conflict, failed, away}, etag: true,
		},
		{
			method: http.MethodDelete, path: "/v1.0/providers/{id}", write: true, handle: p.delete,
			tag: "Provider", name: "deleteProvider",
			summary: "Delete a provider. No call uses it any more; routes that lead to it are skipped.", parameters: []string{"If-Match"},
			answer: "Provider", faults: []int{bad, gone, conflict, failed, away}, etag: true,
		},
		{
			method: http.MethodGet, path: "/v1.0/providers/{id}/stats", handle: a.stats,
			tag: "Provider", name: "getProviderStats", summary: "Say what became of a provider's calls, and why it goes behind others.",
			answer: "ProviderStats", faults: []int{bad, gone},
		},
		{
			method: http.MethodGet, path: "/v1.0/routes", handle: r.list,
			tag: "Route", name: "listRoutes", summary: "List routes, the newest first.",
			parameters: append(paging, "customer_id"), answer: "RouteList", faults: []int{bad},
		},
		{
			method: http.MethodPost, path: "/v1.0/routes", write: true, handle: r.post,
			tag: "Route", name: "createRoute", summary: "Create a route.",
			body: "RouteWrite", answer: "Route", faults: []int{bad, conflict, away}, etag: true,
		},
		{
			method: http.MethodGet, path: "/v1.0/routes/{id}", handle: r.get,
			tag: "Route", name: "getRoute", summary: "Read a route.",
			answer: "Route", faults: []int{bad, gone}, etag: true,
		},
		{
			method: http.MethodPut, path: "/v1.0/routes/{id}", write: true, handle: r.put,
			tag: "Route", name: "replaceRoute", summary: "Replace a route. A field that is left out has its default.",
			parameters: []string{"If-Match"}, body: "RouteWrite", answer: "Route",
			faults: []int{bad, gone, conflict, failed, away}, etag: true,
		},
		{
			method: http.MethodDelete, path: "/v1.0/routes/{id}", write: true, handle: r.delete,
			tag: "Route", name: "deleteRoute", summary: "Delete a route.", parameters: []string{"If-Match"},
			answer: "Route", faults: []int{bad, gone, conflict, failed, away}, etag: true,
		},
		{
			method: http.MethodPost, path: "/v1.0/plan", handle: a.plan,
			tag: "Call", name: "planCall", summary: "Say what would become of a call, without placing it.",
			body: "PlanRequest", answer: "Plan", faults: []int{bad},
		},
		{
			method: http.MethodGet, path: "/v1.0/calls", handle: a.calls,
			tag: "Call", name: "listCalls", summary: "List what became of the last calls, the newest first.",
			parameters: []string{"page_size", "call_token", "number", "provider_id", "calls_customer_id", "outcome"},
			answer:     "CallList", faults: []int{bad},
		},
		{
			method: http.MethodGet, path: "/v1.0/calls/{call_id}", handle: a.call,
			tag: "Call", name: "getCall", summary: "Say what became of the newest call with a Call-ID, and why.",
			answer: "Call", faults: []int{gone},
		},
		{
			method: http.MethodGet, path: "/v1.0/audit", handle: a.audit,
			tag: "History", name: "listRevisions", summary: "List the changes of the catalog, the newest first.",
			parameters: []string{"page_size", "revision_token"}, answer: "RevisionList", faults: []int{bad, away},
		},
		{
			method: http.MethodPost, path: "/v1.0/revisions/{n}/restore", write: true, handle: a.restore,
			tag: "History", name: "restoreRevision", summary: "Make the catalog what it was at a revision, as a new one.",
			answer: "Restored", faults: []int{bad, gone, conflict, away},
		},
		{
			method: http.MethodPost, path: "/v1.0/reload", write: true, handle: a.reload,
			tag: "Router", name: "reload", summary: "Read the catalog again, now.",
			answer: "Reloaded", faults: []int{conflict, away},
		},
		{
			method: http.MethodGet, path: "/v1.0/status", handle: a.status,
			tag: "Router", name: "getStatus", summary: "Say how the router is.", answer: "Status",
		},
		{
			method: http.MethodGet, path: "/v1.0/openapi.json", handle: func(*exchange) (any, error) { return json.RawMessage(a.document), nil },
			tag: "Router", name: "getOpenAPI", summary: "This document.", answer: "Document",
		},
	}
}

// allFaults returns every status but 200 that an endpoint may answer.
func (e *endpoint) allFaults() []int {
	all := []int{http.StatusInternalServerError}
	if !e.open {
		all = append(all, http.StatusUnauthorized)
	}
	if e.method != http.MethodGet {
		all = append(all, http.StatusForbidden) // From another site; or without the permission.
	}
	if e.body != "" {
		all = append(all, http.StatusRequestEntityTooLarge)
	}
	return append(all, e.faults...)
}

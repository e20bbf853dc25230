package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// dict is a JSON object that keeps its order.
type dict []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (d dict) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func ref(kind, name string) dict { return dict{{"$ref", "#/components/" + kind + "/" + name}} }

func content(schema any) dict {
	return dict{{"application/json", dict{{"schema", schema}}}}
}

// document writes the OpenAPI document of what the table serves.
func document(table []endpoint, version string) ([]byte, error) {
	doc := dict{
		{"openapi", "3.1.0"},
		{"info", dict{
			{"title", "dialrouter"},
			{"version", version},
			{"description", "Providers and routes of a SIP router, in VoIPBIN's JSON. Secrets are write-only: where one is " +
				"stored, an answer has ******** instead, and sending that back means to leave it as it is."},
			{"license", dict{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []dict{{{"url", "/"}, {"description", "The router itself."}}}},
		{"security", []dict{{{"cookie", []string{}}}, {{"query", []string{}}}, {{"bearer", []string{}}}}},
		{"tags", tags()},
		{"paths", paths(table)},
		{"components", dict{
			{"securitySchemes", dict{
				{"cookie", dict{{"type", "apiKey"}, {"in", "cookie"}, {"name", tokenCookie}, {"description", "Looked at first."}}},
				{"query", dict{{"type", "apiKey"}, {"in", "query"}, {"name", tokenQuery}, {"description", "Looked at second."}}},
				{"bearer", dict{{"type", "http"}, {"scheme", "bearer"}, {"description", "Looked at last."}}},
			}},
			{"parameters", parameters()},
			{"headers", headers()},
			{"responses", responses()},
			{"schemas", schemas()},
		}},
	}
	return json.Marshal(doc)
}

func headers() dict {
	header := func(description string) dict {
		return dict{{"description", description}, {"schema", dict{{"type", "string"}}}}
	}
	return dict{
		{requestIDHeader, header("The request's, or one that was made for it.")},
		{"ETag", header("Of the entry as it is now, for If-Match.")},
		{"Retry-After", header("Seconds.")},
	}
}

func parameters() dict {
	parameter := func(name, in, description string, schema dict) dict {
		return dict{
			{"name", name}, {"in", in}, {"description", description}, {"required", in == "path"}, {"schema", schema},
		}
	}
	word := dict{{"type", "string"}}
	return dict{
		{"id", parameter("id", "path", "Of the entry.", dict{{"type", "string"}, {"format", "uuid"}})},
		{"n", parameter("n", "path", "Of the revision.", dict{{"type", "integer"}, {"minimum", 1}})},
		{"page_size", parameter("page_size", "query", "How many entries at most, from 1 to 100; any other number is 100.",
			dict{{"type", "integer"}, {"default", maxPage}})},
		{"page_token", parameter("page_token", "query", "The next_page_token of the page before; or a time, for what is older.", word)},
		{"revision_token", parameter("page_token", "query", "The next_page_token of the page before.", word)},
		{"call_id", parameter("call_id", "path", "The Call-ID, percent-encoded. One that is longer than 256 bytes is found by the "+
			"whole, and by the 256 that are on record.", word)},
		{"call_token", parameter("page_token", "query", "The next_page_token of the page before.", word)},
		{"number", parameter("number", "query", "Only calls to this number, as records have it.", word)},
		{"provider_id", parameter("provider_id", "query", "Only calls for which this provider was tried.",
			dict{{"type", "string"}, {"format", "uuid"}})},
		{"calls_customer_id", parameter("customer_id", "query", "Only calls of this customer.",
			dict{{"type", "string"}, {"format", "uuid"}})},
		{"outcome", parameter("outcome", "query", "Only calls that ended so.", dict{{"type", "string"}, {"enum", outcomes()}})},
		{"customer_id", parameter("customer_id", "query", "Only the routes of this customer.",
			dict{{"type", "string"}, {"format", "uuid"}})},
		{"If-Match", parameter("If-Match", "header", "Do it only if the entry has one of these tags.", word)},
		{requestIDHeader, parameter(requestIDHeader, "header", "Names the request in the log and the audit.",
			dict{{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{1,64}$"}})},
	}
}

func tags() []dict {
	return []dict{
		{{"name", "Auth"}, {"description", "Tokens."}},
		{{"name", "Provider"}, {"description", "The carriers."}},
		{{"name", "Route"}, {"description", "Who may carry which numbers for whom."}},
		{{"name", "Call"}, {"description", "What becomes of calls."}},
		{{"name", "History"}, {"description", "Who changed what, and how to go back."}},
		{{"name", "Router"}, {"description", "The running router."}},
	}
}

// paths groups the table by path.
func paths(table []endpoint) dict {
	var all dict
	for i := range table {
		e := &table[i]
		at := slices.IndexFunc(all, func(m member) bool { return m.name == e.path })
		if at < 0 {
			at = len(all)
			all = append(all, member{e.path, dict{}})
		}
		item, _ := all[at].value.(dict)
		all[at].value = append(item, member{strings.ToLower(e.method), operation(e)})
	}
	return all
}

func operation(e *endpoint) dict {
	op := dict{{"tags", []string{e.tag}}, {"operationId", e.name}, {"summary", e.summary}}
	if e.write {
		op = append(op, member{"description", "Needs the permission " + string(ProjectSuperAdmin) + "."})
	}
	if e.open {
		op = append(op, member{"security", []dict{}})
	}
	var given []dict
	for part := range strings.SplitSeq(e.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			given = append(given, ref("parameters", strings.TrimSuffix(name, "}")))
		}
	}
	for _, name := range e.parameters {
		given = append(given, ref("parameters", name))
	}
	given = append(given, ref("parameters", requestIDHeader))
	op = append(op, member{"parameters", given})
	if e.body != "" {
		op = append(op, member{"requestBody", dict{{"required", true}, {"content", content(ref("schemas", e.body))}}})
	}
	headers := dict{{requestIDHeader, ref("headers", requestIDHeader)}}
	if e.etag {
		headers = append(headers, member{"ETag", ref("headers", "ETag")})
	}
	answers := dict{{"200", dict{
		{"description", "Done."}, {"headers", headers}, {"content", content(ref("schemas", e.answer))},
	}}}
	faults := e.allFaults()
	slices.Sort(faults)
	for _, code := range faults {
		answers = append(answers, member{strconv.Itoa(code), ref("responses", responseName(code))})
	}
	return append(op, member{"responses", answers})
}

// responseName is what the response of a status is called among the components.
func responseName(code int) string { return strings.ReplaceAll(http.StatusText(code), " ", "") }

// faultReasons has the reasons that go with a status.
func faultReasons() []struct {
	code    int
	what    string
	reasons string
} {
	return []struct {
		code    int
		what    string
		reasons string
	}{
		{http.StatusBadRequest, "The request is wrong.", "INVALID_JSON_BODY, INVALID_ID, INVALID_ARGUMENT with the fields in " +
			"details, INVALID_REQUEST_PARAMETER, INVALID_CODECS"},
		{http.StatusUnauthorized, "Nobody is known by this.", "AUTHENTICATION_REQUIRED when nothing was sent, INVALID_CREDENTIALS"},
		{http.StatusForbidden, "This may not be done.", "PERMISSION_DENIED, CROSS_ORIGIN_REFUSED"},
		{http.StatusNotFound, "There is no such thing, or no more.", "PROVIDER_NOT_FOUND, ROUTE_NOT_FOUND, REVISION_NOT_FOUND, " +
			"CALL_NOT_FOUND, ENDPOINT_NOT_FOUND"},
		{http.StatusConflict, "It cannot be done as things are.", "ALREADY_EXISTS, CATALOG_INVALID, CATALOG_READ_ONLY"},
		{http.StatusPreconditionFailed, "It was changed since it was read.", "ETAG_MISMATCH"},
		{http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.", "REQUEST_TOO_LARGE"},
		{http.StatusUnprocessableEntity, "The carrier rejects the key.", "CARRIER_CREDENTIALS_REJECTED"},
		{http.StatusTooManyRequests, "Too many logins failed.", "TOO_MANY_LOGINS"},
		{http.StatusInternalServerError, "Something went wrong here.", "INTERNAL"},
		{http.StatusBadGateway, "The carrier failed. What is left there is named in details.", "CARRIER_FAILED"},
		{http.StatusServiceUnavailable, "It cannot be done just now.", "CATALOG_UNAVAILABLE, HISTORY_UNAVAILABLE"},
	}
}

func responses() dict {
	var all dict
	for _, f := range faultReasons() {
		headers := dict{{requestIDHeader, ref("headers", requestIDHeader)}}
		if f.code == http.StatusTooManyRequests || f.code == http.StatusServiceUnavailable {
			headers = append(headers, member{"Retry-After", ref("headers", "Retry-After")})
		}
		all = append(all, member{responseName(f.code), dict{
			{"description", f.what + " Reasons: " + f.reasons + "."},
			{"headers", headers},
			{"content", content(ref("schemas", "Error"))},
		}})
	}
	return all
}

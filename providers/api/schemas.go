package api

import (
	"slices"

	"github.com/voipbin/dialrouter/providers"
)

// property is a field of an object that is written and read.
type property struct {
	name     string
	schema   dict
	readOnly bool
	required bool // In what is written; what is read has all.
}

func text(description string) dict {
	return dict{{"type", "string"}, {"description", description}}
}

func oneOf(description string, values ...any) dict {
	return dict{{"type", "string"}, {"enum", values}, {"description", description}}
}

// values are those of an enumeration, others in front.
func values(all []string, others ...any) []any {
	for _, one := range all {
		others = append(others, one)
	}
	return others
}

func uuidSchema(description string) dict {
	return dict{{"type", "string"}, {"format", "uuid"}, {"description", description}}
}

func timeSchema(description string) dict {
	return dict{{"type", "string"}, {"format", "date-time"}, {"description", description + " Six digits of a second."}}
}

func integer(description string) dict {
	return dict{{"type", "integer"}, {"description", description}}
}

func number(description string) dict {
	return dict{{"type", "number"}, {"description", description}}
}

func boolean(description string) dict {
	return dict{{"type", "boolean"}, {"description", description}}
}

func listOf(schema dict, description string) dict {
	return dict{{"type", "array"}, {"items", schema}, {"description", description}}
}

func mapOfText(description string) dict {
	return dict{{"type", "object"}, {"additionalProperties", dict{{"type", "string"}}}, {"description", description}}
}

// nullable makes null a value too.
func nullable(schema dict) dict {
	c := dict{}
	for _, m := range schema {
		if m.name == "type" {
			m.value = []any{m.value, "null"}
		}
		c = append(c, m)
	}
	return c
}

// with sets the default.
func with(schema dict, value any) dict {
	return append(slices.Clip(schema), member{"default", value})
}

// read is an object as it is answered: with all fields and no others.
func read(description string, fields ...property) dict {
	return objectOf(description, fields, func(property) bool { return true })
}

// written is an object as it is sent: what is not required may be left out.
func written(description string, fields ...property) dict {
	return objectOf(description, fields, func(f property) bool { return f.required })
}

func objectOf(description string, fields []property, needed func(property) bool) dict {
	var properties dict
	required := []string{}
	for _, f := range fields {
		schema := f.schema
		if f.readOnly {
			schema = append(slices.Clip(schema), member{"readOnly", true})
		}
		if needed(f) {
			required = append(required, f.name)
		}
		properties = append(properties, member{f.name, schema})
	}
	return dict{
		{"type", "object"},
		{"description", description},
		{"properties", properties},
		{"required", required},
		{"additionalProperties", false},
	}
}

func timeProperties() []property {
	return []property{
		{name: "tm_create", schema: timeSchema("When it was created."), readOnly: true},
		{name: "tm_update", schema: timeSchema("When it was changed last."), readOnly: true},
		{name: "tm_delete", schema: timeSchema("When it was deleted; 9999-01-01T00:00:00.000000Z is not yet."), readOnly: true},
	}
}

func providerProperties() []property {
	duration := func(description string) dict {
		return with(text(description+" Such as 2s or 500ms; 0s is the configuration's."), "0s")
	}
	all := []property{
		{name: "id", schema: uuidSchema("Made by the server."), readOnly: true},
		{name: "type", schema: oneOf("What kind of provider.", "sip"), required: true},
		{name: "hostname", schema: text("host, host:port, IPv4, [IPv6] or [IPv6]:port."), required: true},
		{name: "tech_prefix", schema: with(text("Put before the dialled number, literally; at most 255 bytes."), "")},
		{name: "tech_postfix", schema: with(text("Put after it. One that holds an @ names the host of the Request-URI."), "")},
		{name: "tech_headers", schema: with(mapOfText("Headers of every INVITE to the provider. Secret values are masked."), dict{})},
		{name: "name", schema: text("Unique; it labels metrics."), required: true},
		{name: "detail", schema: with(text("For people."), "")},
		{name: "metadata", schema: mapOfText("What setting up at the carrier made."), readOnly: true},
		{name: "codecs", schema: with(text("Names in order of preference, separated by commas; none leaves offers alone."), "")},
		{name: "health_status", schema: healthSchema("What probes and calls say."), readOnly: true},
		{name: "health_checked_at", schema: nullable(timeSchema("When a probe ended last; null is never.")), readOnly: true},
	}
	all = append(all, timeProperties()...)
	return append(all,
		property{name: "transport", schema: with(oneOf("How it is reached; none lets DNS decide.", "", "udp", "tcp", "tls"), "")},
		property{name: "enabled", schema: with(boolean("Whether calls use it."), true)},
		property{name: "raw_user", schema: with(boolean("Send the user part without percent-escaping."), false)},
		property{name: "follow_redirects", schema: with(boolean("Try the contacts of a 3xx instead of passing it on."), false)},
		property{name: "budgets", schema: read("How long an attempt may take.",
			property{name: "no_reply", schema: duration("Nothing at all came back.")},
			property{name: "no_ringing", schema: duration("A 100 came, but no 18x.")},
			property{name: "answer", schema: duration("It rings, but nobody answers.")})},
		property{name: "failover", schema: read("What lets the next provider try; null is the configuration's.",
			property{name: "next", schema: nullable(listOf(text("A code or a class: 404, 5xx."), "Replies."))},
			property{name: "after_ringing", schema: nullable(boolean("Whether that holds after an 18x."))},
			property{name: "preset", schema: with(oneOf("Rules for a carrier's replies, behind those given; none of the names "+
				"is the configuration's.", values(providers.Presets(), "", providers.NoPreset)...), "")},
			property{name: "rules", schema: nullable(listOf(ruleSchema(), "The first that fits decides, before next."))})},
		property{name: "limits", schema: read("What it is given at most; 0 is no limit.",
			property{name: "calls", schema: with(integer("Calls at the same time."), 0)},
			property{name: "cps", schema: with(dict{{"type", "number"}, {"description", "New calls per second."}}, 0)})},
		property{name: "credentials", schema: read("Answers to its digest challenges.",
			property{name: "username", schema: with(text("Who we are to it."), "")},
			property{name: "password", schema: with(text("Write-only: an answer masks it."), "")},
			property{name: "realm", schema: with(text("Only for this realm; none is any."), "")})},
		property{name: "secret_headers", schema: with(listOf(text("A name."), "Those of tech_headers whose values are secret."), []string{})},
		property{name: "health", schema: read("How it is asked whether it is there, by OPTIONS.",
			property{name: "probe", schema: with(boolean("Whether it is asked at all."), true)},
			property{name: "interval", schema: duration("Between two probes.")},
			property{name: "up", schema: nullable(listOf(text("A code or a class: 404, 2xx."),
				"Replies that mean it is there; null is all but 408 and 503."))})},
	)
}

func routeProperties() []property {
	all := []property{
		{name: "id", schema: uuidSchema("Made by the server."), readOnly: true},
		{name: "customer_id", schema: with(uuidSchema("Whose calls; "+providers.Everyone.String()+" is everyone's."),
			providers.Everyone.String())},
		{name: "name", schema: with(text("For people."), "")},
		{name: "detail", schema: with(text("For people."), "")},
		{name: "provider_id", schema: uuidSchema("Where the calls go."), required: true},
		{name: "priority", schema: with(integer("Lower goes first."), 0)},
		{name: "target", schema: text("all, or a prefix of the number: +1."), required: true},
	}
	all = append(all, timeProperties()...)
	return append(all, property{
		name: "weight", schema: with(integer("The share among routes of equal priority."), providers.DefaultWeight),
	})
}

// inner makes the objects within a written one forgiving too: fields may be left out of them.
func inner(fields []property) []property {
	for i := range fields {
		for j, m := range fields[i].schema {
			if m.name == "required" {
				schema := append(dict{}, fields[i].schema[:j]...)
				fields[i].schema = append(schema, fields[i].schema[j+1:]...)
				break
			}
		}
	}
	return fields
}

func listSchema(schema string) dict {
	return read("A page of a list.",
		property{name: "result", schema: listOf(ref("schemas", schema), "The newest first; never null.")},
		property{name: "next_page_token", schema: text("The page_token of the page after this one; none when this one is empty.")})
}

func schemas() dict {
	return dict{
		{"Error", errorSchema()},
		{"Provider", read("A SIP trunk service.", providerProperties()...)},
		{"ProviderWrite", written("A provider as it is to be. Read-only fields may be sent as they are stored.",
			inner(providerProperties())...)},
		{"ProviderList", listSchema("Provider")},
		{"ProviderSetup", setupSchema()},
		{"ProviderStats", statsSchema()},
		{"CallFigures", figuresSchema()},
		{"Route", read("Who may carry which numbers for whom.", routeProperties()...)},
		{"RouteWrite", written("A route as it is to be. Read-only fields may be sent as they are stored.", routeProperties()...)},
		{"RouteList", listSchema("Route")},
		{"Login", written("A name and a password.",
			property{name: "username", schema: text("Of admin.users in the configuration."), required: true},
			property{name: "password", schema: text("Theirs."), required: true})},
		{"Session", read("A login.",
			property{name: "username", schema: text("Whose.")},
			property{name: "token", schema: text("To be sent with requests.")},
			property{name: "tm_expire", schema: timeSchema("When the token ends.")})},
		{"PlanRequest", planRequestSchema()},
		{"Plan", planSchema()},
		{"CallList", listSchema("Call")},
		{"Call", callSchema()},
		{"RevisionList", listSchema("Revision")},
		{"Revision", revisionSchema()},
		{"Restored", read("What was restored.",
			property{name: "restored", schema: integer("The number of the revision.")},
			property{name: "revision", schema: text("Of the catalog now.")},
			property{name: "providers", schema: integer("How many there are now.")},
			property{name: "routes", schema: integer("How many there are now.")})},
		{"Reloaded", read("What is in force.", property{name: "revision", schema: text("Of the catalog now.")})},
		{"Status", statusSchema()},
		{"Document", dict{{"type", "object"}, {"description", "An OpenAPI document."}}},
	}
}

package api

import "github.com/voipbin/dialrouter/providers"

func errorSchema() dict {
	return read("What went wrong.", property{name: "error", schema: read("The error.",
		property{name: "status", schema: oneOf("What kind of error.", statusInvalidArgument, statusUnauthenticated,
			statusPermissionDenied, statusNotFound, statusFailedPrecondition, statusResourceExhausted, statusInternal,
			statusUnavailable)},
		property{name: "reason", schema: text("Which error; it is named with the response.")},
		property{name: "message", schema: text("For people.")},
		property{name: "request_id", schema: text("Of the request; the log has it too.")},
		property{name: "details", schema: listOf(written("One thing that is wrong.",
			property{name: "field", schema: text("Of the body, or the parameter.")},
			property{name: "resource", schema: text("Kind of a thing that was left at a carrier.")},
			property{name: "id", schema: text("Of that thing.")},
			property{name: "line", schema: integer("Of the catalog's file.")},
			property{name: "message", schema: text("For people."), required: true}), "All that is wrong; may be empty.")})})
}

func setupSchema() dict {
	return written("What to set up.",
		property{name: "carrier", schema: oneOf("Where.", "telnyx"), required: true},
		property{name: "name", schema: text("Of the provider."), required: true},
		property{name: "detail", schema: with(text("Of the provider."), "")},
		property{name: "credentials", schema: written("For the carrier's API; kept nowhere.",
			property{name: "api_key", schema: text("Of the carrier."), required: true}), required: true})
}

func planRequestSchema() dict {
	return written("A call that is not placed.",
		property{name: "number", schema: text("As it is dialled."), required: true},
		property{name: "customer_id", schema: uuidSchema("Whose call; none is everyone's.")},
		property{name: "provider_ids", schema: listOf(uuidSchema("A provider."), "Exactly these, in this order; none is by route.")},
		property{name: "codecs", schema: text("The call's own list.")},
		property{name: "sdp", schema: text("The offer.")})
}

func planSchema() dict {
	provider := []property{
		{name: "provider_id", schema: uuidSchema("Which provider.")},
		{name: "provider_name", schema: text("Its name; none when there is no such provider.")},
	}
	attempt := append(provider[:2:2],
		property{name: "request_uri", schema: text("What it would be asked for.")},
		property{name: "destination", schema: text("transport:address:port.")},
		property{name: "headers", schema: mapOfText("Its tech headers; secret values are masked.")},
		property{name: "sdp", schema: text("The offer that it would get.")},
		property{name: "route_id", schema: nullable(uuidSchema("Why it is here; null when the request named it."))},
		property{name: "reason", schema: text("Why it is here.")})
	skipped := append(provider[:2:2], property{name: "reason", schema: text("Why it would not be tried.")})
	return read("What would become of a call.",
		property{name: "number", schema: text("As it would be sent.")},
		property{name: "attempts", schema: listOf(read("A provider that would be tried.", attempt...), "In order.")},
		property{name: "skipped", schema: listOf(read("A provider that would not be tried.", skipped...), "With the reason.")},
		property{name: "final_status", schema: integer("What the caller gets when nobody can be tried; else 0.")})
}

func revisionSchema() dict {
	entry := dict{{"type", []string{"object", "null"}}, {"description", "The entry; secrets are masked."}}
	return read("A change of the catalog.",
		property{name: "n", schema: integer("Its number.")},
		property{name: "time", schema: timeSchema("When.")},
		property{name: "by", schema: read("Who.",
			property{name: "name", schema: text("Of the token or user; file for edits by hand.")},
			property{name: "remote", schema: text("Where the request came from.")},
			property{name: "request_id", schema: text("Of the request.")})},
		property{name: "from", schema: text("The catalog's revision before.")},
		property{name: "revision", schema: text("The catalog's revision after.")},
		property{name: "entries", schema: listOf(read("What happened to one entry.",
			property{name: "kind", schema: oneOf("Of entry.", providers.KindProvider, providers.KindRoute)},
			property{name: "verb", schema: oneOf("What happened.", providers.VerbCreate, providers.VerbReplace, providers.VerbDelete)},
			property{name: "id", schema: uuidSchema("Of the entry.")},
			property{name: "name", schema: text("Of the entry.")},
			property{name: "before", schema: entry},
			property{name: "after", schema: entry}), "Empty where only comments or spacing were edited.")})
}

func healthSchema(description string) dict {
	return oneOf(description, providers.HealthUnknown, providers.HealthHealthy, providers.HealthUnhealthy)
}

func statusSchema() dict {
	return read("How the router is.",
		property{name: "version", schema: text("Of the program.")},
		property{name: "revision", schema: text("Of the catalog in force.")},
		property{name: "uptime", schema: integer("Seconds.")},
		property{name: "calls_in_progress", schema: integer("Calls that are being set up.")},
		property{name: "draining", schema: boolean("Whether new calls are refused.")},
		property{name: "warning", schema: text("Why a newer catalog is not in force; none when nothing is wrong.")},
		property{name: "providers", schema: listOf(read("A provider.",
			property{name: "id", schema: uuidSchema("Which.")},
			property{name: "name", schema: text("Its name.")},
			property{name: "enabled", schema: boolean("Whether calls use it.")},
			property{name: "health_status", schema: healthSchema("What probes and calls say.")},
			property{name: "health_checked_at", schema: nullable(timeSchema("When a probe ended last; null is never."))},
			property{name: "reason", schema: text("Why it is not well; none when it is.")},
			property{name: "addresses", schema: listOf(read("An address.",
				property{name: "address", schema: text("transport:address:port.")},
				property{name: "health_status", schema: healthSchema("What probes say.")},
				property{name: "health_checked_at", schema: nullable(timeSchema("When a probe ended last; null is never."))},
				property{name: "detail", schema: text("What came of the last probe.")}), "Those that its hostname has now.")}), "All of them.")})
}

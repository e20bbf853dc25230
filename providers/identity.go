package providers

import "github.com/google/uuid"

// namespace is the name space of the ids that are made from names (UUIDv5, RFC 9562 section 5.5). It is fixed for
// ever: another one would give every hand-written entry a new identity.
var namespace = uuid.MustParse("6d7e1e0c-2f3b-4c58-9a0b-8f0c5a1d7e42") //nolint:gochecknoglobals // A constant; Go has no array constants.

// ProviderID returns the id of a hand-written provider that has none of its own: it follows from the name.
func ProviderID(name string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte("provider/"+name))
}

// RouteID returns the id of a hand-written route that has none of its own: it follows from whom it leads where, so
// that priority and weight may be edited without making it another route.
func RouteID(customer uuid.UUID, target string, provider uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte("route/"+customer.String()+"/"+target+"/"+provider.String()))
}

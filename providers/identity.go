package providers

import (
	"crypto/sha1"
	"encoding/hex"

	"github.com/google/uuid"
)

// namespace is the name space of the ids that are made from names (UUIDv5, RFC 9562 section 5.5). It is fixed for
// ever: another one would give every hand-written entry a new identity.
var namespace = uuid.MustParse("6d7e1e0c-2f3b-4c58-9a0b-8f0c5a1d7e42") //nolint:gochecknoglobals // A constant; Go has no array constants.

// ProviderID returns the id of a hand-written provider that has none of its own: it follows from the name.
func ProviderID(name string) uuid.UUID {
	return fromName(append(append(make([]byte, 0, 128), "provider/"...), name...))
}

// RouteID returns the id of a hand-written route that has none of its own: it follows from whom it leads where, so
// that priority and weight may be edited without making it another route.
func RouteID(customer uuid.UUID, target string, provider uuid.UUID) uuid.UUID {
	name := append(make([]byte, 0, 160), "route/"...)
	name = appendUUID(name, customer)
	name = append(append(append(name, '/'), target...), '/')
	return fromName(appendUUID(name, provider))
}

func appendUUID(to []byte, id uuid.UUID) []byte {
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return append(to, text[:]...)
}

// fromName is uuid.NewSHA1 without its allocations: a large file has a million routes.
func fromName(name []byte) uuid.UUID {
	var buffer [256]byte
	sum := sha1.Sum(append(append(buffer[:0], namespace[:]...), name...)) // RFC 9562 asks for this hash.
	var id uuid.UUID
	copy(id[:], sum[:])
	id[6] = id[6]&0x0F | 0x50 // Version 5.
	id[8] = id[8]&0x3F | 0x80 // The variant of RFC 9562.
	return id
}

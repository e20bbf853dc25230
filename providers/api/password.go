package api

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

var errHash = errors.New("the password is not an argon2id hash: $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH")

// hash is an argon2id hash (RFC 9106) in the form of the PHC.
type hash struct {
	memory, time uint32 // Memory in KiB.
	threads      uint8
	salt, sum    []byte
}

func parseHash(s string) (hash, error) {
	var h hash
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return hash{}, errHash
	}
	n, err := fmt.Sscanf(parts[3]+"\n", "m=%d,t=%d,p=%d\n", &h.memory, &h.time, &h.threads)
	if err != nil || n != 3 || h.time == 0 || h.threads == 0 {
		return hash{}, errHash
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, errSum = base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errSum != nil || len(h.salt) == 0 || len(h.sum) < 16 {
		return hash{}, errHash
	}
	return h, nil
}

// matches says whether the hash is the password's. It takes as long whether it is or not.
func (h *hash) matches(password string) bool {
	sum := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}

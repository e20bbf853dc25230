package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// token makes an API token. It is printed once and kept nowhere; the configuration holds its hash.
func token(env environment, args []string) error {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("%w: one NAME is needed", errUsage)
	}
	secret := newToken()
	sum := sha256.Sum256([]byte(secret))
	_, err := fmt.Fprintf(env.stdout, "token: %s\n\nIt is not shown again. Put this into admin.tokens of the configuration:\n\n    - {name: %q, sha256: %q}\n",
		secret, args[0], hex.EncodeToString(sum[:]))
	return err
}

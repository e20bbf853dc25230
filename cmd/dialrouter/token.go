package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/voipbin/dialrouter/config"
)

// token makes an API token. It is printed once and kept nowhere; the configuration holds its hash.
func token(env environment, args []string) error {
	name, permission, err := accountFlags(env, "token", args)
	if err != nil {
		return err
	}
	secret := newToken()
	sum := sha256.Sum256([]byte(secret))
	_, err = fmt.Fprintf(env.stdout, "token: %s\n\nIt is not shown again. Put this into admin.tokens of the configuration:\n\n    - {name: %q, sha256: %q%s}\n",
		secret, name, hex.EncodeToString(sum[:]), permission)
	return err
}

// accountFlags reads the name of somebody who is to use the API, and what they may do as the end of their line in the
// configuration: nothing where that is the default.
func accountFlags(env environment, command string, args []string) (name, permission string, err error) {
	rest, err := flags(env, command, args, func(fs *flag.FlagSet) {
		fs.StringVar(&permission, "permission", config.PermissionSuperAdmin, "what they may do")
	})
	switch {
	case err != nil:
		return "", "", err
	case len(rest) != 1:
		return "", "", fmt.Errorf("%w: one NAME is needed", errUsage)
	case !slices.Contains(config.Permissions(), permission):
		return "", "", fmt.Errorf("%w: --permission %q is not one of %s", errUsage, permission, strings.Join(config.Permissions(), ", "))
	case permission == config.PermissionSuperAdmin:
		return rest[0], "", nil
	default:
		return rest[0], ", permission: " + permission, nil
	}
}

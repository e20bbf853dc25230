package config

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// The variables that add to the file.
const (
	EnvAdminToken = "DIALROUTER_ADMIN_TOKEN" // One more API token, which may do everything.
	EnvTelnyxURL  = "DIALROUTER_TELNYX_URL"  // Instead of telnyx.url.
)

// ApplyEnvironment adds what the environment says. A token is kept as its hash only, like those of the file. Applied
// again, it adds nothing twice.
func (c *Config) ApplyEnvironment(lookup func(string) (string, bool)) []Problem {
	var problems []Problem
	if url, ok := lookup(EnvTelnyxURL); ok && url != "" {
		if rule := apiURL(url); rule != "" {
			problems = append(problems, c.Problem("telnyx.url", fmt.Sprintf("the value of %s %s", EnvTelnyxURL, rule)))
		} else {
			c.Telnyx.URL = url
		}
	}
	if token, ok := lookup(EnvAdminToken); ok && token != "" {
		added := Token{Name: EnvAdminToken, SHA256: sha256.Sum256([]byte(token)), Permission: PermissionSuperAdmin}
		if !slices.Contains(c.Admin.Tokens, added) {
			c.Admin.Tokens = append(c.Admin.Tokens, added)
		}
	}
	return problems
}
